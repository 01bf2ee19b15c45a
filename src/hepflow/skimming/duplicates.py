"""The same event twice in the data of an analysis: counted once, or refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from hepflow.skimming.counting import CountedIds, Counting, Ids, Integers, counted_ids
from hepflow.skimming.losses import ItemKey, divided, without_failed
from hepflow.skimming.parts import AnyPart, LivePart, PartTask
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import SkimSpec, is_compared
from hepflow.storage import forget_oldest, private_folder, read_part, write_part

_log = logging.getLogger(__name__)
_SHOWN = 3  # examples in a message
_KEPT = 100_000_000  # [byte] what results may take in the cache


@dataclass(frozen=True)
class _Found:
    """What was found, and is kept for the next run."""

    drops: Sequence[Integers]  # rows of each part that are left out
    unknown: Sequence[int] = ()  # positions of the parts whose events have no numbers


@dataclass(frozen=True)
class IdsTask(PartTask):
    """Reading the numbers of the events of a part that count."""

    counting: Counting

    @property
    def identity(self) -> str:
        """Digest of the part and of what is done with it."""
        return f"{super().identity} {self.counting.digest}"


def read_ids(task: IdsTask) -> CountedIds:
    """Run, luminosity block and event number of a part's events that count. Runs on workers."""
    return counted_ids(task.part, task.counting)


def probe_ids(task: IdsTask) -> None:
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

    An event that does not count where it stands (``keep``, certified runs) takes no other's place.

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
    wanted = [name for name in skims if is_compared(datasets[name])]
    parts = [part for name in wanted for part in skims[name].parts]
    if not parts:
        return dict(skims)
    counting = {name: Counting.of(spec, datasets[name]) for name in wanted}
    tasks = [IdsTask(part, counting[part.item.dataset]) for part in parts]
    settings = [(task.part.identity, task.counting.digest) for task in tasks]
    path = private_folder(cache / "duplicates") / f"{stable_hash(settings)}.pkl"
    found = _stored(path, len(parts)) if reuse else None
    if found is None:
        ids, failed, pieces = _read(tasks, spec, executor, cache, policy)
        if pieces:  # an event of what is left out must not take another's place
            left = without_failed(skims, failed, pieces, spec, policy)
            return drop_duplicates(left, spec, executor, cache, reuse=reuse, policy=policy)
        found = _find(parts, ids, datasets)
        write_part(path, {"drops": list(found.drops), "unknown": list(found.unknown)})
        forget_oldest(path.parent, _KEPT, keep=[path])
    _report(parts, found)
    cleaned = {
        part.identity: part.without(drop) if len(drop) else part
        for part, drop in zip(parts, found.drops, strict=True)
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
    compared = [name for name, dataset in spec.datasets.items() if is_compared(dataset)]
    mine: dict[str, list[AnyPart]] = {name: [] for name in compared}
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


def _stored(path: Path, n_parts: int) -> _Found | None:
    if not path.exists():
        return None
    try:
        stored = read_part(path)
        found = _Found(stored["drops"], stored["unknown"])
    except (StorageError, KeyError):
        return None  # found again from the parts
    return found if len(found.drops) == n_parts else None


def _read(
    tasks: Sequence[IdsTask], spec: SkimSpec, executor: Executor, cache: Path, policy: OnMissing
) -> tuple[list[CountedIds], tuple[Outcome, ...], dict[ItemKey, tuple[Range, ...]]]:
    """Numbers of the events of each part; what is lost; what of the failed parts goes on."""
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
    parts: Sequence[AnyPart], counted: Sequence[CountedIds], datasets: Mapping[str, Dataset]
) -> _Found:
    lengths = [one.count for one in counted]
    numbers = joined([one.ids for one in counted])
    again, first = repeated(numbers)
    names = np.array([str(part.metadata["dataset"]) for part in parts])
    ends = np.cumsum(lengths)
    first_in, again_in = (names[np.searchsorted(ends, one, side="right")] for one in (first, again))
    strict = [name for name, one in datasets.items() if one.duplicates == "refuse"]
    bad = np.isin(first_in, strict) | np.isin(again_in, strict)
    if bad.any():
        pairs = Counter(zip(first_in[bad].tolist(), again_in[bad].tolist(), strict=True))
        _refuse(pairs, [column[again[bad][:_SHOWN]] for column in numbers])
    found = zip(counted, by_part(again, lengths), strict=True)
    unknown = [i for i, one in enumerate(counted) if not one.known]
    return _Found([one.in_part(positions) for one, positions in found], unknown)


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


def _report(parts: Sequence[AnyPart], found: _Found) -> None:
    for name in dict.fromkeys(parts[i].item.dataset for i in found.unknown):
        _log.warning(
            "skim: files of %s do not number their events (%s): whether events of data are "
            "repeated is not known. Set duplicates of the dataset to keep if none is.",
            name,
            ", ".join(EVENT_ID),
        )
    counts: Counter[str] = Counter()
    for part, drop in zip(parts, found.drops, strict=True):
        counts[part.item.dataset] += len(drop)
    for name, count in counts.items():
        if count:
            _log.info("skim: %s: %d repeated events are left out, each counts once", name, count)
