"""Discovery significance: the test statistic q0 and its expectation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.records.results import Significance
from hepflow.statistics.fitting import as_likelihood, model_info
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import Optimizer
from hepflow.statistics.normal import cdf
from hepflow.statistics.profile import Profile

Floats = NDArray[np.float64]
NEAR_TOP = 0.99  # fraction of the range from which the free fit may want a wider one
WIDEN, WIDER = 10.0, 15  # how much wider the range is made at a time, and how often at most


def significance(
    model: Any,
    data: Sequence[float] | Floats | None,
    *,
    expected_only: bool = False,
    signal_strength: float = 1.0,
    optimizer: Optimizer = "newton",
) -> Significance:
    """P-value of the background-only hypothesis and its standard deviations.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float or None
        With auxiliary data. Not looked at with `expected_only`.
    expected_only : bool
        Expected values from nominal parameters; otherwise from a fit to the data with the
        parameter of interest at `signal_strength`.
    signal_strength : float
        Signal in the Asimov data of the expected values.
    optimizer : {"newton", "minuit", "scipy"}

    Returns
    -------
    Significance
        From the asymptotic distribution of q0 (eq. 12 and 52 of arXiv:1007.1727). A deficit
        gives p = 0.5.

    Raises
    ------
    FitError
        A fit failed from every start, the parameter of interest is fixed, or the likelihood does
        not depend on it.
    """
    likelihood = as_likelihood(model)
    require_signal(likelihood)
    use = None if expected_only or data is None else likelihood.checked(data)
    signal = likelihood.nominal()
    signal[likelihood.poi] = signal_strength
    observed_z = None
    if use is not None:
        profile = Profile(likelihood, use, optimizer)
        signal = profile.at(signal_strength).parameters
        observed_z = _root_q0(likelihood, profile)
    asimov = likelihood.expected_data(signal)
    expected_z = _root_q0(likelihood, Profile(likelihood, asimov, optimizer, start=signal))
    return Significance(
        observed_p=None if observed_z is None else cdf(-observed_z),
        observed_z=observed_z,
        expected_p=cdf(-expected_z),
        expected_z=expected_z,
        model=model_info(likelihood, optimizer),
    )


def require_signal(likelihood: Likelihood) -> None:
    """Refuse a model in which no data could be a discovery.

    Raises
    ------
    FitError
        The parameter of interest is fixed, or changes no yield.
    """
    poi = likelihood.poi
    name = likelihood.labels[poi]
    if likelihood.fixed[poi]:
        raise FitError(
            f"{name} is fixed in the model: there is no significance. "
            "Take `fixed` of it out of the measurement."
        )
    both = np.array([likelihood.nominal()] * 2)
    both[:, poi] = 0.0, 1.0
    without, with_signal = likelihood.yields.bins(both)
    if np.array_equal(without, with_signal):
        raise FitError(
            f"the likelihood does not depend on {name}: there is no significance. "
            "Look whether the signal has events in the regions of the fit."
        )


def _root_q0(likelihood: Likelihood, profile: Profile) -> float:
    """Root of q0: zero unless data prefer a positive signal."""
    background = profile.at(0.0)
    high = max(float(likelihood.bounds[likelihood.poi, 1]), 1.0)
    free = profile.free(0.0, high)
    for _ in range(WIDER):
        if free.parameters[likelihood.poi] < NEAR_TOP * high:
            break
        high *= WIDEN  # the range of the model must not hide a part of the excess
        free = profile.free(0.0, high)
    return math.sqrt(max(background.value - free.value, 0.0))
