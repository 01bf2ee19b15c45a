"""Object variations as one longer array, so that functions run once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.members import Members
from hepflow.events import stacked
from hepflow.histograms import Owners, Step
from hepflow.records import Variation

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STACK_EVENTS = 100_000  # of a block: more do not fit into caches, fewer feel its fixed cost
_COPIES = 4  # of the stacked events that exist at a time: before and after a step, and its columns


def block_size(events: Any, memory_limit: float | None) -> int:
    """Events of a block, so that it fits into `memory_limit` [GB]; default `STACK_EVENTS`."""
    if memory_limit is None or not len(events):
        return STACK_EVENTS
    per_event = _COPIES * events.nbytes / len(events)
    return max(1, int(memory_limit * 1e9 / per_event))


def in_groups(
    shifts: Sequence[Variation], n_events: int, most: int
) -> Iterator[tuple[Variation, ...]]:
    """Split object variations so that no group of several has more than `most` events."""
    size = max(1, most // max(1, n_events))
    for start in range(0, len(shifts), size):
        yield tuple(shifts[start : start + size])


@dataclass
class Known:
    """Factors of events, as far as they are known."""

    values: Floats  # shape (n_events,)
    there: Mask  # of which events, shape (n_events,)


@dataclass(frozen=True)
class Origin:
    """Events of which the rows of a stack are versions."""

    events: Any  # record array, shape (n_events,)
    moved: frozenset[str]  # objects (and branches without one) in which the versions differ
    rows: NDArray[np.intp]  # event of each row, shape (n_rows,)
    # factors of the events by name of their correction: all stacks of the events share them
    factors: dict[str, Known]


@dataclass(frozen=True)
class Stack:
    """Events of several object variations, one variation after the other."""

    events: Any  # record array, shape (n_rows,)
    shift: NDArray[np.intp]  # position of each row's variation, not decreasing, shape (n_rows,)
    base: Floats  # generator weight of each row, shape (n_rows,)
    owners: Owners  # part of each row
    members: Members | None = None  # theory weights of the rows of nominal, where it is among them
    origin: Origin | None = None  # None: it is not known what the rows share

    @classmethod
    def of(
        cls,
        parts: Sequence[Any],
        base: Floats,
        owners: Owners,
        members: Members | None = None,
        wanted: Mapping[str, Collection[str]] | None = None,
    ) -> Stack:
        """Stack the same events as seen by several variations; `base` and `owners` are theirs.

        Of objects that differ, those columns are there that are `wanted`; default all.
        """
        if len(parts) > 1:
            base, owners = np.tile(base, len(parts)), owners.tiled(len(parts))
        shift = np.repeat(np.arange(len(parts)), len(base) // len(parts))
        return cls(stacked(parts, wanted), shift, base, owners, members)

    def with_events(self, events: Any) -> Stack:
        """The same rows with other events."""
        return replace(self, events=events)

    def select(self, mask: Mask) -> Stack:
        """Keep the rows that pass."""
        if mask.all():
            return self
        members = None if self.members is None else self.members.select(mask)
        rows = np.flatnonzero(mask)  # to choose by these takes a quarter of the time
        owners = self.owners.select(rows)
        origin = self.origin and replace(self.origin, rows=self.origin.rows.take(rows))
        events, shift, base = self.events[rows], self.shift.take(rows), self.base.take(rows)
        return Stack(events, shift, base, owners, members, origin)

    def step(self, name: str, mask: Mask, *, every: bool = False) -> Step:
        """Entry of the cutflow for the first variation, or for each of them."""
        passed = mask if every else mask & (self.shift == 0)
        if passed.all():
            return Step(name, self.base, self.owners, self.shift if every else None)
        rows = np.flatnonzero(passed)
        shift = self.shift.take(rows) if every else None
        return Step(name, self.base.take(rows), self.owners.select(rows), shift)


@dataclass(frozen=True)
class Near:
    """Events that fail one cut which has an N-1 histogram, and no other cut so far."""

    stack: Stack
    failed: NDArray[np.intp]  # position of that cut, shape (n_rows,)

    def select(self, mask: Mask) -> Near:
        """Keep the rows that pass."""
        return Near(self.stack.select(mask), self.failed[mask])


@dataclass(frozen=True)
class Prepared:
    """Events of some object variations, ready for the channels."""

    shifts: tuple[Variation, ...]
    stack: Stack | None  # None where there are no events
    flow: tuple[Step, ...]  # steps of the cutflow so far
    n_parts: int
    near: Near | None = None  # beside `stack`; None where the baseline has no N-1 histogram
    start: Stack | None = None  # instead of `stack`: the events that all of `shifts` start from
    # whether `flow` ends where no event is left, as only a function could name what comes behind
    ended: bool = False
