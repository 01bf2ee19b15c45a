"""What is processed: datasets, their files, and the entry ranges of the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

WHERE_KNOWN: Final = "where known"  # repeated events count once where files number their events


@dataclass(frozen=True, slots=True)
class Dataset:
    """One normalisation group: one process, variation, year and slice."""

    key: str  # unique: "ttbar_semilep__nominal", "data"
    name: str  # as configured
    process: str
    variation: str  # "nominal" unless an alternative sample
    is_data: bool
    year: str | None  # "2018"; None where the configuration names none
    cross_section: float | None  # [pb]; None for data, never a default of 1
    luminosity: float | None  # [1/pb] of its year; None for data
    k_factor: float
    filter_efficiency: float
    tree_name: str
    weight_branch: str | None  # None for data
    sumw_source: str  # "auto", "events" or "runs"
    lumi_mask: str | None  # path of the certified list; data only
    slice: str = ""  # name of its slice; "" where its dataset has none
    branch_map: Mapping[str, str] = field(default_factory=dict, hash=False)  # wanted -> in the file
    replaces: tuple[str, ...] = ()  # keys of nominal datasets; of an alternative sample only
    duplicates: str = "keep"  # "once", "refuse", WHERE_KNOWN or "keep"; data only


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What the metadata stage learned about one file."""

    dataset: str  # Dataset.key
    path: str
    tree: str
    uuid: str
    nevts: int
    steps: tuple[tuple[int, int], ...]  # entry ranges of the work items
    sum_weights: float  # generator weights of all its events (data: events)
    runs_sum: float | None  # sum of the Runs tree's genEventSumw; None without one
    digest: str = ""  # tells other content under the same uuid; "" where the uuid does


@dataclass(frozen=True, slots=True, order=True)
class WorkItem:
    """An entry range of one file, with coffea's field names."""

    dataset: str  # Dataset.key
    filename: str
    treename: str
    entrystart: int
    entrystop: int
    fileuuid: str  # as hexadecimal with dashes; base64 in workitems.json
    usermeta: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def item_key(self) -> tuple[str, str, int, int]:
        """What makes this item unique within a run."""
        return (self.dataset, self.filename, self.entrystart, self.entrystop)
