"""Read one entry range, select its events, and count what was read. Runs on workers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepflow.errors import UnreadableFile
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
