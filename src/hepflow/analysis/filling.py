"""Fill all parts of a skim on the executor; what was filled with the same key is reused."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.analysis.batches import FillTask, Keeping, fill_all, probe_part
from hepflow.analysis.filling_keys import STAGE, filling_keys, joined_key, prepared_key
from hepflow.analysis.kept import ALL
from hepflow.analysis.processed import merge_parts
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.steps import file_facts, files_known
from hepflow.analysis.unread import without_unread
from hepflow.errors import StorageError
from hepflow.execution import Executor, configured_executor
from hepflow.execution.failures import settle
from hepflow.execution.isolation import Memory, Range, effort, isolate
from hepflow.histograms import read_raw, write_raw
from hepflow.journal import tell, why_again
from hepflow.keys import Key
from hepflow.records import Loss, RawHistograms
from hepflow.schema.execution import OnMissing
from hepflow.skimming import AnyPart, Skim
from hepflow.skimming.duplicates import repeats_again
from hepflow.skimming.losses import ItemKey, admit, datasets_left, divided, loss_of, rearranged
from hepflow.skimming.spec import SkimSpec
from hepflow.storage import (
    forget_oldest,
    mark_used,
    private_folder,
    remove_stale_temporaries,
    sha256_bytes,
)

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

_log = logging.getLogger(__name__)
_MERGED = 500_000_000  # [byte] what merged results may take in the cache
_TRIES = 5  # to read parts that another run may have merged and removed


@dataclass(frozen=True)
class _Filling:
    """What filling needs beside the parts."""

    analysis: Analysis
    executor: Executor
    cache: Path
    reuse: bool
    policy: OnMissing
    fresh: set[str] = field(default_factory=set)  # files of parts that this run wrote
    losses: list[Loss] = field(default_factory=list)  # what this run could not fill
    pieces: dict[ItemKey, tuple[Range, ...]] = field(default_factory=dict)  # of parts that failed

    def merged(self, keys: Mapping[str, Key]) -> dict[str, Path]:
        """File of each channel's merged histograms."""
        folder = private_folder(self.cache / "merged")
        return {name: folder / f"{key.digest}.pkl" for name, key in keys.items()}


def fill_skims(
    analysis: Analysis,
    skims: Mapping[str, Skim],
    executor: Executor,
    cache: Path,
    *,
    reuse: bool,
    stored: Key | None = None,
) -> tuple[RawHistograms, Key]:
    """Fill all parts and merge them in the order of their work items, channel by channel.

    Parameters
    ----------
    cache
        Private folder for what was filled; parts of an interrupted run are found there.
    reuse
        Whether what is there with the same key is taken.
    stored
        Key of an earlier filling, to say what changed.

    Returns
    -------
    tuple
        Merged raw histograms, whose ledger holds all losses, and their key, which is that of the
        parts that were filled.
    """
    policy = analysis.config.execution.on_missing
    job = _Filling(analysis, executor, cache, reuse, policy)
    parts = [part for name in sorted(skims) for part in skims[name].parts]
    before = _lost_in(skims)
    keys = filling_keys(analysis, parts)
    filled = _fill_channels(job, parts, keys, stored)
    files = files_known(skims.values())
    while filled is None:  # all channels again: what was merged before holds what is lost now
        known = files + file_facts(part.metadata for part in parts)
        admit([*before, *job.losses], known, analysis.config.execution)
        parts = parts_left(analysis, parts, job.pieces, job.losses, executor)
        keys = filling_keys(analysis, parts)
        filled = _fill_channels(job, parts, keys, stored)
    total = RawHistograms(
        axes=analysis.spec.axes(),
        blocks={key: block for name in keys for key, block in filled[name].blocks.items()},
        cutflows={key: flow for name in keys for key, flow in filled[name].cutflows.items()},
        ledger=next(iter(filled.values())).ledger,
        yields=next(iter(filled.values())).yields,
    )
    found = _as_of_today(total, analysis, parts, skims, job.losses)
    return found, joined_key(keys)


def parts_left(
    analysis: Analysis,
    parts: Sequence[AnyPart],
    pieces: Mapping[ItemKey, Sequence[Range]],
    losses: list[Loss],
    executor: Executor | None = None,
) -> list[AnyPart]:
    """Parts that are not lost, or what of them is not, of datasets that go further.

    Where data lost something, repeated events are looked for anew among what is left; what
    fails then is added to `losses`.

    Raises
    ------
    InputError
        If nothing is left of what must be there.
    """
    config = analysis.config
    spec = SkimSpec.from_config(config)
    policy = config.execution.on_missing
    left = rearranged(parts, pieces, spec)
    there = [part.item.dataset for part in left]
    chosen = datasets_left(losses, there, analysis.spec.datasets, policy)
    left = [part for part in left if part.item.dataset in chosen]
    if not any(spec.datasets[dataset].is_data for dataset, *_ in pieces):
        return left
    found, lost = repeats_again(
        left,
        spec,
        executor or configured_executor(config.datasets.execution_args),
        analysis.output_manager.get_cache_dir(),
        reuse=config.general.read_from_cache,
        policy=policy,
    )
    losses += lost
    return found


def _fill_channels(
    job: _Filling, parts: Sequence[AnyPart], keys: Mapping[str, Key], stored: Key | None
) -> dict[str, RawHistograms] | None:
    """Merged histograms by channel, filled or found; None where parts failed in between."""
    files = job.merged(keys)
    found = {name: _whole(path) for name, path in files.items()} if job.reuse else {}
    known = {name: raw for name, raw in found.items() if raw is not None}
    missing = [name for name in files if name not in known]
    if not job.pieces:
        _tell(missing, known, stored, joined_key(keys), reuse=job.reuse)
    if missing:
        worker = _only(job.analysis, missing)
        spread = {name: keys[name] for name in missing}
        filled = _fill(job, worker, parts, joined_key(spread))
        if filled is None:
            return None
        known |= filled
        for name in missing:
            write_raw(files[name], known[name])
    mark_used(files.values())
    forget_oldest(job.cache / "merged", _MERGED, keep=set(files.values()))
    return known


def _tell(
    missing: Sequence[str], known: Mapping[str, Any], stored: Key | None, today: Key, *, reuse: bool
) -> None:
    if not missing:
        tell(STAGE, "reused", "nothing that they depend on has changed")
        return
    why = why_again(stored, today) if reuse else "general.read_from_cache is off"
    kept = f"; {', '.join(sorted(known))} reused" if known else ""
    tell(STAGE, "ran", f"{', '.join(missing)} filled, {why}{kept}")


def _only(analysis: Analysis, channels: Sequence[str]) -> Analysis:
    """The analysis as a worker sees it, with some of its channels."""
    worker = analysis.on_worker()
    worker.spec = analysis.spec.only(channels)
    return worker


def _fill(
    job: _Filling, worker: Analysis, parts: Sequence[AnyPart], key: Key
) -> dict[str, RawHistograms] | None:
    """Fill the channels of an analysis from all parts; None where some failed."""
    folder = private_folder(job.cache / "parts")
    remove_stale_temporaries(folder)
    there = {str(path) for path in folder.iterdir()}
    tasks = [
        FillTask(part, f"{folder}/{_part_file(worker.spec, key, part)}")
        for part in without_unread(worker, parts)
    ]
    todo = [
        task
        for task in tasks
        if task.path not in there
        or not ((job.reuse or task.path in job.fresh) and _whole(Path(task.path)))
    ]
    _log.info("histograms: %d parts, %d to fill", len(tasks), len(todo))
    raws: list[RawHistograms] | None = None
    for _ in range(_TRIES):
        if not _fill_parts(job, worker, todo, of=len(tasks)):
            return None
        try:
            raws = [read_raw(Path(task.path)) for task in tasks]
            break
        except StorageError:  # another run that fills the same has merged and removed them
            todo = [task for task in tasks if not Path(task.path).exists()]
            if not todo:
                raise
    if raws is None:
        raise StorageError(
            f"filling histograms: other runs remove what lies in {folder}. Run again when they "
            "have ended, or give this run a general.cache_dir of its own."
        )
    total = merge_parts(raws, worker.spec.axes())
    if not job.pieces:  # else the next run tries only what failed
        for task in tasks:
            Path(task.path).unlink(missing_ok=True)  # the merged file will hold them
    return {channel.name: total.of_channel(channel.name) for channel in worker.spec.channels}


def _keeping(job: _Filling) -> Keeping:
    """Where events that are ready for the channels are kept, and what they depend on."""
    folder = private_folder(job.cache / "prepared")
    remove_stale_temporaries(folder)
    return Keeping(folder, prepared_key(job.analysis))


def _fill_parts(job: _Filling, worker: Analysis, todo: Sequence[FillTask], *, of: int) -> bool:
    """Fill parts on the executor; False where some failed: other parts stand for them now."""
    doing = "filling histograms"
    # Of events that are read live nothing is kept.
    known = any(task.part.n_selected is not None for task in todo)
    keeping = _keeping(job) if job.reuse and known else None
    failed = list(fill_all(job.executor, worker, todo, doing, keeping)) if todo else []
    if todo and keeping:
        forget_oldest(keeping.folder, ALL)
    if not failed:
        return True
    spec = SkimSpec.from_config(job.analysis.config)
    failed = [replace(one, item=one.item.live(spec)) for one in failed]
    probe = functools.partial(probe_part, worker)
    memory = Memory(job.cache / "isolated")
    cut = {(*key[:2], *entries) for key, ranges in job.pieces.items() for entries in ranges}
    new = [one for one in failed if one.item.work.item_key not in cut]  # others have been tried
    worth = effort(new, of=of, policy=job.policy)
    worth = replace(worth, items=min(worth.items, len(new)))
    failed = [*new, *(one for one in failed if one not in new)]
    isolated = isolate(job.executor, probe, failed, memory, worth=worth)
    found = [bad for one in isolated for bad in one.outcomes]
    lost = settle(found, doing, of=of, policy=job.policy)
    job.fresh.update(task.path for task in todo)
    job.losses.extend(loss_of(one, one.item.part.metadata, STAGE) for one in lost)
    job.pieces.update(divided(failed, isolated, job.policy))
    return False


def _lost_in(skims: Mapping[str, Skim]) -> list[Loss]:
    return [loss for name in sorted(skims) for loss in skims[name].lost]


def _as_of_today(
    raw: RawHistograms,
    analysis: Analysis,
    parts: Sequence[AnyPart],
    skims: Mapping[str, Skim],
    losses: Sequence[Loss] = (),
) -> RawHistograms:
    """Labels, and what else the files of a dataset hold, are not part of the key: take them anew.

    A ledger of an earlier run would not know that there are more files by now, or what was lost.
    """
    today = file_facts(part.metadata for part in parts)
    counted = replace(
        raw.ledger,
        file_events=today.file_events,
        runs_sums=today.runs_sums,
        files_expected=today.files_expected,
    )
    ledger = counted.with_losses([*_lost_in(skims), *losses]) + files_known(skims.values())
    return replace(raw, axes=analysis.spec.axes(), ledger=ledger)


def _part_file(spec: AnalysisSpec, key: Key, part: AnyPart) -> str:
    """Name that does not depend on which other parts there are."""
    dataset = spec.datasets[part.item.dataset].key
    text = "\n".join((_besides_parts(key), part.identity, dataset))
    return f"{sha256_bytes(text.encode())}.pkl"


@functools.lru_cache(maxsize=4)  # the same for a million parts
def _besides_parts(key: Key) -> str:
    """Digest of what the histograms of a part depend on beside the part."""
    return key.without("skim").digest


def _whole(path: Path) -> RawHistograms | None:
    """What was kept, or None where it is not there or damaged and must be filled anew."""
    if not path.exists():
        return None
    try:
        return read_raw(path)
    except StorageError as error:
        _log.warning("histograms: filled anew. %s", error)
        return None
