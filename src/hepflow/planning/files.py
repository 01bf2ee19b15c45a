"""The metadata stage before it runs: which files are known, and the work items they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hepflow.datasets import ConfigurableDatasetManager, Group
from hepflow.errors import HepflowError, InputError
from hepflow.events import OpenFile, open_tree
from hepflow.execution import Outcome
from hepflow.execution.failures import reason
from hepflow.execution.outcome import Failure
from hepflow.metadata_extractor import NanoAODMetadataGenerator

# The functions by which the stage itself decides: a plan of its own would soon be another one.
from hepflow.metadata_extractor.files import FileTask, work_steps
from hepflow.metadata_extractor.generator import _cache_key, check_disjoint, with_lost
from hepflow.metadata_extractor.shapes import Summary, build_fileset, build_summary, build_workitems
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.records import Piece, Reason, StageForecast, Status
from hepflow.records import FileInfo, Loss, WorkItem
from hepflow.remote import is_remote
from hepflow.schema import Config

STAGE = "metadata"
_WHAT = "look into the input files"
_PEEKED = 200  # local files that are opened to know their entries; more take too long


@dataclass(frozen=True, slots=True)
class OtherFile:
    """A file that is not as it was when its metadata was read."""

    dataset: str
    path: str
    before: str | None  # what tells its content, and how it was looked at; None: it is new
    now: str


@dataclass(frozen=True)
class FilesForecast:
    """What the stage knows already."""

    stage: StageForecast
    items: Sequence[WorkItem] | None  # None where files are not known well enough
    fileset: Mapping[str, Any] = field(default_factory=dict)
    summary: Summary = field(default_factory=dict)
    reasons: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)  # by dataset
    samples: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # dataset -> file, tree
    others: tuple[OtherFile, ...] = ()  # files that changed or are new
    sizes: Mapping[str, int] = field(default_factory=dict)
    # dataset -> bytes of its files, where work items are not known and the files are local


def forecast_files(
    config: Config, manager: ConfigurableDatasetManager, folders: OutputDirectoryManager
) -> FilesForecast:
    """Look at the files' stamps; local files that are not known are opened, others are not."""
    generator = NanoAODMetadataGenerator(
        dataset_manager=manager,
        output_manager=folders,
        executor=None,
        read_from_cache=config.general.read_from_cache,
    )
    if not config.general.run_metadata_generation:
        return _read_back(generator)
    try:
        groups = generator._groups(config.general.processes)  # noqa: SLF001 - as the stage does
        found = {one.key: manager.all_files_of(one) for one in groups}
        tasks = [task for one in groups for task in generator._tasks(one, found[one.key])]  # noqa: SLF001
        check_disjoint(groups, tasks)
    except HepflowError as error:
        return _without_files(config, error)
    known = generator._known()  # noqa: SLF001
    total = {key: len(files) for key, files in found.items()}
    return _compared(config, groups, tasks, known, total)


def _read_back(generator: NanoAODMetadataGenerator) -> FilesForecast:
    why = (Reason("general.run_metadata_generation is off"),)
    try:
        generator.run(generate_metadata=False)
    except HepflowError as error:
        reasons = (*why, Reason(_line(error)))
        return FilesForecast(StageForecast(STAGE, _WHAT, "fails", reasons), None)
    items = generator.workitems
    files = len({item.filename for item in items})
    stage = StageForecast(STAGE, _WHAT, "read back", why, count=f"{files} files")
    samples = {item.dataset: (item.filename, item.treename) for item in reversed(items)}
    return FilesForecast(
        stage, items, generator.fileset, generator.nanoaods_summary, samples=samples
    )


def _without_files(config: Config, error: HepflowError) -> FilesForecast:
    """What can be said where the files cannot be listed."""
    if config.datasets.prepare is not None:
        reasons: tuple[Reason, ...] = (Reason("the input files are not there before prepare"),)
        status: Status = "unknown"
    else:
        reasons, status = (Reason(_line(error)),), "fails"
    return FilesForecast(StageForecast(STAGE, _WHAT, status, reasons), None)


def _line(error: HepflowError) -> str:
    return str(error).split("\n", maxsplit=1)[0]


def _compared(
    config: Config,
    groups: Sequence[Group],
    tasks: Sequence[FileTask],
    known: Mapping[str, FileInfo],
    total: Mapping[str, int],
) -> FilesForecast:
    keys = {task: _cache_key(task) for task in tasks}
    infos = {task: known[key] for task, key in keys.items() if key in known}
    todo = [task for task in tasks if task not in infos]
    before = {_place(key) for key in known}
    off = not config.general.read_from_cache
    by_dataset: dict[str, list[FileTask]] = {one.key: [] for one in groups}
    for task in tasks:
        by_dataset[task.dataset].append(task)
    pieces = tuple(
        _piece(dataset, mine, keys, infos, before, off=off) for dataset, mine in by_dataset.items()
    )
    peeked, lost = _peek(todo, {_place(key): info for key, info in known.items()})
    reasons = {piece.name: piece.reasons for piece in pieces if piece.reasons}
    status: Status = "partly" if infos and todo else "runs" if todo else "reused"
    if lost and config.execution.on_missing == "fail":
        status = "fails"
    stage = StageForecast(
        STAGE,
        _WHAT,
        status,
        (*(Reason(f"{one.file}: {one.reason}") for one in lost), *_together(reasons, off=off)),
        pieces,
        count=f"{len(todo)} of {len(tasks)} files" if todo else f"{len(tasks)} files",
        todo=len(todo),
        read_bytes=None if any(is_remote(one.path) for one in todo) else 0,
    )
    all_infos = [found for task in tasks if (found := infos.get(task) or peeked.get(task))]
    complete = len(all_infos) + len(lost) == len(tasks) and status != "fails"
    return FilesForecast(
        stage,
        build_workitems(all_infos) if complete else None,
        with_lost(build_fileset(groups, all_infos, total), lost),
        build_summary(groups, all_infos),
        reasons,
        {task.dataset: (task.path, task.tree) for task in reversed(tasks)},
        _others(todo, keys, known),
        {} if complete else _sizes(tasks),
    )


def _sizes(tasks: Sequence[FileTask]) -> dict[str, int]:
    """Bytes of files by dataset; none where some are at URLs or missing."""
    sizes: dict[str, int] = {}
    for task in tasks:
        path = Path(task.path)
        if is_remote(task.path) or not path.is_file():
            return {}
        sizes[task.dataset] = sizes.get(task.dataset, 0) + path.stat().st_size
    return sizes


def _others(
    todo: Sequence[FileTask], keys: Mapping[FileTask, str], known: Iterable[str]
) -> tuple[OtherFile, ...]:
    before = {_place(key): key for key in known}
    return tuple(
        OtherFile(
            task.dataset,
            task.path,
            _state(before[place]) if (place := _place(keys[task])) in before else None,
            _state(keys[task]),
        )
        for task in todo
    )


def _state(key: str) -> str:
    """What may differ of a file, in words."""
    tree, weight, chunk, names, stamp = key.rsplit("|", 5)[1:]
    size, _, changed = stamp.partition(":")
    when = ""
    if changed:
        moment = datetime.fromtimestamp(int(changed) / 1e9).astimezone()
        when = f", {size} bytes of {moment:%Y-%m-%d %H:%M:%S}"
    mapped = f", branch map {names}" if names else ""
    return f"tree {tree}, weight {weight}, chunks of {chunk}{mapped}{when}"


def _place(key: str) -> str:
    """Dataset and path in the key of a file's metadata."""
    return key.rsplit("|", 5)[0]


def _piece(
    dataset: str,
    tasks: Sequence[FileTask],
    keys: Mapping[FileTask, str],
    infos: Mapping[FileTask, FileInfo],
    before: set[str],
    *,
    off: bool,
) -> Piece:
    todo = [task for task in tasks if task not in infos]
    if not todo:
        return Piece(dataset, "reused", there=len(tasks), total=len(tasks))
    changed = sum(_place(keys[task]) in before for task in todo)
    counts = ((changed, "changed"), (len(todo) - changed, "new"))
    reasons = (
        (Reason("general.read_from_cache is off"),)
        if off
        else tuple(Reason(f"{n} {how} {'file' if n == 1 else 'files'}") for n, how in counts if n)
    )
    status: Status = "runs" if len(todo) == len(tasks) else "partly"
    return Piece(dataset, status, reasons, there=len(tasks) - len(todo), total=len(tasks))


def _together(reasons: Mapping[str, tuple[Reason, ...]], *, off: bool) -> tuple[Reason, ...]:
    if off:
        return next(iter(reasons.values()), ())
    return tuple(Reason(f"{name}: {reason}") for name, found in reasons.items() for reason in found)


def _peek(
    todo: Sequence[FileTask], before: Mapping[str, FileInfo]
) -> tuple[dict[FileTask, FileInfo], tuple[Loss, ...]]:
    """Entries of local files that are not known, and which cannot be read."""
    if len(todo) > _PEEKED or any(is_remote(task.path) for task in todo):
        return {}, ()
    found, lost = {}, []
    for task in todo:
        try:
            file = open_tree(task.path, task.tree, task.branch_map)
            found[task] = _info(task, file, before.get(_place(_cache_key(task))))
        except InputError as error:
            why = reason(Outcome(0, task, error=Failure.of(error)))
            lost.append(Loss(task.dataset, task.path, 0, 0, why, STAGE))
    return found, tuple(lost)


def _info(task: FileTask, file: OpenFile, before: FileInfo | None) -> FileInfo:
    """What the stage will find, but for the sum of weights of a file whose content is new.

    Nothing before the histograms depends on that, and these are filled anew then.
    """
    known = (file.uuid, file.digest)
    same = before is not None and (before.uuid, before.digest) == known
    return FileInfo(
        dataset=task.dataset,
        path=file.filename,
        tree=task.tree,
        uuid=file.uuid,
        nevts=file.num_entries,
        steps=work_steps(file.num_entries, task.chunk_size),
        sum_weights=before.sum_weights if same and before else 0.0,
        runs_sum=before.runs_sum if same and before else None,
        digest=file.digest,
    )
