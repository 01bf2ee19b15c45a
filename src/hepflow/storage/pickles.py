"""Look through a pickle before it is loaded: what would crash, hang or fill the memory is refused.

The unpickler decides by name what may be called. That is not enough: it allocates what a pickle
says (a memo of 2^32 entries from five bytes), hashes nested tuples without a limit of the depth
(a crash), and lets containers refer to each other so that a few bytes expand to anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

_MAX_DEPTH = 100  # of tuples in tuples
_MAX_HASHED = 100_000_000  # elements that are hashed in all
_DEPTH = 40  # bits above which the depth of a tuple stands, its number of elements below
_ELEMENTS = (1 << _DEPTH) - 1
_IN_MEMORY = 256  # [byte] what is longer is skipped instead of read

# What stands on the stack: a positive number is something that can be hashed.
_ATOM, _CONTAINER, _OBJECT, _GLOBAL = 1, 0, -1, -2

Step = Callable[["_Scan"], None]


class BadPickle(ValueError):
    """A pickle that must not be loaded; the text says why."""


class _Scan:
    """State of the unpickler, with kinds in place of values."""

    __slots__ = ("file", "hashed", "marks", "memo", "puts", "size", "stack", "tree_only")

    def __init__(self, file: BinaryIO, size: int, *, tree_only: bool) -> None:
        self.file, self.size, self.tree_only = file, size, tree_only
        self.stack: list[int] = []
        self.marks: list[int] = []
        self.memo: dict[int, int] = {}
        self.puts = 0
        self.hashed = 0

    def run(self, steps: dict[bytes, Step]) -> None:
        """Go through all opcodes up to the end mark."""
        read = self.file.read
        while (code := read(1)) != b".":
            step = steps.get(code)
            if step is None:
                what = f"the opcode {code!r} is not admitted" if code else "it has no end"
                raise BadPickle(what)
            step(self)
        if len(self.stack) != 1 or self.marks:
            raise BadPickle("it leaves something else than one object")

    def number(self, width: int) -> int:
        """Unsigned number of some bytes."""
        found = self.file.read(width)
        if len(found) < width:
            raise BadPickle("it is cut")
        return int.from_bytes(found, "little")

    def skip(self, count: int) -> None:
        """Go over bytes that must be there."""
        if count <= _IN_MEMORY:
            if len(self.file.read(count)) < count:
                raise BadPickle("it is cut")
        elif count > self.size - self.file.tell():
            raise BadPickle(f"it says that {count} bytes follow, more than there are")
        else:
            self.file.seek(count, 1)

    def pop(self, count: int) -> list[int]:
        """Take from the stack, not from below a mark."""
        start = len(self.stack) - count
        if start < (self.marks[-1] if self.marks else 0):
            raise BadPickle("it takes more than there is")
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def to_mark(self) -> list[int]:
        """Take all above the last mark."""
        if not self.marks:
            raise BadPickle("it takes more than there is")
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def add(self, items: list[int]) -> None:
        """Put into the container on the stack."""
        if not self.stack:
            raise BadPickle("it fills nothing")
        self.hashed += sum(one & _ELEMENTS for one in items if one > 0)
        if self.hashed > _MAX_HASHED:
            raise BadPickle("it repeats long tuples")

    def tuple_of(self, items: list[int]) -> None:
        """Push a tuple of what was taken."""
        if not items or (max(items) == 1 and min(items) == 1):
            self.stack.append((1 << _DEPTH) + len(items) + 1)
            return
        depth = max(max(items) >> _DEPTH, 0) + 1
        elements = sum(one & _ELEMENTS if one > 0 else 1 for one in items)
        if depth > _MAX_DEPTH or elements > _MAX_HASHED:
            raise BadPickle("it nests tuples too deep")
        hashable = _CONTAINER not in items
        self.stack.append((depth << _DEPTH) + elements + 1 if hashable else _CONTAINER)

    def put(self, index: int) -> None:
        """Remember the top of the stack."""
        if not self.stack:
            raise BadPickle("it remembers nothing")
        if index > self.puts + 1:  # pickle has a list of that length, and more
            raise BadPickle(f"it remembers {self.puts} objects and numbers one {index}")
        self.puts += 1
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        """Push what was remembered."""
        kind = self.memo.get(index)
        if kind is None:
            raise BadPickle("it refers to an object that is not there")
        if kind == _CONTAINER and self.tree_only:
            raise BadPickle("it holds a container twice")
        self.stack.append(kind)

    def line(self) -> bytes:
        """Argument of an old opcode."""
        found = self.file.readline()
        if not found.endswith(b"\n"):
            raise BadPickle("it is cut")
        return found

    def line_number(self) -> int:
        """Argument of an old opcode that is a number."""
        text = self.line().strip()
        if not text.isdigit() or len(text) > 20:  # noqa: PLR2004 - digits of 2^64
            raise BadPickle("it has no number where one is expected")
        return int(text)

    def made(self, taken: int, kind: int = _OBJECT) -> None:
        """Replace what was taken from the stack by what is made of it."""
        self.pop(taken)
        self.stack.append(kind)

    def build(self) -> None:
        """Set the state of an object; that of a class or function would change it for all."""
        if self.pop(2)[0] != _OBJECT:
            raise BadPickle("it sets attributes of something that has none")
        self.stack.append(_OBJECT)


def _fixed(width: int) -> Step:
    def step(scan: _Scan) -> None:
        scan.skip(width)
        scan.stack.append(_ATOM)

    return step


def _long(width: int, kind: int = _ATOM) -> Step:
    def step(scan: _Scan) -> None:
        scan.skip(scan.number(width))
        scan.stack.append(kind)

    return step


def _tuple(count: int) -> Step:
    return lambda scan: scan.tuple_of(scan.pop(count))


def _push(kind: int) -> Step:
    return lambda scan: scan.stack.append(kind)


def _filled(take: Callable[[_Scan], list[int]]) -> Step:
    return lambda scan: scan.add(take(scan))


def _memoize(scan: _Scan) -> None:
    scan.put(scan.puts)


def _frame(scan: _Scan) -> None:
    if scan.number(8) > scan.size - scan.file.tell():
        raise BadPickle("it says that more bytes follow than there are")


def _global(scan: _Scan) -> None:
    scan.line()
    scan.line()
    scan.stack.append(_GLOBAL)


def _text_line(scan: _Scan) -> None:
    scan.line()
    scan.stack.append(_ATOM)


def _from_mark(kind: int) -> Step:
    def step(scan: _Scan) -> None:
        items = scan.to_mark()
        scan.stack.append(kind)
        scan.add(items)

    return step


def _instance(scan: _Scan) -> None:
    scan.line()
    scan.line()
    scan.to_mark()
    scan.stack.append(_OBJECT)


def _object(scan: _Scan) -> None:
    scan.to_mark()
    scan.stack.append(_OBJECT)


def _drop(scan: _Scan) -> None:
    if scan.marks and scan.marks[-1] == len(scan.stack):
        scan.marks.pop()
    else:
        scan.pop(1)


def _drop_to_mark(scan: _Scan) -> None:
    scan.to_mark()


def _twice(scan: _Scan) -> None:
    scan.stack += scan.pop(1) * 2


# Opcodes that pickle writes for plain containers and arrays, and GLOBAL to name what it asks for.
_PLAIN: dict[bytes, Step] = {
    b"\x80": lambda scan: scan.skip(1),
    b"\x95": _frame,
    b"(": lambda scan: scan.marks.append(len(scan.stack)),
    b"N": _push(_ATOM),
    b"\x88": _push(_ATOM),
    b"\x89": _push(_ATOM),
    b"K": _fixed(1),
    b"M": _fixed(2),
    b"J": _fixed(4),
    b"G": _fixed(8),
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"\x8c": _long(1),
    b"X": _long(4),
    b"\x8d": _long(8),
    b"C": _long(1),
    b"B": _long(4),
    b"\x8e": _long(8),
    b"\x96": _long(8, _OBJECT),
    b"]": _push(_CONTAINER),
    b"}": _push(_CONTAINER),
    b"\x8f": _push(_CONTAINER),
    b")": _tuple(0),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"t": lambda scan: scan.tuple_of(scan.to_mark()),
    b"\x91": lambda scan: scan.tuple_of(scan.to_mark()),  # a frozen set
    b"a": _filled(lambda scan: scan.pop(1)),
    b"e": _filled(_Scan.to_mark),
    b"s": _filled(lambda scan: scan.pop(2)),
    b"u": _filled(_Scan.to_mark),
    b"\x90": _filled(_Scan.to_mark),
    b"\x94": _memoize,
    b"h": lambda scan: scan.get(scan.number(1)),
    b"j": lambda scan: scan.get(scan.number(4)),
    b"c": _global,
    b"\x93": lambda scan: scan.made(2, _GLOBAL),
    b"R": lambda scan: scan.made(2),
    b"b": _Scan.build,
}
# What other protocols and other classes need besides.
_OTHERS: dict[bytes, Step] = {
    b"q": lambda scan: scan.put(scan.number(1)),
    b"r": lambda scan: scan.put(scan.number(4)),
    b"p": lambda scan: scan.put(scan.line_number()),
    b"g": lambda scan: scan.get(scan.line_number()),
    **dict.fromkeys((b"I", b"L", b"F", b"S", b"V", b"P"), _text_line),
    b"U": _long(1),
    b"T": _long(4),
    b"l": _from_mark(_CONTAINER),
    b"d": _from_mark(_CONTAINER),
    b"0": _drop,
    b"1": _drop_to_mark,
    b"2": _twice,
    b"i": _instance,
    b"o": _object,
    b"\x81": lambda scan: scan.made(2),
    b"\x92": lambda scan: scan.made(3),
    b"Q": lambda scan: scan.made(1),
}


def check_pickle(file: BinaryIO, size: int, *, tree_only: bool) -> int:
    """Look through a pickle.

    Parameters
    ----------
    file
        Open where the pickle begins.
    size
        Where it has to end at the latest [byte from the beginning of the file].
    tree_only
        Admit what `pickle` writes for plain containers, each of which is held once. Else all
        opcodes that make containers and objects are.

    Returns
    -------
    int
        Where it ends [byte from the beginning of the file].

    Raises
    ------
    BadPickle
        Loading it would crash, hang or fill the memory.
    """
    _Scan(file, size, tree_only=tree_only).run(_PLAIN if tree_only else {**_PLAIN, **_OTHERS})
    return file.tell()
