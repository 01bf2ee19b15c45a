"""Sums of weights and of squared weights, flow included, for many weights at once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import UserFunctionError
from hepflow.records import Axis, Block, Cutflow
from hepflow.returned import array_of, described

Floats = NDArray[np.float64]
_SAME = 1e-3  # of the width of a bin: bins that differ less have one width
_FEW = 2000  # values: to look for the bins of these takes no longer


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
class Owners:
    """Which part each event belongs to, where several parts are filled at once."""

    index: NDArray[np.intp]  # shape (n_events,)
    count: int  # number of parts

    @classmethod
    def one(cls, n_events: int) -> Owners:
        """All events belong to one part."""
        return cls(np.zeros(n_events, dtype=np.intp), 1)

    def tiled(self, copies: int) -> Owners:
        """Owners of several copies of the events, one after the other."""
        return Owners(np.tile(self.index, copies), self.count)

    def select(self, chosen: NDArray[Any] | slice) -> Owners:
        """Owners of some of the events."""
        return Owners(self.index[chosen], self.count)


@dataclass(frozen=True)
class Rows:
    """Sums of some variations, a row each, for each part; `Block` in the making."""

    names: tuple[str, ...]
    sumw: Floats  # shape (n_parts, n_names, n_bins + 2)
    sumw2: Floats  # shape (n_parts, n_names, n_bins + 2)

    def only(self, names: tuple[str, ...]) -> Rows:
        """Some of the rows."""
        chosen = [self.names.index(name) for name in names]
        return Rows(names, self.sumw[:, chosen], self.sumw2[:, chosen])

    def as_block(self, part: int = 0) -> Block:
        """The block of one part, once nominal is the first row."""
        return Block(self.names, self.sumw[part], self.sumw2[part])


def empty_rows(names: tuple[str, ...], axis: Axis, n_parts: int = 1) -> Rows:
    """Rows without an entry."""
    shape = (n_parts, len(names), axis.n_bins + 2)
    return Rows(names, np.zeros(shape), np.zeros(shape))


def join_rows(*parts: Rows) -> Rows:
    """Rows of several variations below each other."""
    names = tuple(name for part in parts for name in part.names)
    sumw, sumw2 = [part.sumw for part in parts], [part.sumw2 for part in parts]
    return Rows(names, np.concatenate(sumw, axis=1), np.concatenate(sumw2, axis=1))


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

    from hepflow.events.quick import taken_apart

    array = array_of(result)
    if array is None:
        raise UserFunctionError(
            f"{where}: returned {described(result)}, expected one number, or a list of numbers, "
            "for each event."
        )
    if len(array) != length:
        raise UserFunctionError(f"{where}: gave {len(array)} values for {length} events.")
    counts = None
    if array.ndim > 1:
        _check_lists(array, where)
        counts = np.asarray(ak.to_numpy(ak.num(array, axis=1)), dtype=np.intp)
        array = ak.flatten(array, axis=1)
    plain = taken_apart(array) is not None  # numbers, none of which may be missing
    missing = 0 if plain else int(ak.sum(ak.is_none(array)))
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


def _check_lists(array: Any, where: str) -> None:
    """Without the list of an event it is not known how many values there are."""
    import awkward as ak

    layout = array.layout
    while layout.is_indexed and not layout.is_option:
        layout = layout.content
    missing = int(ak.sum(ak.is_none(array))) if layout.is_option else 0
    if missing:
        raise UserFunctionError(
            f"{where}: the lists of {missing} of {len(array)} events are missing as a whole. "
            "Require in the channel's selection what the observable needs, or return an empty "
            "list: ak.fill_none(x, [], axis=0)."
        )


def bin_indices(values: Floats, axis: Axis) -> NDArray[np.intp]:
    """Bin of each value: 0 is underflow, n_bins + 1 overflow; upper edges are exclusive.

    Between edges of one distance the bin is computed, compared with its edges, and looked for
    only where it is not that one: this takes a third of the time.
    """
    edges = np.asarray(axis.edges, dtype=np.float64)
    if len(values) < _FEW:
        return np.searchsorted(edges, values, side="right")
    with np.errstate(all="ignore"):
        widths, whole = np.diff(edges), edges[-1] - edges[0]
        if not np.ptp(widths) < _SAME * whole / len(widths) < np.inf:
            return np.searchsorted(edges, values, side="right")
        place = (values - edges[0]) * (len(widths) / whole) + 1.0
    bounds = np.concatenate(([-np.inf], edges, [np.inf]))
    found: NDArray[np.intp] = np.fmax(np.fmin(place, len(edges)), 0.0).astype(np.intp)
    wrong = np.flatnonzero((values < bounds[found]) | (values >= bounds[found + 1]))
    if len(wrong):
        found[wrong] = np.searchsorted(edges, values[wrong], side="right")
    return found


def fill_block(
    values: Values, weights: Mapping[str, Floats], axis: Axis, owners: Owners | None = None
) -> Rows:
    """Fill the same events with several weights; bin indices are computed once.

    Each part's sums are what they would be without the other parts, to the last bit.

    Parameters
    ----------
    weights
        Weights of the events by variation, nominal first.
    owners
        Which part each event belongs to; default all to one.
    """
    owners = owners or Owners.one(len(next(iter(weights.values()))))
    size = axis.n_bins + 2
    cells = values.spread(owners.index) * size + bin_indices(values.flat, axis)
    rows = empty_rows(tuple(weights), axis, owners.count)
    total = owners.count * size
    for row, weight in enumerate(weights.values()):
        each = values.spread(weight)
        rows.sumw[:, row] = _sums(cells, each, total).reshape(-1, size)
        rows.sumw2[:, row] = _sums(cells, each * each, total).reshape(-1, size)
    return rows


def fill_rows(
    values: Values,
    weights: Floats,
    row: NDArray[np.intp],
    names: tuple[str, ...],
    axis: Axis,
    owners: Owners,
) -> Rows:
    """Fill events of several variations in one pass.

    Parameters
    ----------
    weights
        Weight of each event, shape (n_events,).
    row
        Variation of each event, as position in `names`, shape (n_events,).
    owners
        Which part each event belongs to.
    """
    size = axis.n_bins + 2
    place = values.spread(owners.index * len(names) + row)
    cells = place * size + bin_indices(values.flat, axis)
    each = values.spread(weights)
    shape = (owners.count, len(names), size)
    total = owners.count * len(names) * size
    return Rows(
        names,
        _sums(cells, each, total).reshape(shape),
        _sums(cells, each * each, total).reshape(shape),
    )


def _sums(cells: NDArray[np.intp], weights: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(cells, weights, minlength=size), dtype=np.float64)


@dataclass(frozen=True)
class Step:
    """Events after a cut."""

    name: str
    weights: Floats  # of the events that passed, shape (n_passed,)
    owners: Owners  # of these events; of one variation they are part by part
    # position of each event's variation, not decreasing; None where all are of the first one
    shift: NDArray[np.intp] | None = None

    @functools.cached_property
    def sums(self) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Number of events, sum of their weights and of the squares, each of shape (n_parts,).

        Those before the channels are the same for each channel.
        """
        ends = np.searchsorted(self.owners.index, np.arange(self.owners.count + 1))
        parts = [self.weights[a:b] for a, b in itertools.pairwise(ends)]
        return (
            np.diff(ends),
            np.array([one.sum() for one in parts]),
            np.array([np.square(one).sum() for one in parts]),
        )

    def of_shift(self, position: int) -> Step:
        """The same for the events of one variation."""
        if self.shift is None:
            return self
        chosen = slice(*np.searchsorted(self.shift, [position, position + 1]))
        return Step(self.name, self.weights[chosen], self.owners.select(chosen))


def fill_cutflow(steps: Sequence[Step]) -> list[Cutflow]:
    """Count events after each cut, one cutflow for each part."""
    names = tuple(step.name for step in steps)
    count = steps[0].owners.count
    counts, sumw, sumw2 = zip(*(step.sums for step in steps), strict=True)
    return [
        Cutflow(
            names=names,
            counts=np.array([one[part] for one in counts], dtype=np.int64),
            sumw=np.array([one[part] for one in sumw]),
            sumw2=np.array([one[part] for one in sumw2]),
        )
        for part in range(count)
    ]
