"""Trees of many branches, of which only those that are asked for are read.

uproot makes an object of each branch, of 1500 in a fifth of a second. Here branches that nobody
asks for are skipped in the record of the tree, which says how long each is. What is not surely a
tree of plain branches is left to uproot.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import operator
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsInt

import numpy as np

from hepflow.events.failures import read_errors
from hepflow.events.opening import SKIPPED, without_collection

_LENGTH = 0x40000000  # set in the number of bytes that follow
_CLASS = 0x80000000  # set in the tag of an object whose class is known
_NOTHING = 0x3FFFFFFF  # tag of an object that is nowhere: uproot skips what follows
_SHIFT = 2  # what a tag points to, less its place
_REFERENCED = 1 << 4  # set in the bits of an object with two more bytes
_NEW_TAG = b"\xff\xff\xff\xff"  # of an object whose class comes by name
_FIRST = _NEW_TAG + b"TBranch\x00"
_ARRAY = struct.Struct(">IHHIIBii")  # length, versions, number, bits, name, size, lower bound
_COUNT = struct.Struct(">i")  # of an array, in front of its lower bound
_OBJECT = struct.Struct(">II")  # length, tag
_NAMED = struct.Struct(">IHIHHII")  # branch: length, version; its name: the same, number, bits
_LONG = 255  # first byte of a text whose length has four


class _NotPlainError(ValueError):
    """The record holds something else than plain branches."""


@dataclass(frozen=True)
class _Entry:
    """A branch in the record."""

    name: str
    start: int
    stop: int


@dataclass
class TreeRecord:
    """The record of a tree, from which trees with some of its branches are made."""

    key: Any  # of uproot
    content: bytes  # decompressed
    _entries: list[_Entry]
    _leaves: tuple[int, int]  # where the references to all leaves are
    _defining: frozenset[str]  # branches that name classes to which others may point
    _tree: Any = None
    _there: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, directory: Any, name: str) -> TreeRecord | None:
        """Record of a tree in a directory of uproot; None of one that is not plain."""
        key = directory.key(name)
        if key.fClassName != "TTree":
            return None
        chunk, cursor = key.get_uncompressed_chunk_cursor()
        content = np.asarray(chunk.raw_data, dtype=np.uint8).tobytes()
        try:
            entries, leaves = _layout(content, cursor.displacement())
        except (_NotPlainError, struct.error, IndexError):
            return None
        found = cls(key, content, entries, leaves, _defining(content, entries))
        return found if found.tree_with(()) is not None else None

    @property
    def names(self) -> frozenset[str]:
        """Names of all branches."""
        return frozenset(one.name for one in self._entries)

    def tree_with(self, names: Collection[str]) -> Any:
        """Tree of uproot that has at least these of its branches; None where it cannot be made."""
        if self._tree is None or not self._there.issuperset(names):
            self._there |= {*names, *self._defining}
            self._tree = self._read()
        return self._tree

    def _read(self) -> Any:
        """Tree with the branches that are wanted, and those that they point to."""
        while True:
            references = _References()
            with contextlib.suppress(*read_errors()), without_collection():
                tree = self._read_with(references)
                if not references.missed:
                    expected = [one.name for one in self._entries if one.name in self._there]
                    return tree if [one.name for one in tree.branches] == expected else None
            more = {self._holder(tag) for tag in references.missed}
            if more <= self._there or None in more:
                return None
            self._there |= {name for name in more if name}

    def _holder(self, tag: int) -> str | None:
        """Branch that holds what a tag points to."""
        place = tag - _SHIFT - self.key.fKeylen
        found = bisect.bisect_right([one.stop for one in self._entries], place)
        if found == len(self._entries) or place < self._entries[found].start:
            return None
        return self._entries[found].name

    def _read_with(self, references: _References) -> Any:
        from uproot.source.chunk import Chunk
        from uproot.source.cursor import Cursor

        content = bytearray(self.content)
        entries = ((one.start, one.stop, one.name in self._there) for one in self._entries)
        _leave_out(content, entries)
        if self._leaves[0] < self._leaves[1]:
            _leave_out(content, [(*self._leaves, False)])  # they point into what is not there
        key, file = self.key, self.key.file
        chunk = Chunk.wrap(file.source, np.frombuffer(content, dtype=np.uint8))
        cursor = Cursor(0, origin=-key.fKeylen, refs=references)
        context = {"breadcrumbs": (), "TKey": key, SKIPPED: True}
        return file.class_named(key.fClassName).read(chunk, cursor, context, file, file, key)


class _References(dict[int, Any]):
    """What tags can point to; notes those that point to what is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.missed: set[int] = set()

    def __contains__(self, tag: object) -> bool:
        known = super().__contains__(tag)
        if not known and tag != _NOTHING and isinstance(tag, SupportsInt):
            self.missed.add(int(tag))
        return known


def _layout(content: bytes, before: int) -> tuple[list[_Entry], tuple[int, int]]:
    """Where the branches of a tree are in its record, and the references to its leaves.

    Parameters
    ----------
    before
        Bytes of the key, from which places are counted.
    """
    first = content.find(_FIRST) - _OBJECT.size // 2
    if first < _ARRAY.size:
        raise _NotPlainError("no branch")
    place, stop, count = _array(content, first - _ARRAY.size)
    known = _CLASS | (first + _OBJECT.size // 2 + before + _SHIFT)
    entries = []
    for _ in range(count):
        length, tag = _OBJECT.unpack_from(content, place)
        named = content.startswith(_FIRST, place + 4)
        inside = place + 4 + len(_FIRST) if named else place + _OBJECT.size
        end = place + 4 + (length ^ _LENGTH)
        if not (named or tag == known) or not inside < end <= stop:
            raise _NotPlainError("something else than a branch")
        entries.append(_Entry(_name(content, inside), place, end))
        place = end
    leaves, end, count = _array(content, stop)
    if place != stop or end != leaves + 4 * count:
        raise _NotPlainError("something else behind the branches")
    return entries, (leaves, end)


def _leave_out(content: bytearray, objects: Iterable[tuple[int, int, bool]]) -> None:
    """Leave objects out of an array of them; what stands next to each other as one, at once.

    Parameters
    ----------
    content
        The record of the tree, which is changed.
    objects
        First byte of each object of the array, the one behind it, and whether it stays.
    """
    count, begins = 0, 0
    for stays, run in itertools.groupby(objects, key=operator.itemgetter(2)):
        found = list(run)
        begins = begins or found[0][0]
        count += len(found) if stays else 1
        if not stays:
            first, last = found[0][0], found[-1][1]
            if last - first < _OBJECT.size:  # one reference
                content[first:last] = bytes(last - first)
            else:
                _OBJECT.pack_into(content, first, (last - first - 4) | _LENGTH, _NOTHING)
    if begins:
        _COUNT.pack_into(content, begins - 2 * _COUNT.size, count)


def _array(content: bytes, start: int) -> tuple[int, int, int]:
    """First byte of what an array holds, the one behind it, and how many objects there are."""
    length, *_, bits, name, count, lower = _ARRAY.unpack_from(content, start)
    if bits & _REFERENCED or name or lower or count < 0:
        raise _NotPlainError("another array")
    return start + _ARRAY.size, start + 4 + (length ^ _LENGTH), count


def _name(content: bytes, start: int) -> str:
    """Name of the branch whose object begins here."""
    *_, bits = _NAMED.unpack_from(content, start)
    place = start + _NAMED.size + (2 if bits & _REFERENCED else 0)
    size = content[place]
    if size == _LONG:
        (size,) = struct.unpack_from(">I", content, place + 1)
        place += 4
    return content[place + 1 : place + 1 + size].decode(errors="surrogateescape")


def _defining(content: bytes, entries: Sequence[_Entry]) -> frozenset[str]:
    """Branches that may have the name of a class; none where nearly each has its own."""
    found = set()
    for one in entries:
        named = content.startswith(_FIRST, one.start + 4)
        if content.find(_NEW_TAG, one.start + (4 + len(_FIRST) if named else 0), one.stop) >= 0:
            found.add(one.name)
    return frozenset({entries[0].name} if len(found) > len(entries) // 2 else found)
