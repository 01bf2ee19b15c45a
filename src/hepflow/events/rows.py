"""Which entries of a range are wanted, and where their numbers stand in a basket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Offsets = NDArray[np.int32]
_Found = tuple[Offsets, NDArray[np.intp], Offsets]  # offsets; positions and offsets of the wanted


@dataclass
class Rows:
    """Wanted entries of a range."""

    start: int  # first entry of the range
    mask: Mask  # whether an entry is wanted, shape (n_entries,)
    # of lists by their offsets and range of entries: columns of one object have the same
    _known: dict[tuple[int, int, int], _Found] = field(default_factory=dict)

    def any(self, first: int, stop: int) -> bool:
        """Whether an entry of a range is wanted, as far as it lies in this one."""
        return bool(self._of(first, stop).any())

    def count(self, first: int, stop: int) -> int:
        """How many entries of a range are wanted."""
        return int(np.count_nonzero(self._of(first, stop)))

    def _of(self, first: int, stop: int) -> Mask:
        return self.mask[max(0, first - self.start) : max(0, stop - self.start)]

    def within(
        self, offsets: Offsets | None, first: int, a: int, b: int
    ) -> tuple[NDArray[np.intp], Offsets | None]:
        """Positions of the numbers of wanted entries in a basket.

        Parameters
        ----------
        offsets
            Where the lists of the basket begin, and the end; None of one number for each entry.
        first
            Entry at which the basket begins.
        a, b
            Which of its entries are in the range.

        Returns
        -------
        tuple
            The positions, and where the lists begin that are made of these numbers.
        """
        mask = self._of(first + a, first + b)
        if offsets is None:
            return a + np.flatnonzero(mask), None
        key = (id(offsets), first + a, first + b)
        if key not in self._known:
            self._known[key] = (offsets, *_lists(offsets[a : b + 1], mask))
        return self._known[key][1:]


def _lists(offsets: Offsets, mask: Mask) -> tuple[NDArray[np.intp], Offsets]:
    counts = np.diff(offsets)[mask]
    found = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=found[1:])
    positions = np.repeat(offsets[:-1][mask] - found[:-1], counts).astype(np.intp)
    positions += np.arange(found[-1])
    return positions, found


def chosen(arrays: Mapping[str, Any], mask: Mask | None) -> dict[str, Any]:
    """Wanted entries of columns that were read as a whole."""
    return {name: one if mask is None else one[mask] for name, one in arrays.items()}
