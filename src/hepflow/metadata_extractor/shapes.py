"""Shapes of the three JSON files, as coffea has them."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hepflow.datasets import Group
from hepflow.records import FileInfo, WorkItem

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
    data = asdict(item)
    data["fileuuid"] = base64.b64encode(uuid.UUID(item.fileuuid).bytes).decode("ascii")
    return data


def workitem_from_json(data: Mapping[str, Any]) -> WorkItem:
    """Inverse of `workitem_to_json`."""
    identity = str(uuid.UUID(bytes=base64.b64decode(data["fileuuid"])))
    return WorkItem(**{**data, "fileuuid": identity, "usermeta": data["usermeta"] or {}})
