"""How a squared amplitude depends on the parameters, as the last layer of a network.

A cross-section is a sum of squared amplitudes. Where the amplitude is a polynomial in the
parameters, with monomials h_0 = 1, h_1, ..., h_k, its square summed over all that is not observed
is h^T M h with a positive semi-definite matrix M(x). With parameters counted from the reference
and divided by what it is there, M_00 = 1 and

    dsigma(x, theta) / dsigma(x, reference) = (1 + sum_i a_i h_i)^2 + sum_j (sum_i>=j c_ij h_i)^2

with the real functions a(x) and c(x): never negative, and as many as the squared amplitude has
components less one. Where the components are not products of such monomials (an interference
alone) the polynomial is 1 + sum_i a_i H_i over the components, made positive smoothly. Nuisance
parameters nu multiply it by exp(sum_k b_k nu_k + d_k nu_k^2).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.records import Floats

Powers = tuple[tuple[int, ...], ...]
_LEAST: Final = 1e-12  # added to a sum of squares
_FLOOR: Final = 0.02  # below which a polynomial that may be negative is bent to stay positive


@dataclass(frozen=True)
class Polynomial:
    """The dependence on parameters counted from the reference, in any units.

    `powers` are those of the amplitude's monomials if `squares`, else of the squared amplitude's;
    the constant is not among them.
    """

    powers: Powers  # of the monomials, shape (k, n_theory_parameters)
    squares: bool
    n_nuisances: int = 0  # the last columns of theta

    @classmethod
    def of(cls, components: Powers, n_parameters: int) -> Polynomial:
        """Build from the powers of the components of the squared amplitude.

        Raises
        ------
        InputError
            More columns of powers than parameters; the constant is missing, or a component of
            lower power than one that is there: such a set is another one when parameters are
            counted from another point.
        """
        if len(components[0]) > n_parameters:
            raise InputError(
                f"the powers of the components are those of {len(components[0])} parameters, but "
                f"the sample has {n_parameters}. Take powers and sample from one set of events."
            )
        _check_lower(components)
        present = set(components)
        doubled = (tuple(2 * p for p in component) for component in components)
        half = [c for c, twice in zip(components, doubled, strict=True) if twice in present]
        products = {
            tuple(a + b for a, b in zip(one, other, strict=True)) for one in half for other in half
        }
        squares = products == present
        chosen = half if squares else components
        return cls(tuple(c for c in chosen if any(c)), squares, n_parameters - len(components[0]))

    @property
    def _triangle(self) -> int:
        k = len(self.powers)
        return k + (k * (k + 1) // 2 if self.squares else 0)

    @property
    def n_coefficients(self) -> int:
        """How many functions of the observables a network gives."""
        return self._triangle + 2 * self.n_nuisances

    @property
    def degrees(self) -> Floats:
        """How each coefficient grows with the amplitudes, shape (n_coefficients,), float32."""
        k = len(self.powers)
        own = [float(sum(powers)) for powers in self.powers]
        rows = [own[i] for first in range(k) for i in range(first, k)] if self.squares else []
        return np.array([*own, *rows, *[0.0] * (2 * self.n_nuisances)], dtype=np.float32)

    def _monomials(self, theta: Any, xp: Any) -> Any:
        columns = []
        for powers in self.powers:
            column = xp.ones_like(theta[:, 0])
            for number, power in enumerate(powers):
                for _ in range(power):
                    column = column * theta[:, number]
            columns.append(column)
        return xp.stack(columns, axis=1)

    def _shifts(self, theta: Any, xp: Any) -> Any:
        nuisances = theta[:, theta.shape[1] - self.n_nuisances :]
        return xp.concatenate([nuisances, nuisances**2], axis=1)

    def log_value(self, coefficients: Any, theta: Any, xp: Any) -> Any:
        """Log of the ratio of squared amplitudes, shape (n,).

        Parameters
        ----------
        coefficients : array, shape (n, n_coefficients) or (n_coefficients,)
        theta : array, shape (n, n_parameters)
        xp : module
            numpy or jax.numpy.
        """
        k, monomials = len(self.powers), self._monomials(theta, xp)
        factor = (coefficients[..., self._triangle :] * self._shifts(theta, xp)).sum(axis=-1)
        total = 1.0 + (coefficients[..., :k] * monomials).sum(axis=-1)
        if not self.squares:
            return xp.log(_positive(total, xp)) + factor
        total, start = total**2, k
        for first in range(k):
            stop = start + k - first
            row = (coefficients[..., start:stop] * monomials[:, first:]).sum(axis=-1)
            total, start = total + row**2, stop
        return xp.log(total + _LEAST) + factor

    def log_grid(self, coefficients: Floats, theta: Floats) -> Floats:
        """Log of the ratio for all events at all points, shape (n_points, n).

        Parameters
        ----------
        coefficients : array, shape (n, n_coefficients)
        theta : array, shape (n_points, n_parameters)
        """
        monomials = self._monomials(theta, np)
        factor = self._shifts(theta, np) @ coefficients[:, self._triangle :].T
        if not self.squares:
            linear = 1.0 + monomials @ coefficients[:, : len(self.powers)].T
            return np.asarray(np.log(_positive(linear, np)) + factor)
        rows, columns = np.triu_indices(len(self.powers) + 1)
        products = self._gram(coefficients)[:, rows, columns] * np.where(rows == columns, 1, 2)
        with_one = np.concatenate([np.ones((len(monomials), 1)), monomials], axis=1)
        total = (with_one[:, rows] * with_one[:, columns]) @ products.T
        return np.asarray(np.log(np.maximum(total, 0.0) + _LEAST) + factor)

    def no_sums(self) -> Floats:
        """Start of adding up `sums`."""
        k = len(self.powers)
        return np.zeros((k + 1, k + 1) if self.squares else k)

    def sums(self, coefficients: Floats, weights: Floats) -> Floats:
        """Weighted sum over events of what is linear in the polynomial's value."""
        if self.squares:
            return np.asarray(np.einsum("n,nij->ij", weights, self._gram(coefficients)))
        return np.asarray(weights @ coefficients[:, : len(self.powers)])

    def mean_coefficients(self, mean: Floats, others: Floats) -> Floats:
        """Coefficients of a polynomial that is the mean of those of many events.

        Parameters
        ----------
        mean : array
            Of `sums`, over the sum of weights.
        others : array, shape (n_coefficients,)
            Where those of nuisance parameters are taken from.
        """
        k, found = len(self.powers), np.array(others)
        if not self.squares:
            found[:k] = mean
            return found
        first = mean[1:, 0]
        rest = mean[1:, 1:] - np.outer(first, first)  # positive semi-definite, as a mean of such
        size, vectors = np.linalg.eigh(rest)
        root = vectors * np.sqrt(np.maximum(size, 0.0))
        lower = np.asarray(
            np.linalg.qr(root.T, mode="r")
        ).T  # lower @ lower.T = rest, singular or not
        found[:k] = first
        found[k : self._triangle] = np.concatenate([lower[i:, i] for i in range(k)])
        return found

    def _gram(self, coefficients: Floats) -> Floats:
        """Matrix M of each event, shape (n, k + 1, k + 1)."""
        k = len(self.powers)
        factor = np.zeros((len(coefficients), k + 1, k + 1))
        factor[:, 0, 0] = 1.0
        factor[:, 1:, 0] = coefficients[:, :k]
        start = k
        for first in range(k):
            stop = start + k - first
            factor[:, 1 + first :, 1 + first] = coefficients[:, start:stop]
            start = stop
        return np.asarray(factor @ factor.transpose(0, 2, 1))


def _positive(value: Any, xp: Any) -> Any:
    return 0.5 * (value + xp.sqrt(value**2 + _FLOOR**2))


def _check_lower(components: Powers) -> None:
    present = set(components)
    for component in components:
        for lower in itertools.product(*(range(power + 1) for power in component)):
            if lower not in present:
                raise InputError(
                    f"the component with powers {component} is there but not {lower}: a network "
                    "with the structure of the squared amplitude needs all lower powers. Add the "
                    "component, or set network to 'mlp'."
                )
