"""Look into all files, in parallel, and keep what was found."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.datasets import ConfigurableDatasetManager, dataset_key, is_data, process_of
from hepflow.errors import FileListError, StorageError
from hepflow.execution import Executor, Outcome, configured_executor
from hepflow.execution.failures import raise_failures
from hepflow.metadata_extractor.files import FileTask, inspect_file
from hepflow.metadata_extractor.shapes import (
    Summary,
    build_fileset,
    build_summary,
    build_workitems,
    workitem_from_json,
    workitem_to_json,
)
from hepflow.normalisation import check_runs
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import FileInfo, WorkItem
from hepflow.schema import DatasetEntry
from hepflow.storage import read_json, write_json

_log = logging.getLogger(__name__)
MADE_BY = "metadata generation (general.run_metadata_generation)"
CACHE_FORMAT = 1


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
        check_disjoint(entries, tasks)
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
                tree=entry.tree_name or section.effective_tree_name,
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


def check_disjoint(entries: Sequence[DatasetEntry], tasks: Sequence[FileTask]) -> None:
    """Make sure that no file counts twice: in one process, or in the data.

    Raises
    ------
    FileListError
        If two datasets of a process, or two of collision data, hold the same file.
    """
    group = {dataset_key(e): "data" if is_data(e) else process_of(e) for e in entries}
    first: dict[tuple[str, str], str] = {}
    for task in tasks:
        path = task.path if "://" in task.path else os.path.realpath(task.path)
        known = first.setdefault((group[task.dataset], path), task.dataset)
        if known != task.dataset:
            raise FileListError(
                f"{task.path} is in the datasets {known!r} and {task.dataset!r}, and its events "
                "would count twice. Take it off one of them."
            )


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
