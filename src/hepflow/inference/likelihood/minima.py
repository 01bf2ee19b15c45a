"""Smallest values of -2 ln L: between grid points, with parameters held, and many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hepflow.inference.likelihood.model import Function
from hepflow.inference.records import Floats

SHRINK = 0.35  # of the stencil, each time the minimum lies within it
NARROWEST = 0.1  # half-width of the stencil in standard deviations: below, noise would rule
STEPS = 40  # at most
RISE = 0.05  # of -2 ln L, at which the last second derivatives are taken


@dataclass(frozen=True)
class Minima:
    """Minima of a function, one a start."""

    theta: Floats  # shape (k, n_parameters)
    value: Floats  # shape (k,)
    hessian: Floats  # second derivatives of -2 ln L, shape (k, n_parameters, n_parameters)
    converged: bool
    at_bound: Floats  # 1 where a parameter is at an end of its range, shape (k, n_parameters)

    @property
    def covariance(self) -> Floats:
        """Inverse of half the Hessian; NaN where it is not positive definite: (k, p, p)."""
        found = np.full_like(self.hessian, np.nan)
        for k, one in enumerate(self.hessian):
            if np.isfinite(one).all() and np.linalg.eigvalsh(one)[0] > 0:
                found[k] = np.linalg.inv(one / 2.0)
        return found


def minima(
    function: Function,
    starts: Floats,
    steps: Floats,
    bounds: Floats,
    free: Sequence[int] | None = None,
    *,
    curvature: bool = True,
) -> Minima:
    """Find the minimum near each start by parabolas through shrinking stencils.

    The function may have noise, as float32 networks have, and is called for all starts at once.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p) -> (m,).
    starts : ndarray, shape (k, n_parameters)
        Near the minima, such as the lowest points of a grid.
    steps : ndarray, shape (n_parameters,)
        Half-widths of the first stencil, such as the distances of a grid.
    bounds : ndarray, shape (2, n_parameters)
        Ranges; a minimum stays within.
    free : sequence of int, optional
        Parameters that move; the others are held at their start. Default all.
    curvature : bool
        Whether second derivatives are taken anew, over a distance that stands out of noise.
    """
    p = starts.shape[1]
    moving = list(range(p)) if free is None else list(free)
    theta = np.clip(np.asarray(starts, dtype=np.float64), *bounds)
    stencil = np.repeat(np.diag(np.asarray(steps, dtype=np.float64)[moving])[None], len(theta), 0)
    hessian, done = np.zeros((len(theta), p, p)), True
    for _ in range(STEPS if moving else 0):
        gradient, hessian, centre = parabolas(function, theta, stencil, bounds, moving)
        done = True
        for k in range(len(theta)):
            reach = np.zeros(p)
            reach[moving] = np.abs(stencil[k]).sum(axis=0)
            step = _step(gradient[k], hessian[k], centre[k], reach, bounds, moving)
            theta[k] = centre[k] + step
            inside = bool((np.abs(step) <= (1.0 + 1e-9) * reach).all())
            size = _size(hessian[k], stencil[k], moving)
            done &= inside and size <= 1.5 * NARROWEST
            if inside:
                smaller = min(max(SHRINK * size, NARROWEST), 1.0)
                stencil[k] = _principal(hessian[k], stencil[k], moving, smaller)
        if done:
            break
    for _ in range(2 if curvature and moving else 0):
        size = float(np.sqrt(RISE))
        stencil = np.stack([
            _principal(one, old, moving, size)
            for one, old in zip(hessian, stencil, strict=True)
        ])  # fmt: skip
        hessian = parabolas(function, theta, stencil, bounds, moving)[1]
    value = np.asarray(function(theta), dtype=np.float64)
    span = 1e-9 * (bounds[1] - bounds[0])
    at_bound = ((theta <= bounds[0] + span) | (theta >= bounds[1] - span)).astype(np.float64)
    return Minima(theta, value, hessian, done, at_bound)


def _size(hessian: Floats, stencil: Floats, moving: list[int]) -> float:
    """Largest half-width of a stencil in standard deviations of its directions."""
    inner = hessian[np.ix_(moving, moving)]
    rises = np.einsum("ai,ij,aj->a", stencil, inner, stencil) / 2.0
    return float(np.sqrt(np.maximum(rises, 0.0).max()))


def _principal(hessian: Floats, stencil: Floats, moving: list[int], size: float) -> Floats:
    """Stencil along the axes of the likelihood, so many standard deviations wide.

    Without curvature in some direction it is the old one, smaller.
    """
    scale = np.abs(stencil).sum(axis=0)
    inner = hessian[np.ix_(moving, moving)] * scale[:, None] * scale[None, :]
    values, vectors = np.linalg.eigh(inner)
    if not values[0] > 1e-6 * size**2:  # wider than a thousand old stencils
        return SHRINK * stencil
    return np.asarray((size * np.sqrt(2.0 / values)[:, None] * vectors.T) * scale, dtype=np.float64)


def parabolas(
    function: Function, theta: Floats, stencil: Floats, bounds: Floats, moving: list[int]
) -> tuple[Floats, Floats, Floats]:
    """Gradient and Hessian by central differences, and where: moved off the bounds.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p) -> (m,).
    theta : ndarray, shape (k, p)
        Where.
    stencil : ndarray, shape (k, q, q)
        Steps of each, in the parameters that move.
    bounds : ndarray, shape (2, p)
        Ranges: all points of the stencil lie within.
    moving : list of int
        The q parameters that move.

    Returns
    -------
    gradient : ndarray, shape (k, p)
        Zero for the parameters that don't move.
    hessian : ndarray, shape (k, p, p)
        Likewise.
    centre : ndarray, shape (k, p)
        Of the stencil.
    """
    p, q = theta.shape[1], len(moving)
    pairs = list(combinations(range(q), 2))
    unit = np.eye(q)
    offsets = [np.zeros(q), *unit, *-unit]
    offsets += [s * (unit[i] + unit[j]) for s in (1.0, -1.0) for i, j in pairs]
    reach = np.abs(stencil).sum(axis=1)
    room = 0.5 * (bounds[1] - bounds[0])[moving]
    stencil = stencil / np.maximum((reach / room).max(axis=1), 1.0)[:, None, None]
    reach = np.minimum(np.abs(stencil).sum(axis=1), room)
    centre = theta.copy()
    ends = bounds[:, moving]
    centre[:, moving] = np.clip(theta[:, moving], ends[0] + reach, ends[1] - reach)
    points = np.repeat(centre[:, None, :], len(offsets), axis=1)
    points[:, :, moving] += np.array(offsets) @ stencil
    f = np.asarray(function(points.reshape(-1, p)), dtype=np.float64).reshape(len(theta), -1)
    slopes, bends = _differences(f, q, pairs)
    inverse = np.linalg.inv(stencil)
    gradient, hessian = np.zeros((len(theta), p)), np.zeros((len(theta), p, p))
    gradient[:, moving] = np.einsum("kia,ka->ki", inverse, slopes)
    inner = np.einsum("kia,kab,kjb->kij", inverse, bends, inverse)
    hessian[np.ix_(range(len(theta)), moving, moving)] = inner
    return gradient, hessian, centre


def _differences(f: Floats, q: int, pairs: list[tuple[int, int]]) -> tuple[Floats, Floats]:
    """First and second differences from values on a stencil, in units of its steps."""
    middle, up, down = f[:, 0], f[:, 1 : 1 + q], f[:, 1 + q : 1 + 2 * q]
    bends = np.zeros((len(f), q, q))
    for i in range(q):
        bends[:, i, i] = up[:, i] + down[:, i] - 2.0 * middle
    both = f[:, 1 + 2 * q :]
    for n, (i, j) in enumerate(pairs):
        cross = both[:, n] + both[:, n + len(pairs)] + 2.0 * middle
        cross = cross - up[:, i] - down[:, i] - up[:, j] - down[:, j]
        bends[:, i, j] = bends[:, j, i] = cross / 2.0
    return (up - down) / 2.0, bends


def _step(
    gradient: Floats,
    hessian: Floats,
    centre: Floats,
    width: Floats,
    bounds: Floats,
    free: list[int],
) -> Floats:
    """Step to the minimum of a parabola within the bounds, at most two stencils far."""
    step = np.zeros_like(centre)
    moving = list(free)
    low = np.maximum(bounds[0] - centre, -2.0 * width)
    high = np.minimum(bounds[1] - centre, 2.0 * width)
    while moving:
        held = [i for i in free if i not in moving]
        slope = gradient[moving] + hessian[np.ix_(moving, held)] @ step[held]
        step[moving] = _newton(slope, hessian[np.ix_(moving, moving)], width[moving])
        over = np.maximum(low - step, step - high)[moving] / width[moving]
        if over.max() <= 0:
            break
        worst = moving.pop(int(over.argmax()))  # the others follow it
        step[worst] = np.clip(step[worst], low[worst], high[worst])
    return step


def _newton(slope: Floats, curvature: Floats, width: Floats) -> Floats:
    """Newton's step, in directions of negative curvature as far as the stencil goes downhill."""
    scaled = curvature * width[:, None] * width[None, :]
    values, vectors = np.linalg.eigh(scaled)
    along = vectors.T @ (slope * width)
    bent = values > 1e-12 * max(float(np.abs(values).max()), float(np.abs(along).max()), 1e-300)
    down = np.where(bent, -along / np.where(bent, values, 1.0), -2.0 * np.sign(along))
    return np.asarray(width * (vectors @ down), dtype=np.float64)


def lowest(values: Floats, axes: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Minima of many sets of values on one grid, each refined by a parabola.

    Parameters
    ----------
    values : ndarray, shape (k, n_1, n_2, ...)
        -2 ln L of k sets of data on an even grid.
    axes : sequence of ndarray
        Values of each parameter on the grid.

    Returns
    -------
    theta : ndarray, shape (k, n_parameters)
        Where.
    value : ndarray, shape (k,)
        How low; never above the lowest point of the grid.
    """
    k, shape = len(values), values.shape[1:]
    flat = values.reshape(k, -1).argmin(axis=1)
    index = np.stack(np.unravel_index(flat, shape), axis=1)
    best = values.reshape(k, -1)[np.arange(k), flat]
    middle = np.clip(index, 1, np.array(shape) - 2)  # the parabola may reach to the border
    rows = np.arange(k)
    p = len(shape)
    unit = np.eye(p, dtype=np.int64)

    def at(offset: Floats) -> Floats:
        return np.asarray(values[(rows, *(middle + offset.astype(np.int64)).T)])

    centre = at(np.zeros(p))
    gradient, hessian = np.zeros((k, p)), np.zeros((k, p, p))
    for i in range(p):
        up, down = at(unit[i]), at(-unit[i])
        gradient[:, i], hessian[:, i, i] = (up - down) / 2.0, up + down - 2.0 * centre
        for j in range(i):
            corners = at(unit[i] + unit[j]) + at(-unit[i] - unit[j])
            corners -= at(unit[i] - unit[j]) + at(unit[j] - unit[i])
            hessian[:, i, j] = hessian[:, j, i] = corners / 4.0
    ends = np.array([np.zeros(p), np.array(shape) - 1.0])
    step = np.stack([
        _step(g, h, m.astype(np.float64), np.full(p, 0.75), ends, list(range(p)))
        for g, h, m in zip(gradient, hessian, middle, strict=True)
    ])  # fmt: skip
    change = np.einsum("ki,ki->k", gradient, step)
    change += 0.5 * np.einsum("ki,kij,kj->k", step, hessian, step)
    place = middle + step
    better = centre + change < best
    place = np.where(better[:, None], place, index)
    theta = [np.interp(place[:, i], np.arange(n), axes[i]) for i, n in enumerate(shape)]
    return np.stack(theta, axis=1), np.where(better, centre + change, best)
