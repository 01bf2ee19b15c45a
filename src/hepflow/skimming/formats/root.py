"""Parts as ROOT files: a tree with the branches of NanoAOD, and the header beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.events.decompression import bound_decompression
from hepflow.events.failures import read_errors
from hepflow.skimming.formats.columns import (
    Buffers,
    Column,
    NotHeld,
    Taken,
    columns_of,
    full_header,
    offsets_of,
    read_columns,
    select_columns,
)
from hepflow.skimming.formats.header import NAME, Header, from_text, to_text
from hepflow.storage import atomic_writer, pack_array

_OTHERS = ("parquet", "pickle")


def write_root(path: Path, events: Any, header: Mapping[str, Any]) -> None:
    """Write events as the tree that ``header["tree"]`` names, and the header.

    Raises
    ------
    StorageError
        If a branch is no number or list of numbers, or the file cannot be written.
    """
    import awkward as ak
    import uproot

    container = pack_array(events)
    buffers, length = container["buffers"], container["length"]
    columns = columns_of(ak.forms.from_json(container["form"]), "root", _OTHERS)
    types, values = _branches(columns, buffers, length)
    counters = {one.name: counter_name(one) for one in columns}
    with atomic_writer(path) as temporary, uproot.recreate(temporary) as file:
        file[NAME] = to_text(full_header(header, container))
        if types:
            file.mktree(header["tree"], types, counter_name=counters.__getitem__)
        if types and length:
            file[header["tree"]].extend(values)


def counter_name(column: Column) -> str | None:
    """Branch with the lengths of a column's lists, as in NanoAOD: ``nMuon``."""
    return f"n{column.levels[0].name}" if column.levels else None


def _branches(
    columns: Sequence[Column], buffers: Mapping[str, Any], length: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Types of the branches without counters, which uproot adds, and values of all."""
    types: dict[str, Any] = {}
    values: dict[str, Any] = {}
    taken = Taken("root")
    for column in columns:
        if len(column.levels) > 1:
            raise NotHeld(column.name, f"lists of lists of {column.dtype}", "root", _OTHERS)
        for level in column.levels:
            offsets = offsets_of(level, buffers, length)
            counts = np.diff(offsets).astype(np.int32)
            if taken.is_new(f"n{level.name}", counts, ()):
                values[f"n{level.name}"] = counts
    for column in columns:
        numbers = buffers[column.buffer]
        if not taken.is_new(column.name, numbers, column.levels):
            continue
        kind = np.dtype(column.dtype)
        if column.levels:
            offsets = offsets_of(column.levels[0], buffers, length)
            types[column.name], values[column.name] = f"var * {kind}", jagged(offsets, numbers)
        else:
            types[column.name], values[column.name] = kind, numbers
    return types, values


def jagged(offsets: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any]) -> Any:
    """Lists of numbers."""
    import awkward as ak

    content = ak.contents.NumpyArray(numbers)
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), content))


def read_root(path: Path, columns: Sequence[str] | None = None) -> tuple[Any, Header]:
    """Read a part; only the branches of the wanted columns are read.

    Raises
    ------
    ChecksumError
        If the file is damaged, or the numbers are not those that were written.
    StorageError
        If it is of another version.
    """
    return read_columns(path, columns, _read, read_errors())


def _read(path: Path, wanted: Sequence[str] | None) -> tuple[Header, dict[str, Any]]:
    import awkward as ak
    import uproot

    bound_decompression()
    with uproot.open(path) as file:
        header = from_text(str(file[NAME]), path)
        container = select_columns(header["container"], wanted)
        columns = columns_of(ak.forms.from_json(container["form"]), "root", _OTHERS)
        counters = {name for one in columns if (name := counter_name(one)) is not None}
        names = list(dict.fromkeys([*counters, *(one.name for one in columns)]))
        tree = file[header["tree"]] if names else None
        arrays = tree.arrays(names, library="ak", how=dict) if tree is not None else {}
    return header, {**container, "buffers": _buffers(columns, arrays)}


def _buffers(columns: Sequence[Column], arrays: Mapping[str, Any]) -> Buffers:
    import awkward as ak

    buffers: Buffers = {}
    for column in columns:
        array = arrays[column.name]
        for level in column.levels:
            if level.buffer:
                counts = np.asarray(arrays[f"n{level.name}"], dtype=np.int64)
                offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
                buffers[level.buffer] = offsets.astype(level.dtype)
            array = ak.flatten(array, axis=1)
        buffers[column.buffer] = np.asarray(array).astype(column.dtype)
    return buffers
