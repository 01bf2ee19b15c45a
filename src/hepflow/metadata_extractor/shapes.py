"""Shapes of the three JSON files, as coffea has them."""

from __future__ import annotations

import base64
import functools
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from hepflow.datasets import Group
from hepflow.errors import StorageError
from hepflow.records import FileInfo, WorkItem

_LAST_ENTRY = 2**62  # no file has as many: offsets of 64 bits end there
Summary = dict[str, dict[str, dict[str, Any]]]


def build_fileset(
    groups: Sequence[Group], infos: Sequence[FileInfo], total: Mapping[str, int]
) -> dict[str, Any]:
    """Files and metadata by dataset key, in coffea's shape."""
    found = _by_dataset(infos)
    return {
        group.key: {
            "files": {one.path: one.tree for one in found.get(group.key, ())},
            "metadata": {
                "process": group.process,
                "variation": group.entry.variation,
                "xsec": group.cross_section,
                "is_data": group.is_data,
                "year": group.year,
                "n_files": total[group.key],
            },
        }
        for group in groups
    }


def _by_dataset(infos: Sequence[FileInfo]) -> dict[str, list[FileInfo]]:
    found: dict[str, list[FileInfo]] = {}
    for info in infos:
        found.setdefault(info.dataset, []).append(info)
    return found


def build_workitems(infos: Sequence[FileInfo]) -> list[WorkItem]:
    """Entry ranges of all files; a file without events has one empty range."""
    return [item for info in infos for item in _workitems_of(info)]


def _workitems_of(info: FileInfo) -> Iterator[WorkItem]:
    shared: dict[str, Any] = {"file_nevts": info.nevts, "file_runs_sum": info.runs_sum}
    if info.digest:
        shared["file_digest"] = info.digest
    for start, stop in info.steps:
        yield WorkItem(
            dataset=info.dataset,
            filename=info.path,
            treename=info.tree,
            entrystart=start,
            entrystop=stop,
            fileuuid=info.uuid,
            usermeta=shared,
        )


def build_summary(groups: Sequence[Group], infos: Sequence[FileInfo]) -> Summary:
    """Events and sums of weights by process and variation; totals by key where several."""
    found = _by_dataset(infos)
    keys: dict[tuple[str, str], list[str]] = {}
    for group in groups:
        place = (group.process, group.entry.variation)
        keys.setdefault(place, []).append(group.key)
    summary: Summary = {}
    for (process, variation), mine in keys.items():
        files = {key: found.get(key, []) for key in mine}
        events = {key: sum(one.nevts for one in files[key]) for key in mine}
        sums = {key: math.fsum(one.sum_weights for one in files[key]) for key in mine}
        several = len(mine) > 1
        summary.setdefault(process, {})[variation] = {
            "files": [
                {
                    "path": info.path,
                    "nevts": info.nevts,
                    "sum_weights": info.sum_weights,
                    "dataset": info.dataset,
                }
                for key in mine
                for info in files[key]
            ],
            "nevts_total": events if several else events[mine[0]],
            "sum_weights_total": sums if several else sums[mine[0]],
        }
    return summary


def workitem_to_json(item: WorkItem) -> dict[str, Any]:
    """Contents of one entry of ``workitems.json``, as coffea writes it."""
    return {
        "dataset": item.dataset,
        "filename": item.filename,
        "treename": item.treename,
        "entrystart": item.entrystart,
        "entrystop": item.entrystop,
        "fileuuid": _in_base64(item.fileuuid),
        "usermeta": dict(item.usermeta),
    }


@functools.lru_cache(maxsize=16)  # the work items of a file come one after the other
def _in_base64(identity: str) -> str:
    return base64.b64encode(uuid.UUID(identity).bytes).decode("ascii")


@functools.lru_cache(maxsize=16)
def _from_base64(text: str) -> str:
    return str(uuid.UUID(bytes=base64.b64decode(text, validate=True)))


class WorkitemsAsJson(Sequence[dict[str, Any]]):
    """Contents of ``workitems.json``, each entry made when it is asked for.

    Parameters
    ----------
    items
        There may be a million of them.
    """

    def __init__(self, items: Sequence[WorkItem]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> WorkitemsAsJson: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | WorkitemsAsJson:
        if isinstance(index, slice):
            return WorkitemsAsJson(self._items[index])
        return workitem_to_json(self._items[index])


def workitem_from_json(data: Mapping[str, Any]) -> WorkItem:
    """Inverse of `workitem_to_json`.

    Raises
    ------
    StorageError
        A field is missing or of another type, or the entry range makes no sense.
    """
    try:
        identity = _from_base64(data["fileuuid"])
        item = WorkItem(**{**data, "fileuuid": identity, "usermeta": data["usermeta"] or {}})
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"it is no work item ({type(error).__name__}: {error})") from error
    texts = type(item.dataset) is str and type(item.filename) is str
    whole = type(item.entrystart) is int and type(item.entrystop) is int
    if not texts or not whole or not isinstance(item.usermeta, Mapping):
        raise StorageError(
            "dataset, filename, entrystart, entrystop or usermeta is of another type"
        )
    if not 0 <= item.entrystart <= item.entrystop <= _LAST_ENTRY:
        raise StorageError(f"the entry range {item.entrystart} to {item.entrystop} is none")
    return item
