"""Auxiliary measurements of a model: normal and Poisson."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.parameter_sets import ParameterSet

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LOG_2PI = math.log(2 * math.pi)
_FLOOR = 1e-9  # expected events below which the logarithm continues as a straight line


@dataclass(frozen=True)
class Constraints:
    """Terms of the likelihood besides the counts in bins; arrays of points come first."""

    normal: Ints  # parameters
    normal_aux: Ints  # positions in the auxiliary data
    sigma: Floats
    poisson: Ints
    poisson_aux: Ints
    factor: Floats  # rate of the auxiliary measurement at a parameter of one
    auxdata: Floats  # nominal, of all, in the order of the parameters
    normal_constant: float  # sum of what does not depend on parameters

    @classmethod
    def of(cls, sets: Sequence[ParameterSet]) -> Constraints:
        """Constraints of the parameters of a model."""
        entries: dict[str, list[tuple[int, int, float]]] = {"normal": [], "poisson": []}
        auxdata: list[float] = []
        first = 0
        for one in sets:
            if one.constraint:
                for k, (aux, width) in enumerate(zip(one.auxdata, one.width, strict=True)):
                    entries[one.constraint].append((first + k, len(auxdata), width))
                    auxdata.append(aux)
            first += len(one.init)
        normal, poisson = (
            np.asarray(entries[kind], dtype=np.float64).reshape(-1, 3).T
            for kind in ("normal", "poisson")
        )
        return cls(
            normal[0].astype(np.int64),
            normal[1].astype(np.int64),
            normal[2],
            poisson[0].astype(np.int64),
            poisson[1].astype(np.int64),
            poisson[2],
            np.asarray(auxdata, dtype=np.float64),
            float(np.sum(np.log(normal[2]) + _LOG_2PI / 2)),
        )

    def nominal(self, parameters: Floats) -> Floats:
        """The same parameters, the constrained ones at the centre of their constraint."""
        moved = parameters.copy()
        moved[self.normal] = self.auxdata[self.normal_aux]
        moved[self.poisson] = self.auxdata[self.poisson_aux] / self.factor
        return moved

    def expected(self, parameters: Floats) -> Floats:
        """Auxiliary data that these parameters make most likely, shape (..., n_aux)."""
        aux = np.empty((*parameters.shape[:-1], len(self.auxdata)))
        aux[..., self.normal_aux] = parameters[..., self.normal]
        aux[..., self.poisson_aux] = parameters[..., self.poisson] * self.factor
        return aux

    def width(self, n_parameters: int) -> Floats:
        """Standard deviation of each parameter; zero where it has no constraint."""
        width = np.zeros(n_parameters)
        width[self.normal] = self.sigma
        width[self.poisson] = 1 / np.sqrt(self.factor)
        return width

    def values(self, parameters: Floats, aux: Floats) -> Floats:
        """Negative log-likelihood without what depends on `aux` only, shape (n_points,)."""
        pull = (parameters[:, self.normal] - aux[:, self.normal_aux]) / self.sigma
        rate = parameters[:, self.poisson] * self.factor
        counts = minus_log_rate(rate, aux[:, self.poisson_aux])
        total = np.sum(pull * pull, axis=1) / 2 + np.sum(counts, axis=1)
        return np.asarray(total + self.normal_constant)

    def add_slopes(self, gradient: Floats, parameters: Floats, aux: Floats) -> None:
        """Add the derivatives of `values`, shape (n_points, n_parameters)."""
        pull = parameters[:, self.normal] - aux[:, self.normal_aux]
        gradient[:, self.normal] += pull / self.sigma**2
        rate = parameters[:, self.poisson] * self.factor
        gradient[:, self.poisson] += self.factor * rate_slope(rate, aux[:, self.poisson_aux])

    def bends(self, parameters: Floats, aux: Floats) -> Floats:
        """Second derivatives of `values`, shape (n_points, n_parameters)."""
        bends = np.zeros_like(parameters)
        bends[:, self.normal] = 1 / self.sigma**2
        rate = parameters[:, self.poisson] * self.factor
        bends[:, self.poisson] = self.factor**2 * rate_bend(rate, aux[:, self.poisson_aux])
        return bends

    def curvature(self, parameters: Floats, aux: Floats) -> Floats:
        """Second derivatives of `values`, kept away from zero and infinity, same shape."""
        curvature = np.zeros_like(parameters)
        curvature[:, self.normal] = 1 / self.sigma**2
        some = np.maximum(parameters[:, self.poisson], 1e-3)
        counts = np.maximum(aux[:, self.poisson_aux], 1e-3 * self.factor)  # never without any
        curvature[:, self.poisson] = counts / some**2
        return curvature


def minus_log_rate(rate: Floats, counts: Floats) -> Floats:
    """``rate - counts * log(rate)``, continued to rates where there is no logarithm.

    A minimiser may step there; a wall that is finite brings it back, NaN would not.
    """
    inside = np.maximum(rate, _FLOOR)
    line = np.log(inside) + (rate - inside) / _FLOOR
    return np.asarray(np.abs(rate) - np.where(counts > 0, counts * line, 0.0))


def rate_slope(rate: Floats, counts: Floats) -> Floats:
    """Derivative of `minus_log_rate` by the rate."""
    inside = np.maximum(rate, _FLOOR)
    return np.asarray(np.where(rate < 0, -1.0, 1.0) - np.where(counts > 0, counts / inside, 0.0))


def rate_bend(rate: Floats, counts: Floats) -> Floats:
    """Second derivative of `minus_log_rate` by the rate."""
    inside = np.maximum(rate, _FLOOR)
    return np.asarray(np.where((counts > 0) & (rate > _FLOOR), counts / inside**2, 0.0))
