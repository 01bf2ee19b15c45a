"""-2 ln L on an even grid of parameter points, and its minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood.minima import Minima, minima
from hepflow.inference.likelihood.model import Function
from hepflow.inference.likelihood.splines import values_at
from hepflow.inference.records import Floats, Parameter

FEWEST = 4  # points of a cubic spline


@dataclass(frozen=True)
class Grid:
    """Even grid of parameter points."""

    parameters: tuple[Parameter, ...]
    axes: tuple[Floats, ...]  # values of each parameter, increasing

    @classmethod
    def over(cls, parameters: Sequence[Parameter], points: int | Sequence[int]) -> Grid:
        """Cover the ranges of the parameters.

        Parameters
        ----------
        parameters : sequence of Parameter
            With their ranges.
        points : int or sequence of int
            Of all, or of each parameter; at least 4.

        Raises
        ------
        InputError
            Too few points.
        """
        counts = [points] * len(parameters) if isinstance(points, int) else list(points)
        if len(counts) != len(parameters) or min(counts) < FEWEST:
            raise InputError(
                f"a grid of {counts} points for {len(parameters)} parameters cannot be made. Give "
                f"one number for each, at least {FEWEST}."
            )
        axes = tuple(
            np.linspace(one.low, one.high, n) for one, n in zip(parameters, counts, strict=True)
        )
        return cls(tuple(parameters), axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points of each parameter."""
        return tuple(len(one) for one in self.axes)

    @property
    def points(self) -> Floats:
        """All points, the last parameter runs fastest, shape (n_points, n_parameters)."""
        mesh = np.meshgrid(*self.axes, indexing="ij")
        return np.stack([one.ravel() for one in mesh], axis=1)

    @property
    def steps(self) -> Floats:
        """Distance between points of each parameter, shape (n_parameters,)."""
        return np.array([(one[-1] - one[0]) / (len(one) - 1) for one in self.axes])

    @property
    def bounds(self) -> Floats:
        """Ends of each parameter's range, shape (2, n_parameters)."""
        return np.array([[one[0], one[-1]] for one in self.axes]).T


@dataclass(frozen=True)
class Surface:
    """-2 ln L on a grid, with its minimum between the points."""

    grid: Grid
    twice_nll: Floats  # shape of the grid
    best: Minima  # with one start
    evaluated: int  # points at which the likelihood was evaluated, the minimum's not counted
    stable: bool = True  # whether the contours of an adaptive grid have come to rest
    others: Floats | None = None  # further minima within the regions, shape (k, n_parameters)

    @property
    def centres(self) -> Floats:
        """Best fit, and further minima within the regions, shape (1 + k, n_parameters)."""
        own = self.best.theta[:1]
        return own if self.others is None else np.concatenate([own, self.others])

    @property
    def minimum(self) -> float:
        """Smallest -2 ln L, on the grid or between its points."""
        return min(float(self.best.value[0]), float(self.twice_nll.min()))

    @property
    def delta(self) -> Floats:
        """-2 ln(L/L_max), shape of the grid."""
        return np.asarray(self.twice_nll - self.minimum, dtype=np.float64)

    def between(self) -> Function | None:
        """-2 ln L within the grid by a spline; None for more than two parameters."""
        if len(self.grid.axes) > 2:  # noqa: PLR2004 - splines are made for lines and planes
            return None
        axes, values = self.grid.axes, self.twice_nll
        return lambda theta: values_at(axes, values, theta)


def on_grid(function: Function, grid: Grid, known: Floats | None = None) -> Surface:
    """Evaluate -2 ln L at all points of a grid, and find its minimum.

    Parameters
    ----------
    function : callable
        -2 ln L of parameter points, (m, p) -> (m,); see `Likelihood.function`.
    grid : Grid
        Where.
    known : ndarray, shape (k, p), optional
        Minima that are known, and may be narrower than the grid's distances.

    Raises
    ------
    FitError
        A value is not finite.
    """
    values = checked(function(grid.points), grid.points).reshape(grid.shape)
    others = None if known is None or len(known) < 2 else known[1:]  # noqa: PLR2004 - best and one
    best = best_fit(function, grid, values, known)
    return Surface(grid, values, best, values.size, others=others)


def best_fit(function: Function, grid: Grid, values: Floats, known: Floats | None = None) -> Minima:
    """Maximum-likelihood point, from the lowest of a grid's points and the known minima."""
    start = grid.points[[int(values.argmin())]]
    if known is not None:
        lowest = np.asarray(function(known), dtype=np.float64)
        if lowest.min() < values.min():
            start = known[[int(lowest.argmin())]]
    return minima(function, start, grid.steps, grid.bounds)


def checked(values: Floats, points: Floats) -> Floats:
    """Values of the likelihood at points.

    Raises
    ------
    FitError
        One of them is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        worst = points[int(np.argmax(~np.isfinite(found)))]
        raise FitError(
            f"the likelihood is not finite at ({', '.join(f'{one:g}' for one in worst)}). Narrow "
            "the grid, or look at the estimator and the events."
        )
    return found
