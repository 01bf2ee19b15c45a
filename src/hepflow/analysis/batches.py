"""Fill parts on the executor: small ones of a dataset together, as each call costs as much."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow import rates
from hepflow.analysis.event_loop import EventLoop
from hepflow.analysis.filling_keys import STAGE
from hepflow.analysis.kept import MOST, forget, keep, kept
from hepflow.analysis.steps import item_key_of
from hepflow.errors import StorageError, UserFunctionError
from hepflow.execution import Executor, Outcome
from hepflow.histograms import write_raw
from hepflow.keys import Key
from hepflow.records import RawHistograms
from hepflow.skimming.loading import load_parts
from hepflow.skimming.parts import LivePart, PartTask
from hepflow.storage import sha256_bytes

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

_MOST = 600_000  # events of a batch: a hundred variations cost 0.2 s, however few these are
_BOUNDED = 100_000  # the same where `execution.memory_limit` is set
_LEAST = 20_000  # below, the fixed cost of a batch is felt


@dataclass(frozen=True)
class FillTask(PartTask):
    """A part to fill, and where its histograms go."""

    path: str

    @property
    def stage(self) -> str:
        """For records of failures."""
        return "histograms"


@dataclass(frozen=True)
class Batch:
    """Parts of one dataset that are filled by one call."""

    tasks: tuple[FillTask, ...]
    n_events: int
    stem: str = ""  # of the files with its prepared events; "" where none are kept
    room: float = 0.0  # for these files [byte]

    @property
    def file(self) -> str:
        """First input file."""
        return self.tasks[0].file

    @property
    def label(self) -> str:
        """For messages."""
        more = f" and {len(self.tasks) - 1} more" if self.tasks[1:] else ""
        return f"{self.tasks[0].label}{more}"


def in_batches(tasks: Sequence[FillTask], workers: int, most: int = _MOST) -> list[Batch]:
    """Put parts of one dataset together, the largest batches first.

    Where it is not known yet how many events of a part are selected, it may be all of them.
    Results do not depend on the batches: each part keeps its own sums.

    Parameters
    ----------
    workers
        How many there are: two batches for each of several, so that they end together.
    most
        Events of a batch.
    """
    total = sum(map(_size, tasks))
    most = min(most, max(_LEAST, total // (2 * workers if workers > 1 else 1)))
    groups: list[list[FillTask]] = []
    for _, mine in itertools.groupby(tasks, key=lambda task: task.part.item.dataset):
        groups += _even(list(mine), most)
    batches = [Batch(tuple(one), sum(task.part.n_selected or 0 for task in one)) for one in groups]
    return sorted(batches, key=lambda batch: -batch.n_events)


def _even(tasks: Sequence[FillTask], most: int) -> list[list[FillTask]]:
    """Groups of about the same size: the largest one tells how much memory a worker takes."""
    total = max(1, sum(map(_size, tasks)))
    count = math.ceil(total / most)
    groups: list[list[FillTask]] = []
    before = held = place = 0  # events in all groups, and in the last one; which of `count` it is
    for task in tasks:
        size = _size(task)
        here = (2 * before + size) * count // (2 * total)  # where the middle of the part falls
        if groups and here == place and held + size <= most:
            groups[-1].append(task)
            held += size
        else:
            groups.append([task])
            held, place = size, here
        before += size
    return groups


def _size(task: FillTask) -> int:
    """Events of a part, at most."""
    known, item = task.part.n_selected, task.part.item
    return item.entrystop - item.entrystart if known is None else known


def fill_batch(analysis: Analysis, batch: Batch) -> None:
    """Fill some parts and keep the result of each. Runs on workers."""
    own_way = type(analysis).process_chunk is not EventLoop.process_chunk
    if not own_way and batch.stem and _fill_from_kept(analysis, batch):
        return
    choose = None if own_way else analysis.late_objects_of(batch.tasks[0].part.metadata)
    groups = load_parts([task.part for task in batch.tasks], apart=own_way, choose=choose)
    for loaded in groups:
        if own_way:
            metadata = loaded.metadata[0]
            raws = [checked_chunk(analysis.process_chunk(loaded.events, metadata), metadata)]
        else:
            prepared = analysis.prepare_parts(
                loaded.events, loaded.metadata, loaded.lengths, loaded.late
            )
            if batch.stem and not groups[1:]:
                prepared = keep(prepared, Path(batch.stem), batch.room)
            raws = analysis.fill_prepared(prepared, loaded.metadata)
        for i, raw in zip(loaded.positions, raws, strict=True):
            write_raw(Path(batch.tasks[i].path), raw)


def probe_part(analysis: Analysis, task: FillTask) -> None:
    """Fill the part of a task, and keep nothing. Runs on workers; raises what filling does."""
    if isinstance(task.part, LivePart):
        task.part.check()
    events, metadata = task.part.load()
    checked_chunk(analysis.process_chunk(events, metadata), metadata)


def checked_chunk(raw: Any, metadata: Any) -> RawHistograms:
    """What an overridden `process_chunk` returned, if it is the histograms of this part."""
    if isinstance(raw, RawHistograms) and set(raw.ledger.parts) == {item_key_of(metadata)}:
        return raw
    found = type(raw).__name__ if not isinstance(raw, RawHistograms) else "those of other parts"
    raise UserFunctionError(
        f"process_chunk: returned {found}, expected the RawHistograms of this part. Change what "
        "super().process_chunk(events, metadata) returns, or override single steps instead."
    )


def _fill_from_kept(analysis: Analysis, batch: Batch) -> bool:
    """Fill from prepared events; False where there are none that can be used."""
    prepared = kept(Path(batch.stem))
    if prepared is None:
        return False
    try:
        raws = analysis.fill_prepared(prepared, [task.part.metadata for task in batch.tasks])
    except StorageError:  # damaged: from the parts, and kept anew
        forget(Path(batch.stem))
        return False
    for task, raw in zip(batch.tasks, raws, strict=True):
        write_raw(Path(task.path), raw)
    return True


@dataclass(frozen=True)
class Keeping:
    """Where prepared events are kept, and what they depend on besides their parts."""

    folder: Path
    key: Key

    def of(self, batches: Sequence[Batch]) -> list[Batch]:
        """The same batches with the files of their prepared events."""
        total = max(1, sum(batch.n_events for batch in batches))
        return [
            replace(
                batch,
                stem=str(self.folder / self._name(batch)),
                room=MOST * batch.n_events / total,
            )
            if batch.n_events
            else batch
            for batch in batches
        ]

    def _name(self, batch: Batch) -> str:
        identities = (task.part.identity for task in batch.tasks)
        return sha256_bytes("\n".join((self.key.digest, *identities)).encode())


def fill_all(
    executor: Executor,
    analysis: Analysis,
    tasks: Sequence[FillTask],
    label: str,
    keeping: Keeping | None = None,
) -> Iterator[Outcome]:
    """Fill parts; one outcome for each part that failed, each tried by itself before."""
    work = functools.partial(fill_batch, analysis)
    again: list[FillTask] = []
    most = _MOST if analysis.spec.memory_limit is None else _BOUNDED
    batches = in_batches(tasks, executor.workers, most)
    batches = batches if keeping is None else keeping.of(batches)
    for outcome in executor.map(work, batches, label=label):
        if not outcome.ok and outcome.item.tasks[1:]:
            again.extend(outcome.item.tasks)
        elif not outcome.ok:
            yield Outcome(outcome.index, outcome.item.tasks[0], error=outcome.error)
        else:
            rates.add(STAGE, outcome.item.n_events, outcome.seconds)
    if again:
        alone = [Batch((task,), task.part.n_selected or 0) for task in again]
        for outcome in executor.map(work, alone, label=label):
            if not outcome.ok:
                yield Outcome(outcome.index, outcome.item.tasks[0], error=outcome.error)
