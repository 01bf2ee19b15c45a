"""Metadata of parts, and totals of datasets from what was counted or from the metadata step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepflow.errors import InputError
from hepflow.records import Dataset, PartCounts, WorkItem

Totals = dict[str, Any]  # nevts, sum_weights, and sum_signs where it is known
Fileset = Mapping[str, Any] | None
Summary = Mapping[str, Any] | None


@dataclass(frozen=True)
class _File:
    nevts: int
    sum_weights: float


def totals_of(counts: Sequence[PartCounts]) -> Totals:
    """Totals of parts that were counted."""
    return {
        "nevts": sum(one.nevts for one in counts),
        "sum_weights": math.fsum(one.sum_weights for one in counts),
        "sum_signs": math.fsum(one.sum_signs for one in counts),
    }


def known_totals(dataset: str, items: Iterable[WorkItem], summary: Summary) -> Totals:
    """Totals of the files of work items, as the metadata step knows them.

    Raises
    ------
    InputError
        If it does not know them, or the work items leave out some events of a file: their sum
        of weights would be known only after reading.
    """
    read: dict[str, int] = {}
    for item in items:
        read[item.filename] = read.get(item.filename, 0) + item.entrystop - item.entrystart
    files = _files(summary).get(dataset, {})
    for name, nevts in read.items():
        whole = files[name].nevts if name in files else None
        if whole != nevts:
            raise InputError(
                f"{dataset}: the work items read {nevts:,} events of {name}, nanoaods_summary has "
                f"{'none' if whole is None else format(whole, ',')}. With execution.one_pass both "
                "come from the same metadata step and cover whole files."
            )
    return {
        "nevts": sum(read.values()),
        "sum_weights": math.fsum(files[name].sum_weights for name in read),
    }


def _files(summary: Summary) -> dict[str, dict[str, _File]]:
    """Files by dataset and path."""
    found: dict[str, dict[str, _File]] = {}
    for variations in (summary or {}).values():
        for process in variations.values():
            for file in process["files"]:
                known = _File(file["nevts"], file["sum_weights"])
                found.setdefault(file["dataset"], {})[file["path"]] = known
    return found


def differing_totals(summary: Summary, counted: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Datasets whose skim read another number of events than their metadata holds."""
    expected = {
        name: sum(one.nevts for one in files.values()) for name, files in _files(summary).items()
    }
    return {
        name: (nevts, expected[name])
        for name, nevts in counted.items()
        if name in expected and nevts != expected[name]
    }


def common_metadata(dataset: Dataset, totals: Totals, fileset: Fileset) -> dict[str, Any]:
    """What all parts of a dataset say alike."""
    files = (fileset or {}).get(dataset.key, {})
    return {
        "dataset": dataset.key,
        "process": dataset.process,
        "variation": dataset.variation,
        "year": dataset.year,
        "is_data": dataset.is_data,
        "xsec": dataset.cross_section,
        **totals,
        "n_files": files.get("metadata", {}).get("n_files"),
    }


def item_metadata(item: WorkItem) -> dict[str, Any]:
    """What a part says about its entry range before it is read."""
    return {
        "file": item.filename,
        "entrystart": item.entrystart,
        "entrystop": item.entrystop,
        "part_nevts": item.entrystop - item.entrystart,
        **item.usermeta,
    }
