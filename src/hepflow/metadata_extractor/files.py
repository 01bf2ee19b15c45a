"""Look into one file: entry ranges, number of events, sums of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from hepflow.errors import MissingBranch, NormalisationError, UnreadableFile, did_you_mean
from hepflow.events import OpenFile, file_version, keep_open, name_in_file, open_tree, status_of
from hepflow.records import FileInfo, WorkItem
from hepflow.remote import is_remote, shown


@dataclass(frozen=True)
class FileTask:
    """A file to look into."""

    dataset: str  # dataset key
    path: str
    tree: str
    weight_branch: str | None  # None for data
    chunk_size: int
    branch_map: Mapping[str, str] = field(default_factory=dict, hash=False)  # wanted -> in the file
    alternatives: tuple[str, ...] = ()  # further URLs of the same file, tried in turn

    @property
    def stage(self) -> str:
        """For records of failures."""
        return "metadata"

    @property
    def work(self) -> WorkItem:
        """The file as a whole."""
        return WorkItem(self.dataset, self.path, self.tree, 0, 0, "")


def inspect_file(task: FileTask) -> FileInfo:
    """Read the number of events and sums of weights of one file.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the file cannot be used.
    NormalisationError
        If the branch of the generator weight does not hold one finite number for each event.
    """
    before = {path: status_of(path) for path in (task.path, *task.alternatives)}
    file = _open_one(task)
    found = _looked_into(file, task)
    version = file_version(found.uuid, found.digest)
    keep_open(file, version, before.get(file.filename, ()))  # this worker may skim it next
    return found


def _looked_into(file: OpenFile, task: FileTask) -> FileInfo:
    return FileInfo(
        dataset=task.dataset,
        path=file.filename,
        tree=task.tree,
        uuid=file.uuid,
        nevts=file.num_entries,
        steps=work_steps(file.num_entries, task.chunk_size),
        sum_weights=_sum_of_events(file, task.weight_branch, task.dataset),
        runs_sum=None if task.weight_branch is None else file.runs_sum,
        digest=file.digest,
    )


def _open_one(task: FileTask) -> OpenFile:
    """Open the file at the first of its URLs that can be read."""
    failed: list[UnreadableFile] = []
    for path in (task.path, *task.alternatives):
        try:
            return open_tree(path, task.tree, task.branch_map)
        except UnreadableFile as error:
            if not is_remote(path):
                raise
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    raise UnreadableFile("\n".join(str(one) for one in failed)) from failed[0]


def work_steps(count: int, chunk_size: int) -> tuple[tuple[int, int], ...]:
    """Entry ranges of the work items of a file, as coffea cuts it.

    ``n = max(round(count / chunk_size), 1)`` ranges of ``ceil(count / n)`` events: the last one
    is shorter, and where these are enough there are fewer.

    Parameters
    ----------
    count
        Number of events in the file.
    chunk_size
        Events of a range (about).

    Returns
    -------
    tuple of (first entry, one after the last)
        One empty range where the file has no events.

    Examples
    --------
    >>> work_steps(250, 100)
    ((0, 125), (125, 250))
    >>> work_steps(0, 100)
    ((0, 0),)
    """
    if not count:
        return ((0, 0),)
    size = math.ceil(count / max(round(count / chunk_size), 1))
    return tuple(pairwise([*range(0, count, size), count]))


def _sum_of_events(file: OpenFile, weight_branch: str | None, dataset: str) -> float:
    if weight_branch is None:
        return float(file.num_entries)
    if weight_branch not in file.names:
        theirs = name_in_file(weight_branch, file.branch_map)
        hint = did_you_mean(theirs, file.columns.names)
        raise MissingBranch(
            f"{shown(file.filename)}: there is no branch {theirs!r} with generator weights. {hint} "
            "Set weight_branch, or is_data: True for data."
        )
    weights = file.read([weight_branch], 0, file.num_entries)[weight_branch]
    if weights.ndim != 1:
        raise NormalisationError(
            f"{shown(file.filename)}: the branch {weight_branch!r} is of type {weights.type}. "
            "Expected one generator weight for each event; set weight_branch."
        )
    values = np.asarray(weights, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise NormalisationError(
            f"dataset {dataset!r}, {shown(file.filename)}: {len(bad)} of {len(values)} values "
            f"of the branch {weight_branch!r} with generator weights are not finite numbers (the "
            f"first is {values[bad[0]]} in entry {bad[0]}), so that there is no sum of weights. "
            "Take the file out of the dataset, make it anew, or set weight_branch."
        )
    return math.fsum(values)
