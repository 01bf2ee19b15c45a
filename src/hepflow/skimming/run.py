"""Skim all work items on the configured executor, and hand the parts on."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.errors import InputError, StorageError
from hepflow.execution import Executor, Outcome, configured_executor
from hepflow.execution.failures import raise_failures
from hepflow.keys import Key, stable_hash
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import Dataset, PartCounts, WorkItem
from hepflow.schema import Config
from hepflow.skimming.part import PartRecord, SkimTask, skim_item
from hepflow.skimming.skim import Part, Skim
from hepflow.skimming.spec import SkimSpec, part_identity
from hepflow.storage import read_json, remove_stale_temporaries, write_json

_log = logging.getLogger(__name__)
MADE_BY = "the skim (general.run_skimming)"
MANIFEST = "manifest.json"


def process_workitems_with_skimming(
    workitems: Sequence[Any],
    config: Config | Mapping[str, Any],
    output_manager: OutputDirectoryManager,
    fileset: Mapping[str, Any] | None = None,
    nanoaods_summary: Mapping[str, Any] | None = None,
    *,
    executor: Executor | None = None,
) -> dict[str, Skim]:
    """Skim all work items; parts that were made with the same key are reused.

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
        As the metadata stage made it; checked against what the skim counts.
    executor
        Where to run; default as in the section ``execution``.

    Returns
    -------
    dict
        Dataset key -> sequence of ``(events, metadata)``, read lazily.

    Raises
    ------
    ExecutionError
        If parts failed; those that finished are kept for the next run.
    """
    valid = Config.of(config)
    spec = SkimSpec.from_config(valid)
    items = _each_once(one for one in map(as_workitem, workitems) if one.dataset in spec.datasets)
    absent = sorted(spec.datasets.keys() - {one.dataset for one in items})
    if absent:
        raise InputError(
            f"there is no work item of {', '.join(absent)}. Run the metadata step for all datasets "
            "(general.run_metadata_generation), or name what is wanted in general.processes."
        )
    keys = {name: spec.key(dataset) for name, dataset in spec.datasets.items()}
    folders = {name: output_manager.get_dataset_dir(name) for name in spec.datasets}
    if valid.general.run_skimming:
        runner = executor or configured_executor(valid.datasets.execution_args)
        records = _run(spec, items, keys, folders, runner, reuse=valid.general.read_from_cache)
    else:
        records = _read_back(items, keys, folders)
    for name, known in _check_totals(nanoaods_summary, records).items():
        _log.warning("skim: %s has %s events, its metadata said %s", name, *known)
    return {
        name: make_skim(dataset, folders[name], records.get(name, []), items, fileset)
        for name, dataset in spec.datasets.items()
    }


def _each_once(items: Iterable[WorkItem]) -> list[WorkItem]:
    """Work items in order, a repeated one once.

    Raises
    ------
    InputError
        If entry ranges of a file overlap: their events would count twice.
    """
    found = sorted({item.item_key: item for item in items}.values())
    for left, right in itertools.pairwise(found):
        same = (left.dataset, left.filename) == (right.dataset, right.filename)
        if same and right.entrystart < left.entrystop:
            raise InputError(
                f"{left.filename}: the work items {left.entrystart} to {left.entrystop} and "
                f"{right.entrystart} to {right.entrystop} overlap. Give each event once."
            )
    return found


def as_workitem(item: Any) -> WorkItem:
    """Take our own work items, or objects and dicts with coffea's field names."""
    if isinstance(item, WorkItem):
        return item
    read = item.__getitem__ if isinstance(item, Mapping) else functools.partial(getattr, item)
    uuid = read("fileuuid")
    return WorkItem(
        dataset=read("dataset"),
        filename=read("filename"),
        treename=read("treename"),
        entrystart=int(read("entrystart")),
        entrystop=int(read("entrystop")),
        fileuuid=_uuid_text(uuid),
        usermeta=dict(read("usermeta") or {}),
    )


def _uuid_text(value: Any) -> str:
    import uuid

    return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else str(value or "")


def part_name(item: WorkItem, key: Key) -> str:
    """File name of a part: readable, and different where anything that it depends on differs."""
    digest = stable_hash({"key": key.digest, **part_identity(item)})[:16]
    stem = "".join(c if c.isalnum() or c in "_-" else "_" for c in Path(item.filename).stem)
    return f"{stem[:60]}_{item.entrystart}-{item.entrystop}_{digest}.pkl"


def _run(
    spec: SkimSpec,
    items: Sequence[WorkItem],
    keys: Mapping[str, Key],
    folders: Mapping[str, Path],
    executor: Executor,
    *,
    reuse: bool,
) -> dict[str, list[PartRecord]]:
    for folder in folders.values():
        remove_stale_temporaries(folder)
    known = _known_parts(keys, folders, untouched=True) if reuse else {}
    tasks = [
        SkimTask(item, str(folders[item.dataset] / part_name(item, keys[item.dataset])), reuse)
        for item in items
    ]
    todo = [task for task in tasks if task.path not in known]
    found = {task.path: known[task.path] for task in tasks if task.path in known}
    failed: list[Outcome] = []
    if todo:
        work = functools.partial(skim_item, spec)
        for outcome in executor.map(work, todo, label="skimming"):
            if outcome.ok:
                found[outcome.item.path] = outcome.value
            else:
                failed.append(outcome)
    reused = len(tasks) - len(todo) + sum(one.reused for one in found.values())
    _log.info("skim: %d parts, %d made, %d reused", len(tasks), len(found) - reused, reused)
    records = _by_dataset(tasks, found)
    kept = {
        name: [*mine, *_of_other_files(folders[name], keys[name], items)]
        for name, mine in records.items()
    }
    for name, mine in kept.items():
        _write_manifest(folders[name], keys[name], mine)
    raise_failures(failed, "skimming", of=len(tasks))
    for name, mine in kept.items():
        _remove_outdated(folders[name], mine)
    return records


def _of_other_files(folder: Path, key: Key, items: Sequence[WorkItem]) -> list[PartRecord]:
    """Parts with this key of files that are not processed now, as with a smaller max_files."""
    files = {item.filename for item in items}
    records = _manifest_records(folder / MANIFEST, key)
    return [one for one in records if one.counts.file not in files and (folder / one.name).exists()]


def _by_dataset(
    tasks: Sequence[SkimTask], found: Mapping[str, PartRecord]
) -> dict[str, list[PartRecord]]:
    records: dict[str, list[PartRecord]] = {}
    for task in tasks:
        mine = records.setdefault(task.item.dataset, [])
        if task.path in found:
            mine.append(found[task.path])
    return records


def _write_manifest(folder: Path, key: Key, records: Sequence[PartRecord]) -> None:
    parts = [{**asdict(record), "reused": False} for record in records]
    content = {"key": key.to_json(), "parts": parts}
    path = folder / MANIFEST
    with contextlib.suppress(StorageError):  # one that is not there, or broken, is written anew
        if read_json(path, MADE_BY) == content:
            return
    write_json(path, content)


def _known_parts(
    keys: Mapping[str, Key], folders: Mapping[str, Path], *, untouched: bool
) -> dict[str, PartRecord]:
    """Parts that manifests hold under the same key and that lie there in full size.

    With `untouched` only those that nobody wrote since: the others are verified by a worker.
    """
    known: dict[str, PartRecord] = {}
    for name, folder in folders.items():
        for record in _manifest_records(folder / MANIFEST, keys[name]):
            part = folder / record.name
            if part.exists() and _is_as_recorded(part, record, untouched=untouched):
                known[str(part)] = record
    return known


def _is_as_recorded(part: Path, record: PartRecord, *, untouched: bool) -> bool:
    status = part.stat()
    same_time = not untouched or status.st_mtime_ns == record.mtime_ns
    return same_time and status.st_size == record.size


def _manifest_records(path: Path, key: Key) -> list[PartRecord]:
    """Records of a manifest that was written with this key; none where it cannot be read."""
    if not path.exists():
        return []
    try:
        stored = read_json(path, MADE_BY)
        same = Key.from_json(stored["key"]).digest == key.digest
        return [_record_from_json(one) for one in stored["parts"]] if same else []
    except (StorageError, KeyError, TypeError) as error:
        _log.warning("skim: %s is not used: %s", path, error)
        return []


def _record_from_json(data: Mapping[str, Any]) -> PartRecord:
    return PartRecord(**{**data, "counts": PartCounts(**data["counts"])})


def _remove_outdated(folder: Path, records: Sequence[PartRecord]) -> None:
    """Delete parts that were made with another key, or of other entry ranges of a file."""
    current = {record.name for record in records}
    for path in folder.glob("*.pkl"):
        if path.name not in current:
            path.unlink()


def _read_back(
    items: Sequence[WorkItem], keys: Mapping[str, Key], folders: Mapping[str, Path]
) -> dict[str, list[PartRecord]]:
    """Records of the stored skim; one that does not fit the configuration is an error."""
    known = _known_parts(keys, folders, untouched=False)
    records: dict[str, list[PartRecord]] = {}
    missing = 0
    for item in items:
        path = folders[item.dataset] / part_name(item, keys[item.dataset])
        record = known.get(str(path))
        missing += record is None
        if record is not None:
            records.setdefault(item.dataset, []).append(record)
    if missing:
        raise StorageError(
            f"general.run_skimming is off, but {missing} of {len(items)} parts of the stored skim "
            "are absent or were made with another selection, other branches or other files. "
            "Set general.run_skimming to True."
        )
    return records


def make_skim(
    dataset: Dataset,
    folder: Path,
    records: Sequence[PartRecord],
    items: Sequence[WorkItem],
    fileset: Mapping[str, Any] | None,
) -> Skim:
    """Parts of one dataset with their metadata; totals are over all of its parts."""
    counts = [record.counts for record in records]
    files = (fileset or {}).get(dataset.key, {})
    common = {
        "dataset": dataset.key,
        "process": dataset.process,
        "variation": dataset.variation,
        "year": dataset.year,
        "is_data": dataset.is_data,
        "xsec": dataset.cross_section,
        "nevts": sum(one.nevts for one in counts),
        "sum_weights": math.fsum(one.sum_weights for one in counts),
        "sum_signs": math.fsum(one.sum_signs for one in counts),
        "n_files": files.get("metadata", {}).get("n_files"),
    }
    usermeta = {item.filename: item.usermeta for item in items if item.dataset == dataset.key}
    parts = [
        Part(
            path=str(folder / record.name),
            metadata={
                **common,
                "file": record.counts.file,
                "entrystart": record.counts.entrystart,
                "entrystop": record.counts.entrystop,
                "part_nevts": record.counts.nevts,
                "part_sum_weights": record.counts.sum_weights,
                "part_sum_signs": record.counts.sum_signs,
                **usermeta.get(record.counts.file, {}),
            },
            n_selected=record.n_selected,
        )
        for record in records
    ]
    return Skim(dataset.key, parts)


def _check_totals(
    summary: Mapping[str, Any] | None, records: Mapping[str, Sequence[PartRecord]]
) -> dict[str, tuple[int, int]]:
    """Datasets whose skim read another number of events than their metadata holds."""
    expected: dict[str, int] = {}
    for variations in (summary or {}).values():
        for totals in variations.values():
            for file in totals["files"]:
                expected[file["dataset"]] = expected.get(file["dataset"], 0) + file["nevts"]
    counted = {name: sum(one.counts.nevts for one in mine) for name, mine in records.items()}
    return {
        name: (counted[name], expected[name])
        for name in counted
        if name in expected and counted[name] != expected[name]
    }
