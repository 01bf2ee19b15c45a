"""Backgrounds that are estimated from data: from normalised histograms to further processes."""

from hepflow.estimates.closure import Closure, closure
from hepflow.estimates.compute import (
    TransferFactor,
    estimate_remarks,
    transfer_factor,
    with_estimates,
)
from hepflow.estimates.spec import EstimateSpec, estimates_of_config

__all__ = [
    "Closure",
    "EstimateSpec",
    "TransferFactor",
    "closure",
    "estimate_remarks",
    "estimates_of_config",
    "transfer_factor",
    "with_estimates",
]
