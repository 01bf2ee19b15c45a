"""Results as cabinetry's own types, for its plots and tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepflow.records.results import FitResult
from hepflow.statistics.fitting import as_likelihood, fit, require_good
from hepflow.statistics.minimise import Optimizer

_NO_GOODNESS_OF_FIT = -1.0  # cabinetry's own value for "not computed"


def to_cabinetry(result: FitResult) -> Any:
    """Return the result as a ``cabinetry.fit.FitResults``."""
    from cabinetry.fit.results_containers import FitResults

    goodness = result.goodness_of_fit
    return FitResults(
        bestfit=result.bestfit.copy(),
        uncertainty=result.uncertainty.copy(),
        labels=list(result.labels),
        corr_mat=result.correlation.copy(),
        best_twice_nll=result.twice_nll,
        goodness_of_fit=_NO_GOODNESS_OF_FIT if goodness is None else goodness,
    )


def from_cabinetry(results: Any, poi: str, *, model: dict[str, Any] | None = None) -> FitResult:
    """Return a ``cabinetry.fit.FitResults`` as our record.

    cabinetry returns no result of a failed fit, so that this one counts as converged.
    """
    goodness = float(results.goodness_of_fit)
    return FitResult(
        poi=poi,
        labels=tuple(results.labels),
        bestfit=np.asarray(results.bestfit, dtype=np.float64),
        uncertainty=np.asarray(results.uncertainty, dtype=np.float64),
        correlation=np.asarray(results.corr_mat, dtype=np.float64),
        twice_nll=float(results.best_twice_nll),
        goodness_of_fit=goodness if goodness >= 0 else None,
        converged=True,
        model=model or {},
        notes=("made by cabinetry",),
    )


def run_fit(
    model: Any, data: list[float], *, optimizer: Optimizer = "newton"
) -> tuple[list[float], Any, Any, Any]:
    """Fit, in the form that cabinetry's ``visualize.data_mc`` and ``visualize.pulls`` take.

    Parameters
    ----------
    model : pyhf.Model
    data : list of float
        With auxiliary data.
    optimizer : {"newton", "minuit", "scipy"}

    Returns
    -------
    tuple
        Data, ``cabinetry.fit.FitResults``, pre-fit and post-fit
        ``cabinetry.model_utils.ModelPrediction``.

    Raises
    ------
    FitError
        The fit has no result that may be used.
    """
    from cabinetry import model_utils

    result = require_good(fit(as_likelihood(model), data, optimizer=optimizer))
    results = to_cabinetry(result)
    prefit = model_utils.prediction(model)
    postfit = model_utils.prediction(model, fit_results=results)
    return data, results, prefit, postfit
