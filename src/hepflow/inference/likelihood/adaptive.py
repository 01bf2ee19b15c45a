"""Grids that find the regions in the parameters' ranges, and are fine only at their borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.likelihood.grids import FEWEST, Grid, Surface, best_fit, checked, on_grid
from hepflow.inference.likelihood.minima import minima
from hepflow.inference.likelihood.model import Function
from hepflow.inference.likelihood.regions import LEVELS, region, rise
from hepflow.inference.likelihood.splines import interpolated, values_at
from hepflow.inference.records import Floats, Parameter

COARSE = {1: 17, 2: 9, 3: 7}  # points of each parameter in the search, by number of parameters
ZOOMS = 12  # at most
FULL = 0.5  # share of the grid that regions extend over, in each parameter, when it fits
MARGIN = 1.25  # of the ellipse that the best fit lets expect
FINEST = 257  # at most, of an adaptive grid
RAYS = 48  # directions in which the position of a contour is compared
SAME = 1e-3  # of the grid's distances: minima that are one
NEXT = 2.5  # of the grid's distances: points next to a minimum
FOLLOWED = 20  # times at most that points are added to one grid
VALLEYS = 8  # of the first grid, at most, that are followed down


def adaptive(
    function: Function,
    parameters: Sequence[Parameter],
    *,
    levels: Sequence[float] = LEVELS,
    tolerance: float = 0.01,
    finest: int = FINEST,
) -> Surface:
    """Evaluate -2 ln L with points only where the borders of regions are.

    The grid covers what `zoomed` finds. Each round halves its distances, evaluates what is near a
    border or the minimum, and takes the rest from a spline, until the borders stay where they are.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p) -> (m,).
    parameters : sequence of Parameter
        One or two, with their ranges.
    levels : sequence of float
        Confidence levels of the regions.
    tolerance : float
        Largest movement of a border, in units of its distance from the best fit, and largest
        relative change of the square root of a region's area.
    finest : int
        Most points of each parameter; a surface that moves still is not `stable`.

    Raises
    ------
    InputError
        There are more than two parameters.
    """
    _check_count(parameters)
    rises = [rise(level, len(parameters)) for level in levels]
    # The interval of one parameter, the other profiled, is the extent of a smaller region.
    inner = [rise(level, 1) for level in levels] if len(parameters) > 1 else []
    surface = zoomed(function, parameters, levels)
    evaluated, before = surface.evaluated, None
    centres = surface.centres  # fixed: where the likelihood is flat, the best fit moves
    known = np.ones(surface.grid.shape, dtype=bool)
    while True:
        sizes = [[np.sqrt(region(surface, level).area)] for level in levels]
        reaches = distances(surface, rises, centres)
        ends = _extents(surface, inner, centres[0])
        here = np.concatenate([reaches.ravel(), np.ravel(sizes), ends])
        if before is not None and _moved(before, here) <= tolerance:
            wider = _wider(surface, max(levels), parameters)
            if wider is None:
                return replace(surface, evaluated=evaluated)
            surface, before = on_grid(function, wider, surface.centres), None
            known = np.ones(wider.shape, dtype=bool)
            evaluated += surface.evaluated
            continue
        if 2 * surface.grid.shape[0] - 1 > finest:
            return replace(surface, evaluated=evaluated, stable=False)
        before = here
        surface, known, new = _refined(function, surface, known, rises, inner)
        evaluated += new


def _wider(surface: Surface, level: float, parameters: Sequence[Parameter]) -> Grid | None:
    """Coarse grid that goes on where a region leaves the one of the surface within the ranges."""
    largest = region(surface, level)
    if not largest.area:
        return None
    old, axes = surface.grid, []
    count = COARSE[len(parameters)]
    for axis, parameter, (first, last) in zip(old.axes, parameters, largest.ends, strict=True):
        room = 0.5 * (axis[-1] - axis[0])
        low = max(axis[0] - room, parameter.low) if first is None else axis[0]
        high = min(axis[-1] + room, parameter.high) if last is None else axis[-1]
        axes.append(np.linspace(low, high, 2 * count - 1))
    grid = Grid(tuple(parameters), tuple(axes))
    return None if np.array_equal(grid.bounds, old.bounds) else grid


def zoomed(
    function: Function, parameters: Sequence[Parameter], levels: Sequence[float] = LEVELS
) -> Surface:
    """Find the part of the parameters' ranges that holds the regions, on a coarse grid.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p) -> (m,).
    parameters : sequence of Parameter
        With their ranges, which are not left.
    levels : sequence of float
        Confidence levels: the largest region is looked for.

    Notes
    -----
    Regions of several minima are kept together if the first grid, which is coarse, has a valley
    for each of them.
    """
    highest = rise(max(levels), len(parameters))
    grid = Grid.over(parameters, COARSE.get(len(parameters), FEWEST))
    ranges, evaluated, known = grid.bounds, 0, None
    for _ in range(ZOOMS):
        surface = on_grid(function, grid, known)
        evaluated += surface.evaluated
        if known is None:
            surface, reaches = _valleys(function, surface, highest)
        known = surface.centres
        box = _box(surface, highest, ranges)
        box = np.stack([
            np.minimum(box[0], (known[1:] - reaches).min(axis=0, initial=np.inf)),
            np.maximum(box[1], (known[1:] + reaches).max(axis=0, initial=-np.inf)),
        ])  # fmt: skip
        box = np.clip(box, *ranges)
        share = (box[1] - box[0]) / (grid.bounds[1] - grid.bounds[0])
        outside = (box[0] < grid.bounds[0]) | (box[1] > grid.bounds[1])
        if not outside.any() and (share >= FULL).all():
            break
        axes = [np.linspace(low, high, n) for (low, high), n in zip(box.T, grid.shape, strict=True)]
        grid = Grid(grid.parameters, tuple(axes))
    return replace(surface, evaluated=evaluated)


def _valleys(function: Function, surface: Surface, highest: float) -> tuple[Surface, Floats]:
    """The surface with its best fit and other minima in the regions; how far theirs may reach.

    A point of the grid that is not above its neighbours is followed down. The lowest minimum need
    not be that of the lowest point.
    """
    from scipy.ndimage import minimum_filter

    grid, values = surface.grid, surface.twice_nll
    low = np.flatnonzero((values <= minimum_filter(values, 3, mode="nearest")).ravel())
    low = low[np.argsort(values.ravel()[low])][:VALLEYS]
    if len(low) < 2:  # noqa: PLR2004 - the best fit and another
        return surface, np.empty((0, len(grid.axes)))
    found = minima(function, grid.points[low], grid.steps, grid.bounds)
    order = np.argsort(found.value)
    first, rest = order[0], order[1:]
    apart = np.abs(found.theta[rest] - found.theta[first]) > SAME * grid.steps
    rest = rest[(found.value[rest] - found.value[first] <= highest) & apart.any(axis=1)]
    best = surface.best
    if found.value[first] < best.value[0]:
        best = minima(function, found.theta[[first]], grid.steps * SAME, grid.bounds)
    widths = np.sqrt(np.diagonal(found.covariance[rest], axis1=1, axis2=2))
    reaches = np.where(np.isfinite(widths), MARGIN * np.sqrt(highest) * widths, grid.steps)
    others = found.theta[rest] if len(rest) else None
    return replace(surface, best=best, others=others), reaches


def _box(surface: Surface, highest: float, ranges: Floats) -> Floats:
    """Ends of the parameters between which a region lies, with a margin, shape (2, p)."""
    grid, best = surface.grid, surface.best
    inside = np.stack(np.nonzero(surface.delta <= highest), axis=1)
    low, high = best.theta[0] - 1e-3 * grid.steps, best.theta[0] + 1e-3 * grid.steps
    if len(inside):
        ends = np.array(
            [[a[i.min()], a[i.max()]] for a, i in zip(grid.axes, inside.T, strict=True)]
        )
        low = np.minimum(low, ends[:, 0] - grid.steps)
        high = np.maximum(high, ends[:, 1] + grid.steps)
    widths = np.sqrt(np.diag(best.covariance[0]))
    if np.isfinite(widths).all() and len(inside) < 2 ** len(low):  # too few points to go by
        reach = MARGIN * np.sqrt(highest) * widths
        low, high = np.minimum(low, best.theta[0] - reach), np.maximum(high, best.theta[0] + reach)
        if not len(inside):
            low, high = best.theta[0] - reach, best.theta[0] + reach
    return np.asarray(np.clip([low, high], *ranges), dtype=np.float64)


def _refined(
    function: Function,
    surface: Surface,
    known: np.ndarray,
    rises: Sequence[float],
    inner: Sequence[float],
) -> tuple[Surface, np.ndarray, int]:
    """The surface on a grid of half the distances."""
    old = surface.grid
    grid = Grid(old.parameters, tuple(np.linspace(a[0], a[-1], 2 * len(a) - 1) for a in old.axes))
    values = interpolated(old.axes, surface.twice_nll, grid.axes)
    every = tuple(slice(None, None, 2) for _ in old.axes)
    have = np.zeros(grid.shape, dtype=bool)
    have[every] = known
    wanted, before = _around(grid, surface.centres) & ~have, int(have.sum())
    for _ in range(FOLLOWED):  # a border that a spline has misplaced is followed to where it is
        delta = values - min(surface.minimum, float(values.min()))
        wanted |= (_near(delta, rises) | _near_ends(delta, inner)) & ~have
        if not wanted.any():
            break
        points = grid.points[wanted.ravel()]
        values[wanted] = checked(function(points), points)
        have |= wanted
        wanted[...] = False
    best = best_fit(function, grid, values, surface.centres)
    found = Surface(grid, values, best, 0, others=surface.others)
    return found, have, int(have.sum()) - before


def _around(grid: Grid, places: Floats) -> np.ndarray:
    """Points next to minima, which may be narrower than the distances of the grid."""
    away = np.abs(grid.points[:, None, :] - places) / grid.steps
    near = np.any(np.all(away <= NEXT, axis=2), axis=1)
    return np.asarray(near).reshape(grid.shape)


def _near(delta: Floats, rises: Sequence[float]) -> np.ndarray:
    """Points whose neighbourhood contains a border or the minimum."""
    from scipy.ndimage import maximum_filter, minimum_filter

    low, high = minimum_filter(delta, 3), maximum_filter(delta, 3)
    near = low <= 0.05 * min(rises)
    for one in rises:
        near |= (low <= one) & (high >= one)
    return np.asarray(near)


def _near_ends(delta: Floats, rises: Sequence[float]) -> np.ndarray:
    """Points whose neighbourhood contains an end of a region along one of the axes."""
    from scipy.ndimage import maximum_filter, minimum_filter

    low, high = minimum_filter(delta, 3), maximum_filter(delta, 3)
    near = np.zeros(delta.shape, dtype=bool)
    for one in rises:
        border = (low <= one) & (high >= one)
        for axis, count in enumerate(delta.shape):
            others = tuple(i for i in range(delta.ndim) if i != axis)
            reached = np.flatnonzero((delta <= one).any(axis=others))
            if len(reached):
                away = np.abs(np.arange(count)[:, None] - reached[[0, -1]]).min(axis=1)
                near |= border & np.expand_dims(away <= 1, others)
    return near


def _extents(surface: Surface, rises: Sequence[float], centre: Floats) -> Floats:
    """Distances of the ends of regions from a place; NaN where they are beyond the grid."""
    levels = [1.0 - float(np.exp(-0.5 * one)) for one in rises]  # of two degrees of freedom
    ends = np.array([region(surface, one).ends for one in levels], dtype=np.float64)
    return np.abs(ends.reshape(-1, len(centre), 2) - centre[:, None]).ravel()


def distances(surface: Surface, rises: Sequence[float], centres: Floats) -> Floats:
    """Distance of each border from places, in fixed directions and units of the ranges.

    Parameters
    ----------
    surface : Surface
        In one or two parameters.
    rises : sequence of float
        Of -2 ln L at the borders.
    centres : ndarray, shape (n_minima, n_parameters)
        From where, such as the minima.

    Returns
    -------
    ndarray, shape (n_levels, n_minima * n_directions)
        NaN where the border is beyond the grid, or the minimum outside of the region.
    """
    if len(surface.grid.axes) == 1:
        ways = np.array([[-1.0], [1.0]])
    else:
        angles = 2.0 * np.pi * np.arange(RAYS) / RAYS
        ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([_rays(surface, one, ways, rises) for one in centres], axis=1)


def _rays(surface: Surface, centre: Floats, ways: Floats, rises: Sequence[float]) -> Floats:
    """Distances of the borders from one place."""
    grid = surface.grid
    low, high = grid.bounds
    radii = np.linspace(0.0, 1.5, 1501)
    along = (centre - low) / (high - low) + radii[:, None, None] * ways  # (n_radii, n_ways, p)
    values = values_at(grid.axes, surface.delta, low + along * (high - low))
    outside = ((along < 0) | (along > 1)).any(axis=2)
    values[outside] = -np.inf
    found = np.full((len(rises), len(ways)), np.nan)
    for i, one in enumerate(rises):
        above = values > one
        for j in np.flatnonzero(above.any(axis=0)):
            k = int(above[:, j].argmax())
            if k:
                inside, beyond = values[k - 1, j], values[k, j]
                share = (one - inside) / (beyond - inside) if beyond > inside else 0.0
                found[i, j] = radii[k - 1] + share * (radii[k] - radii[k - 1])
    return found


def _moved(before: Floats, after: Floats) -> float:
    """Largest relative change of a distance; infinite where a border came or went."""
    if (np.isnan(before) != np.isnan(after)).any():
        return np.inf
    seen = ~np.isnan(before)
    if not seen.any():
        return 0.0
    return float(np.max(np.abs(after - before)[seen] / np.maximum(np.abs(after[seen]), 1e-12)))


def _check_count(parameters: Sequence[Parameter]) -> None:
    if len(parameters) not in {1, 2}:
        raise InputError(
            f"an adaptive grid is made for one or two parameters, not {len(parameters)}. Use a "
            "fixed grid, or profile over the others."
        )
