"""Prepared events on disk: after a change in a channel, filling starts from them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.analysis.members import Members
from hepflow.analysis.stack import Near, Prepared, Stack
from hepflow.errors import StorageError
from hepflow.events import with_behaviour
from hepflow.histograms import Owners, Step
from hepflow.records import Variation
from hepflow.storage import mark_used, pack_array, read_part, unpack_array, write_part

MOST = 1_000_000_000  # [byte] what one filling may keep
ALL = 3_000_000_000  # [byte] what all together may keep; the oldest go first
_FORMAT = 5


def keep(groups: Iterator[Prepared], stem: Path, room: float) -> Iterator[Prepared]:
    """Hand prepared events on, and keep them where there is room for all of a batch.

    Parameters
    ----------
    stem
        Path of the files without number and suffix.
    room
        What the files may take together [byte].
    """
    count = 0
    for prepared in groups:
        stack = prepared.stack or prepared.start
        if room > 0 and stack is not None:
            room -= stack.events.nbytes
            room -= 0 if stack.members is None else stack.members.nbytes
            room -= 0 if prepared.near is None else prepared.near.stack.events.nbytes
            if room > 0:
                with contextlib.suppress(StorageError):  # a full disk does not stop the filling
                    write_part(_file(stem, count), _to_plain(prepared))
            else:
                forget(stem)
        count += 1
        yield prepared
    if room > 0:
        with contextlib.suppress(StorageError):
            write_part(_file(stem, "all"), {"format": _FORMAT, "groups": count})


def kept(stem: Path) -> Iterator[Prepared] | None:
    """Prepared events of a batch; None where they are not there, or not all of them.

    Raises
    ------
    StorageError
        While they are read, if a file is damaged.
    """
    try:
        found = read_part(_file(stem, "all"))
    except StorageError:
        return None
    files = [_file(stem, i) for i in range(found["groups"])]
    if found["format"] != _FORMAT or not all(file.exists() for file in files):
        return None
    mark_used([*files, _file(stem, "all")])
    return (_from_plain(read_part(file)) for file in files)


def forget(stem: Path) -> None:
    """Remove what is kept of a batch."""
    for path in stem.parent.glob(f"{stem.name}-*.pkl"):
        path.unlink(missing_ok=True)


def _file(stem: Path, which: int | str) -> Path:
    return stem.with_name(f"{stem.name}-{which}.pkl")


def _to_plain(prepared: Prepared) -> dict[str, Any]:
    stack, near, start = prepared.stack, prepared.near, prepared.start
    return {
        "shifts": [asdict(one) for one in prepared.shifts],
        "n_parts": prepared.n_parts,
        "ended": prepared.ended,
        "stack": None if stack is None else _plain_stack(stack),
        "flow": [
            (step.name, step.weights, step.owners.index, step.shift) for step in prepared.flow
        ],
        "near": None if near is None else (_plain_stack(near.stack), near.failed),
        "start": None if start is None else _plain_stack(start),
    }


def _plain_stack(stack: Stack) -> dict[str, Any]:
    return {
        "events": pack_array(stack.events),
        "shift": stack.shift,
        "base": stack.base,
        "owners": stack.owners.index,
        "members": None if stack.members is None else dict(stack.members.columns),
    }


def _from_plain(plain: dict[str, Any]) -> Prepared:
    count, stack, near = plain["n_parts"], plain["stack"], plain["near"]
    start = plain["start"]
    return Prepared(
        shifts=tuple(Variation(**one) for one in plain["shifts"]),
        stack=None if stack is None else _stack_of(stack, count),
        flow=tuple(
            Step(name, weights, Owners(index, count), shift)
            for name, weights, index, shift in plain["flow"]
        ),
        n_parts=count,
        near=None if near is None else Near(_stack_of(near[0], count), near[1]),
        start=None if start is None else _stack_of(start, count),
        ended=plain["ended"],
    )


def _stack_of(plain: dict[str, Any], count: int) -> Stack:
    return Stack(
        events=with_behaviour(unpack_array(plain["events"])),
        shift=plain["shift"],
        base=plain["base"],
        owners=Owners(plain["owners"], count),
        members=None if plain["members"] is None else Members(plain["members"]),
    )
