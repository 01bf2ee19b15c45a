"""Upper limits with CLs from the asymptotic distribution of the test statistic qtilde.

Formulae: Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71 (2011) 1554 [arXiv:1007.1727];
CLs: Read, J. Phys. G 28 (2002) 2693.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError, LimitError
from hepflow.records.results import LimitResult, LimitScan
from hepflow.statistics.fitting import as_likelihood, model_info
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import Minimum, Optimizer, Task, curvature
from hepflow.statistics.profile import Profile, missed

Floats = NDArray[np.float64]
Five = tuple[float, float, float, float, float]
BANDS = (-2, -1, 0, 1, 2)  # standard deviations of the background-only expectation
LIMIT_PRECISION = 1e-5  # relative, of the limit
CLS_TOLERANCE = 1e-4  # absolute, of CLs at the limit, when it is evaluated afresh
_STEPS = 60  # doublings of the bracket before giving up
_NEAR_TOP = 0.99  # fraction of the range from which the free fit may want a wider one

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClsPoint:
    """CLs of one value of the parameter of interest."""

    observed: float | None  # None without observed data
    expected: Five  # -2 to +2 sigma


class Cls:
    """CLs as a function of the parameter of interest (POI).

    The free fit to data, the background-only fit and the Asimov data are made once; each
    further value of the POI costs one fit to data and one to the Asimov data.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_data,), or None
        None: nothing but the model is used (expected values a priori); otherwise the Asimov
        data come from the background-only fit to the data (a posteriori).
    optimizer : {"minuit", "scipy"}
    """

    def __init__(
        self, likelihood: Likelihood, data: Floats | None, optimizer: Optimizer = "minuit"
    ) -> None:
        self.likelihood = likelihood
        self._observed: Profile | None = None
        background = likelihood.nominal()
        background[likelihood.poi] = 0.0
        if data is not None:
            self._observed = Profile(likelihood, data, optimizer)
            background = self._observed.at(0.0).parameters
        asimov = likelihood.expected_data(background)
        self._asimov_task = Task.free(likelihood, asimov, optimizer)
        self._asimov = Profile(likelihood, asimov, optimizer, start=background)
        # Asimov data are fitted best by the parameters that made them: no fit needed
        self._asimov_value = likelihood.twice_nll(background, asimov)
        self._background = background
        self._best: Minimum | None = None  # free fit to the observed data
        self._top = 0.0  # upper end of the POI in that fit

    def sqrt_q_asimov(self, mu: float) -> float:
        """Root of the test statistic on Asimov data without signal."""
        if mu == 0.0:
            return 0.0
        return math.sqrt(max(self._asimov.at(mu).value - self._asimov_value, 0.0))

    def q_observed(self, mu: float) -> float:
        """Test statistic qtilde on the observed data (eq. 16 of arXiv:1007.1727)."""
        profile = self._profile()
        fixed, free = profile.at(mu), self._free(mu)
        if missed(free, fixed):
            self._best = None
            free = self._free(mu)
        if free.parameters[self.likelihood.poi] >= mu:
            return 0.0
        return max(fixed.value - free.value, 0.0)

    def point(self, mu: float) -> ClsPoint:
        """CLs at `mu`, observed and expected."""
        expected: Any = tuple(self.expected(mu, band) for band in BANDS)
        return ClsPoint(None if self._observed is None else self.observed(mu), expected)

    def expected(self, mu: float, band: int) -> float:
        """CLs at `mu` that is expected without signal, `band` standard deviations off."""
        return _cls(-band, self.sqrt_q_asimov(mu))

    def observed(self, mu: float) -> float:
        """CLs of the observed data at `mu`."""
        root_asimov = self.sqrt_q_asimov(mu)
        if root_asimov == 0.0:
            return 1.0
        q = self.q_observed(mu)
        root = math.sqrt(q)
        if root <= root_asimov:
            return _cls(root - root_asimov, root_asimov)
        return _cls((q - root_asimov**2) / (2 * root_asimov), root_asimov)

    def afresh(self, mu: float, *, data: bool) -> None:
        """Repeat the fits at `mu` from the model's own start and keep what is lower.

        Expected values need the fit to the Asimov data, observed ones that to `data` as well.
        """
        self._asimov.afresh(mu)
        if data:
            self._profile().afresh(mu)

    def forget(self, keep: float) -> None:
        """Drop the evaluations but that at `keep`, which later ones start from."""
        for profile in (self._asimov, self._observed):
            if profile is not None:
                profile.forget(keep)

    def width(self) -> float:
        """Standard deviation of the POI without signal: the scale of the search.

        Raises
        ------
        LimitError
            The likelihood does not depend on the POI.
        """
        poi = self.likelihood.poi
        bent = curvature(self._asimov_task, self._background)
        width = float(bent.uncertainty[poi])
        name = self.likelihood.labels[poi]
        if not width > 0:
            raise LimitError(
                f"the likelihood does not depend on {name}: no limit exists. "
                "Look whether the signal has events in the regions of the fit."
            )
        return width

    def _profile(self) -> Profile:
        if self._observed is None:
            raise LimitError("observed values were asked for, but no observed data were given.")
        return self._observed

    def _free(self, mu: float) -> Minimum:
        """Free fit with the POI not below zero; its upper bound must not matter."""
        poi = self.likelihood.poi
        high = max(float(self.likelihood.bounds[poi, 1]), 2 * mu)
        best = self._best
        if best is None or (high > self._top and best.parameters[poi] > _NEAR_TOP * self._top):
            best = self._profile().free(0.0, high)
            self._best, self._top = best, high
        return best


def _cls(statistic: float, root_asimov: float) -> float:
    """``CL(s+b) / CL(b)`` for a statistic that is normal around -root_asimov and 0."""
    from scipy.special import log_ndtr

    return float(np.exp(log_ndtr(-(statistic + root_asimov)) - log_ndtr(-statistic)))


def upper_limit(
    model: Any,
    data: Sequence[float] | Floats | None,
    *,
    confidence_level: float = 0.95,
    expected_only: bool = False,
    scan_points: int = 0,
    optimizer: Optimizer = "minuit",
) -> LimitResult:
    """Observed and expected upper limit on the parameter of interest.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float or None
        With auxiliary data. Not looked at with `expected_only`.
    confidence_level : float
    expected_only : bool
        Expected limits a priori: from nominal parameters, without any data.
    scan_points : int
        Points of a scan for drawing; 0 for none.
    optimizer : {"minuit", "scipy"}

    Returns
    -------
    LimitResult
        Found by root finding to `LIMIT_PRECISION`; CLs there, evaluated afresh, is within
        `CLS_TOLERANCE` of ``1 - confidence_level``.

    Raises
    ------
    LimitError
        No bracket exists, or the limit does not verify.
    FitError
        A fit failed from every start.
    """
    if not 0 < confidence_level < 1:
        raise LimitError(f"the confidence level is {confidence_level}; expected between 0 and 1.")
    likelihood = as_likelihood(model)
    use = None if expected_only or data is None else likelihood.checked(data)
    cls, alpha = Cls(likelihood, use, optimizer), 1 - confidence_level
    width = cls.width()
    expected: Any = tuple(_expected(cls, band, alpha, width) for band in BANDS)
    observed = None if use is None else _observed(cls, alpha, width)
    top = 1.2 * max(expected[-1], observed or 0.0)
    return LimitResult(
        poi=likelihood.labels[likelihood.poi],
        poi_range=(0.0, top),
        confidence_level=confidence_level,
        observed=observed,
        expected=expected,
        expected_kind="a_priori" if use is None else "a_posteriori",
        cls_at_observed=None if observed is None else cls.observed(observed),
        test_statistic="qtilde",
        calculator="asymptotic",
        model=model_info(likelihood, optimizer),
        scan=_scan(cls, top, scan_points) if scan_points else None,
    )


def _expected(cls: Cls, band: int, alpha: float, width: float) -> float:
    """Expected limit: where the root of q reaches the value that CLs = alpha asks for."""
    from scipy.special import ndtr, ndtri

    target = float(band + ndtri(1 - alpha * ndtr(band)))
    return _verified(
        cls,
        lambda mu: cls.sqrt_q_asimov(mu) - target,
        lambda mu: cls.expected(mu, band) - alpha,
        target * width,
        f"expected limit at {band:+d} sigma",
    )


def _observed(cls: Cls, alpha: float, width: float) -> float:
    return _verified(
        cls,
        lambda mu: math.log(alpha) - math.log(max(cls.observed(mu), 1e-300)),
        lambda mu: cls.observed(mu) - alpha,
        2 * width,
        "observed limit",
        data=True,
    )


def _verified(
    cls: Cls,
    increasing: Callable[[float], float],
    miss: Callable[[float], float],
    guess: float,
    what: str,
    *,
    data: bool = False,
) -> float:
    """Find the root, evaluate afresh there; look again once if a fit had missed its minimum."""
    for _ in range(2):
        found = _root(increasing, guess, what)
        cls.afresh(found, data=data)
        if abs(miss(found)) < CLS_TOLERANCE:
            return found
        _log.debug("%s %g does not verify (CLs off by %g)", what, found, miss(found))
        cls.forget(found)
        guess = found
    raise LimitError(
        f"the {what} {found:g} does not verify: CLs there, evaluated afresh, is off by "
        f"{miss(found):.2g}. The likelihood has several minima; look at the templates."
    )


def _root(increasing: Callable[[float], float], guess: float, what: str) -> float:
    """Bracket from `guess` outwards, then Brent's method. The function is negative at 0."""
    from scipy.optimize import brentq

    low, high = 0.0, guess
    for _ in range(_STEPS):
        try:
            above = increasing(high) > 0
        except FitError as error:
            raise LimitError(f"no bracket for the {what}: at {high:g}, {error}") from error
        if above:
            break
        low, high = high, 2 * high
    else:
        raise LimitError(
            f"no bracket for the {what}: CLs stays above its target up to {high:g}. "
            "The data say nothing about this parameter."
        )
    if low == 0.0:
        low, high = _narrowed(increasing, high)
    return float(brentq(increasing, low, high, xtol=LIMIT_PRECISION * high, rtol=LIMIT_PRECISION))


def _narrowed(increasing: Callable[[float], float], high: float) -> tuple[float, float]:
    """Bracket within a factor of two, for precision where the guess was far too large."""
    for _ in range(_STEPS):
        low = high / 2
        if increasing(low) < 0:
            return low, high
        high = low
    return 0.0, high


def _scan(cls: Cls, top: float, points: int) -> LimitScan:
    values = tuple(float(mu) for mu in np.linspace(0.0, top, points))
    found = [cls.point(mu) for mu in values]
    observed = tuple(one.observed for one in found if one.observed is not None)
    return LimitScan(
        poi_values=values,
        observed=observed or None,
        expected=tuple(tuple(one.expected[k] for one in found) for k in range(len(BANDS))),
    )
