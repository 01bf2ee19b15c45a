"""Work items as they come in: ours, coffea's or plain dicts."""

from __future__ import annotations

import functools
import itertools
import operator
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from hepflow.errors import InputError
from hepflow.records import WorkItem
from hepflow.remote import shown


def as_workitem(item: Any) -> WorkItem:
    """Take our own work items, or objects and dicts with coffea's field names."""
    if isinstance(item, WorkItem):
        return item
    read = item.__getitem__ if isinstance(item, Mapping) else functools.partial(getattr, item)
    return WorkItem(
        dataset=read("dataset"),
        filename=read("filename"),
        treename=read("treename"),
        entrystart=int(read("entrystart")),
        entrystop=int(read("entrystop")),
        fileuuid=_uuid_text(read("fileuuid")),
        usermeta=dict(read("usermeta") or {}),
    )


def _uuid_text(value: Any) -> str:
    return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else str(value or "")


# As work items compare; of a million these are looked at much faster than one another.
in_order = operator.attrgetter(
    "dataset", "filename", "treename", "entrystart", "entrystop", "fileuuid"
)


def each_once(items: Iterable[WorkItem]) -> list[WorkItem]:
    """Work items in order, a repeated one once.

    Raises
    ------
    InputError
        If entry ranges of a file overlap: their events would count twice.
    """
    found = sorted({item.item_key: item for item in items}.values(), key=in_order)
    for left, right in itertools.pairwise(found):
        same = (left.dataset, left.filename) == (right.dataset, right.filename)
        if same and right.entrystart < left.entrystop:
            raise InputError(
                f"{shown(left.filename)}: the work items {left.entrystart} to {left.entrystop} and "
                f"{right.entrystart} to {right.entrystop} overlap. Give each event once."
            )
    return found
