"""Read one entry range, select its events, and count what was read. Runs on workers."""

from __future__ import annotations

import contextlib
import functools
import logging
from dataclasses import replace
from typing import Any

import numpy as np

from hepflow.errors import UnreadableFile
from hepflow.events import (
    EVENT,
    Branches,
    OpenFile,
    build_events,
    check_branches,
    file_version,
    kept_open,
    names_of,
    present_branches,
    read_events,
)
from hepflow.functors import as_passed, call, naming
from hepflow.normalisation import generator_weights
from hepflow.records import Dataset, PartCounts, WorkItem
from hepflow.remote import shown
from hepflow.skimming.spec import SkimSpec
from hepflow.skimming.theory import branches_of_theory, theory_columns

_log = logging.getLogger(__name__)


def select_events(spec: SkimSpec, dataset: Dataset, item: WorkItem) -> tuple[Any, PartCounts]:
    """Read, select, and count what was read.

    The columns of the selection come first; the others are read only where an event passed.

    Returns
    -------
    tuple
        Selected events, and counts over all events read.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the file cannot be used.
    UserFunctionError
        If the selection raises or returns something else than one value for each event.
    """
    with _opened(dataset, item) as file:
        return _select(spec, dataset, item, file)


def _opened(dataset: Dataset, item: WorkItem) -> contextlib.AbstractContextManager[OpenFile]:
    version = file_version(item.fileuuid, item.usermeta.get("file_digest", ""))
    return kept_open(item.filename, item.treename, dataset.branch_map, version)


def _select(
    spec: SkimSpec, dataset: Dataset, item: WorkItem, file: OpenFile
) -> tuple[Any, PartCounts]:
    _check_same_file(file, item)
    kept = _kept_branches(spec, dataset, file)
    first = spec.selection_branches(kept)
    check_branches(file, first, "preprocess.skimming.use")
    length = item.entrystop - item.entrystart
    weight = dataset.weight_branch
    early = list(dict.fromkeys([*names_of(first), *([weight] if weight else [])]))
    columns = file.read(early, item.entrystart, item.entrystop)
    mask = _mask(spec, build_events(columns, first, length), length)
    weights = _weights(columns[weight] if weight else None, length)
    sources = spec.theory_of(dataset)
    theory = theory_columns(sources, file, item.entrystart, item.entrystop, weights)
    counts = replace(_count(item, weights), theory=theory.sums)
    if not mask.any():
        columns = {name: column[:0] for name, column in columns.items()}
        return theory.added_to(read_events(file, kept, 0, 0, columns), mask), counts
    events = read_events(file, kept, item.entrystart, item.entrystop, columns)
    return theory.added_to(events if mask.all() else events[mask], mask), counts


def read_everything(spec: SkimSpec, dataset: Dataset, item: WorkItem) -> None:
    """Read all branches of all events of an entry range, and keep nothing.

    What is damaged is lost as a whole: to lose the selected events of it only, and to count the
    others, would spoil the normalisation.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the file cannot be used.
    """
    with _opened(dataset, item) as file:
        read_events(file, _kept_branches(spec, dataset, file), item.entrystart, item.entrystop)
        theory = branches_of_theory(spec.theory_of(dataset))
        there = [name for name in theory if name in file.names]
        if there:
            file.read(there, item.entrystart, item.entrystop)


def _kept_branches(spec: SkimSpec, dataset: Dataset, file: OpenFile) -> Branches:
    """Branches that a part holds: the configured ones, or those of them that are there."""
    kept = spec.kept_branches(dataset)
    if dataset.weight_branch:  # never left out: without it the sample has no normalisation
        check_branches(file, {EVENT: (dataset.weight_branch,)}, "the generator weight")
    if not spec.ignore_missing:
        check_branches(file, kept, "preprocess.branches or mc_branches")
        return kept
    present = present_branches(file, kept)
    absent = sorted(set(names_of(kept)) - set(names_of(present)))
    if absent:
        _say_once(dataset.key, ", ".join(absent))
    return present


@functools.cache  # not once for each of a thousand work items
def _say_once(dataset: str, absent: str) -> None:
    _log.warning(
        "preprocess.ignore_missing: files of %s do not have %s; events are kept without",
        dataset,
        absent,
    )


def _mask(spec: SkimSpec, events: Any, length: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if spec.function is None:
        return np.ones(length, dtype=np.bool_)
    where = "preprocess.skimming.function"
    with naming(spec.function):
        result = call(spec.function, spec.use, events, where, spec.static_kwargs)
        return as_passed(result, length, where).mask


def _check_same_file(file: OpenFile, item: WorkItem) -> None:
    if item.fileuuid and file.uuid != item.fileuuid:
        raise UnreadableFile(
            f"{shown(item.filename)}: it changed since its metadata was read (uuid {file.uuid}, "
            f"was {item.fileuuid}). Run the metadata step again."
        )


def _weights(weights: Any, length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return generator_weights(None if weights is None else np.asarray(weights), length)


def _count(item: WorkItem, weights: np.ndarray[Any, np.dtype[np.float64]]) -> PartCounts:
    return PartCounts(
        dataset=item.dataset,
        file=item.filename,
        entrystart=item.entrystart,
        entrystop=item.entrystop,
        nevts=len(weights),
        sum_weights=float(weights.sum()),
        sum_signs=float(np.sign(weights).sum()),
    )
