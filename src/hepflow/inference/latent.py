"""Weights, cross-sections and joint scores of events at points of parameters and nuisances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError
from hepflow.inference.morphing import Morphing
from hepflow.inference.nuisances import Response, response_of
from hepflow.inference.records import EventTable, Floats, Ints

_BLOCK = 1_000_000  # numbers in memory at a time where all events meet many points


@dataclass(frozen=True)
class Rates:
    """Cross-sections at points of the parameters and nuisance parameters."""

    sigma: Floats  # [pb], shape (n_points,)
    gradient: Floats  # d sigma / d (theta, nu), shape (n_points, n_parameters + n_nuisances)
    effective: Floats  # effective number of events, shape (n_points,)


@dataclass(frozen=True)
class Latent:
    """Events' weights as functions of theta and nu.

    Points have the parameters first and the nuisance parameters after them.
    """

    morphing: Morphing
    weights: Floats  # at the benchmarks [pb], shape (n_events, n_benchmarks)
    response: Response

    @classmethod
    def of(cls, table: EventTable, morphing: Morphing) -> Latent:
        """Those of a table.

        Raises
        ------
        InputError
            A benchmark or a nuisance weight is missing.
        """
        return cls(morphing, morphing.ordered(table), response_of(table))

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the theory."""
        return len(self.morphing.parameters)

    @property
    def n_nuisances(self) -> int:
        """Number of nuisance parameters."""
        return int(self.response.linear.shape[1])

    def padded(self, theta: ArrayLike) -> Floats:
        """`theta` with the nuisance parameters at 0, if it comes without."""
        point = np.asarray(theta, dtype=float)
        if point.shape == (self.n_parameters,):
            return np.concatenate([point, np.zeros(self.n_nuisances)])
        if point.shape != (self.n_parameters + self.n_nuisances,):
            raise InputError(
                f"a parameter point has shape {point.shape}; expected {self.n_parameters} values"
                + (f" (or {self.n_parameters + self.n_nuisances})." if self.n_nuisances else ".")
            )
        return point

    def apart(self, points: Floats) -> tuple[Floats, Floats]:
        """Parameters and nuisance parameters of points."""
        return points[..., : self.n_parameters], points[..., self.n_parameters :]

    def blocks(self, points: Floats) -> Iterator[tuple[slice, Floats, Floats]]:
        """All events at a few points at a time: which points, weights and factors of nu in them.

        Both arrays have the shape (n_points of the block, n_events).
        """
        size = max(1, _BLOCK // max(len(self.weights), 1))
        for start in range(0, len(points), size):
            chosen = slice(start, min(start + size, len(points)))
            theta, nu = self.apart(points[chosen])
            weights = self.morphing.coefficients(theta) @ self.weights.T
            exponent = nu @ self.response.linear.T
            exponent += nu**2 @ self.response.quadratic.T
            factors = np.exp(exponent, out=exponent)
            weights *= factors
            yield chosen, weights, factors

    def rates(self, points: Floats) -> Rates:
        """Cross-sections, their gradients and effective numbers of events.

        Without nuisance parameters these are forms of the benchmarks' sums, whatever the number
        of events; with them all events are summed for each point.

        Parameters
        ----------
        points : ndarray, shape (n_points, n_parameters + n_nuisances)

        Raises
        ------
        InputError
            A cross-section that is not positive.
        """
        rates = self._summed(points) if self.n_nuisances else self._closed(points)
        wrong = ~(rates.sigma > 0)
        if wrong.any():
            index = int(np.argmax(wrong))
            point = ", ".join(f"{value:.4g}" for value in points[index])
            raise InputError(
                f"the cross-section at the parameter point ({point}) is {rates.sigma[index]:.4g} "
                "pb, and must be positive. The point may lie too far from the benchmarks, where "
                "large numbers cancel: narrow the range, or generate benchmarks there."
            )
        return rates

    def _closed(self, points: Floats) -> Rates:
        coefficients = self.morphing.coefficients(points)
        total = self.weights.sum(axis=0)
        gram = self.weights.T @ self.weights
        sigma = coefficients @ total
        squares = np.einsum("mb,bc,mc->m", coefficients, gram, coefficients, optimize=True)
        gradient = np.einsum("b,mbp->mp", total, self.morphing.gradient(points))
        effective = sigma**2 / np.maximum(squares, np.finfo(float).tiny)
        return Rates(sigma, gradient, np.minimum(effective, len(self.weights)))

    def _summed(self, points: Floats) -> Rates:
        theta, nu = self.apart(points)
        change = self.morphing.gradient(theta)
        sigma, effective = np.empty(len(points)), np.empty(len(points))
        gradient = np.empty_like(points)
        for chosen, weights, factors in self.blocks(points):
            sigma[chosen] = weights.sum(axis=1)
            effective[chosen] = sigma[chosen] ** 2 / np.einsum("me,me->m", weights, weights)
            totals = factors @ self.weights  # of the benchmarks at these nuisance parameters
            own, others = self.apart(gradient[chosen])
            own[:] = np.einsum("mb,mbp->mp", totals, change[chosen])
            others[:] = weights @ self.response.linear
            others += 2 * nu[chosen] * (weights @ self.response.quadratic)
        return Rates(sigma, gradient, effective)

    def density(self, rows: Ints, points: Floats, index: Ints, rates: Rates) -> Floats:
        """Weight over cross-section of event ``rows[i]`` at ``points[index[i]]``, shape (n,)."""
        theta, nu = self.apart(points)
        coefficients = self.morphing.coefficients(theta)
        weight = np.einsum("nb,nb->n", self.weights[rows], coefficients[index])
        if self.n_nuisances:
            weight = weight * self.response.factors(nu[index], rows)
        density: Floats = weight / rates.sigma[index]
        return density

    def score(self, rows: Ints, points: Floats, index: Ints, rates: Rates) -> Floats:
        """Joint score of event ``rows[i]`` at ``points[index[i]]``.

        Returns
        -------
        ndarray, shape (n, n_parameters + n_nuisances)
            Derivatives of the log of weight over cross-section. Columns of the parameters are 0
            where the weight is not positive: there it is not defined.
        """
        theta, nu = self.apart(points)
        own = self.weights[rows]
        weight = np.einsum("nb,nb->n", own, self.morphing.coefficients(theta)[index])
        change = np.einsum("nb,nbp->np", own, self.morphing.gradient(theta)[index])
        mean = (rates.gradient / rates.sigma[:, None])[index]
        sound = weight > 0
        relative = change / np.where(sound, weight, 1.0)[:, None] - mean[:, : self.n_parameters]
        score = np.where(sound[:, None], relative, 0.0)
        if not self.n_nuisances:
            return score
        slopes = self.response.slopes(nu[index], rows) - mean[:, self.n_parameters :]
        return np.concatenate([score, slopes], axis=1)
