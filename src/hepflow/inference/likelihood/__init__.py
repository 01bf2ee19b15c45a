"""From estimated ratios and scores to limits: likelihoods, regions, information, checks."""

from hepflow.inference.likelihood.adaptive import adaptive, zoomed
from hepflow.inference.likelihood.binning import Binning
from hepflow.inference.likelihood.calibration import (
    Calibrated,
    calibration,
    ratio_closure,
    reliability,
    reweighting,
    score_closure,
)
from hepflow.inference.likelihood.coverage import coverage
from hepflow.inference.likelihood.fisher import (
    constrained,
    cramer_rao,
    full_information,
    histogram_information,
    latent_information_not_attainable,
    profiled,
    projected,
    rate_information,
    shape_information,
)
from hepflow.inference.likelihood.grids import Grid, Surface, on_grid
from hepflow.inference.likelihood.histogram_fit import (
    Binned,
    Sallino,
    histogram_likelihood,
    score_shape,
)
from hepflow.inference.likelihood.model import Likelihood, Rate, Unbinned, rate_of
from hepflow.inference.likelihood.neyman import critical_values, events_at, on_scan
from hepflow.inference.likelihood.profiling import best_nuisances
from hepflow.inference.likelihood.recalibration import Recalibrated
from hepflow.inference.likelihood.regions import LEVELS, p_value, region, rise
from hepflow.inference.likelihood.results import Limits, limits
from hepflow.inference.likelihood.simulation import Measurement, Simulation, asimov, observed
from hepflow.inference.likelihood.toys import (
    Toys,
    fresh,
    resampled,
    statistics,
    with_auxiliary,
)

__all__ = [
    "LEVELS",
    "Binned",
    "Binning",
    "Calibrated",
    "Grid",
    "Likelihood",
    "Limits",
    "Measurement",
    "Rate",
    "Recalibrated",
    "Sallino",
    "Simulation",
    "Surface",
    "Toys",
    "Unbinned",
    "adaptive",
    "asimov",
    "best_nuisances",
    "calibration",
    "constrained",
    "coverage",
    "cramer_rao",
    "critical_values",
    "events_at",
    "fresh",
    "full_information",
    "histogram_information",
    "histogram_likelihood",
    "latent_information_not_attainable",
    "limits",
    "observed",
    "on_grid",
    "on_scan",
    "p_value",
    "profiled",
    "projected",
    "rate_information",
    "rate_of",
    "ratio_closure",
    "region",
    "reliability",
    "resampled",
    "reweighting",
    "rise",
    "score_closure",
    "score_shape",
    "shape_information",
    "statistics",
    "with_auxiliary",
    "zoomed",
]
