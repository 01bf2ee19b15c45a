"""Upper limits with CLs, by root finding; each is verified."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError, LimitError
from hepflow.records.results import LimitResult, LimitScan
from hepflow.statistics.cls import BANDS, Cls
from hepflow.statistics.fitting import as_likelihood, model_info
from hepflow.statistics.minimise import Optimizer
from hepflow.statistics.normal import cdf, quantile
from hepflow.statistics.roots import root

Floats = NDArray[np.float64]
LIMIT_PRECISION = 1e-5  # relative, of the limit
CLS_TOLERANCE = 1e-4  # absolute, of CLs at the limit, when it is evaluated afresh
_STEPS = 60  # doublings of the bracket before giving up

_log = logging.getLogger(__name__)


def upper_limit(
    model: Any,
    data: Sequence[float] | Floats | None,
    *,
    confidence_level: float = 0.95,
    expected_only: bool = False,
    scan_points: int = 0,
    optimizer: Optimizer = "newton",
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
    optimizer : {"newton", "minuit", "scipy"}

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
    target = band + quantile(1 - alpha * cdf(band))
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
    scale = guess
    for _ in range(2):
        found = _root(increasing, guess, what, scale)
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


def _root(
    increasing: Callable[[float], float], guess: float, what: str, scale: float = math.inf
) -> float:
    """Bracket from `guess` outwards, then find the root. The function is negative at 0.

    `scale` is of the order of the width of the POI: far beyond it, as with a large excess, CLs
    falls so steeply that a part of the limit would be too coarse.
    """
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
    return root(increasing, low, high, LIMIT_PRECISION * min(1.0, scale / high))


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
    found = cls.points(values)
    observed = tuple(one.observed for one in found if one.observed is not None)
    return LimitScan(
        poi_values=values,
        observed=observed or None,
        expected=tuple(tuple(one.expected[k] for one in found) for k in range(len(BANDS))),
    )
