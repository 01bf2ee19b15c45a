"""From histograms to a statistical model, its fit, limits and significance."""

from __future__ import annotations

from hepflow.statistics.cabinetry_config import (
    CONFIG_FILE,
    config_path,
    is_own,
    read_cabinetry_config,
    uses_own,
    write_cabinetry_config,
)
from hepflow.statistics.cabinetry_results import from_cabinetry, run_fit, to_cabinetry
from hepflow.statistics.discovery import significance
from hepflow.statistics.fitting import fit, goodness_of_fit, require_good
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.limits import Cls, upper_limit
from hepflow.statistics.own_workspace import build_from_own
from hepflow.statistics.prediction import predict
from hepflow.statistics.run import (
    StatisticsResult,
    keep_labels,
    load_statistics,
    prepare_workspace,
    run_statistics,
)
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.templates import (
    TEMPLATE_FILE,
    differs_from_filled,
    fit_templates,
    regions_without_data,
    template_file,
)
from hepflow.statistics.workspace import build_workspace, load_model

__all__ = [
    "CONFIG_FILE",
    "TEMPLATE_FILE",
    "Cls",
    "Likelihood",
    "StatisticsResult",
    "StatisticsSpec",
    "build_from_own",
    "build_workspace",
    "config_path",
    "differs_from_filled",
    "fit",
    "fit_templates",
    "from_cabinetry",
    "goodness_of_fit",
    "is_own",
    "keep_labels",
    "load_model",
    "load_statistics",
    "predict",
    "prepare_workspace",
    "read_cabinetry_config",
    "regions_without_data",
    "require_good",
    "run_fit",
    "run_statistics",
    "significance",
    "template_file",
    "to_cabinetry",
    "upper_limit",
    "uses_own",
    "write_cabinetry_config",
]
