"""Object variations as one longer array, so that functions run once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.records import Variation

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STACK_EVENTS = 1_000_000  # bounds the memory of a block: some hundred bytes an event


def in_groups(shifts: Sequence[Variation], n_events: int) -> Iterator[tuple[Variation, ...]]:
    """Split object variations so that no group has more than `STACK_EVENTS` events."""
    size = max(1, STACK_EVENTS // max(1, n_events))
    for start in range(0, len(shifts), size):
        yield tuple(shifts[start : start + size])


@dataclass(frozen=True)
class Stack:
    """Events of several object variations, one variation after the other."""

    events: Any  # record array, shape (n_rows,)
    shift: NDArray[np.intp]  # position of each row's variation, not decreasing, shape (n_rows,)
    base: Floats  # generator weight of each row, shape (n_rows,)

    @classmethod
    def of(cls, parts: Sequence[Any], base: Floats) -> Stack:
        """Stack the same events as seen by several variations; `base` is theirs."""
        import awkward as ak

        return cls(
            events=ak.concatenate(parts) if len(parts) > 1 else parts[0],
            shift=np.repeat(np.arange(len(parts)), len(base)),
            base=np.tile(base, len(parts)),
        )

    def select(self, mask: Mask) -> Stack:
        """Keep the rows that pass."""
        return Stack(self.events[mask], self.shift[mask], self.base[mask])

    def step(self, name: str, mask: Mask) -> tuple[str, Mask, Floats]:
        """Entry of the cutflow for the first variation: name, mask, weights."""
        first = self.shift == 0
        return name, mask[first], self.base[first]
