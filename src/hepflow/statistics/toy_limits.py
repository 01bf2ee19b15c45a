"""Upper limits with toys: where CLs from toys reaches its target, with statistical uncertainty."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import LimitError
from hepflow.logging import progress
from hepflow.records.results import LimitResult, LimitScan
from hepflow.statistics.fitting import as_likelihood, model_info
from hepflow.statistics.limits import upper_limit
from hepflow.statistics.toy_cls import BANDS, Estimate, ToyCls, ToyPoint
from hepflow.statistics.toys import ToySpec

Floats = NDArray[np.float64]
_EVALUATIONS = 12  # new ones at most for each limit
_FACTOR = 1.5  # outwards, where there is no bracket yet
_NEAR = 0.5  # of the statistical uncertainty of CLs: nearer is not needed
_NARROW = 0.01  # relative, of a bracket: a straight line will do
# Near the limit the logarithm of CLs is a parabola -2 (mu / limit)^2: between values that are a
# part h of the limit apart a straight line misses h^2 / 2, here a quarter of the uncertainty.
_BENT = 0.5
_MARGIN = 0.1  # of a bracket that a new value keeps from its ends
_LEVER = 0.1  # relative, between the values that a slope is taken from
_TOO_FAR = 4.0  # standard deviations of CLs at the limit from its target
_BADLY = 0.2  # relative uncertainty of a limit from which a reader must be told

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Root:
    """A limit, with its statistical uncertainty."""

    value: float
    uncertainty: float


@dataclass
class _Curves:
    """CLs at the values of the POI that were evaluated."""

    cls: ToyCls
    log_alpha: float
    points: dict[float, ToyPoint] = field(default_factory=dict)

    def evaluate(self, mu: float) -> None:
        """Make toys at one more value."""
        if mu not in self.points:
            self.cls.task.note(f"at {mu:.4g}")
            self.points[mu] = self.cls.at(mu)

    def heights(self, of: Callable[[ToyPoint], Estimate]) -> list[tuple[float, float, float]]:
        """Value, logarithm of CLs over its target, uncertainty of that; CLs is 1 at zero."""
        found = [(0.0, -self.log_alpha, 0.0)]
        for mu in sorted(self.points):
            one = of(self.points[mu])
            found.append((mu, one.log_cls - self.log_alpha, one.uncertainty))
        return found


def upper_limit_with_toys(
    model: Any,
    data: Sequence[float] | Floats | None,
    *,
    toys: ToySpec | None = None,
    confidence_level: float = 0.95,
    expected_only: bool = False,
) -> LimitResult:
    """Observed and expected upper limit on the parameter of interest (POI) with toys.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float or None
        With auxiliary data. Not looked at with `expected_only`.
    toys : ToySpec, optional
        Toys with and as many without signal at each value of the POI.
    confidence_level : float
    expected_only : bool
        Expected limits a priori: from nominal parameters, without any data.

    Returns
    -------
    LimitResult
        ``model["toys"]`` holds the statistical uncertainties of the limits, which are larger than
        what root finding adds; a warning tells those above 20 %. ``scan`` holds the values at
        which toys were made.

    Raises
    ------
    LimitError
        No bracket exists, or the limit does not verify.
    FitError
        The fit to the data failed, or those of more than 1 % of the toys.
    InputError
        There are too few toys.
    """
    spec = (toys or ToySpec()).checked()
    likelihood = as_likelihood(model)
    use = None if expected_only or data is None else likelihood.checked(data)
    near = upper_limit(
        likelihood, use, confidence_level=confidence_level, expected_only=use is None
    )
    with progress("fits of toys for the limit") as task:
        curves = _Curves(ToyCls(likelihood, use, spec, task), math.log(1 - confidence_level))
        expected = _expected_limits(curves, near)
        observed, at_limit = _observed_limit(curves, near)
    _tell(near.poi, observed, expected, spec.number)
    seen = None if observed is None else observed.value
    five: Any = tuple(one.value for one in expected)
    about = {
        "number": spec.number,
        "seed": spec.seed,
        "failed": curves.cls.failed,
        "observed_uncertainty": None if observed is None else observed.uncertainty,
        "expected_uncertainty": [one.uncertainty for one in expected],
    }
    return replace(
        near,
        poi_range=(0.0, 1.2 * max(five[-1], seen or 0.0)),
        observed=seen,
        expected=five,
        cls_at_observed=at_limit,
        calculator="toys",
        model={**model_info(likelihood, "newton"), "toys": about},
        scan=_scan(curves),
    )


def _tell(poi: str, observed: _Root | None, expected: Sequence[_Root], number: int) -> None:
    """Warn of limits that the toys are too few for: they may be off by more than their size."""
    named = [("observed", observed)]
    named += [(f"{band:+d} sigma", one) for band, one in zip(BANDS, expected, strict=True)]
    badly = [
        f"{name} {one.value:.3g} +- {one.uncertainty:.2g}"
        for name, one in named
        if one is not None and one.uncertainty > _BADLY * one.value
    ]
    if badly:
        _log.warning(
            "with %d toys some limits on %s are known badly: %s. "
            'Make more toys, or use calculator "asymptotic"',
            number, poi, ", ".join(badly),
        )  # fmt: skip


def _expected_limits(curves: _Curves, near: LimitResult) -> list[_Root]:
    """Limits of the five bands; `near` are the asymptotic ones, where the search starts."""
    for mu in sorted(near.expected):
        curves.evaluate(mu)
    return [
        _root(curves, _expected(k), f"expected limit at {band:+d} sigma")
        for k, band in enumerate(BANDS)
    ]


def _observed_limit(curves: _Curves, near: LimitResult) -> tuple[_Root | None, float | None]:
    """Limit and CLs there; None without observed data."""
    if near.observed is None:
        return None, None
    curves.evaluate(near.observed)
    found = _root(curves, _observed, "observed limit")
    return found, _verified(curves, found)


def _expected(k: int) -> Callable[[ToyPoint], Estimate]:
    return lambda point: point.expected[k]


def _observed(point: ToyPoint) -> Estimate:
    if point.observed is None:
        raise LimitError("observed values were asked for, but no observed data were given.")
    return point.observed


def _root(curves: _Curves, of: Callable[[ToyPoint], Estimate], what: str) -> _Root:
    """Evaluate until a straight line between neighbours is good enough."""
    for _ in range(_EVALUATIONS):
        heights = curves.heights(of)
        above = [k for k, (_, height, _) in enumerate(heights) if height > 0]
        last = above[-1]
        if last + 1 == len(heights):
            if curves.points and of(curves.points[max(curves.points)]).is_bound:
                break  # further out nothing is known
            curves.evaluate(_FACTOR * heights[-1][0])
            continue
        (a, ya, sa), (b, yb, sb) = heights[last], heights[last + 1]
        part = ya / (ya - yb)
        spread = max(sa, sb)
        near = min(ya - _NEAR * sa, -yb - _NEAR * sb) <= 0
        if a > 0 and (near or b - a <= max(_NARROW, math.sqrt(_BENT * spread)) * b):
            value = a + part * (b - a)
            return _Root(value, _spread(heights, value, spread))
        curves.evaluate(a + min(max(part, _MARGIN), 1 - _MARGIN) * (b - a))
    raise LimitError(
        f"no bracket for the {what}: with {curves.cls.spec.number} toys, CLs is not known well "
        f"enough to be below {math.exp(curves.log_alpha):.3g} up to {max(curves.points):g}. "
        'Make more toys, or use calculator "asymptotic".'
    )


def _spread(heights: list[tuple[float, float, float]], value: float, of_log: float) -> float:
    """Uncertainty of the limit: that of the logarithm of CLs over its slope."""
    low = [one for one in heights if one[0] <= (1 - _LEVER) * value][-1]
    high = next((one for one in heights if one[0] >= (1 + _LEVER) * value), heights[-1])
    slope = (low[1] - high[1]) / (high[0] - low[0])
    return of_log / slope if slope > 0 else value  # no slope: nothing is known


def _verified(curves: _Curves, limit: _Root) -> float:
    """CLs at the observed limit, from toys made there."""
    curves.evaluate(limit.value)
    found = _observed(curves.points[limit.value])
    if not abs(found.log_cls - curves.log_alpha) < _TOO_FAR * found.uncertainty:
        raise LimitError(
            f"the observed limit {limit.value:g} does not verify: CLs there is "
            f"{math.exp(found.log_cls):.3g}. Make more toys."
        )
    return math.exp(found.log_cls)


def _scan(curves: _Curves) -> LimitScan:
    values = sorted(curves.points)
    points = [curves.points[mu] for mu in values]
    seen = [math.exp(one.observed.log_cls) for one in points if one.observed is not None]
    return LimitScan(
        poi_values=tuple(values),
        observed=tuple(seen) or None,
        expected=tuple(
            tuple(math.exp(one.expected[k].log_cls) for one in points) for k in range(len(BANDS))
        ),
    )
