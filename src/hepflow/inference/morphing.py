"""Weights at any parameter point from the weights at a few: the squared amplitude is a polynomial.

An amplitude that is linear in the couplings gives a squared amplitude of second order in them,
with coefficients that depend on the event alone. The weights at enough parameter points
(benchmarks) determine these coefficients, so that an event's weight at any point is a linear
combination of its weights at the benchmarks, with the same numbers for every event
(ATL-PHYS-PUB-2015-047; arXiv:1805.00020, section II C; arXiv:1907.10621, appendix A).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError
from hepflow.inference.records import Benchmark, EventTable, Floats, Ints, Parameter

# Singular values of the scaled matrix of points below this fraction of the largest are zeros:
# coefficients from such a direction would have fewer than six digits.
_SINGULAR = 1e-10


def find_components(parameters: Sequence[Parameter]) -> Ints:
    """Monomials of the parameters that the squared amplitude may contain.

    All products of powers with a power of each parameter up to its `max_power` and a sum of
    powers up to the largest `max_power` of all. The second condition is that of physics: where the
    amplitude is linear in all couplings (`max_power` 2), its square has terms ``1``, ``a``,
    ``a^2`` and ``a b`` but no ``a^2 b``; couplings that enter in production and in decay
    (`max_power` 4) give up to four powers together. So p parameters of second order have
    (p + 1)(p + 2) / 2 components: 6 for two, 21 for five.

    Parameters
    ----------
    parameters : sequence of Parameter

    Returns
    -------
    ndarray of int, shape (n_components, n_parameters)
        Powers, by increasing sum; the first is the constant.

    Examples
    --------
    >>> find_components([Parameter("a", -1, 1), Parameter("b", -1, 1, max_power=1)]).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]]
    """
    if not parameters:
        raise InputError("a model without parameters has nothing to morph; give at least one.")
    total = max(parameter.max_power for parameter in parameters)
    ranges = [range(parameter.max_power + 1) for parameter in parameters]
    found = sorted((p for p in itertools.product(*ranges) if sum(p) <= total), key=_order)
    return np.array(found, dtype=np.int64)


def _order(powers: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return sum(powers), powers


def component_name(powers: ArrayLike, parameters: Sequence[Parameter]) -> str:
    """Name of a component, such as ``C_LL^2`` or ``C_LL C_RR``.

    Examples
    --------
    >>> component_name([2, 1], [Parameter("a", -1, 1), Parameter("b", -1, 1)])
    'a^2 b'
    """
    words = [
        parameter.name + (f"^{power}" if power > 1 else "")
        for power, parameter in zip(np.asarray(powers), parameters, strict=True)
        if power
    ]
    return " ".join(words) or "1"


def monomials(theta: Floats, components: Ints) -> Floats:
    """Values of the components, shape (..., n_components), at `theta`, shape (..., n_parameters).

    Powers by repeated multiplication, which is faster than `numpy.power` and exact for 0 and 1.
    """
    result = np.ones((*theta.shape[:-1], len(components)))
    for index in range(theta.shape[-1]):
        value = theta[..., index]
        table = [np.ones_like(value)]
        for _ in range(int(components[:, index].max(initial=0))):
            table.append(table[-1] * value)
        result *= np.stack(table, axis=-1)[..., components[:, index]]
    return result


def points_of(parameters: Sequence[Parameter], benchmarks: Sequence[Benchmark]) -> Floats:
    """Matrix of the benchmarks' parameter values, shape (n_benchmarks, n_parameters).

    Raises
    ------
    InputError
        A benchmark without the right number of finite values, or two of one name.
    """
    names = [benchmark.name for benchmark in benchmarks]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two benchmarks are named {name!r}; give each a name of its own.")
    for benchmark in benchmarks:
        values = benchmark.values
        if len(values) != len(parameters) or not np.isfinite(values).all():
            wanted = ", ".join(parameter.name for parameter in parameters)
            raise InputError(
                f"benchmark {benchmark.name!r} has the values {values}; "
                f"expected {len(parameters)} finite numbers, for {wanted}."
            )
    return np.array([b.values for b in benchmarks], dtype=float).reshape(-1, len(parameters))


def undetermined(points: Floats, components: Ints) -> list[int]:
    """Indices of the components that the points leave open.

    A component counts as open if its column is a combination of those before it, so that of
    ``1, a, a^2`` at two points the highest power is named.
    """
    matrix = monomials(points / _scale(points), components)
    kept: list[int] = []
    missing = []
    for index in range(len(components)):
        if _rank(matrix[:, [*kept, index]]) > len(kept):
            kept.append(index)
        else:
            missing.append(index)
    return missing


def _rank(matrix: Floats) -> int:
    size = np.linalg.norm(matrix, axis=0)
    singular = np.linalg.svd(matrix / np.where(size > 0, size, 1.0), compute_uv=False)
    largest = singular.max(initial=0.0)
    return int(np.sum(singular > _SINGULAR * largest)) if largest > 0 else 0


def _scale(points: Floats) -> Floats:
    # Parameters in units of their largest value: conditioning does not depend on their units.
    largest: Floats = np.abs(points).max(axis=0, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


@dataclass(frozen=True)
class Morphing:
    """Coefficients of the benchmarks' weights at any parameter point.

    Make it by `Morphing.of`, which refuses benchmarks that do not determine the model.
    """

    parameters: tuple[Parameter, ...]
    benchmarks: tuple[Benchmark, ...]
    components: Ints  # powers, shape (n_components, n_parameters)
    scale: Floats  # unit of each parameter inside, shape (n_parameters,)
    matrix: Floats  # of the scaled monomials, shape (n_components, n_benchmarks)

    @classmethod
    def of(
        cls,
        parameters: Sequence[Parameter],
        benchmarks: Sequence[Benchmark],
        components: Ints | None = None,
    ) -> Morphing:
        """Morphing of these parameters between these benchmarks.

        With more benchmarks than components the polynomial is the least-squares one through all
        of them (pseudo-inverse of the matrix of points; of all coefficients that reproduce every
        polynomial of the model these have the smallest sum of squares). It passes through the
        weights of each benchmark if these follow the model at all.

        Parameters
        ----------
        parameters : sequence of Parameter
        benchmarks : sequence of Benchmark
            Values in the order of the parameters.
        components : ndarray of int, optional
            Powers, shape (n_components, n_parameters); default `find_components`.

        Raises
        ------
        InputError
            The points of the benchmarks do not determine all components. This is judged on the
            parameter points, not on weights of events: these may lack a component by chance or
            because the process does not have it.
        """
        chosen = find_components(parameters) if components is None else np.asarray(components)
        points = points_of(parameters, benchmarks)
        missing = undetermined(points, chosen)
        if missing:
            names = ", ".join(component_name(chosen[index], parameters) for index in missing)
            raise InputError(
                f"the {len(points)} benchmarks do not determine the weights at every parameter "
                f"point: of {len(chosen)} components {len(missing)} are missing ({names}). "
                f"Add {len(missing)} or more benchmarks where these differ, have them chosen "
                "(inference.benchmarks), or lower max_power of a parameter."
            )
        scale = _scale(points)
        # Full column rank was just checked: the pseudo-inverse is the inverse or least squares.
        square = len(points) == len(chosen)
        basis = monomials(points / scale, chosen)
        matrix = np.linalg.inv(basis) if square else np.linalg.pinv(basis)
        exact = np.asarray(matrix, dtype=np.float64)
        return cls(tuple(parameters), tuple(benchmarks), chosen, scale, exact)

    def coefficients(self, theta: ArrayLike) -> Floats:
        """Factors of the benchmarks' weights at `theta`.

        Parameters
        ----------
        theta : array_like, shape (..., n_parameters)

        Returns
        -------
        ndarray, shape (..., n_benchmarks)
        """
        return monomials(self._scaled(theta), self.components) @ self.matrix

    def gradient(self, theta: ArrayLike) -> Floats:
        """Derivatives of the coefficients by the parameters, in closed form.

        Parameters
        ----------
        theta : array_like, shape (..., n_parameters)

        Returns
        -------
        ndarray, shape (..., n_benchmarks, n_parameters)
            In the inverse units of the parameters.
        """
        scaled = self._scaled(theta)
        slopes = []
        for index, unit in enumerate(self.scale):
            power = self.components[:, index]
            lowered = self.components.copy()
            lowered[:, index] = np.maximum(power - 1, 0)
            slopes.append((monomials(scaled, lowered) * power) @ self.matrix / unit)
        return np.stack(slopes, axis=-1)

    def weights(self, table: EventTable, theta: ArrayLike) -> Floats:
        """Weights of the events at `theta` [pb], shape (n_events,) or (n_events, n_points)."""
        return self.ordered(table) @ self.coefficients(theta).T

    def cross_section(self, table: EventTable, theta: ArrayLike) -> Floats:
        """Cross-section after cuts [pb] at `theta`, shape (...,)."""
        total: Floats = self.coefficients(theta) @ self.ordered(table).sum(axis=0)
        return total

    def ordered(self, table: EventTable) -> Floats:
        """Weights of the table in the order of these benchmarks, (n_events, n_benchmarks) [pb].

        Raises
        ------
        InputError
            The table has no weights of one of the benchmarks, or another point of that name.
        """
        found = {benchmark.name: index for index, benchmark in enumerate(table.benchmarks)}
        columns = []
        for benchmark in self.benchmarks:
            index = found.get(benchmark.name)
            if index is None:
                raise InputError(
                    f"the events have no weights of benchmark {benchmark.name!r} "
                    f"(they have {', '.join(found) or 'none'}); generate or reweight them there."
                )
            if not np.allclose(
                table.benchmarks[index].values, benchmark.values, rtol=1e-9, atol=0.0
            ):
                raise InputError(
                    f"benchmark {benchmark.name!r} is at {benchmark.values}, but the weights of "
                    f"the events are those at {table.benchmarks[index].values}; make the events "
                    "again or give the benchmark another name."
                )
            columns.append(index)
        same = columns == list(range(len(table.benchmarks)))
        return table.weights if same else table.weights[:, columns]

    def _scaled(self, theta: ArrayLike) -> Floats:
        point = np.asarray(theta, dtype=float)
        if point.shape[-1:] != (len(self.parameters),):
            names = ", ".join(parameter.name for parameter in self.parameters)
            raise InputError(
                f"a parameter point has shape {point.shape}; expected {len(self.parameters)} "
                f"values in its last axis, for {names}."
            )
        return point / self.scale
