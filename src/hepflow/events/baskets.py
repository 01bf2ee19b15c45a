"""Columns of numbers straight from the baskets of a local TTree, each decompressed once.

uproot spends as much again on what it does beside the decompression. What is not surely plain
numbers, or lists of them, is left to it, and so is every error.
"""

from __future__ import annotations

import bisect
import itertools
import operator
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.events.failures import read_errors
from hepflow.events.rows import Mask, Rows

_HEAD = struct.Struct(">ihiIhh")  # bytes, version, bytes of the content, date, of the key, cycle
_TAIL = struct.Struct(">Hiiii")  # of the key: version, sizes of buffers, entries, end of content
_FLAG = 1  # byte behind it
_KINDS = "biuf"
_OFFSET = np.dtype(">i4")
Offsets = NDArray[np.int32]
_SPARE = 16  # one part of so many more room than other baskets tell is wanted
Piece = tuple[Offsets | None, int, int]  # offsets of a basket; its first entry, and the last
Places = dict[tuple[int, int], list[Offsets]]  # range of entries -> offsets of baskets there


@dataclass(frozen=True)
class Branch:
    """A branch of plain numbers, and where its baskets are."""

    dtype: np.dtype[Any]  # as the file has it
    is_list: bool  # whether an event has a list of numbers
    entries: Sequence[int]  # where baskets begin, and the end
    seeks: Sequence[int]
    sizes: Sequence[int]  # [byte]

    @classmethod
    def of(cls, branch: Any) -> Branch | None:
        """What uproot knows of a branch; None of one that holds something else."""
        from uproot.interpretation.jagged import AsJagged
        from uproot.interpretation.numerical import AsDtype

        kind = branch.interpretation
        is_list = type(kind) is AsJagged and kind.header_bytes == 0
        numbers = kind.content if is_list else kind
        if type(numbers) is not AsDtype or branch.embedded_baskets:
            return None
        dtype = numbers.from_dtype
        if dtype.kind not in _KINDS or numbers.to_dtype != dtype.newbyteorder("="):
            return None
        entries = list(branch.entry_offsets)
        count = len(entries) - 1
        seeks, sizes = (branch.member(one)[:count] for one in ("fBasketSeek", "fBasketBytes"))
        if len(seeks) != count or any(b <= a for a, b in itertools.pairwise(entries)):
            return None
        if (sizes <= 0).any():  # of a damaged tree: a negative size means all of the file
            return None
        return cls(dtype, is_list, entries, seeks.tolist(), sizes.tolist())

    def baskets(self, start: int, stop: int) -> range:
        """Numbers of the baskets with entries of a range, which is not empty."""
        first = bisect.bisect_right(self.entries, start) - 1
        return range(first, bisect.bisect_left(self.entries, stop))


@dataclass(frozen=True)
class Basket:
    """What a basket holds."""

    content: NDArray[Any]  # in the byte order of the file, (n_numbers,)
    offsets: Offsets | None  # of the lists in it, (n_entries + 1,); None of plain numbers


@dataclass
class Baskets:
    """Baskets of a tree; entry ranges are read one after the other."""

    tree_with: Callable[[Collection[str]], Any]  # tree of uproot that has some branches
    source: Any  # of uproot
    path: str
    _branches: dict[str, Branch | None] = field(default_factory=dict)
    _kept: dict[str, tuple[int, Basket]] = field(default_factory=dict)  # for the next range

    def read(
        self, names: Sequence[str], start: int, stop: int, mask: Mask | None = None
    ) -> dict[str, Any]:
        """Columns of an entry range, or of some of its entries: of branches that can be read so."""
        if stop < start:
            return {}
        rows = None if mask is None else Rows(start, mask)
        try:
            known = self._known(names)
            fit = {
                name: one
                for name, one in known.items()
                if one is not None and start >= 0 and stop <= one.entries[-1]
            }
            found, last = self._columns(fit, start, stop, rows)
        except read_errors():
            return {}  # uproot finds out what it is
        for name in fit if start < stop else ():
            self._kept.pop(name, None)
        for name, (number, basket) in last.items():
            if stop < fit[name].entries[number + 1] <= stop + (stop - start):
                self._kept[name] = number, basket
        shared: dict[tuple[int, ...], NDArray[np.int64]] = {}
        length = stop - start if mask is None else int(np.count_nonzero(mask))
        return {name: column.array(length, shared) for name, column in found.items()}

    def _known(self, names: Sequence[str]) -> dict[str, Branch | None]:
        """What is known of branches; None of those that are left to uproot."""
        new = {name for name in names if name not in self._branches}
        if new:
            there = {one.name: one for one in self.tree_with(new).branches}
            self._branches |= {name: Branch.of(there[name]) for name in new}
        return {name: self._branches[name] for name in names}

    def _columns(
        self, branches: Mapping[str, Branch], start: int, stop: int, rows: Rows | None
    ) -> tuple[dict[str, Column], dict[str, tuple[int, Basket]]]:
        """Columns, and the last basket of each, read in the order in which they are in the file.

        A basket is copied while it is in the caches of the processor; one without a wanted entry
        is left out. A branch that has another one than is expected is left to uproot from there on.
        """
        found: dict[str, Column] = {}
        last: dict[str, tuple[int, Basket]] = {}
        todo, places = [], Places()
        for name, branch in branches.items():
            numbers = branch.baskets(start, stop) if start < stop else range(0)
            found[name] = Column(branch, start, stop, rows)
            kept = self._kept.get(name)
            if kept is not None and kept[0] in numbers[:1]:
                found[name].add(_noted(kept[1], branch, kept[0], places), kept[0])
                last[name], numbers = kept, numbers[1:]
            todo += [
                (branch.seeks[number], number, name)
                for number in numbers
                if rows is None or rows.any(*branch.entries[number : number + 2])
            ]
        with Path(self.path).open("rb", buffering=0) as file:
            for seek, number, name in sorted(todo, key=_in_order(branches.values())):
                if name not in found:
                    continue
                branch = branches[name]
                try:
                    file.seek(seek)
                    record = file.read(branch.sizes[number])
                    basket = _basket(self.source, record, branch, number, places)
                    found[name].add(basket, number)
                except read_errors():
                    self._branches[name] = None
                    del found[name]
                    last.pop(name, None)
                else:
                    last[name] = number, basket
        return found, last


def _in_order(branches: Iterable[Branch]) -> Callable[[tuple[int, int, str]], int]:
    """Key by which baskets are sorted: their place, if those of each branch follow one another."""
    rising = all(a < b for one in branches for a, b in itertools.pairwise(one.seeks))
    return operator.itemgetter(0 if rising else 1)


def _basket(source: Any, record: bytes, branch: Branch, number: int, places: Places) -> Basket:
    """Decompress a basket.

    Raises
    ------
    ValueError
        It is not as expected.
    """
    size, _, whole, _, key, _ = _HEAD.unpack_from(record)
    _, _, _, entries, last = _TAIL.unpack_from(record, key - _TAIL.size - _FLAG)
    expected = branch.entries[number + 1] - branch.entries[number]
    border = last - key
    plain = _HEAD.size + _TAIL.size + _FLAG <= key < size == len(record) == branch.sizes[number]
    if not plain or entries != expected or not 0 <= border <= whole:
        raise ValueError("another basket than the tree tells of")
    content = _decompressed(source, record, key, whole)
    offsets = None
    if branch.is_list:
        offsets = _offsets(content[border:], border, key, branch, number, places)
    elif border != whole or border != entries * branch.dtype.itemsize:
        raise ValueError("not one number for each entry")
    return Basket(content[:border].view(branch.dtype), offsets)


def _decompressed(source: Any, record: bytes, key: int, whole: int) -> NDArray[np.uint8]:
    """Content of a basket, as long as its key says."""
    from uproot.compression import decompress
    from uproot.source.chunk import Chunk
    from uproot.source.cursor import Cursor

    content = np.frombuffer(record, dtype=np.uint8, offset=key)
    if len(content) != whole:
        chunk = Chunk.wrap(source, content)
        content = decompress(chunk, Cursor(0), {}, len(content), whole).raw_data
    if len(content) != whole:
        raise ValueError("another length than the key of the basket tells")
    return content


def _offsets(
    tail: NDArray[np.uint8], border: int, key: int, branch: Branch, number: int, places: Places
) -> Offsets:
    """Where the lists of a basket begin, from what stands behind its content."""
    first, stop = branch.entries[number : number + 2]
    raw = tail.view(_OFFSET)
    if len(raw) != stop - first + 2:
        raise ValueError("not one offset for each entry")
    found = raw[1:].astype(np.int32)
    found -= key
    found[-1] = border
    size = branch.dtype.itemsize
    if size > 1:
        shift = size.bit_length() - 1  # of numbers the size is a power of two
        if np.bitwise_or.reduce(found) & (size - 1):
            raise ValueError("a list begins within a number")
        found >>= shift
    for one in places.get((first, stop), ()):  # columns of one object have the same
        if np.array_equal(one, found):
            return one
    if found[0] != 0 or (found[1:] < found[:-1]).any():
        raise ValueError("lists are not one after the other")
    places.setdefault((first, stop), []).append(found)
    return found


def _noted(basket: Basket, branch: Branch, number: int, places: Places) -> Basket:
    """The same basket, whose offsets others may share."""
    if basket.offsets is not None:
        key = (branch.entries[number], branch.entries[number + 1])
        known = places.setdefault(key, [])
        if not any(one is basket.offsets for one in known):
            known.append(basket.offsets)
    return basket


@dataclass
class Column:
    """A column of an entry range, in the byte order of this machine, to which baskets are added."""

    branch: Branch
    start: int
    stop: int
    rows: Rows | None = None  # those entries that are wanted; None: all
    _content: NDArray[Any] = field(init=False)
    _used: int = 0  # of the content
    _pieces: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with no number."""
        self._content = np.empty(0, dtype=self.branch.dtype.newbyteorder("="))

    def add(self, basket: Basket, number: int) -> None:
        """Add the next basket, or what of it is in the range and wanted."""
        first, end = self.branch.entries[number : number + 2]
        a, b = max(self.start, first) - first, min(self.stop, end) - first
        content, offsets = basket.content, basket.offsets
        left, entries = self.stop - max(self.start, first), b - a
        if self.rows is None:
            low, high = (a, b) if offsets is None else (int(offsets[a]), int(offsets[b]))
            content = content[low:high]
        else:
            left = self.rows.count(first + a, self.stop)
            where, offsets = self.rows.within(offsets, first, a, b)
            content = content.take(where)
            a, b = 0, len(content) if offsets is None else len(offsets) - 1
            entries = b
        end_of_use = self._used + len(content)
        if end_of_use > len(self._content):
            self._grow(end_of_use, left, entries)
        self._content[self._used : end_of_use] = content
        self._used = end_of_use
        self._pieces.append((offsets, a, b))

    def _grow(self, needed: int, left: int, entries: int) -> None:
        """Make room as if what is left of the entries had as many numbers as these."""
        guess = (needed - self._used) * left // entries
        room = self._used + (guess + guess // _SPARE if self.branch.is_list else guess)
        content = np.empty(max(needed, room), dtype=self._content.dtype)
        content[: self._used] = self._content[: self._used]
        self._content = content

    def array(self, length: int, shared: dict[tuple[int, ...], NDArray[np.int64]]) -> Any:
        """Awkward array of the column; `shared` holds offsets that columns have in common."""
        import awkward as ak

        layout = ak.contents.NumpyArray(self._content[: self._used])
        if self.branch.is_list:
            key = tuple(id(offsets) for offsets, _, _ in self._pieces)
            if key not in shared:
                shared[key] = _joined_offsets(self._pieces, length)
            layout = ak.contents.ListOffsetArray(ak.index.Index64(shared[key]), layout)
        return ak.Array(layout)


def _joined_offsets(pieces: Sequence[Piece], length: int) -> NDArray[np.int64]:
    found = np.zeros(length + 1, dtype=np.int64)
    entry = total = 0
    for offsets, a, b in pieces:
        if offsets is not None:
            found[entry + 1 : entry + 1 + b - a] = offsets[a + 1 : b + 1]
            found[entry + 1 : entry + 1 + b - a] += total - int(offsets[a])
            entry += b - a
            total += int(offsets[b]) - int(offsets[a])
    return found
