"""Likelihood over a grid of one or two parameters, minimised over all others.

The rise of twice the negative log-likelihood at the border of a region with a given confidence
level is a quantile of the chi-squared distribution with as many degrees of freedom as there are
parameters: 1.00 and 3.84 for one, 2.30 and 5.99 for two (68.27 and 95 %).
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError
from hepflow.logging import progress
from hepflow.records.inference import Interval, LikelihoodScan
from hepflow.records.results import FitResult
from hepflow.statistics.bestfit import BestFit
from hepflow.statistics.intervals import ONE_SIGMA, profile_intervals, rise
from hepflow.statistics.likelihood import Likelihood

Floats = NDArray[np.float64]
Range = tuple[float, float]
LEVELS = (ONE_SIGMA, 0.95)  # confidence levels of intervals and contours
POINTS = {1: 61, 2: 25}  # of each parameter, by how many there are
FEWEST_POINTS, MOST_POINTS = 2, 1000  # of each parameter
_MOST_PARAMETERS = 2
_SIGMAS = 3.0  # range on each side, in standard deviations
_BATCH = 250  # points between two signs of progress

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """Where a scan is evaluated, if it shall not be the usual grid."""

    # lowest and highest value by name; default 3 standard deviations around the best fit
    ranges: Mapping[str, Range] = field(default_factory=dict)
    points: int | None = None  # of each parameter; default 61 for one parameter, 25 for two


def scan(
    likelihood: Likelihood,
    data: Sequence[float] | Floats,
    result: FitResult,
    parameters: Sequence[str],
    *,
    grid: Grid | None = None,
    expected_only: bool = False,
) -> LikelihoodScan:
    """Profile the likelihood over a grid.

    Parameters
    ----------
    likelihood : Likelihood
    data : sequence of float
        With auxiliary data; those that `result` was fitted to.
    result : FitResult
    parameters : sequence of str
        One or two names; ``"poi"`` stands for the parameter of interest.
    grid : Grid, optional
    expected_only : bool
        The data are Asimov data.

    Returns
    -------
    LikelihoodScan
        With the intervals of one parameter; ``model["levels"]`` holds the rise at the border of
        the region of each confidence level.

    Raises
    ------
    FitError
        The fit has no result that may be used, or a refit failed or found a lower minimum.
    InputError
        A parameter is unknown or fixed, or the grid is none.
    """
    best = BestFit.of(likelihood, data, result)
    which = [best.free_index(name, "likelihood scan") for name in parameters]
    if not 1 <= len(set(which)) == len(which) <= _MOST_PARAMETERS:
        raise InputError(
            f"a scan was asked for in {', '.join(parameters) or 'no parameter'}. "
            "Expected one parameter, or two that differ."
        )
    axes = _axes(best, which, grid or Grid())
    delta = _rises(best, which, axes)
    return LikelihoodScan(
        parameters=tuple(likelihood.labels[index] for index in which),
        values=tuple(tuple(axis.tolist()) for axis in axes),
        delta=tuple(delta.tolist()),
        bestfit=tuple(best.parameters[which].tolist()),
        data="asimov" if expected_only else "observed",
        intervals=() if which[1:] else _intervals(best, which[0], axes[0], delta),
        model={**result.model, "levels": _levels(len(which))},
    )


def _levels(n_parameters: int) -> dict[str, float]:
    """Rise at the border of the region, by confidence level."""
    return {f"{one:.4g}": rise(one, 1 if n_parameters == 1 else 2) for one in LEVELS}


def _axes(best: BestFit, which: Sequence[int], grid: Grid) -> list[Floats]:
    points = POINTS[len(which)] if grid.points is None else grid.points
    if not FEWEST_POINTS <= points <= MOST_POINTS:
        raise InputError(
            f"{points} points were asked for. "
            f"Expected {FEWEST_POINTS} to {MOST_POINTS} points of each parameter."
        )
    given = {best.free_index(name, "range"): pair for name, pair in grid.ranges.items()}
    stray = [best.likelihood.labels[index] for index in given if index not in which]
    if stray:
        raise InputError(f"a range was given for {stray[0]}, which is not a parameter of the scan.")
    return [np.linspace(*_range(best, index, given.get(index)), points) for index in which]


def _range(best: BestFit, index: int, given: Range | None) -> Range:
    low, high = (float(end) for end in best.likelihood.bounds[index])
    if given is None:
        centre, reach = float(best.parameters[index]), _SIGMAS * float(best.uncertainty[index])
        return max(low, centre - reach), min(high, centre + reach)
    first, last = given
    if not (math.isfinite(first) and math.isfinite(last) and low <= first < last <= high):
        raise InputError(
            f"the range {first:g} to {last:g} of {best.likelihood.labels[index]} is not a range "
            f"within that of the model, {low:g} to {high:g}."
        )
    return float(first), float(last)


def _rises(best: BestFit, which: Sequence[int], axes: Sequence[Floats]) -> Floats:
    """Rise of twice the NLL at all points of the grid; the last parameter runs fastest."""
    values = np.array(list(itertools.product(*axes)))
    rows = np.tile(np.asarray(which, dtype=np.int64), (len(values), 1))
    found = []
    names = " and ".join(best.likelihood.labels[index] for index in which)
    with progress(f"scan of {names}", total=len(values)) as task:
        for first in range(0, len(values), _BATCH):
            part = slice(first, first + _BATCH)
            found.append(best.held(rows[part], values[part]).value - best.value)
            task.advance(len(found[-1]))
    return np.clip(np.concatenate(found), 0.0, None)


def _intervals(best: BestFit, index: int, axis: Floats, delta: Floats) -> tuple[Interval, ...]:
    found = profile_intervals(best, [(index, level) for level in LEVELS])
    for one in found:
        low = -math.inf if one.low is None else one.low
        high = math.inf if one.high is None else one.high
        others = axis[(delta < rise(one.confidence_level)) & ((axis < low) | (axis > high))]
        if len(others):
            _log.warning(
                "the region of %s at %.4g %% confidence has another part, at %g: the interval "
                "%g to %g is the part around the best fit",
                one.parameter, 100 * one.confidence_level, others[0], low, high,
            )  # fmt: skip
    return found
