"""From histograms to a statistical model, its fit, limits and significance."""

from __future__ import annotations

from hepflow.statistics.cabinetry_config import (
    config_path,
    is_own,
    read_cabinetry_config,
    write_cabinetry_config,
)
from hepflow.statistics.cabinetry_results import from_cabinetry, run_fit, to_cabinetry
from hepflow.statistics.discovery import significance
from hepflow.statistics.fitting import fit, goodness_of_fit, require_good
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.limits import Cls, upper_limit
from hepflow.statistics.prediction import predict
from hepflow.statistics.run import (
    StatisticsResult,
    load_statistics,
    prepare_workspace,
    run_statistics,
)
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.workspace import build_from_own, build_workspace, load_model

__all__ = [
    "Cls",
    "Likelihood",
    "StatisticsResult",
    "StatisticsSpec",
    "build_from_own",
    "build_workspace",
    "config_path",
    "fit",
    "from_cabinetry",
    "goodness_of_fit",
    "is_own",
    "load_model",
    "load_statistics",
    "predict",
    "prepare_workspace",
    "read_cabinetry_config",
    "require_good",
    "run_fit",
    "run_statistics",
    "significance",
    "to_cabinetry",
    "upper_limit",
    "write_cabinetry_config",
]
