"""The same event twice in the data of an analysis: counted once, or refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import InputError, StorageError
from hepflow.events import EVENT_ID
from hepflow.execution import Executor, Outcome
from hepflow.execution.failures import separated, settle
from hepflow.execution.isolation import Memory, Range, effort, isolate
from hepflow.keys import stable_hash
from hepflow.records import Dataset, Loss
from hepflow.schema.execution import OnMissing
from hepflow.skimming.losses import ItemKey, divided, without_failed
from hepflow.skimming.parts import AnyPart, Ids, LivePart, PartTask
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import SkimSpec
from hepflow.storage import forget_oldest, private_folder, read_part, write_part

_log = logging.getLogger(__name__)
_SHOWN = 3  # examples in a message
_KEPT = 100_000_000  # [byte] what results may take in the cache
Integers = np.ndarray[Any, np.dtype[np.int64]]


def read_ids(task: PartTask) -> Ids:
    """Run, luminosity block and event number of a part's events. Runs on workers."""
    return task.part.event_ids()


def probe_ids(task: PartTask) -> None:
    """Read what `read_ids` does, and all else of the entry range. Runs on workers."""
    if isinstance(task.part, LivePart):
        task.part.check()
    read_ids(task)


def repeated(ids: Ids) -> tuple[Integers, Integers]:
    """Find events that were there before.

    Parameters
    ----------
    ids
        Run, luminosity block and event number, each of shape (n_events,).

    Returns
    -------
    tuple
        Positions of repeated events in rising order, and for each the position of the first
        event with its numbers.

    Examples
    --------
    >>> run, block, event = np.array([1, 1, 1, 2]), np.array([5, 5, 5, 5]), np.array([7, 8, 7, 7])
    >>> [found.tolist() for found in repeated((run, block, event))]
    [[2], [0]]
    """
    run, block, event = ids
    order = np.lexsort((event, block, run))  # stable: equal events stay in order
    if len(order) == 0:
        return order, order
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = True
    for numbers in (run, block, event):
        same[1:] &= numbers[order[1:]] == numbers[order[:-1]]
    starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    again, first = order[same], order[starts[same]]
    rising = np.argsort(again)
    return again[rising], first[rising]


def joined(idsby_part: Sequence[Ids]) -> Ids:
    """All numbers in one array each, whatever integers the parts have."""
    run, block, event = (
        np.concatenate([np.asarray(ids[i]).astype(np.uint64) for ids in idsby_part])
        for i in range(3)
    )
    return run, block, event


def by_part(positions: Integers, lengths: Sequence[int]) -> list[Integers]:
    """Rising positions in all parts together, as positions in each part.

    Examples
    --------
    >>> [found.tolist() for found in by_part(np.array([1, 4, 5]), [2, 0, 4])]
    [[1], [], [2, 3]]
    """
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    cuts = np.searchsorted(positions, starts)
    return [
        positions[low:high] - start
        for start, low, high in zip(starts[:-1], cuts[:-1], cuts[1:], strict=True)
    ]


def check_id_branches(spec: SkimSpec) -> None:
    """Make sure that the events of data can be told apart where that is asked for.

    Raises
    ------
    InputError
        If the branches that name an event are not kept.
    """
    for dataset in spec.datasets.values():
        if not _is_looked_at(dataset):
            continue
        kept = spec.kept_branches(dataset).get("event", ())
        missing = [name for name in EVENT_ID if name not in kept]
        if missing:
            raise InputError(
                f"{dataset.key}: duplicates is {dataset.duplicates!r}, but {', '.join(missing)}, "
                "by which events are told apart, is not kept. Add it to preprocess.branches "
                "(event), or set duplicates to keep."
            )


def _is_looked_at(dataset: Dataset) -> bool:
    return dataset.is_data and dataset.duplicates != "keep"


def drop_duplicates(
    skims: Mapping[str, Skim],
    spec: SkimSpec,
    executor: Executor,
    cache: Path,
    *,
    reuse: bool,
    policy: OnMissing = "fail",
) -> dict[str, Skim]:
    """Leave out events of data that an earlier dataset, file or entry range has.

    Parameters
    ----------
    skims
        By dataset key.
    spec
        With the datasets in the order of the configuration: the first one keeps its event.
    executor
        Where the numbers of the events are read.
    cache
        Private folder for the result, which is found again as long as the parts are the same.
    reuse
        Whether what is there is taken.
    policy
        What happens to parts that cannot be read, as ``execution.on_missing``.

    Returns
    -------
    dict
        The same skims, those of data without the repeated events and the parts that were lost.

    Raises
    ------
    InputError
        If an event is repeated and a dataset that has it is set to ``refuse``.
    """
    datasets = spec.datasets
    wanted = [name for name in skims if _is_looked_at(datasets[name])]
    parts = [part for name in wanted for part in skims[name].parts]
    if not parts:
        return dict(skims)
    settings = [(part.identity, datasets[part.metadata["dataset"]].duplicates) for part in parts]
    path = private_folder(cache / "duplicates") / f"{stable_hash(settings)}.pkl"
    drops = _stored(path, len(parts)) if reuse else None
    if drops is None:
        found, failed, pieces = _read(parts, spec, executor, cache, policy)
        if pieces:  # an event of what is left out must not take another's place
            left = without_failed(skims, failed, pieces, spec, policy)
            return drop_duplicates(left, spec, executor, cache, reuse=reuse, policy=policy)
        drops = _find(parts, found, datasets)
        write_part(path, {"drops": drops})
        forget_oldest(path.parent, _KEPT, keep=[path])
    _report(parts, drops)
    cleaned = {
        part.identity: part.without(drop) if len(drop) else part
        for part, drop in zip(parts, drops, strict=True)
    }
    return {
        name: Skim(name, [cleaned.get(part.identity, part) for part in skim.parts], skim.lost)
        for name, skim in skims.items()
    }


def repeats_again(
    parts: Sequence[AnyPart],
    spec: SkimSpec,
    executor: Executor,
    cache: Path,
    *,
    reuse: bool,
    policy: OnMissing,
) -> tuple[list[AnyPart], list[Loss]]:
    """Look anew for repeated events where parts of data are gone since that was done.

    Else an event whose first copy is gone would count nowhere.

    Returns
    -------
    tuple
        The parts in their order, and what of them could not be read.
    """
    looked_at = [name for name, dataset in spec.datasets.items() if _is_looked_at(dataset)]
    mine: dict[str, list[AnyPart]] = {name: [] for name in looked_at}
    for part in parts:
        if part.item.dataset in mine:
            mine[part.item.dataset].append(part.whole(spec))
    skims = {name: Skim(name, found) for name, found in mine.items() if found}
    skims = drop_duplicates(skims, spec, executor, cache, reuse=reuse, policy=policy)
    names = dict.fromkeys(part.item.dataset for part in parts)
    found = [
        part
        for name in names
        for part in (skims[name].parts if name in skims else _of(parts, name))
    ]
    return found, [loss for skim in skims.values() for loss in skim.lost]


def _of(parts: Sequence[AnyPart], dataset: str) -> list[AnyPart]:
    return [part for part in parts if part.item.dataset == dataset]


def _stored(path: Path, n_parts: int) -> list[Integers] | None:
    if not path.exists():
        return None
    try:
        drops: list[Integers] = read_part(path)["drops"]
    except (StorageError, KeyError):
        return None  # found again from the parts
    return drops if len(drops) == n_parts else None


def _read(
    parts: Sequence[AnyPart], spec: SkimSpec, executor: Executor, cache: Path, policy: OnMissing
) -> tuple[list[Ids], tuple[Outcome, ...], dict[ItemKey, tuple[Range, ...]]]:
    """Numbers of the events of each part; what is lost; what of the failed parts goes on."""
    tasks = [PartTask(part) for part in parts]
    doing = "looking for repeated events"
    done, failed = separated(executor.map(read_ids, tasks, label=doing))
    failed = [replace(one, item=one.item.live(spec)) for one in failed]
    worth = effort(failed, of=len(tasks), policy=policy)
    isolated = isolate(executor, probe_ids, failed, Memory(cache / "isolated"), worth=worth)
    lost = [bad for one in isolated for bad in one.outcomes]
    settled = settle(lost, doing, of=len(tasks), policy=policy)
    ids = [one.value for one in sorted(done, key=lambda one: one.index)]
    return ids, settled, divided(failed, isolated, policy)


def _find(
    parts: Sequence[AnyPart], ids: Sequence[Ids], datasets: Mapping[str, Dataset]
) -> list[Integers]:
    lengths = [len(one[0]) for one in ids]
    numbers = joined(ids)
    again, first = repeated(numbers)
    names = np.array([str(part.metadata["dataset"]) for part in parts])
    ends = np.cumsum(lengths)
    first_in, again_in = (names[np.searchsorted(ends, one, side="right")] for one in (first, again))
    strict = [name for name, one in datasets.items() if one.duplicates == "refuse"]
    bad = np.isin(first_in, strict) | np.isin(again_in, strict)
    if bad.any():
        pairs = Counter(zip(first_in[bad].tolist(), again_in[bad].tolist(), strict=True))
        _refuse(pairs, [column[again[bad][:_SHOWN]] for column in numbers])
    return by_part(again, lengths)


def _refuse(pairs: Mapping[tuple[str, str], int], examples: Sequence[Any]) -> None:
    """Raise for repeated events: how many of which dataset in which, and some of them."""
    where = "; ".join(
        f"{count:,} twice in {one}" if one == two else f"{count:,} of {one} again in {two}"
        for (one, two), count in pairs.items()
    )
    shown = ", ".join(f"{run}:{block}:{event}" for run, block, event in zip(*examples, strict=True))
    raise InputError(
        f"events of data are repeated: {where} (run:block:event {shown}). Take the repeated files "
        "out, or set duplicates of these datasets to once, which counts each event once."
    )


def _report(parts: Sequence[AnyPart], drops: Sequence[Integers]) -> None:
    counts: Counter[str] = Counter()
    for part, drop in zip(parts, drops, strict=True):
        counts[part.metadata["dataset"]] += len(drop)
    for name, count in counts.items():
        if count:
            _log.info("skim: %s: %d repeated events are left out, each counts once", name, count)
