"""Event columns to ROOT files in the NanoAOD layout."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.samples.branches import collection_branches, plain_branches
from hepflow.samples.columns import Column, EventColumns
from hepflow.storage import atomic_writer

ROWS_OF_RUNS = 3  # merged files have several rows for the same run


@dataclass(frozen=True, slots=True)
class Jagged:
    """The objects of all events, one after the other."""

    counts: Column  # (n,)
    columns: Mapping[str, Column]  # each (counts.sum(),); the name "" for plain numbers


def write_file(path: Path, events: EventColumns, *, data: bool) -> None:
    """Write one file with the trees Events, Runs and LuminosityBlocks, atomically.

    Parameters
    ----------
    path : where; its name also decides the identifier of the file, so that a file made again
        counts as the same one
    events : what to write
    data : whether branches and trees of the simulation are left out
    """
    import uproot

    identifier = uuid.uuid5(uuid.NAMESPACE_URL, "/".join(path.parts[-3:]))
    jagged = {
        name: Jagged(counts, columns)
        for name, (counts, columns) in collection_branches(events, data=data).items()
    }
    with (
        atomic_writer(path) as temporary,
        uproot.recreate(
            temporary, compression=uproot.ZLIB(1), uuid_function=lambda: identifier
        ) as file,
    ):
        write_tree(file, "Events", plain_branches(events, data=data), jagged)
        write_tree(file, "Runs", _runs(events, data=data), {})
        write_tree(file, "LuminosityBlocks", _blocks(events), {})


def write_tree(
    file: Any, name: str, plain: Mapping[str, Column], jagged: Mapping[str, Jagged]
) -> None:
    """Add a tree with these branches to an open file."""
    types: dict[str, Any] = {key: values.dtype for key, values in plain.items()}
    types |= {key: _type(part) for key, part in jagged.items()}
    tree = file.mktree(name, types)
    tree.extend(dict(plain) | {key: _array(part) for key, part in jagged.items()})


def _type(part: Jagged) -> str:
    if "" in part.columns:
        return f"var * {part.columns[''].dtype}"
    fields = ", ".join(f'"{name}": {values.dtype}' for name, values in part.columns.items())
    return f"var * {{{fields}}}"


def _array(part: Jagged) -> Any:
    import awkward as ak

    offsets = ak.index.Index64(np.concatenate([[0], np.cumsum(part.counts)]))
    columns = {name: ak.contents.NumpyArray(values) for name, values in part.columns.items()}
    content = (
        columns[""]
        if "" in columns
        else ak.contents.RecordArray(list(columns.values()), list(columns))
    )
    return ak.Array(ak.contents.ListOffsetArray(offsets, content))


def _runs(events: EventColumns, *, data: bool) -> dict[str, Column]:
    if data:
        return {"run": np.unique(events.plain["run"])}
    parts = np.array_split(events.plain["genWeight"].astype(np.float64), ROWS_OF_RUNS)
    return {
        "run": np.ones(len(parts), dtype=np.uint32),
        "genEventCount": np.array([len(part) for part in parts], dtype=np.int64),
        "genEventSumw": np.array([part.sum() for part in parts]),
        "genEventSumw2": np.array([(part**2).sum() for part in parts]),
    }


def _blocks(events: EventColumns) -> dict[str, Column]:
    pairs = np.stack([events.plain["run"], events.plain["luminosityBlock"]], axis=1)
    seen = np.unique(pairs, axis=0)
    return {"run": seen[:, 0].copy(), "luminosityBlock": seen[:, 1].copy()}
