"""Sums of weights and of squared weights, flow included, for many weights at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import UserFunctionError
from hepflow.records.histograms import Axis, Block, Cutflow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """Values of one observable."""

    flat: Floats  # shape (n_values,)
    counts: NDArray[np.intp] | None  # values of each event, (n_events,); None for one each

    def split(self, first: int) -> tuple[Values, Values]:
        """Values of the first events, and of the others."""
        if self.counts is None:
            return Values(self.flat[:first], None), Values(self.flat[first:], None)
        head, tail = self.counts[:first], self.counts[first:]
        cut = int(head.sum())
        return Values(self.flat[:cut], head), Values(self.flat[cut:], tail)

    def spread(self, per_event: NDArray[Any]) -> NDArray[Any]:
        """Repeat a number of each event for its values."""
        return per_event if self.counts is None else np.repeat(per_event, self.counts)


@dataclass(frozen=True)
class Rows:
    """Sums of some variations, a row each; a `Block` in the making."""

    names: tuple[str, ...]
    sumw: Floats  # shape (n_names, n_bins + 2)
    sumw2: Floats  # shape (n_names, n_bins + 2)

    def as_block(self) -> Block:
        """The block, once nominal is the first row."""
        return Block(self.names, self.sumw, self.sumw2)


def empty_rows(names: tuple[str, ...], axis: Axis) -> Rows:
    """Rows without an entry."""
    shape = (len(names), axis.n_bins + 2)
    return Rows(names, np.zeros(shape), np.zeros(shape))


def join_rows(*parts: Rows) -> Rows:
    """Rows of several variations below each other."""
    names = tuple(name for part in parts for name in part.names)
    sumw, sumw2 = [part.sumw for part in parts], [part.sumw2 for part in parts]
    return Rows(names, np.concatenate(sumw), np.concatenate(sumw2))


def observable_values(result: Any, length: int, where: str) -> Values:
    """Turn what an observable's function returned into flat values.

    Parameters
    ----------
    result
        One number for each event, or a list of numbers for each event (all are filled, each
        with the event's weight).

    Raises
    ------
    UserFunctionError
        If there is not one entry for each event, or values are missing or not a number.
    """
    import awkward as ak

    if result is None or np.isscalar(result):
        raise UserFunctionError(f"{where}: gave {result!r}, expected one value for each event.")
    array = ak.Array(result) if not isinstance(result, ak.Array) else result
    if len(array) != length:
        raise UserFunctionError(f"{where}: gave {len(array)} values for {length} events.")
    counts = None
    if array.ndim > 1:
        counts = np.asarray(ak.to_numpy(ak.num(array, axis=1)), dtype=np.intp)
        array = ak.flatten(array, axis=1)
    missing = int(ak.sum(ak.is_none(array)))
    if missing:
        raise UserFunctionError(
            f"{where}: {missing} of {len(array)} values are missing. Require in the channel's "
            "selection what the observable needs, or fill them with ak.fill_none."
        )
    values = np.asarray(ak.to_numpy(array), dtype=np.float64)
    bad = int(np.isnan(values).sum())
    if bad:
        raise UserFunctionError(f"{where}: {bad} of {len(values)} values are not a number.")
    return Values(values, counts)


def bin_indices(values: Floats, axis: Axis) -> NDArray[np.intp]:
    """Bin of each value: 0 is underflow, n_bins + 1 overflow; upper edges are exclusive."""
    return np.searchsorted(np.asarray(axis.edges), values, side="right")


def fill_block(values: Values, weights: Mapping[str, Floats], axis: Axis) -> Rows:
    """Fill the same events with several weights; bin indices are computed once.

    Parameters
    ----------
    weights
        Weights of the events by variation, nominal first.
    """
    indices = bin_indices(values.flat, axis)
    rows = empty_rows(tuple(weights), axis)
    size = axis.n_bins + 2
    for row, weight in enumerate(weights.values()):
        each = values.spread(weight)
        rows.sumw[row] = _sums(indices, each, size)
        rows.sumw2[row] = _sums(indices, each * each, size)
    return rows


def fill_rows(
    values: Values, weights: Floats, row: NDArray[np.intp], names: tuple[str, ...], axis: Axis
) -> Rows:
    """Fill events of several variations in one pass.

    Parameters
    ----------
    weights
        Weight of each event, shape (n_events,).
    row
        Variation of each event, as position in `names`, shape (n_events,).
    """
    size = axis.n_bins + 2
    cells = values.spread(row) * size + bin_indices(values.flat, axis)
    each = values.spread(weights)
    shape = (len(names), size)
    total = len(names) * size
    return Rows(
        names,
        _sums(cells, each, total).reshape(shape),
        _sums(cells, each * each, total).reshape(shape),
    )


def _sums(cells: NDArray[np.intp], weights: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(cells, weights, minlength=size), dtype=np.float64)


def fill_cutflow(steps: Sequence[tuple[str, NDArray[np.bool_], Floats]]) -> Cutflow:
    """Count events after each cut; each step is (name, mask, weights)."""
    return Cutflow(
        names=tuple(name for name, _, _ in steps),
        counts=np.array([int(mask.sum()) for _, mask, _ in steps], dtype=np.int64),
        sumw=np.array([weight[mask].sum() for _, mask, weight in steps], dtype=np.float64),
        sumw2=np.array([(weight[mask] ** 2).sum() for _, mask, weight in steps], dtype=np.float64),
    )
