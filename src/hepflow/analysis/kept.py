"""Prepared events on disk: after a change in a channel, filling starts from them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.analysis.stack import Prepared, Stack
from hepflow.errors import StorageError
from hepflow.events import with_behaviour
from hepflow.histograms import Owners, Step
from hepflow.records import Variation
from hepflow.storage import mark_used, pack_array, read_part, unpack_array, write_part

MOST = 1_000_000_000  # [byte] what one filling may keep
ALL = 3_000_000_000  # [byte] what all together may keep; the oldest go first
_FORMAT = 1


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
        if room > 0 and prepared.stack is not None:
            room -= prepared.stack.events.nbytes
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
    stack = prepared.stack
    return {
        "shifts": [asdict(one) for one in prepared.shifts],
        "n_parts": prepared.n_parts,
        "stack": None
        if stack is None
        else {
            "events": pack_array(stack.events),
            "shift": stack.shift,
            "base": stack.base,
            "owners": stack.owners.index,
        },
        "flow": [(step.name, step.weights, step.owners.index) for step in prepared.flow],
    }


def _from_plain(plain: dict[str, Any]) -> Prepared:
    count, stack = plain["n_parts"], plain["stack"]
    return Prepared(
        shifts=tuple(Variation(**one) for one in plain["shifts"]),
        stack=None
        if stack is None
        else Stack(
            events=with_behaviour(unpack_array(stack["events"])),
            shift=stack["shift"],
            base=stack["base"],
            owners=Owners(stack["owners"], count),
        ),
        flow=tuple(
            Step(name, weights, Owners(index, count)) for name, weights, index in plain["flow"]
        ),
        n_parts=count,
    )
