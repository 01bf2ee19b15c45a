"""Skim all work items on the configured executor, and hand the parts on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hepflow.errors import InputError
from hepflow.execution import Executor, configured_executor
from hepflow.execution.isolation import Memory
from hepflow.journal import tell
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import Loss, WorkItem
from hepflow.records.ledger import files_of
from hepflow.schema import Config
from hepflow.skimming.duplicates import drop_duplicates
from hepflow.skimming.formats import FORMATS
from hepflow.skimming.items import as_workitem, each_once
from hepflow.skimming.losses import admit, datasets_left, lost_before, with_losses
from hepflow.skimming.making import item_identity
from hepflow.skimming.on_disk import Made, Store, make_parts, stored_parts
from hepflow.skimming.parts import LivePart, Part
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import STAGE, SkimSpec
from hepflow.skimming.totals import (
    Fileset,
    Summary,
    common_metadata,
    differing_totals,
    known_totals,
    totals_of,
)

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
    IncompleteInput
        If a dataset lost more than ``execution.missing_limit`` admits.
    InputError
        If a dataset has no work item, or events of data are repeated and that is refused.
    """
    valid = Config.of(config)
    spec = SkimSpec.of_valid(valid)
    policy = valid.execution.on_missing
    lost = lost_before(spec.datasets, fileset, policy)
    files = files_of(fileset or {}, nanoaods_summary or {})
    admit(lost, files, valid.execution)
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
    skims = drop_duplicates(skims, chosen, runner, cache, reuse=reuse, policy=policy)
    found = with_losses(skims, lost, spec.datasets, files)
    admit([loss for skim in found.values() for loss in skim.lost], files, valid.execution)
    return found


def _skims_on_disk(
    config: Config,
    spec: SkimSpec,
    items: Sequence[WorkItem],
    output_manager: OutputDirectoryManager,
    fileset: Fileset,
    executor: Executor,
) -> tuple[dict[str, Skim], tuple[Loss, ...]]:
    """Skims whose parts are made or read back, and what was lost with it."""
    store = Store(
        spec=spec,
        keys={name: spec.key(dataset) for name, dataset in spec.datasets.items()},
        folders={name: output_manager.get_dataset_dir(name) for name in spec.datasets},
        suffix=FORMATS[config.preprocess.skimming.output.format].suffix,
        reuse=config.general.read_from_cache,
        policy=config.execution.on_missing,
    )
    if config.general.run_skimming:
        memory = Memory(output_manager.get_cache_dir() / "isolated")
        made = make_parts(store, items, executor, memory)
    else:
        tell(STAGE, "read back", "general.run_skimming is off")
        made = stored_parts(store, items)
    there = datasets_left(
        made.losses, (item.dataset for item in made.items), spec.datasets, store.policy
    )
    skims = _stored_skims(replace(spec, datasets=there), made, store, fileset)
    return skims, made.losses


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


def _stored_skims(spec: SkimSpec, made: Made, store: Store, fileset: Fileset) -> dict[str, Skim]:
    """Skims whose parts are files; totals are over all parts of a dataset."""
    by_item = {record.counts.item_key: (path, record) for path, record in made.records.items()}
    items: dict[str, list[WorkItem]] = {name: [] for name in spec.datasets}
    for item in made.items:
        if item.dataset in items:
            items[item.dataset].append(item)
    skims = {}
    for name, dataset in spec.datasets.items():
        mine = [(item, *by_item[item.item_key]) for item in items[name]]
        totals = totals_of([record.counts for _, _, record in mine])
        common = common_metadata(dataset, totals, fileset)
        parts = [
            Part(
                path=path,
                common=common,
                n_selected=record.n_selected,
                identity=item_identity(item, store.keys[name]),
                item=item,
                counts=record.counts,
            )
            for item, path, record in mine
        ]
        skims[name] = Skim(name, parts)
    return skims


def _tell_differences(skims: Mapping[str, Skim], summary: Summary) -> None:
    counted = {name: skim.parts[0].metadata["nevts"] for name, skim in skims.items()}
    for name, known in differing_totals(summary, counted).items():
        _log.warning("skim: %s has %s events, its metadata said %s", name, *known)


def _live_skims(
    spec: SkimSpec, items: Sequence[WorkItem], fileset: Fileset, summary: Summary
) -> dict[str, Skim]:
    """Skims whose parts are read from the input files each time they are loaded."""
    skims = {}
    by_dataset: dict[str, list[WorkItem]] = {name: [] for name in spec.datasets}
    for item in items:
        by_dataset[item.dataset].append(item)
    for name, dataset in spec.datasets.items():
        mine = by_dataset[name]
        common = common_metadata(dataset, known_totals(name, mine, summary), fileset)
        own = spec.only(name)  # parts travel: each with what it needs
        key = spec.key(dataset)
        parts = [LivePart(own, item, common, item_identity(item, key)) for item in mine]
        skims[name] = Skim(name, parts)
    return skims
