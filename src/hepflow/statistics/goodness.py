"""Goodness of fit: the likelihood ratio of the best fit to the saturated model.

The saturated model has one free yield for each bin, so that it fits the data as they are: R. D.
Cousins, "Generalization of chisquare goodness-of-fit test for binned data using saturated models"
(2013); S. Baker, R. D. Cousins, Nucl. Instrum. Meth. 221 (1984) 437.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.logging import progress
from hepflow.records.inference import GoodnessOfFit
from hepflow.records.results import FitResult
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.toys import ToySpec, fit_toys, fraction, judged, make_toys

Floats = NDArray[np.float64]
_ENSEMBLE = 3  # toys independent of those for limits and significance
_TIE = 1e-6  # in the statistic: toys with the data's own counts reach the data


def asymptotic(
    likelihood: Likelihood, data: Sequence[float] | Floats, twice_nll: float
) -> GoodnessOfFit:
    """Goodness of fit from the chi-squared distribution that the statistic has for many events.

    Parameters
    ----------
    likelihood : Likelihood
    data : sequence of float
        With auxiliary data.
    twice_nll : float
        Twice the negative log-likelihood at the best fit.

    Returns
    -------
    GoodnessOfFit
        The p-value is None where there are not more bins than unconstrained free parameters.

    Raises
    ------
    FitError
        The likelihood at the best fit is not finite.
    """
    from scipy.special import chdtrc  # what scipy.stats takes, which is slow to import

    statistic = twice_nll - likelihood.saturated(likelihood.checked(data))
    if not np.isfinite(statistic):
        raise FitError(
            f"twice the negative log-likelihood is {twice_nll} at the best fit: there is no "
            "goodness of fit. Look for empty or negative bins in the templates."
        )
    unconstrained = int((~likelihood.fixed & ~likelihood.constrained).sum())
    degrees = likelihood.yields.n_bins - unconstrained
    statistic = max(float(statistic), 0.0)
    p_value = float(chdtrc(degrees, statistic)) if degrees > 0 else None
    return GoodnessOfFit(statistic, max(degrees, 0), p_value)


def goodness_with_toys(
    likelihood: Likelihood,
    data: Sequence[float] | Floats,
    result: FitResult,
    toys: ToySpec | None = None,
) -> GoodnessOfFit:
    """Goodness of fit from the distribution of the statistic in toys of the best fit.

    Parameters
    ----------
    likelihood : Likelihood
    data : sequence of float
        With auxiliary data; those that `result` was fitted to.
    result : FitResult
    toys : ToySpec, optional

    Returns
    -------
    GoodnessOfFit
        The p-value is the fraction of toys that fit as badly as the data or worse;
        ``model["toys"]`` holds its uncertainty. It exists also where no degree of freedom is left.

    Raises
    ------
    FitError
        The fits of more than 1 % of the toys failed.
    InputError
        There are too few toys.
    """
    spec = (toys or ToySpec()).checked()
    observed = asymptotic(likelihood, data, result.twice_nll)
    made = make_toys(likelihood, result.bestfit, spec, _ENSEMBLE)
    with progress("toys for the goodness of fit", total=spec.number) as task:
        fits = fit_toys(likelihood, made, result.bestfit, task=task)
    failed = judged(fits.valid, "goodness of fit")
    saturated = np.array([likelihood.saturated(one) for one in made])
    found = np.clip(fits.value - saturated, 0.0, None)[fits.valid]
    reached = int((found >= observed.statistic - _TIE).sum())
    p_value, uncertainty = fraction(reached, len(found))
    about = {"number": spec.number, "seed": spec.seed, "failed": failed}
    return replace(
        observed,
        p_value=p_value,
        calculator="toys",
        toys=tuple(found.tolist()),
        failed=failed,
        model={**result.model, "toys": {**about, "p_value_uncertainty": uncertainty}},
    )
