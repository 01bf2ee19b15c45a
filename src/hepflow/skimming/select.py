"""Read one entry range, select its events, and count what was read. Runs on workers."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import UnreadableFile
from hepflow.events import (
    EVENT,
    EVENT_ID,
    Branches,
    OpenFile,
    build_events,
    check_branches,
    names_of,
    present_branches,
    read_events,
)
from hepflow.functors import as_passed, call, naming
from hepflow.normalisation import generator_weights
from hepflow.records import WHERE_KNOWN, Dataset, PartCounts, WorkItem
from hepflow.remote import shown
from hepflow.skimming.counting import missing_ids
from hepflow.skimming.late import Choose, Late, template_of
from hepflow.skimming.opened import opened
from hepflow.skimming.spec import SkimSpec, is_compared
from hepflow.skimming.theory import branches_of_theory, theory_columns

_log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


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
    with opened(dataset, item) as file:
        events, mask, weights, _ = _select(spec, dataset, item, file)
        theory = theory_columns(
            spec.theory_of(dataset), file, item.entrystart, item.entrystop, weights
        )
        counts = replace(_count(item, weights), theory=theory.sums)
        return theory.added_to(events, mask), counts


def select_adjoining(
    spec: SkimSpec, dataset: Dataset, items: Sequence[WorkItem], choose: Choose | None = None
) -> tuple[Any, list[PartCounts], list[int], Late | None]:
    """Read and select entry ranges of a file that follow one another, as one range.

    The dataset has no theory weights.

    Parameters
    ----------
    choose
        Which objects the events shall not have yet, where that takes less time.

    Returns
    -------
    tuple
        Selected events of all ranges; counts over all events read, and the number of selected
        events, of each; and what the events do not have yet, if anything. All as `select_events`
        gives them for each alone.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch, UserFunctionError
        As `select_events`.
    """
    whole = replace(items[0], entrystop=items[-1].entrystop)
    with opened(dataset, whole) as file:
        events, mask, weights, late = _select(spec, dataset, whole, file, choose)
    first = whole.entrystart
    ranges = [slice(one.entrystart - first, one.entrystop - first) for one in items]
    counts = [_count(item, weights[one]) for item, one in zip(items, ranges, strict=True)]
    return events, counts, [int(mask[one].sum()) for one in ranges], late


def _select(
    spec: SkimSpec,
    dataset: Dataset,
    item: WorkItem,
    file: OpenFile,
    choose: Choose | None = None,
) -> tuple[Any, Mask, Floats, Late | None]:
    """Selected events, which they are, the generator weights of all, and what is read later."""
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
    if not mask.any():
        columns = {name: column[:0] for name, column in columns.items()}
        return read_events(file, kept, 0, 0, columns), mask, weights, None
    late = None
    if choose is not None and file.columns.selective:
        template = template_of(file, kept, item)
        chosen = {name: kept[name] for name in choose(template) if name not in first}
        if chosen:
            kept = {name: one for name, one in kept.items() if name not in chosen}
            late = Late(dataset, item, chosen, mask, template)
    wanted = None if mask.all() else mask
    events = read_events(file, kept, item.entrystart, item.entrystop, columns, wanted)
    return events, mask, weights, late


def read_everything(spec: SkimSpec, dataset: Dataset, item: WorkItem) -> None:
    """Read all branches of all events of an entry range, and keep nothing.

    What is damaged is lost as a whole: to lose the selected events of it only, and to count the
    others, would spoil the normalisation.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the file cannot be used.
    """
    with opened(dataset, item) as file:
        read_events(file, _kept_branches(spec, dataset, file), item.entrystart, item.entrystop)
        theory = branches_of_theory(spec.theory_of(dataset))
        there = [name for name in theory if name in file.names]
        if there:
            file.read(there, item.entrystart, item.entrystop)


def _kept_branches(spec: SkimSpec, dataset: Dataset, file: OpenFile) -> Branches:
    """Branches that a part holds: the configured ones, or those of them that are there."""
    kept = _told_apart(spec, dataset, file)
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


def _told_apart(spec: SkimSpec, dataset: Dataset, file: OpenFile) -> Branches:
    """Branches that are wanted of a file, among them what numbers the events of data.

    Raises
    ------
    InputError
        If a file does not number its events, though repeated ones must be found.
    """
    kept = spec.kept_branches(dataset)
    missing = [name for name in EVENT_ID if name not in file.names]
    if not missing or not is_compared(dataset):
        return kept
    asked = spec.branches.get(EVENT, ())
    if dataset.duplicates != WHERE_KNOWN:
        if not set(asked).issuperset(missing):  # else told as any other branch
            raise missing_ids(file.filename, missing)
        return kept
    left = tuple(name for name in kept[EVENT] if name in asked or name not in missing)
    return {group: fields for group, fields in {**kept, EVENT: left}.items() if fields}


@functools.cache  # not once for each of a thousand work items
def _say_once(dataset: str, absent: str) -> None:
    _log.warning(
        "preprocess.ignore_missing: files of %s do not have %s; events are kept without",
        dataset,
        absent,
    )


def _mask(spec: SkimSpec, events: Any, length: int) -> Mask:
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


def _weights(weights: Any, length: int) -> Floats:
    return generator_weights(None if weights is None else np.asarray(weights), length)


def _count(item: WorkItem, weights: Floats) -> PartCounts:
    return PartCounts(
        dataset=item.dataset,
        file=item.filename,
        entrystart=item.entrystart,
        entrystop=item.entrystop,
        nevts=len(weights),
        sum_weights=float(weights.sum()),
        sum_signs=float(np.sign(weights).sum()),
    )
