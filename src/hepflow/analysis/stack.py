"""Object variations as one longer array, so that functions run once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.histograms import Owners, Step
from hepflow.records import Variation

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STACK_EVENTS = 1_000_000  # bounds the memory of a block: some hundred bytes an event
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


@dataclass(frozen=True)
class Stack:
    """Events of several object variations, one variation after the other."""

    events: Any  # record array, shape (n_rows,)
    shift: NDArray[np.intp]  # position of each row's variation, not decreasing, shape (n_rows,)
    base: Floats  # generator weight of each row, shape (n_rows,)
    owners: Owners  # part of each row

    @classmethod
    def of(cls, parts: Sequence[Any], base: Floats, owners: Owners) -> Stack:
        """Stack the same events as seen by several variations; `base` and `owners` are theirs."""
        import awkward as ak

        return cls(
            events=ak.concatenate(parts) if len(parts) > 1 else parts[0],
            shift=np.repeat(np.arange(len(parts)), len(base)),
            base=np.tile(base, len(parts)),
            owners=Owners(np.tile(owners.index, len(parts)), owners.count),
        )

    def select(self, mask: Mask) -> Stack:
        """Keep the rows that pass."""
        if mask.all():
            return self
        owners = self.owners.select(mask)
        return Stack(self.events[mask], self.shift[mask], self.base[mask], owners)

    def step(self, name: str, mask: Mask) -> Step:
        """Entry of the cutflow for the first variation."""
        passed = mask & (self.shift == 0)
        return Step(name, self.base[passed], self.owners.select(passed))


@dataclass(frozen=True)
class Prepared:
    """Events of some object variations, ready for the channels."""

    shifts: tuple[Variation, ...]
    stack: Stack | None  # None where there are no events
    flow: tuple[Step, ...]  # steps of the cutflow so far
    n_parts: int
