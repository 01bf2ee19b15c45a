"""Read to the end of what is decompressed anyway, and keep that for the next entry range."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hepflow.events.failures import read_errors

Arrays = Mapping[str, Any]
Read = Callable[[Sequence[str], int, int], dict[str, Any]]


@dataclass
class ReadAhead:
    """Columns of a tree, of which entry ranges are read one after the other.

    Entry ranges end within baskets, which would be decompressed once for each of the two.
    """

    read_range: Read
    ends_of: Callable[[Sequence[str]], Sequence[int]]  # entries where baskets of all of them end
    _ends: dict[tuple[str, ...], Sequence[int]] = field(default_factory=dict)
    _left: dict[tuple[str, ...], tuple[int, Arrays]] = field(default_factory=dict)

    def read(self, names: Sequence[str], start: int, stop: int) -> dict[str, Any]:
        """Read columns of an entry range: what an earlier one has left, and what follows it."""
        size = stop - start
        if size < 1:
            return self.read_range(names, start, stop)
        key = tuple(names)
        first, left = self._left.pop(key, (start, None))
        known = _length(left) if left and first == start else 0
        if left and size <= known:
            found: Arrays = left
        else:
            found = self._from(key, start + known, stop, size)
            if left and known:
                found = {name: _joined(left[name], found[name]) for name in names}
        if size < _length(found) and all(map(_is_simple, found.values())):
            self._left[key] = stop, {name: _copied(one[size:]) for name, one in found.items()}
        return {name: one[:size] for name, one in found.items()}

    def _from(self, key: tuple[str, ...], start: int, stop: int, most: int) -> Arrays:
        """Columns from an entry to where baskets end, if these are no more than `most` further."""
        end = self._end(key, stop)
        if stop < end <= stop + most:
            try:
                return self.read_range(key, start, end)
            except read_errors():  # perhaps not in this range, which is not lost then
                pass
        return self.read_range(key, start, stop)

    def _end(self, key: tuple[str, ...], stop: int) -> int:
        if key not in self._ends:
            self._ends[key] = self.ends_of(key)
        ends = self._ends[key]
        place = bisect.bisect_left(ends, stop)
        return ends[place] if place < len(ends) else stop


def _length(arrays: Arrays | None) -> int:
    return min(map(len, arrays.values()), default=0) if arrays else 0


def _is_simple(array: Any) -> bool:
    from hepflow.events.quick import taken_apart

    return taken_apart(array) is not None


def _copied(array: Any) -> Any:
    """The same array without the memory of what it is a part of."""
    import awkward as ak

    return ak.Array(array.layout.to_packed())


def _joined(first: Any, second: Any) -> Any:
    """Numbers or lists of numbers of one type, one after the other."""
    import awkward as ak

    from hepflow.events.quick import taken_apart

    apart = [taken_apart(one) for one in (first, second)]
    if apart[0] is None or apart[1] is None:
        return ak.concatenate([first, second])
    (before, head), (after, tail) = apart[0], apart[1]
    layout = ak.contents.NumpyArray(np.concatenate([head, tail]))
    if before is not None and after is not None:
        offsets = np.concatenate([before, after[1:] + before[-1]])
        layout = ak.contents.ListOffsetArray(ak.index.Index64(offsets), layout)
    return ak.Array(layout)
