"""The validated configuration and its overrides."""

from hepflow.schema.base import Functor, Section
from hepflow.schema.channels import (
    Channel,
    Cut,
    GhostObservable,
    GoodObjectMask,
    GoodObjectMasks,
    NMinusOne,
    Observable,
    Selection,
)
from hepflow.schema.config import Config
from hepflow.schema.datasets import DatasetEntry, Datasets
from hepflow.schema.estimates import Estimate, Transfer
from hepflow.schema.execution import Execution
from hepflow.schema.general import General
from hepflow.schema.inference import Inference
from hepflow.schema.overrides import load_config_with_restricted_cli
from hepflow.schema.plotting import Plotting
from hepflow.schema.preprocess import Preprocess, Skimming
from hepflow.schema.statistics import NormFactor, Statistics
from hepflow.schema.study import Study
from hepflow.schema.systematics import Correction, Systematic, UncertaintySource

__all__ = [
    "Channel",
    "Config",
    "Correction",
    "Cut",
    "DatasetEntry",
    "Datasets",
    "Estimate",
    "Execution",
    "Functor",
    "General",
    "GhostObservable",
    "GoodObjectMask",
    "GoodObjectMasks",
    "Inference",
    "NMinusOne",
    "NormFactor",
    "Observable",
    "Plotting",
    "Preprocess",
    "Section",
    "Selection",
    "Skimming",
    "Statistics",
    "Study",
    "Systematic",
    "Transfer",
    "UncertaintySource",
    "load_config_with_restricted_cli",
]
