"""How many bytes of its input files a dataset's events take, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepflow.errors import InputError
from hepflow.events import name_in_file, names_of, open_tree
from hepflow.events.parquet import ParquetColumns
from hepflow.events.root import TreeColumns
from hepflow.records import Dataset
from hepflow.remote import is_remote
from hepflow.skimming import SkimSpec
from hepflow.skimming.theory import branches_of_theory

_INFLATED = 3.0  # bytes in memory for one on disk, where a file does not tell


@dataclass(frozen=True, slots=True)
class Volume:
    """Bytes of an event."""

    stored: float  # of the needed columns, compressed, as they are read [byte]
    in_memory: float  # of these [byte]
    in_file: float  # of the whole file [byte]


def volumes(spec: SkimSpec, samples: Mapping[str, tuple[str, str]]) -> dict[str, Volume]:
    """Volume of the events of each dataset of which a local file can be opened.

    Parameters
    ----------
    samples
        One file and its tree for each dataset. Files at URLs are not opened.
    """
    found = {}
    for name, (path, tree) in samples.items():
        dataset = spec.datasets.get(name)
        if dataset is None or is_remote(path):
            continue
        volume = _volume(spec, dataset, path, tree)
        if volume is not None:
            found[name] = volume
    return found


def _volume(spec: SkimSpec, dataset: Dataset, path: str, tree: str) -> Volume | None:
    try:
        file = open_tree(path, tree, dataset.branch_map)
    except InputError:
        return None
    entries = file.num_entries
    if not entries:
        return None
    kept = spec.kept_branches(dataset)
    wanted = [*names_of(kept), *names_of(spec.selection_branches(kept))]
    wanted += [f"n{collection}" for collection in kept]
    theory = branches_of_theory(spec.theory_of(dataset))
    wanted += [*theory, *(f"n{name}" for name in theory)]
    names = {name_in_file(name, dataset.branch_map) for name in wanted}
    sizes = _sizes(file.columns, names)
    whole = Path(path).stat().st_size / entries
    if sizes is None:  # columns have no sizes of their own: as if all were read
        return Volume(whole, _INFLATED * whole, whole)
    return Volume(sizes[0] / entries, sizes[1] / entries, whole)


def _sizes(columns: Any, names: set[str]) -> tuple[int, int] | None:
    """Bytes of these columns in the whole file, compressed and not; None where not known."""
    if isinstance(columns, TreeColumns):
        tree = columns.tree_with(names & columns.names)
        branches = [branch for branch in tree.branches if branch.name in names]
        return (
            sum(branch.compressed_bytes for branch in branches),
            sum(branch.uncompressed_bytes for branch in branches),
        )
    if isinstance(columns, ParquetColumns):
        paths = {path for name in names & columns.names for path in columns.leaves[name].paths}
        chunks = [one for one in _chunks(columns.file.metadata) if _below(one, paths)]
        return (
            sum(one.total_compressed_size for one in chunks),
            sum(one.total_uncompressed_size for one in chunks),
        )
    return None  # an RNTuple does not tell


def _chunks(metadata: Any) -> Iterator[Any]:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        yield from (group.column(position) for position in range(group.num_columns))


def _below(chunk: Any, paths: set[str]) -> bool:
    """Whether a chunk is of one of the columns; lists have further levels in their paths."""
    stored: str = chunk.path_in_schema
    return any(stored == path or stored.startswith(f"{path}.") for path in paths)
