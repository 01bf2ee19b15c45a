"""Hash of plain values; what is no plain value is left to the subclass."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Self

import numpy as np

_TEXTS = {str, bytes, bytearray}
_CONTAINERS = {dict, list, tuple, set, frozenset}
_ALL_CONTAINERS = (Mapping, list, tuple, set, frozenset)
_NUMPY = (np.ndarray, np.generic, np.dtype)
# Plain values that repr gives completely, floats with every digit.
_SHOWN = {bool, int, float, complex, range, slice, type(None), type(...), type(NotImplemented)}


@dataclass(frozen=True, slots=True)
class AsRead:
    """A value that the user's code is handed as it is: code may loop over its mappings.

    Within it the order of a mapping counts, as in what code reads by itself.
    """

    value: Any


class NoStableHash(Exception):
    """Raised inside this package only; says which part and why."""


def qualified_name(obj: Any) -> str:
    """Return module and name of a class or a function."""
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", type(obj).__qualname__)
    return f"{getattr(obj, '__module__', None)}.{name}"


def _is_plain_array(obj: Any) -> bool:
    """Whether shape, dtype and content are all that there is to an array or a scalar."""
    if isinstance(obj, np.generic):
        return type(obj).__module__ == "numpy"
    return type(obj) in {np.ndarray, np.memmap}


class Values:
    """Feeds a digest with tagged pieces, each with its length, so that none can be confused.

    Parameters
    ----------
    ordered : bool
        Whether the order of a mapping counts. It does in what code reads (a loop over cuts),
        not in a specification; within what code reads it counts always.
    """

    def __init__(self, *, ordered: bool) -> None:
        self.ordered = ordered
        self.seen: dict[int, tuple[int, Any]] = {}
        self.stack: list[int] = []
        self._sha = hashlib.sha256()

    def hexdigest(self) -> str:
        """Return the digest of all that was added."""
        return self._sha.hexdigest()

    def piece(self, tag: str, content: bytes | bytearray | str = b"") -> None:
        """Add one piece."""
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        self.pieces(f"{tag}:{len(data)}:".encode() + data)

    def pieces(self, data: bytes | bytearray) -> None:
        """Add pieces that were put together before."""
        self._sha.update(data)

    def fresh(self) -> Self:
        """Return an empty digest of the same kind, for things whose order must not count."""
        return type(self)(ordered=self.ordered)

    def repeats(self, obj: Any) -> bool:
        """Whether a definition was met before; then its number is added, which ends cycles."""
        if id(obj) in self.seen:
            self.piece("again", str(self.seen[id(obj)][0]))
            return True
        self.seen[id(obj)] = (len(self.seen), obj)  # kept alive: an id may not be used again
        return False

    @contextlib.contextmanager
    def ordering(self, counts: bool) -> Iterator[None]:
        """Let the order of mappings count in here if `counts`, else as it did outside."""
        before = self.ordered
        self.ordered = before or counts
        try:
            yield
        finally:
            self.ordered = before

    @contextlib.contextmanager
    def inside(self, obj: Any) -> Iterator[bool]:
        """Enter a container; False within itself, where its depth is added instead.

        Whether two equal containers are one object depends on how they came to be, so unlike
        a definition a container counts as often as it is met.
        """
        if id(obj) in self.stack:
            self.piece("cycle", str(self.stack.index(id(obj))))
            yield False
            return
        self.stack.append(id(obj))
        try:
            yield True
        finally:
            self.stack.pop()

    def add(self, obj: Any, where: str) -> None:
        """Add any value; `where` is its name for messages."""
        kind = type(obj)
        if kind in _SHOWN:
            self.piece(kind.__name__, repr(obj))
        elif kind in _TEXTS:
            self.piece(kind.__name__, obj)
        elif kind in _CONTAINERS:
            self._add_inside(obj, where)
        elif kind is types.FunctionType:
            self.add_other(obj, where)
        else:
            self._add_rare(obj, where)

    def _add_inside(self, obj: Any, where: str) -> None:
        with self.inside(obj) as is_new:
            if is_new:
                self.add_container(obj, where)

    def _add_rare(self, obj: Any, where: str) -> None:
        if isinstance(obj, AsRead):
            with self.ordering(counts=True):
                self.add(obj.value, where)
        elif isinstance(obj, enum.Enum):
            self.add_class(type(obj), where)
            self.piece("member", obj.name)
        elif isinstance(obj, PurePath):
            self.piece("path", obj.as_posix())
        elif isinstance(obj, re.Pattern):
            self.piece("pattern", repr((obj.pattern, obj.flags)))
        elif isinstance(obj, _NUMPY):
            self.add_numpy(obj, where)
        elif isinstance(obj, _ALL_CONTAINERS):
            self._add_inside(obj, where)
        else:
            self.add_other(obj, where)

    def add_numpy(self, obj: Any, where: str) -> None:
        """Add an array, a scalar or a dtype."""
        if isinstance(obj, np.dtype):
            self.piece("dtype", repr(obj.descr if obj.names else obj.str))
            return
        if not _is_plain_array(obj):
            with self.inside(obj) as is_new:
                if not is_new:
                    return
                self.add_kind(obj, where)
        array = np.asarray(obj)
        self.piece("array" if isinstance(obj, np.ndarray) else "scalar", repr(array.shape))
        self.add_numpy(array.dtype, where)
        if array.dtype.hasobject:
            self.add(array.ravel().tolist(), where)
        else:
            self.piece("buffer", np.ascontiguousarray(array).tobytes())

    def add_container(self, obj: Any, where: str) -> None:
        """Add a mapping, a sequence or a set, with its class if that is not a built-in one."""
        if type(obj) not in _CONTAINERS:
            self.add_kind(obj, where)
        if isinstance(obj, Mapping):
            self.add_mapping(obj, where)
        elif isinstance(obj, list | tuple):
            self.piece("list" if isinstance(obj, list) else "tuple", str(len(obj)))
            for index, item in enumerate(obj):
                self.add(item, f"{where}[{index}]")
        else:
            self.piece("set", str(len(obj)))
            for digest in sorted(self._alone(item, where) for item in obj):
                self.piece("item", digest)

    def add_mapping(self, obj: Mapping[Any, Any], where: str) -> None:
        """Add the entries of a mapping."""
        self.piece("mapping", str(len(obj)))
        entries = [(self._alone(key, where), key) for key in obj]
        if not self.ordered:
            entries.sort(key=lambda entry: entry[0])
        for digest, key in entries:
            self.piece("key", digest)
            self.add(obj[key], f"{where}[{key!r}]")

    def _alone(self, obj: Any, where: str) -> str:
        hasher = self.fresh()
        hasher.add(obj, where)
        return hasher.hexdigest()

    def add_class(self, cls: type, where: str) -> None:
        """Add a class."""
        raise NotImplementedError

    def add_kind(self, obj: Any, where: str) -> None:
        """Add what a container or an array has beside its entries."""
        raise NotImplementedError

    def add_other(self, obj: Any, where: str) -> None:
        """Add what is no plain value."""
        raise NotImplementedError
