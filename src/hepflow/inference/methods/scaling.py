"""Observables as a network likes them: about one in size, without long tails or narrow peaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.methods.settings import Structure
from hepflow.inference.records import Floats

_KNOTS: Final = 201  # of a quantile map
_LONG_TAIL: Final = 1.0  # skewness above which the logarithm of a positive observable is taken
_FEWEST_VALUES: Final = 8  # an observable with fewer different ones is not mapped by quantiles


@dataclass(frozen=True)
class FeatureScaling:
    """How observables become the inputs of a network; fitted to the training events.

    `logarithm`, `mean` and `spread` belong to the "standard" part: (f(x) - mean) / spread with f
    the logarithm for positive observables with a long tail. `knots` belong to the "quantile"
    part: a monotone map, linear between the knots, after which an observable is normal.
    """

    kind: str  # of settings.SCALINGS
    logarithm: tuple[bool, ...]
    mean: Floats  # shape (n_observables,)
    spread: Floats  # shape (n_observables,)
    knots: tuple[Floats, ...] = ()  # one array (2, n_knots) an observable: x and what it becomes

    @property
    def n_inputs(self) -> int:
        """Number of inputs of a network."""
        return len(self.mean) * (2 if self.kind == "mixed" else 1)

    def standard(self, x: Floats) -> Floats:
        """Apply the standard part to observables of shape (n, n_observables)."""
        floor = [np.exp(m - 20 * s) for m, s in zip(self.mean, self.spread, strict=True)]
        columns = [
            np.log(np.maximum(column, least)) if takes_log else column
            for column, takes_log, least in zip(x.T, self.logarithm, floor, strict=True)
        ]
        return (np.stack(columns, axis=1) - self.mean) / self.spread

    def quantile(self, x: Floats) -> Floats:
        """Apply the quantile part; beyond the outermost knots the map goes on straight."""
        return np.stack(
            [_straight(column, knots) for column, knots in zip(x.T, self.knots, strict=True)], 1
        )

    def inputs(self, x: Floats) -> Floats:
        """Inputs of a network, shape (n, n_inputs)."""
        if self.kind == "none":
            return x
        if self.kind == "standard":
            return self.standard(x)
        if self.kind == "quantile":
            return self.quantile(x)
        return np.concatenate([self.quantile(x), self.standard(x)], axis=1)

    def one_to_one(self, x: Floats) -> tuple[Floats, Floats]:
        """For a density: as many inputs as observables, and the log of the Jacobian.

        Returns
        -------
        tuple of arrays, shapes (n, n_observables) and (n,)
            Of "mixed", the quantile part. The density of x is that of the inputs times the
            Jacobian.
        """
        if self.kind == "none":
            return x, np.zeros(len(x))
        if self.kind == "standard":
            inputs = self.standard(x)
            slopes = np.where(self.logarithm, 1 / np.maximum(x, 1e-300), 1.0) / self.spread
            return inputs, np.log(slopes).sum(axis=1)
        slopes = np.stack(
            [_slopes(column, knots) for column, knots in zip(x.T, self.knots, strict=True)], 1
        )
        return self.quantile(x), np.log(slopes).sum(axis=1)


def _segment(x: Floats, knots: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    inside: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    inside = np.clip(np.searchsorted(knots[0], x, side="right") - 1, 0, knots.shape[1] - 2)
    return inside


def _slopes(x: Floats, knots: Floats) -> Floats:
    slopes: Floats = (np.diff(knots[1]) / np.diff(knots[0]))[_segment(x, knots)]
    return slopes


def _straight(x: Floats, knots: Floats) -> Floats:
    start = _segment(x, knots)
    mapped: Floats = knots[1][start] + (x - knots[0][start]) * _slopes(x, knots)
    return mapped


def _quantile_knots(column: Floats) -> Floats:
    from scipy.special import ndtr, ndtri

    values, counts = np.unique(column, return_counts=True)
    spread = max(float(np.std(column)), 1e-12 * float(np.abs(column).max()))
    if len(values) < _FEWEST_VALUES:
        centre = float(np.mean(column))
        return np.array([[centre - spread, centre + spread], [-1.0, 1.0]])
    probability = (np.cumsum(counts) - 0.5 * counts) / len(column)
    edge = ndtri(1 - 2 / len(column))  # the outermost knots have a few events beyond them
    normal = np.linspace(-edge, edge, _KNOTS)
    x = np.interp(ndtr(normal), probability, values)
    # Where many events share a value, several knots do: one of them, in the middle, stays.
    distinct, first, number = np.unique(x, return_index=True, return_counts=True)
    far = np.concatenate([[True], np.diff(distinct) > 1e-9 * spread])
    return np.stack([distinct, normal[first] + (number - 1) * 0.5 * (normal[1] - normal[0])])[
        :, far
    ]


def _takes_log(column: Floats) -> bool:
    spread = float(np.std(column))
    if spread == 0.0 or column.min() <= 0.0:
        return False
    return float(np.mean(((column - column.mean()) / spread) ** 3)) > _LONG_TAIL


def fit_scaling(x: Floats, kind: str, structure: Structure) -> FeatureScaling:
    """Fit a scaling to training events.

    Parameters
    ----------
    x : array, shape (n, n_observables)
    kind : str
        Of settings.SCALINGS.
    structure : Structure
        Names of the observables, for messages.

    Raises
    ------
    InputError
        An observable that is the same in all events.
    """
    for column in np.flatnonzero(x.min(axis=0) == x.max(axis=0)):
        raise InputError(
            f"{structure.observable(int(column))} is {x[0, column]:g} in all {len(x)} events: "
            "it tells nothing about the parameters. Take it out of the observables."
        )
    logarithm = tuple(_takes_log(column) for column in x.T)
    bare = FeatureScaling(kind, logarithm, np.zeros(x.shape[1]), np.ones(x.shape[1]))
    changed = np.where(logarithm, np.log(np.where(logarithm, x, 1.0)), x)
    return FeatureScaling(
        bare.kind,
        logarithm,
        changed.mean(axis=0),
        changed.std(axis=0),
        tuple(_quantile_knots(column) for column in x.T) if kind in {"mixed", "quantile"} else (),
    )
