"""Look into one file: entry ranges, number of events, sums of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import MissingBranch, did_you_mean
from hepflow.events import open_tree, read_columns
from hepflow.records import FileInfo, WorkItem


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
    count = int(tree.num_entries)
    file_uuid, steps = work_steps(task, count)
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


def work_steps(task: FileTask, count: int) -> tuple[str, tuple[tuple[int, int], ...]]:
    """File's uuid and entry ranges, from coffea's preprocessing.

    `count` events are cut into ``n = max(round(count / chunk_size), 1)`` chunks of
    ``ceil(count / n)``, or fewer where these are enough.
    """
    from coffea.dataset_tools import DataGroupSpec, preprocess

    spec = DataGroupSpec({task.dataset: {"files": {task.path: task.tree}}})
    ready, _ = preprocess(
        spec,
        step_size=step_size(count, task.chunk_size),
        save_form=False,
        scheduler="sync",
        skip_bad_files=False,
        allow_empty_datasets=True,
    )
    found = next(iter(ready[task.dataset].files.values()))
    steps = tuple((int(start), int(stop)) for start, stop in found.steps if start < stop)
    return str(found.uuid), steps or ((0, 0),)


def step_size(count: int, wanted: int) -> float:
    """Size to ask coffea for: it refuses its own steps where rounding puts some beyond the end."""
    steps = max(round(count / wanted), 1)
    size = math.ceil(count / steps)
    return wanted if (steps - 1) * size < count or not count else count / math.ceil(count / size)


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
