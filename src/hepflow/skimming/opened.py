"""The file of a work item, as it was when its metadata was read."""

from __future__ import annotations

import contextlib

from hepflow.events import OpenFile, file_version, kept_open
from hepflow.records import Dataset, WorkItem


def opened(dataset: Dataset, item: WorkItem) -> contextlib.AbstractContextManager[OpenFile]:
    """Open the file of a work item; a worker keeps it open."""
    version = file_version(item.fileuuid, item.usermeta.get("file_digest", ""))
    return kept_open(item.filename, item.treename, dataset.branch_map, version)
