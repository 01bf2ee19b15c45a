"""Fill all parts of a skim on the executor; what was filled with the same key is reused."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.steps import ledger_of
from hepflow.errors import StorageError
from hepflow.execution import Executor, Outcome
from hepflow.execution.failures import raise_failures
from hepflow.histograms import read_raw, write_raw
from hepflow.keys import Key, make_key, stable_hash
from hepflow.records import RawHistograms
from hepflow.skimming import Part, Skim
from hepflow.storage import private_folder, remove_stale_temporaries

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

_log = logging.getLogger(__name__)
STAGE = "histograms"
_MERGED_KEPT = 20  # merged results that stay in the cache


@dataclass(frozen=True)
class FillTask:
    """A part to fill, and where its histograms go."""

    part: Part
    path: str

    @property
    def file(self) -> str:
        """Input file."""
        return str(self.part.metadata["file"])

    @property
    def label(self) -> str:
        """For messages."""
        known = self.part.metadata
        return f"{known['dataset']}: {self.file}, {known['entrystart']} to {known['entrystop']}"


def fill_part(analysis: Analysis, task: FillTask) -> str:
    """Fill one part and keep the result. Runs on workers."""
    path = Path(task.path)
    events, metadata = task.part.load()
    write_raw(path, analysis.process_chunk(events, metadata))
    return task.path


def filling_parts(spec: AnalysisSpec) -> dict[str, Any]:
    """What of a specification changes the raw histograms, named for messages.

    Labels, cross-sections, luminosity and normalisation sources do not: they act later.
    """
    return {
        "object_masks": [(one.object, one.function, one.use) for one in spec.masks],
        "baseline": _selection(spec.baseline),
        "ghost_observables": [
            (one.names, one.collections, one.function, one.use) for one in spec.ghosts
        ],
        "channels": [
            (
                channel.name,
                _selection(channel.selection),
                [(o.name, o.binning, o.function, o.use) for o in channel.observables],
            )
            for channel in spec.channels
        ],
        "corrections": [
            {**one.model_dump(), "file": spec.digests.get(one.file or "")}
            for one in spec.corrections
        ],
        "systematics": [
            one.model_dump() for one in spec.systematics if one.type != "normalisation"
        ],
        "datasets": [
            (one.key, one.process, one.is_data, one.weight_branch, _certified(spec, one.lumi_mask))
            for one in spec.datasets.values()
        ],
        "weight_mode": spec.weight_mode,
        "run_systematics": spec.run_systematics,
    }


def _selection(selection: Any) -> Any:
    if selection is None:
        return None
    cuts = [(cut.name, cut.function, cut.use) for cut in selection.cuts]
    return (selection.function, selection.use, cuts)


def _certified(spec: AnalysisSpec, file: str | None) -> str | None:
    return spec.digests.get(file) if file else None


def filling_key(analysis: Analysis, parts: Sequence[Part]) -> Key:
    """Key of the merged raw histograms."""
    state = {name: value for name, value in analysis.__getstate__().items() if name != "spec"}
    return make_key(
        STAGE,
        analysis=type(analysis),
        attributes=state,  # what a subclass added to itself: its steps may read it
        skim=[(Path(part.path).parent.name, Path(part.path).name) for part in parts],
        **filling_parts(analysis.spec),
    )


def fill_skims(
    analysis: Analysis,
    skims: Mapping[str, Skim],
    executor: Executor,
    cache: Path,
    *,
    reuse: bool,
) -> tuple[RawHistograms, Key]:
    """Fill all parts and merge them in the order of their work items.

    Parameters
    ----------
    cache
        Private folder for what was filled; parts of an interrupted run are found there.
    reuse
        Whether what is there with the same key is taken.

    Returns
    -------
    tuple
        Merged raw histograms and their key.
    """
    parts = [part for name in sorted(skims) for part in skims[name].parts]
    key = filling_key(analysis, parts)
    merged = private_folder(cache / "merged") / f"{key.digest}.pkl"
    known = _whole(merged) if reuse else None
    if known is not None:
        _log.info("histograms: reused, nothing that they depend on has changed")
        return _as_of_today(known, analysis, parts), key
    folder = private_folder(cache / "parts")
    remove_stale_temporaries(folder)
    tasks = [FillTask(part, str(folder / _part_file(analysis.spec, key, part))) for part in parts]
    todo = [task for task in tasks if not (reuse and _whole(Path(task.path)))]
    _log.info("histograms: %d parts, %d to fill", len(tasks), len(todo))
    failed: list[Outcome] = []
    if todo:
        work = functools.partial(fill_part, analysis.on_worker())
        outcomes = executor.map(work, todo, label="filling histograms")
        failed.extend(outcome for outcome in outcomes if not outcome.ok)
    raise_failures(failed, "filling histograms", of=len(tasks))
    total = RawHistograms(axes=analysis.spec.axes())
    for task in tasks:
        total = total + read_raw(Path(task.path))
    write_raw(merged, total)
    for task in tasks:
        Path(task.path).unlink(missing_ok=True)  # the merged file holds them now
    _forget_oldest(merged.parent)
    return _as_of_today(total, analysis, parts), key


def _as_of_today(raw: RawHistograms, analysis: Analysis, parts: Sequence[Part]) -> RawHistograms:
    """Labels, and what else the files of a dataset hold, are not part of the key: take them anew.

    A ledger of an earlier run would not know that there are more files by now.
    """
    return replace(
        raw, axes=analysis.spec.axes(), ledger=ledger_of(part.metadata for part in parts)
    )


def _part_file(spec: AnalysisSpec, key: Key, part: Part) -> str:
    """Name that does not depend on which other parts there are."""
    own = {name: digest for name, digest in key.parts.items() if name != "skim"}
    path = Path(part.path)
    dataset = spec.datasets[part.metadata["dataset"]].key
    return f"{stable_hash([own, path.name, dataset])}.pkl"


def _whole(path: Path) -> RawHistograms | None:
    """What was kept, or None where it is not there or damaged and must be filled anew."""
    if not path.exists():
        return None
    try:
        return read_raw(path)
    except StorageError as error:
        _log.warning("histograms: filled anew. %s", error)
        return None


def _forget_oldest(folder: Path) -> None:
    found = sorted(folder.glob("*.pkl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[_MERGED_KEPT:]:
        path.unlink(missing_ok=True)
