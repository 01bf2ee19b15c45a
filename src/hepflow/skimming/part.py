"""Skim one work item. Runs on workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import StorageError, UnreadableFile
from hepflow.events import (
    Branches,
    branch_name,
    build_events,
    check_branches,
    open_tree,
    read_columns,
)
from hepflow.functors import as_passed, call
from hepflow.normalisation import generator_weights
from hepflow.records import Dataset, PartCounts, WorkItem
from hepflow.skimming.spec import SkimSpec
from hepflow.storage import pack_array, read_part, write_part

FORMAT = 1


@dataclass(frozen=True)
class SkimTask:
    """One part to make."""

    item: WorkItem
    path: str  # where the part goes; its name holds the key
    reuse: bool  # whether a whole part that is there already is taken

    @property
    def file(self) -> str:
        """Input file."""
        return self.item.filename

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.item.dataset}: {self.file}, {self.item.entrystart} to {self.item.entrystop}"


@dataclass(frozen=True)
class PartRecord:
    """What is known about a part on disk, as its dataset's manifest holds it."""

    name: str  # file name in the dataset's folder
    uuid: str  # of the input file
    counts: PartCounts
    n_selected: int
    size: int  # [bytes]
    mtime_ns: int  # [ns] time of the last change; another one: the part is verified before use
    reused: bool = False  # whether it was there already


def skim_item(spec: SkimSpec, task: SkimTask) -> PartRecord:
    """Make one part, or take the whole one that is there.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the input cannot be read.
    UserFunctionError
        If the selection raises or returns something else than one value for each event.
    """
    path = Path(task.path)
    if task.reuse and path.exists():
        found = _found_part(path, task.item)
        if found is not None:
            return found
    dataset = spec.datasets[task.item.dataset]
    events, counts = select_events(spec, dataset, task.item)
    payload = {
        "format": FORMAT,
        "counts": asdict(counts),
        "uuid": task.item.fileuuid,
        "events": pack_array(events),
    }
    write_part(path, payload)
    return _record(path, task.item, counts, len(events))


def _record(
    path: Path, item: WorkItem, counts: PartCounts, n_selected: int, *, reused: bool = False
) -> PartRecord:
    status = path.stat()
    return PartRecord(
        name=path.name,
        uuid=item.fileuuid,
        counts=counts,
        n_selected=n_selected,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        reused=reused,
    )


def _found_part(path: Path, item: WorkItem) -> PartRecord | None:
    """A part that an interrupted run left; None where it is broken and must be made anew."""
    try:
        payload = read_part(path)
    except StorageError:
        return None
    if payload.get("format") != FORMAT:
        return None
    counts = PartCounts(**payload["counts"])
    if counts.item_key != item.item_key:
        return None
    return _record(path, item, counts, payload["events"]["length"], reused=True)


def select_events(spec: SkimSpec, dataset: Dataset, item: WorkItem) -> tuple[Any, PartCounts]:
    """Read, select, and count what was read.

    The columns of the selection come first; the others are read only where an event passed.

    Returns
    -------
    tuple
        Selected events, and counts over all events read.
    """
    tree = open_tree(item.filename, item.treename)
    _check_same_file(tree, item)
    kept, first = spec.kept_branches(dataset), spec.selection_branches(dataset)
    check_branches(tree, first, item.filename, "preprocess.skimming.use")
    check_branches(tree, kept, item.filename, "preprocess.branches")
    length = item.entrystop - item.entrystart
    early = names_of(first)
    weight = dataset.weight_branch
    columns = read_columns(tree, item, list(dict.fromkeys([*early, *([weight] if weight else [])])))
    mask = _mask(spec, build_events(columns, first, length), length)
    counts = _count(item, columns[weight] if weight else None, length)
    if not mask.any():
        late = read_columns(tree, _empty(item), [n for n in names_of(kept) if n not in columns])
        columns = {name: column[:0] for name, column in columns.items()}
        return build_events({**columns, **late}, kept, 0), counts
    late = read_columns(tree, item, [name for name in names_of(kept) if name not in columns])
    events = build_events({**columns, **late}, kept, length)
    return events[mask], counts


def names_of(branches: Branches) -> list[str]:
    """Names in the file."""
    return [branch_name(group, name) for group, fields in branches.items() for name in fields]


def _mask(spec: SkimSpec, events: Any, length: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if spec.function is None:
        return np.ones(length, dtype=np.bool_)
    where = "preprocess.skimming.function"
    result = call(spec.function, spec.use, events, where, spec.static_kwargs)
    return as_passed(result, length, where).mask


def _check_same_file(tree: Any, item: WorkItem) -> None:
    found = str(tree.file.uuid)
    if item.fileuuid and found != item.fileuuid:
        raise UnreadableFile(
            f"{item.filename}: it changed since its metadata was read (uuid {found}, was "
            f"{item.fileuuid}). Run the metadata step again."
        )


def _empty(item: WorkItem) -> WorkItem:
    return WorkItem(item.dataset, item.filename, item.treename, 0, 0, item.fileuuid)


def _count(item: WorkItem, weights: Any, length: int) -> PartCounts:
    numbers = generator_weights(None if weights is None else np.asarray(weights), length)
    return PartCounts(
        dataset=item.dataset,
        file=item.filename,
        entrystart=item.entrystart,
        entrystop=item.entrystop,
        nevts=length,
        sum_weights=float(numbers.sum()),
        sum_signs=float(np.sign(numbers).sum()),
    )


__all__ = ["PartRecord", "SkimTask", "select_events", "skim_item"]
