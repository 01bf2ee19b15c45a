"""The likelihood of events: their shape, their number, and constraints on parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood.simulation import Measurement, Simulation
from hepflow.inference.records import Floats, Parameter

LogRatio = Callable[[Floats, Floats], Floats]  # x (n, d), theta (m, p) -> (m, n)
Function = Callable[[Floats], Floats]  # theta (m, p) -> -2 ln L, (m,)
BLOCK = 4_000_000  # values of a ratio that are in memory at once


Sets = Callable[[Floats], Floats]  # theta (m, p) -> log likelihood of each set of data, (k, m)


class Shape(Protocol):
    """How events are distributed: log densities, up to what does not depend on theta."""

    def on(self, x: Floats, counts: Any) -> Sets:
        """Log likelihood of data as a function of parameter points.

        Parameters
        ----------
        x : ndarray, shape (n, n_observables)
            Events.
        counts : ndarray or sparse matrix, shape (k, n)
            How often each one occurs in each of k sets of data.

        Returns
        -------
        callable
            Of parameter points, shape (m, p): sums over events of log densities, relative to a
            reference, shape (k, m).
        """
        ...


@dataclass(frozen=True)
class Unbinned:
    """Shape from an estimated, or exact, log ratio of densities."""

    log_ratio: LogRatio  # ln p(x|theta)/p(x|reference)

    def on(self, x: Floats, counts: Any) -> Sets:
        """See `Shape`; evaluated in blocks of parameter points."""
        size = max(1, BLOCK // max(len(x), 1))

        def sums(theta: Floats) -> Floats:
            blocks = [theta[start : start + size] for start in range(0, len(theta), size)]
            return np.concatenate([self._block(x, counts, one) for one in blocks], axis=1)

        return sums

    def _block(self, x: Floats, counts: Any, theta: Floats) -> Floats:
        values = np.asarray(self.log_ratio(x, theta), dtype=np.float64)
        if values.shape != (len(theta), len(x)):
            raise InputError(
                f"a log ratio has shape {values.shape}; for {len(theta)} parameter points and "
                f"{len(x)} events it must be {(len(theta), len(x))}."
            )
        total = np.asarray(counts @ values.T, dtype=np.float64)
        if not np.isfinite(total).all():
            raise FitError(_not_finite(values, theta))
        return total


def _not_finite(values: Floats, theta: Floats) -> str:
    bad = ~np.isfinite(values)
    worst = int(np.argmax(bad.sum(axis=1)))
    point = ", ".join(f"{one:g}" for one in theta[worst])
    return (
        f"the estimated log ratio is not finite for {int(bad[worst].sum())} of {values.shape[1]} "
        f"events at ({point}). Train with other seeds or settings, or narrow the grid to where "
        "there were training events."
    )


@dataclass(frozen=True)
class Rate:
    """Poisson distribution of the number of events."""

    cross_section: Callable[[Floats], Floats]  # theta (m, p) -> after cuts [pb], (m,)
    luminosity: float  # [1/pb]

    def log_likelihood(self, number: Floats, theta: Floats) -> Floats:
        """Log probability of `number` events, shape (k,), without their factorial: (k, m).

        Raises
        ------
        FitError
            A cross-section is not positive.
        """
        expected = self.expected(theta)
        logs: Floats = number[:, None] * np.log(expected) - expected
        return logs

    def expected(self, theta: Floats) -> Floats:
        """Mean number of events at points (m, p), shape (m,).

        Raises
        ------
        FitError
            A cross-section is not positive.
        """
        expected = self.luminosity * np.asarray(self.cross_section(theta), dtype=np.float64)
        if not (expected > 0).all():
            worst = int(np.argmin(expected))
            point = ", ".join(f"{one:g}" for one in theta[worst])
            raise FitError(
                f"the expected number of events at ({point}) is {expected[worst]:g}. It must be "
                "positive: narrow the grid, or look at the benchmarks of the morphing."
            )
        return expected


@dataclass(frozen=True)
class Likelihood:
    """Likelihood of events; without shape or without rate that part is left out."""

    parameters: tuple[Parameter, ...]
    shape: Shape | None = None
    rate: Rate | None = None
    constraints: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    # centre and standard deviation of a normal constraint, by name of the parameter

    def __post_init__(self) -> None:
        names = self.names
        unknown = [name for name in self.constraints if name not in names]
        if unknown:
            raise InputError(
                f"a constraint is on {unknown[0]!r}, which is no parameter. There are: "
                f"{', '.join(names)}."
            )
        if set(self.constraints) != {one.name for one in self.apart()[1]}:
            raise InputError(
                f"constrained parameters come after the others, but the order is "
                f"{', '.join(names)} with constraints on {', '.join(self.constraints)}."
            )
        if self.shape is None and self.rate is None:
            raise InputError(
                "a likelihood needs events' densities (shape), their number (rate), or both."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(one.name for one in self.parameters)

    def apart(self) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
        """Parameters of the theory, and constrained ones, which come after them."""
        n = len(self.parameters) - len(self.constraints)
        return self.parameters[:n], self.parameters[n:]

    @property
    def nominal(self) -> Floats:
        """Centres of the constraints, in the order of the parameters, shape (q,)."""
        return np.array([self.constraints[one.name][0] for one in self.apart()[1]])

    @property
    def widths(self) -> Floats:
        """Standard deviations of the constraints, in the order of the parameters, shape (q,)."""
        return np.array([self.constraints[one.name][1] for one in self.apart()[1]])

    @property
    def bounds(self) -> Floats:
        """Lower and upper ends of the parameters' ranges, shape (2, n_parameters)."""
        return np.array([[one.low, one.high] for one in self.parameters]).T

    def sets(self, x: Floats, counts: Any) -> Function:
        """-2 ln L of several sets of data that share a pool of events.

        Parameters
        ----------
        x : ndarray, shape (n, n_observables)
            Events.
        counts : ndarray or sparse matrix, shape (k, n)
            How often each one occurs in each set.

        Returns
        -------
        callable
            Of parameter points, shape (m, p), up to what does not depend on them, shape (k, m).
        """
        events = self.events(x, counts)

        def twice_nll(theta: Floats) -> Floats:
            points = np.atleast_2d(np.asarray(theta, dtype=np.float64))
            total = events(points)
            for name, (centre, width) in self.constraints.items():
                total += ((points[:, self.names.index(name)] - centre) / width) ** 2
            return total

        return twice_nll

    def events(self, x: Floats, counts: Any) -> Function:
        """-2 ln L of several sets of data without constraints; see `sets`."""
        shape = None if self.shape is None else self.shape.on(x, counts)
        number = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()

        def twice_nll(points: Floats) -> Floats:
            total = np.zeros((len(number), len(points)))
            if shape is not None:
                total -= 2.0 * shape(points)
            if self.rate is not None:
                total -= 2.0 * self.rate.log_likelihood(number, points)
            return total

        return twice_nll

    def function(self, data: Measurement) -> Function:
        """-2 ln L of data as a function of parameter points (m, p) -> (m,)."""
        sets = self.sets(data.x, data.counts[None, :])
        return lambda theta: sets(theta)[0]


def rate_of(simulation: Simulation, luminosity: float) -> Rate:
    """Rate with the cross-section that the simulated events have."""
    return Rate(simulation.cross_section, luminosity)
