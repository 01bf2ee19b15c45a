"""Skim all work items on the configured executor, and hand the parts on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hepflow.errors import InputError, StorageError
from hepflow.execution import Executor, Outcome, configured_executor
from hepflow.execution.failures import separated, settle
from hepflow.journal import tell, why_again
from hepflow.keys import Key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import Loss, WorkItem
from hepflow.schema import Config
from hepflow.schema.execution import OnMissing
from hepflow.skimming.duplicates import check_id_branches, drop_duplicates
from hepflow.skimming.formats import FORMATS
from hepflow.skimming.items import as_workitem, each_once
from hepflow.skimming.losses import (
    datasets_left,
    loss_of,
    lost_before,
    read_lost,
    with_losses,
    write_lost,
)
from hepflow.skimming.making import PartRecord, SkimTask, item_identity, part_name, skim_item
from hepflow.skimming.manifest import (
    is_untouched,
    known_parts,
    of_other_files,
    remove_outdated,
    stored_key,
    write_manifest,
)
from hepflow.skimming.parts import LivePart, Part
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import STAGE, SkimSpec
from hepflow.skimming.totals import (
    Fileset,
    Summary,
    common_metadata,
    differing_totals,
    item_metadata,
    known_totals,
    totals_of,
)
from hepflow.storage import remove_stale_temporaries

_log = logging.getLogger(__name__)


def process_workitems_with_skimming(
    workitems: Sequence[Any],
    config: Config | Mapping[str, Any],
    output_manager: OutputDirectoryManager,
    fileset: Fileset = None,
    nanoaods_summary: Summary = None,
    *,
    executor: Executor | None = None,
) -> dict[str, Skim]:
    """Skim all work items; parts that were made with the same key are reused.

    With ``execution.one_pass`` nothing is read or written here: the parts are entry ranges that
    are read and selected when they are loaded.

    Parameters
    ----------
    workitems
        Entry ranges, ours or coffea's.
    config
        Configuration; it is validated again.
    output_manager
        Folders; parts go to ``skimmed/<dataset>``.
    fileset
        As the metadata stage made it; tells how many files a dataset has in all.
    nanoaods_summary
        As the metadata stage made it; checked against what the skim counts. Needed with
        ``execution.one_pass``: the totals of the datasets come from it.
    executor
        Where to run; default as in the section ``execution``.

    Returns
    -------
    dict
        Dataset key -> sequence of ``(events, metadata)``, read lazily. Events of data that are
        repeated are left out or refused, as ``duplicates`` of their dataset says. What could
        not be processed is in the ``lost`` of each skim; a dataset that is left out for it
        (``execution.on_missing``) has no parts.

    Raises
    ------
    HepflowError
        If parts failed and ``execution.on_missing`` is ``fail``; those that finished are kept
        for the next run.
    InputError
        If a dataset has no work item, or events of data are repeated and that is refused.
    """
    valid = Config.of(config)
    spec = SkimSpec.from_config(valid)
    check_id_branches(spec)
    policy = valid.execution.on_missing
    lost = lost_before(spec.datasets, fileset, policy)
    items = _items_of(spec, workitems, lost)
    there = datasets_left(lost, (one.dataset for one in items), spec.datasets, policy)
    items = [one for one in items if one.dataset in there]
    chosen = replace(spec, datasets=there)
    runner = executor or configured_executor(valid.datasets.execution_args)
    if valid.execution.one_pass:
        tell(STAGE, "left out", "execution.one_pass: events are selected while filling")
        skims = _live_skims(chosen, items, fileset, nanoaods_summary)
    else:
        skims, mine = _skims_on_disk(valid, chosen, items, output_manager, fileset, runner)
        lost = (*lost, *mine)
        hurt = {one.dataset for one in lost}
        complete = {name: skim for name, skim in skims.items() if name not in hurt}
        _tell_differences(complete, nanoaods_summary)
    cache, reuse = output_manager.get_cache_dir(), valid.general.read_from_cache
    left = {name: there[name] for name in skims}
    skims = drop_duplicates(skims, left, runner, cache, reuse=reuse, policy=policy)
    return with_losses(skims, lost, spec.datasets)


def _skims_on_disk(
    config: Config,
    spec: SkimSpec,
    items: Sequence[WorkItem],
    output_manager: OutputDirectoryManager,
    fileset: Fileset,
    executor: Executor,
) -> tuple[dict[str, Skim], tuple[Loss, ...]]:
    """Skims whose parts are made or read back, and what was lost with it."""
    keys = {name: spec.key(dataset) for name, dataset in spec.datasets.items()}
    folders = {name: output_manager.get_dataset_dir(name) for name in spec.datasets}
    suffix = FORMATS[config.preprocess.skimming.output.format].suffix
    reuse, policy = config.general.read_from_cache, config.execution.on_missing
    tasks = [
        SkimTask(item, str(folders[item.dataset] / _name(item, keys, suffix)), reuse)
        for item in items
    ]
    if config.general.run_skimming:
        records, lost = _run(spec, tasks, keys, folders, executor, policy)
    else:
        tell(STAGE, "read back", "general.run_skimming is off")
        records, lost = _read_back(tasks, keys, folders, policy)
    done = {record.counts.item_key for record in records.values()}
    items = [item for item in items if item.item_key in done]
    there = datasets_left(lost, (item.dataset for item in items), spec.datasets, policy)
    return _stored_skims(replace(spec, datasets=there), items, records, keys, fileset), lost


def _name(item: WorkItem, keys: Mapping[str, Key], suffix: str) -> str:
    return part_name(item, keys[item.dataset], suffix)


def _items_of(spec: SkimSpec, workitems: Sequence[Any], lost: Sequence[Loss]) -> list[WorkItem]:
    """Work items of the wanted datasets, each of which has some or lost its files before."""
    items = each_once(one for one in map(as_workitem, workitems) if one.dataset in spec.datasets)
    known = {one.dataset for one in items} | {one.dataset for one in lost}
    absent = sorted(spec.datasets.keys() - known)
    if absent:
        raise InputError(
            f"there is no work item of {', '.join(absent)}. Run the metadata step for all datasets "
            "(general.run_metadata_generation), or name what is wanted in general.processes."
        )
    return items


def _run(
    spec: SkimSpec,
    tasks: Sequence[SkimTask],
    keys: Mapping[str, Key],
    folders: Mapping[str, Path],
    executor: Executor,
    policy: OnMissing,
) -> tuple[dict[str, PartRecord], tuple[Loss, ...]]:
    """Records by path of parts that were made, or were there; and what was lost."""
    for folder in folders.values():
        remove_stale_temporaries(folder)
    known = known_parts(keys, folders)
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
    work = functools.partial(skim_item, spec)
    done, failed = separated(executor.map(work, todo, label="skimming") if todo else ())
    found |= {outcome.item.path: outcome.value for outcome in done}
    why = _why(todo, keys, folders)
    reused = len(tasks) - len(todo) + sum(one.reused for one in found.values())
    _log.info("skim: %d parts, %d made, %d reused", len(tasks), len(found) - reused, reused)
    made = reused < len(tasks)
    tell(STAGE, "ran" if made else "reused", why if made else "nothing it depends on has changed")
    return found, _settle(tasks, found, keys, folders, failed, policy)


def _why(todo: Sequence[SkimTask], keys: Mapping[str, Key], folders: Mapping[str, Path]) -> str:
    """Why parts are made, of the dataset that comes first."""
    for task in todo:
        if not task.reuse:
            return "general.read_from_cache is off"
        name = task.item.dataset
        stored = stored_key(folders[name])
        if stored is not None and stored.digest == keys[name].digest:
            return f"{name}: input files or parts of it are new"
        return f"{name}: {why_again(stored, keys[name])}"
    return ""


def _settle(
    tasks: Sequence[SkimTask],
    found: Mapping[str, PartRecord],
    keys: Mapping[str, Key],
    folders: Mapping[str, Path],
    failed: Sequence[Outcome],
    policy: OnMissing,
) -> tuple[Loss, ...]:
    """Write the manifests, judge what failed, and clear away what is outdated."""
    kept = {}
    for name, folder in folders.items():
        mine = [task for task in tasks if task.item.dataset == name]
        files = {task.file for task in mine}
        suffix = Path(mine[0].path).suffix
        kept[name] = [
            *(found[task.path] for task in mine if task.path in found),
            *of_other_files(folder, keys[name], files, suffix),
        ]
        write_manifest(folder, keys[name], kept[name])
    lost = tuple(
        loss_of(one, {"dataset": one.item.item.dataset, **item_metadata(one.item.item)}, STAGE)
        for one in settle(failed, "skimming", of=len(tasks), policy=policy)
    )
    write_lost(folders, keys, lost)
    for name, records in kept.items():
        remove_outdated(folders[name], records)
    return lost


def _read_back(
    tasks: Sequence[SkimTask],
    keys: Mapping[str, Key],
    folders: Mapping[str, Path],
    policy: OnMissing,
) -> tuple[dict[str, PartRecord], tuple[Loss, ...]]:
    """Records by path of the stored skim; one that does not fit the configuration is an error."""
    known = known_parts(keys, folders)
    wanted = {task.item.item_key: task.path for task in tasks}
    lost = tuple(
        one
        for one in (read_lost(folders, keys) if policy != "fail" else ())
        if wanted.get(one.item_key, "") not in {"", *known}
    )
    gone = {one.item_key for one in lost}
    tasks = [task for task in tasks if task.item.item_key not in gone]
    missing = sum(task.path not in known for task in tasks)
    if missing:
        raise StorageError(
            f"general.run_skimming is off, but {missing} of {len(tasks)} parts of the stored skim "
            "are absent or were made with another selection, other branches, other files or in "
            "another format. Set general.run_skimming to True."
        )
    return {task.path: known[task.path] for task in tasks}, lost


def _stored_skims(
    spec: SkimSpec,
    items: Sequence[WorkItem],
    records: Mapping[str, PartRecord],
    keys: Mapping[str, Key],
    fileset: Fileset,
) -> dict[str, Skim]:
    """Skims whose parts are files; totals are over all parts of a dataset."""
    by_item = {record.counts.item_key: (path, record) for path, record in records.items()}
    skims = {}
    for name, dataset in spec.datasets.items():
        mine = [(item, *by_item[item.item_key]) for item in items if item.dataset == name]
        totals = totals_of([record.counts for _, _, record in mine])
        common = common_metadata(dataset, totals, fileset)
        parts = [
            Part(
                path=path,
                metadata={
                    **common,
                    **item_metadata(item),
                    "part_sum_weights": record.counts.sum_weights,
                    "part_sum_signs": record.counts.sum_signs,
                },
                n_selected=record.n_selected,
                identity=item_identity(item, keys[name]),
            )
            for item, path, record in mine
        ]
        skims[name] = Skim(name, parts)
    return skims


def _tell_differences(skims: Mapping[str, Skim], summary: Summary) -> None:
    counted = {name: skim.metadata[0]["nevts"] for name, skim in skims.items()}
    for name, known in differing_totals(summary, counted).items():
        _log.warning("skim: %s has %s events, its metadata said %s", name, *known)


def _live_skims(
    spec: SkimSpec, items: Sequence[WorkItem], fileset: Fileset, summary: Summary
) -> dict[str, Skim]:
    """Skims whose parts are read from the input files each time they are loaded."""
    skims = {}
    for name, dataset in spec.datasets.items():
        mine = [item for item in items if item.dataset == name]
        common = common_metadata(dataset, known_totals(name, mine, summary), fileset)
        own = replace(spec, datasets={name: dataset})  # parts travel: each with what it needs
        key = spec.key(dataset)
        parts = [
            LivePart(own, item, {**common, **item_metadata(item)}, item_identity(item, key))
            for item in mine
        ]
        skims[name] = Skim(name, parts)
    return skims
