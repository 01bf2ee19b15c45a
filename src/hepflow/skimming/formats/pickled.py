"""Parts as pickles of plain containers: the format that holds every layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.skimming.formats.columns import events_of, select_columns
from hepflow.skimming.formats.header import Header, check_format, with_format
from hepflow.storage import pack_array, read_part, write_part


def write_pickle(path: Path, events: Any, header: Mapping[str, Any]) -> None:
    """Write events and header, with a checksum behind them."""
    write_part(path, {**with_format(header), "events": pack_array(events)})


def read_pickle(path: Path, columns: Sequence[str] | None = None) -> tuple[Any, Header]:
    """Read a part; its file is read as a whole also where few columns are wanted.

    Raises
    ------
    ChecksumError
        If the bytes on disk are not those that were written.
    StorageError
        If it is of another version, or cannot be read.
    """
    payload = read_part(path)
    check_format(payload, path)
    header = {name: value for name, value in payload.items() if name != "events"}
    container = payload.get("events")
    if not isinstance(container, dict):
        raise StorageError(f"{path} holds no events. Delete it and run the skim again.")
    return events_of(select_columns(container, columns), path), header
