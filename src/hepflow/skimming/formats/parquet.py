"""Parts as Parquet files: a flat column for each branch, and the header in the file's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hepflow.skimming.formats.columns import (
    Buffers,
    Column,
    Taken,
    columns_of,
    full_header,
    offsets_of,
    read_columns,
    select_columns,
)
from hepflow.skimming.formats.header import NAME, Header, from_text, to_text
from hepflow.storage import atomic_writer, pack_array

_OTHERS = ("pickle",)


def write_parquet(path: Path, events: Any, header: Mapping[str, Any]) -> None:
    """Write events as flat columns, and the header.

    Raises
    ------
    StorageError
        If a branch is no number or lists of numbers, or the file cannot be written.
    """
    import awkward as ak
    import pyarrow as pa
    import pyarrow.parquet as pq

    container = pack_array(events)
    columns = columns_of(ak.forms.from_json(container["form"]), "parquet", _OTHERS)
    taken = Taken("parquet")
    arrays = {
        one.name: _to_arrow(one, container["buffers"], container["length"])
        for one in columns
        if taken.is_new(one.name, container["buffers"][one.buffer], one.levels)
    }
    text = to_text(full_header(header, container))
    table = pa.table(arrays).replace_schema_metadata({NAME: text})
    with atomic_writer(path) as temporary:
        pq.write_table(table, temporary)


def _to_arrow(column: Column, buffers: Mapping[str, Any], length: int) -> Any:
    import pyarrow as pa

    offsets = []
    for level in column.levels:
        offsets.append(offsets_of(level, buffers, length))
        length = int(offsets[-1][-1])
    found = pa.array(buffers[column.buffer])
    for one in reversed(offsets):
        found = pa.LargeListArray.from_arrays(one, found)
    return found


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> tuple[Any, Header]:
    """Read a part; only the wanted columns are read.

    Raises
    ------
    ChecksumError
        If the file is damaged, or the numbers are not those that were written.
    StorageError
        If it is of another version.
    """
    import pyarrow as pa

    damaged = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError)
    return read_columns(path, columns, _read, damaged)


def _read(path: Path, wanted: Sequence[str] | None) -> tuple[Header, dict[str, Any]]:
    import awkward as ak
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:  # read_table would take folders named a=b for columns
        metadata = file.schema_arrow.metadata or {}
        header = from_text(metadata[NAME.encode()].decode(), path)
        container = select_columns(header["container"], wanted)
        columns = columns_of(ak.forms.from_json(container["form"]), "parquet", _OTHERS)
        table = file.read(columns=list(dict.fromkeys(one.name for one in columns)))
    buffers: Buffers = {}
    for column in columns:
        buffers.update(_from_arrow(column, table[column.name].combine_chunks()))
    return header, {**container, "buffers": buffers}


def _from_arrow(column: Column, array: Any) -> Buffers:
    found: Buffers = {}
    for level in column.levels:
        if level.buffer:
            offsets = array.offsets.to_numpy()
            found[level.buffer] = (offsets - offsets[:1]).astype(level.dtype)
        array = array.flatten()
    found[column.buffer] = array.to_numpy(zero_copy_only=False).astype(column.dtype)
    return found
