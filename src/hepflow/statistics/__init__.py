"""From histograms to a statistical model, its fit, limits and significance."""

from __future__ import annotations

from hepflow.statistics.batch import Fits, fit_many
from hepflow.statistics.binning import fit_channels
from hepflow.statistics.cabinetry_config import (
    CONFIG_FILE,
    config_path,
    is_own,
    read_cabinetry_config,
    uses_own,
    write_cabinetry_config,
)
from hepflow.statistics.cabinetry_results import from_cabinetry, run_fit, to_cabinetry
from hepflow.statistics.cls import Cls
from hepflow.statistics.discovery import significance
from hepflow.statistics.fitting import fit, goodness_of_fit, require_good
from hepflow.statistics.groups import groups_of
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.limits import upper_limit
from hepflow.statistics.loading import load_likelihood
from hepflow.statistics.own_workspace import build_from_own
from hepflow.statistics.prediction import predict
from hepflow.statistics.run import prepare_workspace, run_statistics
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.stored import (
    forget_results,
    keep_labels,
    load_statistics,
    result_files,
)
from hepflow.statistics.templates import (
    TEMPLATE_FILE,
    differs_from_filled,
    fit_templates,
    regions_without_data,
    template_file,
)
from hepflow.statistics.validation import predict_validation
from hepflow.statistics.workspace import build_workspace, load_model

__all__ = [
    "CONFIG_FILE",
    "TEMPLATE_FILE",
    "Cls",
    "Fits",
    "Likelihood",
    "StatisticsSpec",
    "build_from_own",
    "build_workspace",
    "config_path",
    "differs_from_filled",
    "fit",
    "fit_channels",
    "fit_many",
    "fit_templates",
    "forget_results",
    "from_cabinetry",
    "goodness_of_fit",
    "groups_of",
    "is_own",
    "keep_labels",
    "load_likelihood",
    "load_model",
    "load_statistics",
    "predict",
    "predict_validation",
    "prepare_workspace",
    "read_cabinetry_config",
    "regions_without_data",
    "require_good",
    "result_files",
    "run_fit",
    "run_statistics",
    "significance",
    "template_file",
    "to_cabinetry",
    "upper_limit",
    "uses_own",
    "write_cabinetry_config",
]
