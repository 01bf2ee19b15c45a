"""Simulated events with a weight at any parameter point, and the data that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.morphing import Morphing
from hepflow.inference.nuisances import Response, response_of
from hepflow.inference.records import EventTable, Floats, Ints, Parameter

FARTHEST = 5.0  # standard deviations to which a nuisance parameter may go
ALIKE = 1e-13  # difference of logarithms of factors that is rounding
NEGATIVE = 1e-9  # share of the total weight that negative weights may have from rounding


@dataclass(frozen=True)
class Bins:
    """Histograms of the simulated events, or their totals."""

    nominal: Floats  # at the benchmarks, shape (n_bins, n_benchmarks) [pb]
    index: Ints | None  # bin of each event; None: all in one


@dataclass(frozen=True)
class Simulation:
    """Simulated events with a weight at any parameter point.

    The weights of a point, summed, are its cross-section after cuts [pb]: those of a part of an
    event table are scaled up. Points have the nuisance parameters after those of the theory, in
    standard deviations; left out, they are 0.
    """

    parameters: tuple[Parameter, ...]  # of the theory, then nuisance parameters
    x: Floats  # shape (n_events, n_observables)
    weights: Floats  # at the benchmarks, shape (n_events, n_benchmarks) [pb]
    coefficients: Callable[[Floats], Floats]  # theta (..., p) -> (..., n_benchmarks)
    gradient: Callable[[Floats], Floats]  # theta (..., p) -> (..., n_benchmarks, p)
    response: Response | None = None  # of the weights to the nuisance parameters

    @classmethod
    def of(cls, table: EventTable, morphing: Morphing) -> Simulation:
        """From an event table and the morphing between its benchmarks."""
        nuisances = [Parameter(one.name, -FARTHEST, FARTHEST) for one in table.nuisances]
        return cls(
            (*morphing.parameters, *nuisances),
            table.x,
            morphing.ordered(table),
            morphing.coefficients,
            morphing.gradient,
            response_of(table) if nuisances else None,
        )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def n_nuisances(self) -> int:
        """Number of nuisance parameters."""
        return 0 if self.response is None else int(self.response.linear.shape[1])

    @property
    def theory(self) -> tuple[Parameter, ...]:
        """Parameters of the theory."""
        return self.parameters[: len(self.parameters) - self.n_nuisances]

    @property
    def constraints(self) -> dict[str, tuple[float, float]]:
        """Centre and width of each nuisance parameter's constraint, for a `Likelihood`."""
        return {one.name: (0.0, 1.0) for one in self.parameters[len(self.theory) :]}

    def _apart(self, theta: Any) -> tuple[Floats, Floats]:
        """Parameters of the theory and nuisance parameters of points."""
        points = np.asarray(theta, dtype=np.float64)
        p, missing = len(self.theory), len(self.parameters) - points.shape[-1]
        if missing == self.n_nuisances:
            return points, np.zeros((*points.shape[:-1], missing))
        if missing:
            raise InputError(
                f"a parameter point has {points.shape[-1]} values; expected {len(self.parameters)}:"
                f" {', '.join(one.name for one in self.parameters)}."
            )
        return points[..., :p], points[..., p:]

    def at(self, theta: Any) -> Floats:
        """Weights of the events at a point [pb], shape (n_events,)."""
        point, nu = self._apart(theta)
        weights = np.asarray(self.weights @ self.coefficients(point), dtype=np.float64)
        return weights * self.response.factors(nu) if self.response and nu.any() else weights

    def derivative(self, theta: Any) -> Floats:
        """Derivatives of the weights by the parameters, shape (n_events, n_parameters)."""
        point, nu = self._apart(theta)
        slopes = np.asarray(self.weights @ self.gradient(point), dtype=np.float64)
        if self.response is None:
            return slopes
        slopes = slopes * self.response.factors(nu)[:, None]
        along = self.at(theta)[:, None] * self.response.slopes(nu)
        return np.concatenate([slopes, along], axis=1)

    def cross_section(self, theta: Any) -> Floats:
        """Cross-sections after cuts [pb] at points of shape (..., p), shape (...)."""
        point, nu = self._apart(theta)
        if not nu.any():
            return np.asarray(self.coefficients(point) @ self._totals, dtype=np.float64)
        rows = np.asarray(theta, dtype=np.float64).reshape(-1, len(self.parameters))
        return self.contents(Bins(self._totals[None], None), rows).reshape(point.shape[:-1])

    def contents(self, bins: Bins, theta: Floats) -> Floats:
        """Cross-sections of bins [pb] at points of shape (m, p), shape (m, n_bins).

        A nuisance parameter that moves all events alike is a factor; for the others events are
        added up once for each of their values.
        """
        point, nu = self._apart(theta)
        shares = self.coefficients(point)
        if self.response is None or not nu.any():
            return np.asarray(shares @ bins.nominal.T, dtype=np.float64)
        alike = self._alike
        common = nu[:, alike] @ self.response.linear[0, alike]
        common = common + nu[:, alike] ** 2 @ self.response.quadratic[0, alike]
        values, which = np.unique(np.where(alike, 0.0, nu), axis=0, return_inverse=True)
        found = np.empty((len(nu), len(bins.nominal)))
        for number, one in enumerate(values):
            rows = np.flatnonzero(which.reshape(-1) == number)
            table = bins.nominal if not one.any() else self._filled(bins, one)
            found[rows] = shares[rows] @ table.T
        return np.asarray(found * np.exp(common)[:, None], dtype=np.float64)

    def _filled(self, bins: Bins, nu: Floats) -> Floats:
        """Contents of bins at the benchmarks and a value of the nuisance parameters."""
        factors = self.response.factors(nu) if self.response else np.ones(len(self))
        if bins.index is None:
            return np.asarray((factors @ self.weights)[None], dtype=np.float64)
        n_bins = len(bins.nominal)
        columns = [np.bincount(bins.index, factors * one, n_bins) for one in self.weights.T]
        return np.stack(columns, axis=1)

    @cached_property
    def _totals(self) -> Floats:
        return np.asarray(self.weights.sum(axis=0), dtype=np.float64)

    @cached_property
    def _alike(self) -> Any:
        """Which nuisance parameters move all events alike."""
        if self.response is None or not len(self):
            return np.zeros(self.n_nuisances, dtype=np.bool_)
        sizes = [np.ptp(one, axis=0) for one in (self.response.linear, self.response.quadratic)]
        return np.maximum(*sizes) < ALIKE

    def probabilities(self, theta: Any) -> Floats:
        """Share of each event at a point, shape (n_events,); the sum is 1.

        Raises
        ------
        InputError
            Weights are not finite or negative, so that no events can be drawn with them.
        """
        weights = self.at(theta)
        total = weights.sum()
        if not np.isfinite(total) or total <= 0:
            raise InputError(
                f"the weights of the simulated events at {_text(theta)} add up to {total:g} pb. "
                "Choose a point at which the cross-section is positive, or look at the event file."
            )
        if -weights[weights < 0].sum() > NEGATIVE * total:
            raise InputError(
                f"{int((weights < 0).sum())} of {len(weights)} simulated events have a negative "
                f"weight at {_text(theta)}. Toys need positive weights; use asymptotic results."
            )
        weights = np.maximum(weights, 0.0)
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def effective(self, theta: Any) -> float:
        """Effective number of events at a point, (sum w)^2 / sum w^2."""
        weights = self.at(theta)
        return float(weights.sum() ** 2 / (weights**2).sum())


@dataclass(frozen=True)
class Measurement:
    """Events that a likelihood is evaluated for."""

    x: Floats  # shape (n, n_observables)
    counts: Floats  # how many observed events each one stands for, shape (n,)
    kind: str = "observed"  # or "asimov"
    theta: tuple[float, ...] | None = None  # truth of Asimov data
    luminosity: float = 0.0  # of Asimov data [1/pb]

    @property
    def n_events(self) -> float:
        """Number of events, expected for Asimov data."""
        return float(self.counts.sum())


def observed(x: Any) -> Measurement:
    """Make a measurement of events that were observed.

    Parameters
    ----------
    x : array_like, shape (n, n_observables)
        Observables of the events.

    Raises
    ------
    InputError
        A value is not finite.
    """
    events = np.asarray(x, dtype=np.float64)
    if not np.isfinite(events).all():
        raise InputError(
            f"{int((~np.isfinite(events)).any(axis=1).sum())} of {len(events)} observed events "
            "have an observable that is not finite. Remove them by a cut."
        )
    return Measurement(events, np.ones(len(events)))


def asimov(simulation: Simulation, theta: Any, luminosity: float) -> Measurement:
    """All simulated events, weighted to what is expected at a true point.

    Parameters
    ----------
    simulation : Simulation
        Events with weights.
    theta : array_like, shape (n_parameters,)
        Truth.
    luminosity : float
        Integrated luminosity [1/pb].

    Raises
    ------
    InputError
        The total weight is not positive.
    """
    counts = luminosity * simulation.at(theta)
    if not counts.sum() > 0:
        raise InputError(
            f"{counts.sum():g} events are expected at {_text(theta)} with {luminosity:g}/pb. "
            "Choose a luminosity and a point at which the number is positive."
        )
    truth = tuple(float(one) for one in np.ravel(theta))
    return Measurement(simulation.x, counts, "asimov", truth, luminosity)


def _text(theta: Any) -> str:
    return "(" + ", ".join(f"{one:g}" for one in np.ravel(theta)) + ")"
