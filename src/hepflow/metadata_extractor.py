"""What the files hold: entry ranges, numbers of events, sums of weights."""

from __future__ import annotations

import base64
import logging
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.datasets import ConfigurableDatasetManager, dataset_key, is_data, process_of
from hepflow.errors import MissingBranch, StorageError, did_you_mean
from hepflow.events import open_tree, read_columns
from hepflow.execution import Executor, Outcome, configured_executor
from hepflow.execution.failures import raise_failures
from hepflow.normalisation import check_runs
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import FileInfo, WorkItem
from hepflow.schema import DatasetEntry
from hepflow.storage import read_json, write_json

_log = logging.getLogger(__name__)
MADE_BY = "metadata generation (general.run_metadata_generation)"
CACHE_FORMAT = 1
Summary = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class FileTask:
    """A file to look into."""

    dataset: str  # dataset key
    path: str
    tree: str
    weight_branch: str | None  # None for data
    chunk_size: int


def inspect_file(task: FileTask) -> FileInfo:
    """Read the entry ranges and sums of weights of one file.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the file cannot be used.
    """
    tree = open_tree(task.path, task.tree)
    file_uuid, steps = work_steps(task)
    count = int(tree.num_entries)
    item = WorkItem(task.dataset, task.path, task.tree, 0, count, file_uuid)
    return FileInfo(
        dataset=task.dataset,
        path=task.path,
        tree=task.tree,
        uuid=file_uuid,
        nevts=count,
        steps=steps,
        sum_weights=_sum_of_events(tree, item, task.weight_branch),
        runs_sum=None if task.weight_branch is None else sum_of_runs(tree.file.root_directory),
    )


def work_steps(task: FileTask) -> tuple[str, tuple[tuple[int, int], ...]]:
    """File's uuid and entry ranges, from coffea's preprocessing."""
    from coffea.dataset_tools import DataGroupSpec, preprocess

    spec = DataGroupSpec({task.dataset: {"files": {task.path: task.tree}}})
    ready, _ = preprocess(
        spec,
        step_size=task.chunk_size,
        save_form=False,
        scheduler="sync",
        skip_bad_files=False,
        allow_empty_datasets=True,
    )
    found = next(iter(ready[task.dataset].files.values()))
    steps = tuple((int(start), int(stop)) for start, stop in found.steps if start < stop)
    return str(found.uuid), steps or ((0, 0),)


def _sum_of_events(tree: Any, item: WorkItem, weight_branch: str | None) -> float:
    if weight_branch is None:
        return float(item.entrystop)
    names = tree.keys(recursive=False)
    if weight_branch not in names:
        hint = did_you_mean(weight_branch, names)
        raise MissingBranch(
            f"{item.filename}: there is no branch {weight_branch!r} with generator weights. {hint} "
            "Set weight_branch, or is_data: True for data."
        )
    weights = read_columns(tree, item, [weight_branch])[weight_branch]
    return math.fsum(np.asarray(weights, dtype=np.float64))


def sum_of_runs(root_directory: Any) -> float | None:
    """Sum of ``genEventSumw`` over all rows of the Runs tree; None where there is none."""
    if "Runs" not in root_directory.keys(cycle=False):
        return None
    runs = root_directory["Runs"]
    for name in ("genEventSumw", "genEventSumw_"):
        if name in runs.keys(recursive=False):
            return math.fsum(np.asarray(runs[name].array(library="np"), dtype=np.float64))
    return None


class NanoAODMetadataGenerator:
    """Look into all files, in parallel, and keep what was found.

    Parameters
    ----------
    dataset_manager
        The configured datasets.
    output_manager
        Folders; three JSON files are written to its metadata folder.
    executor
        Where to run; default local processes.
    chunk_size
        Events of a work item (about); default ``preprocess.skimming.chunk_size``.
    read_from_cache
        Reuse what is known about files that did not change.

    Attributes
    ----------
    fileset : dict
        Files and metadata by dataset key, as coffea takes it.
    workitems : list of WorkItem
        Entry ranges to process.
    nanoaods_summary : dict
        Events and sums of weights by process and variation.
    """

    def __init__(
        self,
        dataset_manager: ConfigurableDatasetManager,
        output_manager: OutputDirectoryManager,
        *,
        executor: Executor | None = None,
        chunk_size: int | None = None,
        read_from_cache: bool = True,
    ) -> None:
        self.dataset_manager = dataset_manager
        self.output_manager = output_manager
        self.executor = executor
        self.chunk_size = chunk_size or dataset_manager.section.effective_chunk_size
        self.read_from_cache = read_from_cache
        self.fileset: dict[str, Any] = {}
        self.workitems: list[WorkItem] = []
        self.nanoaods_summary: Summary = {}

    def run(
        self, identifiers: str | Sequence[str] | None = None, generate_metadata: bool = True
    ) -> Summary:
        """Generate the metadata, or read back what an earlier run wrote.

        Parameters
        ----------
        identifiers
            Processes to look at; default all.
        generate_metadata
            False reads the three JSON files back.

        Returns
        -------
        dict
            Events and sums of weights by process and variation.

        Raises
        ------
        FileListError
            If files are missing or listed twice.
        ExecutionError
            If files cannot be read; what was learned about the others is kept.
        NormalisationError
            If sums of weights contradict the Runs trees.
        """
        if not generate_metadata:
            return self._read_back()
        self.dataset_manager.prepare()
        entries = self._entries(identifiers)
        total = {dataset_key(one): len(self._all_files(one)) for one in entries}
        tasks = [task for one in entries for task in self._tasks(one)]
        infos = self._inspect(tasks)
        self._check_runs(entries, infos)
        self.fileset = build_fileset(entries, infos, total)
        self.workitems = build_workitems(infos)
        self.nanoaods_summary = build_summary(entries, infos)
        self._write()
        return self.nanoaods_summary

    def _entries(self, identifiers: str | Sequence[str] | None) -> list[DatasetEntry]:
        names = [identifiers] if isinstance(identifiers, str) else identifiers
        processes = self.dataset_manager.list_processes() if names is None else list(names)
        return [one for process in processes for one in self.dataset_manager.entries(process)]

    def _all_files(self, entry: DatasetEntry) -> list[str]:
        from hepflow.datasets import resolve_files

        return resolve_files(entry)

    def _tasks(self, entry: DatasetEntry) -> list[FileTask]:
        section = self.dataset_manager.section
        weight = entry.weight_branch or section.effective_weight_branch
        return [
            FileTask(
                dataset=dataset_key(entry),
                path=path,
                tree=entry.tree_name or section.tree_name,
                weight_branch=None if is_data(entry) else weight,
                chunk_size=self.chunk_size,
            )
            for path in self.dataset_manager.files_of(entry)
        ]

    def _inspect(self, tasks: Sequence[FileTask]) -> list[FileInfo]:
        known = self._known()
        found = {task: known[key] for task in tasks if (key := _cache_key(task)) in known}
        todo = [task for task in tasks if task not in found]
        failures: list[Outcome] = []
        executor = self.executor or configured_executor(self.dataset_manager.section.execution_args)
        if todo:
            for outcome in executor.map(inspect_file, todo, label="reading metadata"):
                if outcome.ok:
                    found[outcome.item] = outcome.value
                else:
                    failures.append(outcome)
        self._remember(found)
        raise_failures(failures, "reading metadata", of=len(tasks))
        return [found[task] for task in tasks]

    def _cache_path(self) -> Path:
        return self.output_manager.get_metadata_dir() / "files.json"

    def _known(self) -> dict[str, FileInfo]:
        path = self._cache_path()
        if not self.read_from_cache or not path.exists():
            return {}
        try:
            stored = read_json(path, MADE_BY)
            if stored.get("format") != CACHE_FORMAT:
                return {}
            return {key: _info_from_json(info) for key, info in stored["files"].items()}
        except (StorageError, AttributeError, KeyError, TypeError, ValueError) as error:
            _log.warning("metadata: %s is not used: %s", path, error)
            return {}

    def _remember(self, found: Mapping[FileTask, FileInfo]) -> None:
        files = {_cache_key(task): asdict(info) for task, info in found.items()}
        write_json(self._cache_path(), {"format": CACHE_FORMAT, "files": files})

    def _check_runs(self, entries: Iterable[DatasetEntry], infos: Sequence[FileInfo]) -> None:
        for entry in entries:
            if entry.sumw_source == "auto" and not is_data(entry):
                key = dataset_key(entry)
                both = [info for info in infos if info.dataset == key and info.runs_sum is not None]
                if both:
                    events = math.fsum(info.sum_weights for info in both)
                    check_runs(entry.name, events, math.fsum(info.runs_sum or 0.0 for info in both))

    def _write(self) -> None:
        folder = self.output_manager.get_metadata_dir()
        write_json(folder / "fileset.json", self.fileset)
        write_json(folder / "workitems.json", [workitem_to_json(one) for one in self.workitems])
        write_json(folder / "nanoaods.json", self.nanoaods_summary)
        events = sum(one.entrystop - one.entrystart for one in self.workitems)
        _log.info(
            "metadata: %d datasets, %d files, %s events, %d work items",
            len(self.fileset),
            sum(len(one["files"]) for one in self.fileset.values()),
            f"{events:,}",
            len(self.workitems),
        )

    def _read_back(self) -> Summary:
        folder = self.output_manager.get_metadata_dir()
        self.fileset = read_json(folder / "fileset.json", MADE_BY)
        items = read_json(folder / "workitems.json", MADE_BY)
        self.workitems = [workitem_from_json(one) for one in items]
        self.nanoaods_summary = read_json(folder / "nanoaods.json", MADE_BY)
        return self.nanoaods_summary


def _cache_key(task: FileTask) -> str:
    """What must not have changed for a file's metadata to be reused."""
    stamp = ""
    if "://" not in task.path:
        status = Path(task.path).stat()
        stamp = f"{status.st_size}:{status.st_mtime_ns}"
    parts = (task.dataset, task.path, task.tree, task.weight_branch, task.chunk_size, stamp)
    return "|".join(str(part) for part in parts)


def _info_from_json(data: Mapping[str, Any]) -> FileInfo:
    steps = tuple((int(start), int(stop)) for start, stop in data["steps"])
    return FileInfo(**{**data, "steps": steps})


def build_fileset(
    entries: Sequence[DatasetEntry], infos: Sequence[FileInfo], total: Mapping[str, int]
) -> dict[str, Any]:
    """Files and metadata by dataset key, in coffea's shape."""
    return {
        dataset_key(entry): {
            "files": {one.path: one.tree for one in infos if one.dataset == dataset_key(entry)},
            "metadata": {
                "process": process_of(entry),
                "variation": entry.variation,
                "xsec": entry.cross_section,
                "is_data": is_data(entry),
                "year": entry.year,
                "n_files": total[dataset_key(entry)],
            },
        }
        for entry in entries
    }


def build_workitems(infos: Sequence[FileInfo]) -> list[WorkItem]:
    """Entry ranges of all files; a file without events has one empty range."""
    return [
        WorkItem(
            dataset=info.dataset,
            filename=info.path,
            treename=info.tree,
            entrystart=start,
            entrystop=stop,
            fileuuid=info.uuid,
            usermeta={"file_nevts": info.nevts, "file_runs_sum": info.runs_sum},
        )
        for info in infos
        for start, stop in info.steps
    ]


def build_summary(entries: Sequence[DatasetEntry], infos: Sequence[FileInfo]) -> Summary:
    """Events and sums of weights by process and variation; totals by key where several."""
    summary: Summary = {}
    for process in dict.fromkeys(process_of(entry) for entry in entries):
        for variation in dict.fromkeys(e.variation for e in entries if process_of(e) == process):
            keys = [
                dataset_key(one)
                for one in entries
                if process_of(one) == process and one.variation == variation
            ]
            mine = [info for info in infos if info.dataset in keys]
            events = {key: sum(i.nevts for i in mine if i.dataset == key) for key in keys}
            sums = {key: math.fsum(i.sum_weights for i in mine if i.dataset == key) for key in keys}
            several = len(keys) > 1
            summary.setdefault(process, {})[variation] = {
                "files": [
                    {
                        "path": info.path,
                        "nevts": info.nevts,
                        "sum_weights": info.sum_weights,
                        "dataset": info.dataset,
                    }
                    for info in mine
                ],
                "nevts_total": events if several else events[keys[0]],
                "sum_weights_total": sums if several else sums[keys[0]],
            }
    return summary


def workitem_to_json(item: WorkItem) -> dict[str, Any]:
    """Contents of one entry of ``workitems.json``, as coffea writes it."""
    data = asdict(item)
    data["fileuuid"] = base64.b64encode(uuid.UUID(item.fileuuid).bytes).decode("ascii")
    return data


def workitem_from_json(data: Mapping[str, Any]) -> WorkItem:
    """Inverse of `workitem_to_json`."""
    identity = str(uuid.UUID(bytes=base64.b64decode(data["fileuuid"])))
    return WorkItem(**{**data, "fileuuid": identity, "usermeta": data["usermeta"] or {}})
