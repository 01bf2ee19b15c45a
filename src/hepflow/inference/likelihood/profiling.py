"""Likelihoods of one parameter, the others profiled or held, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepflow.inference.likelihood.grids import Grid, Surface
from hepflow.inference.likelihood.minima import Minima, minima
from hepflow.inference.likelihood.model import Function
from hepflow.inference.likelihood.regions import LEVELS, rise
from hepflow.inference.records import Floats, Parameter
from hepflow.records.inference import Interval, LikelihoodScan

POINTS = 41  # of a likelihood in one parameter


def without(function: Function, held: Sequence[Parameter], free: Sequence[Parameter]) -> Function:
    """-2 ln L of some parameters at the best values of nuisance parameters.

    Parameters
    ----------
    function : callable
        -2 ln L of points (m, p + q) -> (m,).
    held : sequence of Parameter
        The first p.
    free : sequence of Parameter
        The last q, which start at 0; with ranges in standard deviations.

    Returns
    -------
    callable
        Of points (m, p) -> (m,).
    """
    if not free:
        return function
    return lambda theta: _at_best(function, theta, held, free).value


def best_nuisances(
    function: Function, theta: Floats, held: Sequence[Parameter], free: Sequence[Parameter]
) -> Floats:
    """Nuisance parameters that fit data best, at points of the other parameters.

    Parameters
    ----------
    function : callable
        -2 ln L of points (m, p + q) -> (m,).
    theta : ndarray, shape (m, p)
        Where.
    held : sequence of Parameter
        The first p.
    free : sequence of Parameter
        The last q, as of `without`.

    Returns
    -------
    ndarray, shape (m, q)
    """
    if not free:
        return np.empty((len(theta), 0))
    return _at_best(function, theta, held, free).theta[:, len(held) :]


def _at_best(
    function: Function, theta: Floats, held: Sequence[Parameter], free: Sequence[Parameter]
) -> Minima:
    p, q = len(held), len(free)
    ends = np.array([[one.low, one.high] for one in free]).T
    steps = np.concatenate([np.ones(p), np.full(q, 0.5)])
    points = np.concatenate([theta, np.zeros((len(theta), q))], axis=1)
    around = np.array([theta.min(axis=0) - 1.0, theta.max(axis=0) + 1.0])
    bounds = np.concatenate([around, ends], axis=1)
    moving = list(range(p, p + q))
    return minima(function, points, steps, bounds, moving, curvature=False)


def profiled(
    function: Function,
    surface: Surface,
    index: int,
    nuisances: Sequence[Parameter] = (),
    points: int = POINTS,
) -> Floats:
    """-2 ln(L/L_max) against one parameter, at the best values of the others.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p + q) -> (m,).
    surface : Surface
        Of the first p parameters: where the minima are looked for.
    index : int
        The parameter.
    nuisances : sequence of Parameter
        The last q parameters, which start at 0.
    points : int
        How many values of it, over its range.

    Returns
    -------
    ndarray, shape (2, points)
        Values, and the rise at each.
    """
    grid = surface.grid
    values = np.linspace(grid.axes[index][0], grid.axes[index][-1], points)
    p, q = len(grid.axes), len(nuisances)
    starts = np.zeros((points, p + q))
    starts[:, :p] = _starts(grid, surface.twice_nll, index, values)
    steps = np.concatenate([grid.steps, np.full(q, 0.5)])
    ends = np.array([[one.low, one.high] for one in nuisances]).reshape(q, 2).T
    bounds = np.concatenate([grid.bounds, ends], axis=1)
    others = [i for i in range(p + q) if i != index]
    found = minima(function, starts, steps, bounds, others, curvature=False)
    return np.stack([values, found.value - min(surface.minimum, float(found.value.min()))])


def _starts(grid: Grid, twice_nll: Floats, index: int, values: Floats) -> Floats:
    """For each value of a parameter, the lowest point of the nearest layer of the grid."""
    layers = np.moveaxis(twice_nll, index, 0).reshape(len(grid.axes[index]), -1)
    rest = [axis for i, axis in enumerate(grid.axes) if i != index]
    shape = tuple(len(one) for one in rest)
    nearest = np.abs(values[:, None] - grid.axes[index]).argmin(axis=1)
    lowest = np.unravel_index(layers.argmin(axis=1)[nearest], shape) if shape else ()
    starts = [axis[at] for axis, at in zip(rest, lowest, strict=True)]
    starts.insert(index, values)
    return np.stack(starts, axis=1)


def sliced(
    function: Function, surface: Surface, index: int, at: Floats, points: int = POINTS
) -> Floats:
    """-2 ln(L/L_max) against one parameter with the others held at given values.

    L_max is the largest on the slice.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p) -> (m,).
    surface : Surface
        Whose range is covered.
    index : int
        The parameter.
    at : ndarray, shape (n_parameters,)
        Where the others are held; the entry of the parameter itself is not used.
    points : int
        How many values.

    Returns
    -------
    ndarray, shape (2, points)
        Values, and the rise at each.
    """
    axis = surface.grid.axes[index]
    values = np.linspace(axis[0], axis[-1], points)
    places = np.repeat(np.asarray(at, dtype=np.float64)[None, :], points, axis=0)
    places[:, index] = values
    found = np.asarray(function(places), dtype=np.float64)
    start = places[[int(found.argmin())]]
    steps = np.full(places.shape[1], values[1] - values[0])
    best = minima(function, start, steps, _within(surface.grid, start[0]), [index])
    return np.stack([values, found - min(float(found.min()), float(best.value[0]))])


def _within(grid: Grid, point: Floats) -> Floats:
    """Bounds of the grid, widened so that the held values lie within."""
    low, high = grid.bounds
    return np.array([np.minimum(low, point), np.maximum(high, point)])


def interval(parameter: str, curve: Floats, level: float, bestfit: float | None = None) -> Interval:
    """Interval of one parameter around the best fit.

    Parameters
    ----------
    parameter : str
        Its name.
    curve : ndarray, shape (2, n)
        Values, and the rise of -2 ln L at each.
    level : float
        Confidence level; one degree of freedom.
    bestfit : float, optional
        Where the likelihood is largest. Default: the minimum of a spline through the curve.

    Returns
    -------
    Interval
        An end beyond the curve is None. Where the region has several parts, it is the part
        with the best fit.
    """
    from scipy.interpolate import make_interp_spline

    fine = np.linspace(curve[0, 0], curve[0, -1], 200 * (curve.shape[1] - 1) + 1)
    delta = np.asarray(make_interp_spline(curve[0], curve[1], k=3)(fine), dtype=np.float64)
    middle = int(delta.argmin()) if bestfit is None else int(np.abs(fine - bestfit).argmin())
    border = rise(level, 1)
    above = np.flatnonzero(delta > border)
    low = above[above < middle]
    high = above[above > middle]
    return Interval(
        parameter,
        float(fine[middle]) if bestfit is None else bestfit,
        _between(fine, delta, border, int(low[-1])) if len(low) else None,
        _between(fine, delta, border, int(high[0]) - 1) if len(high) else None,
        level,
    )


def parts(curve: Floats, level: float) -> int:
    """In how many parts a curve is below the rise of a level; see `interval`."""
    inside = np.concatenate([[False], curve[1] <= rise(level, 1), [False]])
    return int((inside[1:] & ~inside[:-1]).sum())


def _between(x: Floats, y: Floats, border: float, left: int) -> float:
    share = (border - y[left]) / (y[left + 1] - y[left])
    return float(x[left] + share * (x[left + 1] - x[left]))


def scan_of_one(
    parameter: str, curve: Floats, data: str, treatment: str, levels: Sequence[float] = LEVELS
) -> LikelihoodScan:
    """Record of a likelihood of one parameter, with its intervals.

    Parameters
    ----------
    parameter : str
        Its name.
    curve : ndarray, shape (2, n)
        From `profiled` or `sliced`.
    data : str
        "observed" or "asimov".
    treatment : str
        Of the other parameters, in words, such as "others profiled".
    levels : sequence of float
        Confidence levels of the intervals.
    """
    found = tuple(interval(parameter, curve, level) for level in levels)
    return LikelihoodScan(
        parameters=(parameter,),
        values=(tuple(curve[0].tolist()),),
        delta=tuple(curve[1].tolist()),
        bestfit=(found[0].bestfit,),
        data=data,
        intervals=found,
        model={"other_parameters": treatment},
    )
