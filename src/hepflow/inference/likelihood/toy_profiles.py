"""Toys with nuisance parameters: -2 ln L of each at its best nuisance values.

The likelihood of events is evaluated for all toys at once, at a few nodes around the nuisance
values that the toys are made of. Between the nodes it is a polynomial, and each toy has its
minimum at each parameter point by Newton's method. What the number of events and the constraints
add is exact but for the logarithm of the cross-section, which is such a polynomial, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from hepflow.inference.likelihood.expansions import Expansion
from hepflow.inference.likelihood.grids import Grid
from hepflow.inference.likelihood.minima import parabolas
from hepflow.inference.likelihood.model import Likelihood, Sets
from hepflow.inference.records import Floats, Ints

DEGREES = {1: 4, 2: 4, 3: 3, 4: 3}  # of the polynomials, by number of nuisance parameters; else 2
REACH = 3.0  # standard deviations of toys' best nuisance values: nodes lie within
BEYOND = 2.0  # of the reach: where polynomials end, far from the toys' best parameters
COARSE = 9  # points of each parameter at which the effect of nuisance parameters is evaluated
STEPS = 30  # at most
CLOSE = 1e-3  # of -2 ln L: a step that changes less is the last, and far closer than that
BLOCK = 2_000_000  # numbers in memory at once


@dataclass(frozen=True)
class Curves:
    """-2 ln L as functions of the nuisance parameters, many at once.

    The nuisance parameters are `centre` + `reach` u; the nodes of u are between -1 and 1.
    """

    expansion: Expansion  # in u
    centre: Floats  # shape (q,)
    reach: Floats  # shape (q,)
    widths: Floats  # of the constraints, shape (q,)
    shape: Floats  # coefficients of the log likelihood of events, shape (n, n_terms)
    log_expected: Floats | None  # of the logarithm of the number of events, (m, n_terms)
    place: Ints  # row of `log_expected`, shape (n,)
    number: Floats  # of events, shape (n,)
    measured: Floats  # auxiliary measurements, shape (n, q)

    def at(self, u: Floats, rows: Any) -> tuple[Floats, Floats, Floats]:
        """Values (n,), gradients (n, q) and Hessians (n, q, q) of some of them by u."""
        q, terms = u.shape[1], self.expansion.terms(u)
        pull = (self.centre + self.reach * u - self.measured[rows]) / self.widths
        value = (pull**2).sum(axis=1)
        gradient = 2.0 * pull * self.reach / self.widths
        hessian = np.repeat(np.diag(2.0 * (self.reach / self.widths) ** 2)[None], len(u), axis=0)
        total = -2.0 * self.shape[rows]
        value += np.einsum("nb,nb->n", total, terms)
        if self.log_expected is not None:
            logs = self.log_expected[self.place[rows]]
            log = np.einsum("nb,nb->n", logs, terms)
            expected, number = np.exp(log), self.number[rows]
            value += 2.0 * (expected - number * log)
            total += 2.0 * (expected - number)[:, None] * logs
            along = self.expansion.derivatives(logs, terms)[:, :q]
            hessian += 2.0 * expected[:, None, None] * along[:, :, None] * along[:, None, :]
        both = self.expansion.derivatives(total, terms)
        gradient += both[:, :q]
        hessian += both[:, q:].reshape(-1, q, q)
        return value, gradient, hessian

    def lowest(self) -> tuple[Floats, Floats]:
        """Smallest values (n,), and where (n, q), by Newton's method with damping."""
        n, q = self.measured.shape
        u, rows = np.zeros((n, q)), np.arange(n)
        value, gradient, hessian = self.at(u, rows)
        damping = np.zeros(n)
        unit = np.diag((self.reach / self.widths) ** 2)
        for _ in range(STEPS):
            bent = rows[np.linalg.eigvalsh(hessian[rows])[:, 0] <= 0]  # towards a saddle
            damping[bent] = np.maximum(damping[bent], 1.0)
            matrix = hessian[rows] + damping[rows, None, None] * unit
            step = -np.linalg.solve(matrix, gradient[rows][:, :, None])[:, :, 0]
            trial = np.clip(u[rows] + step, -BEYOND, BEYOND)
            with np.errstate(over="ignore", invalid="ignore"):  # too far: refused below
                found, slope, curvature = self.at(trial, rows)
            change = np.where(np.isfinite(found), found - value[rows], np.inf)
            better = change <= 0
            good = rows[better]
            u[good], value[good] = trial[better], found[better]
            gradient[good], hessian[good] = slope[better], curvature[better]
            damping[good] /= 10.0
            damping[rows[~better]] = np.maximum(10.0 * damping[rows[~better]], 1.0)
            rows = rows[np.abs(change) > CLOSE]
            if not len(rows):
                break
        return value, u


@dataclass(frozen=True)
class Profiler:
    """What toys gain when their nuisance parameters go to their best values."""

    likelihood: Likelihood  # with constraints
    toys: Any  # with auxiliary measurements
    centre: Floats  # of the nodes: nuisance values that the toys are made of, shape (q,)
    reach: Floats  # of the nodes, shape (q,)

    @cached_property
    def _sums(self) -> Sets | None:
        shape = self.likelihood.shape
        return None if shape is None else shape.on(self.toys.x, self.toys.counts)

    @cached_property
    def _number(self) -> Floats:
        return np.asarray(self.toys.counts.sum(axis=1), dtype=np.float64).ravel()

    def before(self, places: Floats) -> Floats:
        """-2 ln L at the centre of the nodes, shape (n_toys, m).

        Parameters
        ----------
        places : ndarray, shape (m, p)
            Points of the parameters of the theory.
        """
        pull = (self.centre - self.toys.measured) / self.likelihood.widths
        events = self.likelihood.events(self.toys.x, self.toys.counts)
        found = events(crossed(places, self.centre[None]))
        return np.asarray(found + (pull**2).sum(axis=1)[:, None], dtype=np.float64)

    def gains(self, places: Floats, wanted: np.ndarray | None = None) -> Floats:
        """How -2 ln L changes from there to the best values, shape (n_toys, m).

        `wanted`, of that shape, says which ones are found; the others are 0.
        """
        q, k, m = len(self.centre), len(self._number), len(places)
        expansion = Expansion.of(q, DEGREES.get(q, 2))
        points = crossed(places, self.centre + self.reach * expansion.nodes)
        logs = None
        if self.likelihood.rate is not None:
            expected = self.likelihood.rate.expected(points)
            logs = expansion.coefficients(np.log(expected).reshape(m, -1))
        sums = self._sums(points) if self._sums else np.zeros((k, len(points)))
        shapes = sums.reshape(k, m, -1)
        gains, size = np.zeros((k, m)), max(1, BLOCK // (len(expansion) * (1 + q) + q * q))
        toys, columns = np.nonzero(np.ones((k, m)) if wanted is None else wanted)
        for start in range(0, len(toys), size):
            row, place = toys[start : start + size], columns[start : start + size]
            curves = Curves(
                expansion,
                self.centre,
                self.reach,
                self.likelihood.widths,
                expansion.coefficients(shapes[row, place]),
                logs,
                place,
                self._number[row],
                self.toys.measured[row],
            )
            before = curves.at(np.zeros((len(row), q)), slice(None))[0]
            gains[row, place] = curves.lowest()[0] - before
        return gains


def profiles(likelihood: Likelihood, toys: Any, theta: Floats, grid: Grid) -> Floats:
    """-2 ln L of toys at their best nuisance values, shape (n_toys, 1 + n_points).

    Parameters
    ----------
    likelihood : Likelihood
        With constraints.
    toys : Toys
        With auxiliary measurements.
    theta : ndarray, shape (p + q,)
        Point that is tested, which the toys are made of: the first column.
    grid : Grid
        Points of the parameters of the theory: the other columns.

    Notes
    -----
    What is gained by other nuisance values is found at few points, and taken from splines between
    them. Where toys have their minima, it is found at all points of the grid.
    """
    tested, made_at = np.split(theta, [len(grid.axes)])
    reach = reaches(likelihood, toys, theta, grid)
    profiler = Profiler(likelihood, toys, made_at, reach)
    counts = [min(len(axis), COARSE) for axis in grid.axes]
    axes = tuple(np.linspace(a[0], a[-1], n) for a, n in zip(grid.axes, counts, strict=True))
    few = Grid(grid.parameters, axes)
    gains = profiler.gains(np.concatenate([tested[None], few.points]))
    before = profiler.before(np.concatenate([tested[None], grid.points]))
    found: Floats = before + np.concatenate(
        [gains[:, :1], _between(few, gains[:, 1:], grid)], axis=1
    )
    known = np.zeros((len(found), len(grid.points)), dtype=np.bool_)
    while (wanted := _around(found[:, 1:], grid) & ~known).any():
        places = np.flatnonzero(wanted.any(axis=0))
        better = before[:, 1 + places] + profiler.gains(grid.points[places], wanted[:, places])
        found[:, 1 + places] = np.where(wanted[:, places], better, found[:, 1 + places])
        known |= wanted
    return found


def _around(values: Floats, grid: Grid) -> np.ndarray:
    """Which points of a grid a parabola through the lowest one needs, shape of the values."""
    lowest = np.stack(np.unravel_index(values.argmin(axis=1), grid.shape), axis=1)
    middle = np.clip(lowest, 1, np.array(grid.shape) - 2)
    every = np.array(list(product((-1, 0, 1), repeat=len(grid.shape))))
    around = np.concatenate([middle[:, None] + every, lowest[:, None]], axis=1)
    mask = np.zeros(values.shape, dtype=np.bool_)
    columns = np.ravel_multi_index(tuple(np.moveaxis(around, 2, 0)), grid.shape)
    mask[np.arange(len(mask))[:, None], columns] = True
    return mask


def _between(few: Grid, values: Floats, grid: Grid) -> Floats:
    """Values on a grid, shape (k, n_points), from those on one with few points."""
    found = values.reshape(-1, *few.shape)
    for i, (coarse, fine) in enumerate(zip(few.axes, grid.axes, strict=True)):
        found = np.moveaxis(np.tensordot(_spline(coarse, fine), found, (1, 1 + i)), 0, 1 + i)
    return np.asarray(found.reshape(len(values), -1), dtype=np.float64)


def _spline(coarse: Floats, fine: Floats) -> Floats:
    """Matrix from values on a coarse axis to those of a cubic spline on a fine one."""
    from scipy.interpolate import make_interp_spline

    if len(coarse) == len(fine):
        return np.eye(len(fine))
    return np.asarray(make_interp_spline(coarse, np.eye(len(coarse)), k=3)(fine), dtype=np.float64)


def crossed(points: Floats, nodes: Floats) -> Floats:
    """All nuisance values at each point, these running fastest, shape (m n_nodes, p + q)."""
    repeated = np.repeat(points, len(nodes), axis=0)
    return np.concatenate([repeated, np.tile(nodes, (len(points), 1))], axis=1)


def reaches(likelihood: Likelihood, toys: Any, theta: Floats, grid: Grid) -> Floats:
    """How far the nodes of each nuisance parameter go, shape (q,).

    Some standard deviations of its best values in toys, by the curvature of their mean; at most
    as many widths of its constraint.
    """
    p = len(grid.axes)
    free, widths = likelihood.apart()[1], likelihood.widths
    mean = np.asarray(toys.counts.sum(axis=0), dtype=np.float64).ravel() / toys.counts.shape[0]
    ends = np.concatenate([grid.bounds, np.array([[one.low, one.high] for one in free]).T], axis=1)
    bounds = np.array([np.minimum(ends[0], theta), np.maximum(ends[1], theta)])
    stencil = np.diag(np.concatenate([grid.steps, 0.5 * widths]))[None]
    function = likelihood.sets(toys.x, mean[None])
    every = list(range(len(theta)))
    hessian = parabolas(lambda at: function(at)[0], theta[None], stencil, bounds, every)[1][0]
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        return REACH * widths
    spread = np.sqrt(np.diag(np.linalg.inv(hessian / 2.0)))[p:]
    return np.asarray(REACH * np.minimum(spread, widths), dtype=np.float64)
