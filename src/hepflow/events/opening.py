"""Open and read trees of many branches in a third of the time that uproot takes by itself."""

from __future__ import annotations

import contextlib
import functools
import gc
import operator
from collections.abc import Collection, Iterator
from typing import Any

_LONGEST = 1024  # [byte] of the name of a class, as nearly all are


@functools.cache
def quicken_opening() -> None:
    """Have uproot find names of classes without copying all that follows them, in this process.

    It copies the rest of the tree's record for each branch: with the number of branches, and of
    baskets, the time grows quadratically.
    """
    import uproot.model
    from uproot.source.cursor import Cursor

    slowly = Cursor.classname

    def classname(self: Any, chunk: Any, context: Any, move: bool = True) -> Any:
        place = self.index
        found = chunk.get(place, min(place + _LONGEST, chunk.stop), self, context)
        name, end, _ = bytes(found).partition(b"\0")
        if not end:
            return slowly(self, chunk, context, move)
        if move:
            self.skip(len(name) + 1)
        return name.decode(errors="surrogateescape")

    Cursor.classname = classname
    uproot.model.classname_regularize = functools.cache(uproot.model.classname_regularize)


@contextlib.contextmanager
def only_branches(tree: Any, names: Collection[str]) -> Iterator[None]:
    """Let a tree have only these branches for a while: uproot looks at each that there is.

    No other thread has the tree.
    """
    kind: Any = type(tree)
    tree.some_branches = [one for one in tree.branches if one.name in names]
    tree.__class__ = _some_branches(kind)
    try:
        yield
    finally:
        tree.__class__ = kind


@functools.cache
def _some_branches(kind: Any) -> Any:
    members = {"branches": property(operator.attrgetter("some_branches"))}
    return type("SomeBranches", (kind,), members)


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Do not look for garbage: the 10^5 objects of a tree are none, and looking takes a third."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
