"""Shapes of the three JSON files, as coffea has them."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hepflow.datasets import dataset_key, is_data, process_of
from hepflow.records import FileInfo, WorkItem
from hepflow.schema import DatasetEntry

Summary = dict[str, dict[str, dict[str, Any]]]


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
