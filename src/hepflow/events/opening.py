"""Open and read trees of many branches in a third of the time that uproot takes by itself."""

from __future__ import annotations

import contextlib
import functools
import gc
import operator
from collections.abc import Collection, Iterator
from typing import Any

SKIPPED = "hepflow_skipped"  # in the context of what is read: objects are left out of arrays
_LONGEST = 1024  # [byte] of the name of a class, as nearly all are


@functools.cache
def quicken_opening() -> None:
    """Have uproot find names of classes without copying all that follows them, in this process.

    It copies the rest of the tree's record for each branch: with the number of branches, and of
    baskets, the time grows quadratically. What is `SKIPPED` it leaves out of arrays.
    """
    import uproot.model
    from uproot.models.TObjArray import Model_TObjArray
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

    def without_skipped(self: Any, chunk: Any, cursor: Any, context: Any, file: Any) -> Any:
        found = finished(self, chunk, cursor, context, file)
        if context.get(SKIPPED):
            found._data = [one for one in found._data if one is not None]  # noqa: SLF001 - an array
        return found

    finished = Model_TObjArray.postprocess
    Model_TObjArray.postprocess = without_skipped
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
