"""Intervals from the profiled likelihood, as MINOS finds them.

The ends of the interval of one parameter are where twice the negative log-likelihood, minimised
over all other parameters, has risen by the quantile of a chi-squared distribution with one degree
of freedom: S. S. Wilks, Ann. Math. Statist. 9 (1938) 60; F. James, M. Roos, Comput. Phys. Commun.
10 (1975) 343.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError, InputError
from hepflow.records.inference import Interval
from hepflow.records.results import FitResult
from hepflow.statistics.bestfit import BestFit
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.normal import quantile

Floats = NDArray[np.float64]
ONE_SIGMA = math.erf(math.sqrt(0.5))  # 0.6827
_FIRST = (0.5, 1.0, 1.5)  # of the distance at which a parabola crosses
_ROUNDS = 60  # the distance grows by a half or more in each
_GAP = 1e-5  # of the distance: a bracket that is narrow enough
_CLOSE = 1e-6  # relative, of the root of the level
_AT_LIMIT = 1e-6  # of the range of a parameter
_MARGIN = 0.05  # of a bracket that a new point keeps from its ends


def rise(confidence_level: float, n_parameters: Literal[1, 2] = 1) -> float:
    """Rise of twice the negative log-likelihood at the border of a region.

    Parameters
    ----------
    confidence_level : float
    n_parameters : {1, 2}
        That are looked at together.

    Raises
    ------
    InputError
        The confidence level is not between 0 and 1.

    Examples
    --------
    >>> [round(rise(level), 2) for level in (ONE_SIGMA, 0.95)]
    [1.0, 3.84]
    >>> [round(rise(level, 2), 2) for level in (ONE_SIGMA, 0.95)]
    [2.3, 5.99]
    """
    if not 0 < confidence_level < 1:
        raise InputError(
            f"the confidence level is {confidence_level}; expected a number between 0 and 1."
        )
    if n_parameters == 1:
        return quantile((1 + confidence_level) / 2) ** 2
    return -2 * math.log1p(-confidence_level)  # chi-squared with two degrees of freedom


def minos(
    likelihood: Likelihood,
    data: Sequence[float] | Floats,
    result: FitResult,
    parameters: Sequence[str],
    *,
    confidence_level: float = ONE_SIGMA,
) -> tuple[Interval, ...]:
    """Interval of each parameter from its profiled likelihood.

    Parameters
    ----------
    likelihood : Likelihood
    data : sequence of float
        With auxiliary data; those that `result` was fitted to.
    result : FitResult
    parameters : sequence of str
        Names; ``"poi"`` stands for the parameter of interest.
    confidence_level : float

    Returns
    -------
    tuple of Interval
        In the order of `parameters`. Where the likelihood crosses the level several times, the
        interval is the part around the best fit. An end is None where the range of the parameter
        ends before.

    Raises
    ------
    FitError
        The fit has no result that may be used, or a refit failed or found a lower minimum.
    InputError
        A parameter is unknown or fixed, or the confidence level is not between 0 and 1.
    """
    best = BestFit.of(likelihood, data, result)
    indices = [best.free_index(name, "interval") for name in parameters]
    return profile_intervals(best, [(index, confidence_level) for index in indices])


def profile_intervals(best: BestFit, wanted: Sequence[tuple[int, float]]) -> tuple[Interval, ...]:
    """Intervals of parameters (by position) at confidence levels, all refits together."""
    sides = [
        _Side(best, index, rise(level), direction)
        for index, level in wanted
        for direction in (-1, 1)
    ]
    for _ in range(_ROUNDS):
        asked = [(side, points) for side in sides if len(points := side.points())]
        if not asked:
            break
        which = np.concatenate([np.full(len(points), side.index) for side, points in asked])
        values = np.concatenate([points for _, points in asked])
        found = best.held(which[:, np.newaxis], values[:, np.newaxis]).value - best.value
        start = 0
        for side, points in asked:
            side.learn(points, found[start : start + len(points)])
            start += len(points)
    return tuple(
        Interval(
            parameter=best.likelihood.labels[index],
            bestfit=float(best.parameters[index]),
            low=sides[2 * k].end(),
            high=sides[2 * k + 1].end(),
            confidence_level=level,
        )
        for k, (index, level) in enumerate(wanted)
    )


@dataclass
class _Side:
    """Search for one end of an interval: outwards to a bracket, then inwards to the root.

    What is searched is the root of the rise minus that of the level: a straight line for a
    parabola.
    """

    best: BestFit
    index: int
    level: float
    direction: int
    inner: tuple[float, float] = field(init=False)  # value below the level, and how far
    outer: tuple[float, float] | None = field(default=None, init=False)
    done: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        bounds = self.best.likelihood.bounds[self.index]
        self._limit = float(bounds[0 if self.direction < 0 else 1])
        self._width = math.sqrt(self.level) * float(self.best.uncertainty[self.index])
        self._asked = 0.0  # distance asked for last, in widths
        self.inner = (float(self.best.parameters[self.index]), -math.sqrt(self.level))
        self.done = self._at_limit(self.inner[0])

    def points(self) -> Floats:
        """Values of the parameter that are needed next."""
        if self.done:
            return np.empty(0)
        if self.outer is not None:
            return np.array([self._between(*self.inner, *self.outer)])
        steps = np.array(_FIRST) if self._asked == 0 else self._asked * np.array([1.3, 1.6, 2.0])
        self._asked = float(steps[-1])
        values = self.best.parameters[self.index] + self.direction * self._width * steps
        return np.asarray(np.unique(self._inside(values))[:: self.direction])

    def learn(self, values: Floats, rises: Floats) -> None:
        """Narrow the search: `values` from the best fit outwards."""
        heights = np.sqrt(np.clip(rises, 0.0, None)) - math.sqrt(self.level)
        for value, height in zip(values.tolist(), heights.tolist(), strict=True):
            if height < 0:
                self.inner = (value, height)
            else:
                self.outer = (value, height)
                break  # later crossings are another part of the region
        if self.outer is None:
            self.done = self._at_limit(self.inner[0])
            return
        gap = abs(self.outer[0] - self.inner[0])
        nearest = min(-self.inner[1], self.outer[1])
        self.done = gap <= _GAP * self._width or nearest <= _CLOSE * math.sqrt(self.level)

    def end(self) -> float | None:
        """Where the level is crossed; None where the range of the parameter ends before."""
        if not self.done:
            raise FitError(
                f"no end of the interval of {self.best.likelihood.labels[self.index]} was found: "
                f"up to {self.inner[0]:g} the likelihood does not rise. "
                "The data say nothing about this parameter; narrow its range."
            )
        return None if self.outer is None else self._crossing(*self.inner, *self.outer)

    def _inside(self, values: Floats) -> Floats:
        if self.direction < 0:
            return np.maximum(values, self._limit)
        return np.minimum(values, self._limit)

    def _at_limit(self, value: float) -> bool:
        low, high = self.best.likelihood.bounds[self.index]
        return abs(value - self._limit) <= _AT_LIMIT * float(high - low)

    def _between(self, a: float, below: float, b: float, above: float) -> float:
        """Where a straight line crosses, but not too near to an end of the bracket."""
        part = min(max(-below / (above - below), _MARGIN), 1 - _MARGIN)
        return a + part * (b - a)

    @staticmethod
    def _crossing(a: float, below: float, b: float, above: float) -> float:
        return a - below / (above - below) * (b - a)
