"""Backgrounds that are estimated from data: from normalised histograms to further processes."""

from hepflow.estimates.closure import Closure, closure
from hepflow.estimates.compute import TransferFactor, transfer_factor, with_estimates
from hepflow.estimates.problems import (
    NO_FACTOR,
    EstimateProblem,
    nominal_problems,
    varied_problems,
)
from hepflow.estimates.remarks import estimate_remarks, sideband_remarks
from hepflow.estimates.spec import EstimateSpec, estimates_of_config

__all__ = [
    "NO_FACTOR",
    "Closure",
    "EstimateProblem",
    "EstimateSpec",
    "TransferFactor",
    "closure",
    "estimate_remarks",
    "estimates_of_config",
    "nominal_problems",
    "sideband_remarks",
    "transfer_factor",
    "varied_problems",
    "with_estimates",
]
