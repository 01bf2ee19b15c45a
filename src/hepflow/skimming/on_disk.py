"""Make the parts of a skim on disk, or find those that are there."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hepflow import rates
from hepflow.errors import StorageError
from hepflow.execution import Executor, Outcome
from hepflow.execution.failures import separated, settle
from hepflow.execution.isolation import Memory, Range, effort, isolate
from hepflow.journal import tell, why_again
from hepflow.keys import Key
from hepflow.records import Loss, WorkItem
from hepflow.schema.execution import OnMissing
from hepflow.skimming.items import in_order
from hepflow.skimming.losses import loss_of, read_lost, write_lost
from hepflow.skimming.making import PartRecord, SkimTask, part_name, probe_item, skim_item
from hepflow.skimming.manifest import (
    is_untouched,
    known_parts,
    of_other_files,
    part_path,
    read_manifest,
    remove_outdated,
    stored_key,
    write_manifest,
)
from hepflow.skimming.spec import STAGE, SkimSpec
from hepflow.skimming.totals import item_metadata
from hepflow.storage import remove_stale_temporaries

_log = logging.getLogger(__name__)
_DOING = "skimming"
_NOTHING_NEW = "nothing it depends on has changed"
Records = dict[str, PartRecord]  # by path


@dataclass(frozen=True)
class Store:
    """Where parts lie, and what they are made with."""

    spec: SkimSpec
    keys: Mapping[str, Key]  # by dataset
    folders: Mapping[str, Path]  # by dataset
    suffix: str  # of parts: their format
    reuse: bool
    policy: OnMissing

    def task(self, item: WorkItem) -> SkimTask:
        """Work for one part."""
        name = part_name(item, self.keys[item.dataset], self.suffix)
        return SkimTask(item, part_path(self.folders[item.dataset], name), self.reuse)


@dataclass(frozen=True)
class Made:
    """Parts that are there."""

    items: tuple[WorkItem, ...]  # one each; what was lost is cut out of them
    records: Records
    losses: tuple[Loss, ...]


@dataclass(frozen=True)
class _Attempt:
    """What became of some work."""

    records: Records  # of parts that were there, or were made
    failed: list[Outcome]
    todo: list[SkimTask]  # what a worker looked at
    reused: int  # parts that were there


def make_parts(store: Store, items: Sequence[WorkItem], executor: Executor, memory: Memory) -> Made:
    """Make the parts that are not there.

    An entry range that fails is narrowed down to what is at fault in it. What is beside that is
    made into parts of its own, unless the run stops or leaves the dataset out because of it.

    Raises
    ------
    HepflowError
        If something fails that the policy does not admit; what was made is kept.
    """
    for folder in store.folders.values():
        remove_stale_temporaries(folder)
    known = known_parts(store.keys, store.folders)
    tasks = [store.task(item) for item in items]
    first = _attempt(store, tasks, known, executor)
    records, failed, reused = first.records, first.failed, first.reused
    if failed:
        probe = functools.partial(probe_item, store.spec)
        worth = effort(failed, of=len(tasks), policy=store.policy)
        isolated = isolate(executor, probe, failed, memory, worth=worth)
        more = [
            store.task(replace(whole.item.item, entrystart=start, entrystop=stop))
            for whole, one in zip(failed, isolated, strict=True)
            for start, stop in one.to_do(store.policy)
        ]
        gone = {one.item.path for one in failed}
        tasks = [*(task for task in tasks if task.path not in gone), *more]
        second = _attempt(store, more, known, executor)
        records, reused = {**records, **second.records}, reused + second.reused
        failed = [*(bad for one in isolated for bad in one.outcomes), *second.failed]
    _tell(store, first.todo, len(records), reused, ran=reused < len(items))
    bad: dict[tuple[str, str], list[WorkItem]] = {}
    for one in first.failed:
        bad.setdefault((one.item.item.dataset, one.item.item.filename), []).append(one.item.item)
    pieces = [
        record
        for path, record in known.items()
        if path not in records and any(_is_of(record, item) for item in bad.get(_place(record), ()))
    ]
    losses = _settle(store, tasks, records, failed, pieces, known.values())
    kept = sorted((task.item for task in tasks if task.path in records), key=in_order)
    return Made(tuple(kept), records, losses)


def _attempt(
    store: Store, tasks: Sequence[SkimTask], known: Mapping[str, PartRecord], executor: Executor
) -> _Attempt:
    found = {
        task.path: known[task.path]
        for task in tasks
        if task.reuse and task.path in known and is_untouched(task.path, known[task.path])
    }
    todo = [
        replace(task, sha256=known[task.path].sha256) if task.path in known else task
        for task in tasks
        if task.path not in found
    ]
    work = functools.partial(skim_item, store.spec)
    done, failed = separated(executor.map(work, todo, label=_DOING) if todo else ())
    reused = len(found) + sum(outcome.value.reused for outcome in done)
    found.update((outcome.item.path, outcome.value) for outcome in done)
    made = [one for one in done if not one.value.reused]
    events = sum(one.value.counts.nevts for one in made)
    rates.add(STAGE, events, sum(one.seconds for one in made))
    return _Attempt(found, failed, todo, reused)


def _tell(store: Store, todo: Sequence[SkimTask], there: int, reused: int, *, ran: bool) -> None:
    _log.info("skim: %d parts, %d made, %d reused", there, there - reused, reused)
    tell(STAGE, *(("ran", _why(store, todo)) if ran else ("reused", _NOTHING_NEW)))


def _why(store: Store, todo: Sequence[SkimTask]) -> str:
    """Why parts are made, of the dataset that comes first."""
    for task in todo:
        if not task.reuse:
            return "general.read_from_cache is off"
        name = task.item.dataset
        stored = stored_key(store.folders[name])
        if stored is not None and stored.digest == store.keys[name].digest:
            there = read_manifest(store.folders[name], stored)
            if not any(one.name.endswith(store.suffix) for one in there):
                return f"{name}: changed: format of the parts"
            return f"{name}: input files or parts of it are new"
        return f"{name}: {why_again(stored, store.keys[name])}"
    return ""


def _settle(
    store: Store,
    tasks: Sequence[SkimTask],
    records: Records,
    failed: Sequence[Outcome],
    pieces: Sequence[PartRecord],
    known: Iterable[PartRecord],
) -> tuple[Loss, ...]:
    """Write the manifests, judge what failed, and clear away what is outdated.

    What of a failed part is known to work stays in the manifest (`pieces`): another policy may
    take it. So do parts that are there of files that are not processed now (`known`).
    """
    there: dict[str, list[PartRecord]] = {name: [] for name in store.folders}
    for record in known:
        if record.counts.dataset in there:
            there[record.counts.dataset].append(record)
    mine: dict[str, list[SkimTask]] = {name: [] for name in store.folders}
    for task in tasks:
        mine[task.item.dataset].append(task)
    kept = {}
    for name, folder in store.folders.items():
        files = {task.file for task in mine[name]}
        files |= {one.item.file for one in failed if one.item.item.dataset == name}
        kept[name] = [
            *(records[task.path] for task in mine[name] if task.path in records),
            *of_other_files(there[name], files, store.suffix),
            *(one for one in pieces if one.counts.dataset == name),
        ]
        if not kept[name] or kept[name] != there[name]:  # else it says so already
            write_manifest(folder, store.keys[name], kept[name])
    of = len({task.path for task in tasks} | {one.item.path for one in failed})
    lost = tuple(
        loss_of(one, {"dataset": one.item.item.dataset, **item_metadata(one.item.item)}, STAGE)
        for one in settle(failed, _DOING, of=of, policy=store.policy)
    )
    write_lost(store.folders, store.keys, lost)
    for name, left in kept.items():
        remove_outdated(store.folders[name], left)
    return lost


def stored_parts(store: Store, items: Sequence[WorkItem]) -> Made:
    """Parts of the stored skim; what was lost when it was made is known from then.

    Raises
    ------
    StorageError
        If the stored skim does not fit the configuration.
    """
    known = known_parts(store.keys, store.folders)
    lost: dict[tuple[str, str], list[Loss]] = {}
    for loss in read_lost(store.folders, store.keys) if store.policy != "fail" else ():
        lost.setdefault((loss.dataset, loss.file), []).append(loss)
    pieces = _by_file(one for path, one in known.items() if path.endswith(store.suffix))
    losses: list[Loss] = []
    kept: list[WorkItem] = []
    missing = 0
    for item in items:
        if store.task(item).path in known:
            kept.append(item)
            continue
        place = (item.dataset, item.filename)
        inside = [one for one in pieces.get(place, ()) if _in(one, item)]
        mine = [one for one in lost.get(place, ()) if _in((one.entrystart, one.entrystop), item)]
        covered = sum(stop - start for start, stop in inside)
        covered += sum(one.entrystop - one.entrystart for one in mine)
        if covered != item.entrystop - item.entrystart or not (inside or mine):
            missing += 1
            continue
        kept += [replace(item, entrystart=start, entrystop=stop) for start, stop in inside]
        losses += mine
    if missing:
        raise StorageError(
            f"general.run_skimming is off, but {missing} of {len(items)} parts of the stored skim "
            "are absent or were made with another selection, other branches, other files or in "
            "another format. Set general.run_skimming to True."
        )
    wanted = {store.task(item).path for item in kept}
    records = {path: record for path, record in known.items() if path in wanted}
    return Made(tuple(kept), records, tuple(losses))


def _by_file(records: Iterable[PartRecord]) -> dict[tuple[str, str], list[Range]]:
    """Entry ranges that were made, by dataset and file, in order."""
    found: dict[tuple[str, str], list[Range]] = {}
    for one in records:
        found.setdefault(_place(one), []).append((one.counts.entrystart, one.counts.entrystop))
    return {place: sorted(ranges) for place, ranges in found.items()}


def _place(record: PartRecord) -> tuple[str, str]:
    return record.counts.dataset, record.counts.file


def _is_of(record: PartRecord, item: WorkItem) -> bool:
    """Whether a part of the same file holds some of the entries of an item."""
    return _in((record.counts.entrystart, record.counts.entrystop), item)


def _in(entries: Range, item: WorkItem) -> bool:
    return item.entrystart <= entries[0] and entries[1] <= item.entrystop
