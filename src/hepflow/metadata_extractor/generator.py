"""Look into all files, in parallel, and keep what was found."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow import rates
from hepflow.datasets import ConfigurableDatasetManager, Group
from hepflow.errors import ChecksumError, FileListError, StorageError
from hepflow.execution import Executor, configured_executor
from hepflow.execution.failures import reason, separated, settle
from hepflow.file_lists import alternatives
from hepflow.journal import tell
from hepflow.metadata_extractor.files import FileTask, inspect_file
from hepflow.metadata_extractor.shapes import (
    Summary,
    WorkitemsAsJson,
    build_fileset,
    build_summary,
    build_workitems,
)
from hepflow.metadata_extractor.stored import (
    MADE_BY,
    read_fileset,
    read_summary,
    read_workitems,
)
from hepflow.normalisation import check_runs
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import FileInfo, Loss, WorkItem
from hepflow.records.ledger import losses_in
from hepflow.remote import identity, is_remote, shown
from hepflow.schema.execution import OnMissing
from hepflow.storage import as_record, file_stamp, read_json, sha256_bytes, write_json

_log = logging.getLogger(__name__)
CACHE_FORMAT = 3


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
    on_missing
        What happens where files cannot be read; default ``execution.on_missing``.

    Attributes
    ----------
    fileset : dict
        Files and metadata by dataset key, as coffea takes it.
    workitems : list of WorkItem
        Entry ranges to process.
    nanoaods_summary : dict
        Events and sums of weights by process and variation.
    losses : tuple of Loss
        Files that cannot be read. They are also in ``fileset[key]["metadata"]["lost"]``; the
        skim leaves out the datasets that are to be dropped for them.
    """

    def __init__(
        self,
        dataset_manager: ConfigurableDatasetManager,
        output_manager: OutputDirectoryManager,
        *,
        executor: Executor | None = None,
        chunk_size: int | None = None,
        read_from_cache: bool = True,
        on_missing: OnMissing | None = None,
    ) -> None:
        self.dataset_manager = dataset_manager
        self.output_manager = output_manager
        self.executor = executor
        self.chunk_size = chunk_size or dataset_manager.section.effective_chunk_size
        self.read_from_cache = read_from_cache
        self.on_missing: OnMissing = on_missing or dataset_manager.section.on_missing
        self.fileset: dict[str, Any] = {}
        self.workitems: list[WorkItem] = []
        self.nanoaods_summary: Summary = {}
        self.losses: tuple[Loss, ...] = ()

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
        HepflowError
            If files cannot be read and `on_missing` is ``fail``, or none can be read. What was
            learned about the others is kept.
        NormalisationError
            If sums of weights contradict the Runs trees.
        """
        if not generate_metadata:
            return self._read_back()
        self.dataset_manager.prepare()
        groups = self._groups(identifiers)
        files = {one.key: self.dataset_manager.all_files_of(one) for one in groups}
        total = {key: len(found) for key, found in files.items()}
        tasks = [task for one in groups for task in self._tasks(one, files[one.key])]
        check_disjoint(groups, tasks)
        infos, self.losses = self._inspect(tasks)
        self._check_runs(groups, infos)
        _tell_empty(groups, infos)
        self.fileset = with_lost(build_fileset(groups, infos, total), self.losses)
        self.workitems = build_workitems(infos)
        self.nanoaods_summary = build_summary(groups, infos)
        self._write()
        return self.nanoaods_summary

    def _groups(self, identifiers: str | Sequence[str] | None) -> list[Group]:
        names = [identifiers] if isinstance(identifiers, str) else identifiers
        processes = self.dataset_manager.list_processes() if names is None else list(names)
        return [one for process in processes for one in self.dataset_manager.groups(process)]

    def _tasks(self, group: Group, files: Sequence[str]) -> list[FileTask]:
        section, entry = self.dataset_manager.section, group.entry
        weight = entry.weight_branch or section.effective_weight_branch
        return [
            FileTask(
                dataset=group.key,
                path=path,
                tree=entry.tree_name or section.effective_tree_name,
                weight_branch=None if group.is_data else weight,
                chunk_size=self.chunk_size,
                branch_map=dict(entry.branch_map),
                alternatives=alternatives(path, entry.redirectors or ()),
            )
            for path in files[: section.effective_max_files]
        ]

    def _inspect(self, tasks: Sequence[FileTask]) -> tuple[list[FileInfo], tuple[Loss, ...]]:
        known = self._known()
        found = {task: known[key] for task in tasks if (key := _cache_key(task)) in known}
        todo = [task for task in tasks if task not in found]
        if todo:
            why = "new or changed" if self.read_from_cache else "general.read_from_cache is off"
            tell("metadata", "ran", f"{len(todo)} of {len(tasks)} files, {why}")
        else:
            tell("metadata", "reused", f"{len(tasks)} files, none has changed")
        executor = self.executor or configured_executor(self.dataset_manager.section.execution_args)
        doing = "reading metadata"
        done, failed = separated(executor.map(inspect_file, todo, label=doing) if todo else ())
        found |= {outcome.item: outcome.value for outcome in done}
        rates.add("metadata", len(done), sum(one.seconds for one in done))
        self._remember(found)
        lost = settle(failed, doing, of=len(tasks), policy=self.on_missing)
        losses = tuple(
            Loss(one.item.dataset, one.item.path, 0, 0, reason(one), "metadata") for one in lost
        )
        return [found[task] for task in tasks if task in found], losses

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
            where = str(path)
            if stored["digest"] != _digest(stored["files"]):
                raise ChecksumError(f"{path}: its contents are not those that were written.")
            return {key: as_record(FileInfo, one, where) for key, one in stored["files"].items()}
        except (StorageError, AttributeError, KeyError, TypeError, ValueError) as error:
            _log.warning("metadata: %s is not used: %s", path, error)
            return {}

    def _remember(self, found: Mapping[FileTask, FileInfo]) -> None:
        files = {_cache_key(task): info for task, info in found.items()}
        content = {"format": CACHE_FORMAT, "digest": _digest(files), "files": files}
        write_json(self._cache_path(), content)

    def _check_runs(self, groups: Iterable[Group], infos: Sequence[FileInfo]) -> None:
        for one in groups:
            if one.entry.sumw_source == "auto" and not one.is_data:
                both = [i for i in infos if i.dataset == one.key and i.runs_sum is not None]
                if both:
                    events = math.fsum(info.sum_weights for info in both)
                    check_runs(one.stem, events, math.fsum(info.runs_sum or 0.0 for info in both))

    def _write(self) -> None:
        folder = self.output_manager.get_metadata_dir()
        write_json(folder / "fileset.json", self.fileset)
        write_json(folder / "workitems.json", WorkitemsAsJson(self.workitems))
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
        tell("metadata", "read back", "general.run_metadata_generation is off")
        folder = self.output_manager.get_metadata_dir()
        self.fileset = read_fileset(folder / "fileset.json")
        self.losses = losses_in(self.fileset)
        self.workitems = read_workitems(folder / "workitems.json")
        self.nanoaods_summary = read_summary(folder / "nanoaods.json")
        return self.nanoaods_summary


def _digest(files: Mapping[str, Any]) -> str:
    """Digest of what is known about files, as records or as they are read back."""
    return sha256_bytes(json.dumps(files, sort_keys=True, default=_fields).encode())


def _fields(info: FileInfo) -> dict[str, Any]:
    """Fields of a record, which are not copied: it may have thousands of entry ranges."""
    return {name: getattr(info, name) for name in FileInfo.__slots__}


def with_lost(fileset: Mapping[str, Any], losses: Iterable[Loss]) -> dict[str, Any]:
    """File set whose datasets say in their metadata which of their files cannot be read."""
    lost: dict[str, list[dict[str, Any]]] = {}
    for loss in losses:
        lost.setdefault(loss.dataset, []).append(asdict(loss))
    return {
        key: {**one, "metadata": {**one["metadata"], "lost": lost[key]}} if key in lost else one
        for key, one in fileset.items()
    }


def _tell_empty(groups: Sequence[Group], infos: Sequence[FileInfo]) -> None:
    """Say which simulation has files without a single event: it contributes nothing."""
    events: dict[str, int] = {}
    for info in infos:
        events[info.dataset] = events.get(info.dataset, 0) + info.nevts
    for group in groups:
        if group.is_data or events.get(group.key) != 0:
            continue
        if group.entry.variation != "nominal":
            _log.warning(
                "metadata: %s has no events, so that its share of %s is missing in the templates "
                "of %s; nominal is not touched",
                *(group.stem, group.process, group.entry.variation),
            )
        else:
            _log.warning(
                "metadata: %s has no events, so that %g pb of %s are missing in every result",
                group.stem,
                group.cross_section or 0.0,
                group.process,
            )


def check_disjoint(groups: Sequence[Group], tasks: Sequence[FileTask]) -> None:
    """Make sure that no file counts twice: in one variation of a process, or in the data.

    Raises
    ------
    FileListError
        If two datasets of a process, or two of collision data, hold the same file.
    """
    group = {
        one.key: ("data", "") if one.is_data else (one.process, one.entry.variation)
        for one in groups
    }
    first: dict[tuple[tuple[str, str], str], str] = {}
    for task in tasks:
        path = identity(task.path) if is_remote(task.path) else os.path.realpath(task.path)
        known = first.setdefault((group[task.dataset], path), task.dataset)
        if known != task.dataset:
            raise FileListError(
                f"{shown(task.path)} is in the datasets {known!r} and {task.dataset!r}, and its "
                "events would count twice. Take it off one of them."
            )


def _cache_key(task: FileTask) -> str:
    """What must not have changed for a file's metadata to be reused."""
    path = identity(task.path) if is_remote(task.path) else task.path
    names = ",".join(f"{wanted}={theirs}" for wanted, theirs in sorted(task.branch_map.items()))
    known = (task.dataset, path, task.tree, task.weight_branch, task.chunk_size, names)
    return "|".join(str(part) for part in (*known, file_stamp(task.path)))
