"""Collections that a file may have in another order than that of falling pt.

Objects are sorted after a change of their pt. Where only variations change it, nominal would stay
in the order of the file, and differ from a variation without an effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hepflow.analysis.early import changes_of
from hepflow.analysis.spec import AnalysisSpec
from hepflow.corrections import acts_nominally, with_file_index
from hepflow.events import Lists
from hepflow.object_order import falling, reorder
from hepflow.records import Dataset
from hepflow.schema import Correction, Systematic
from hepflow.variations import with_random_numbers


def to_be_sorted(spec: AnalysisSpec, dataset: Dataset) -> frozenset[str]:
    """Objects that are sorted before anything else, on all datasets.

    Their pt is changed by something in the configuration, and on this dataset not nominally.
    """
    everything = (*spec.corrections.values(), *spec.systematics.values())
    anywhere = {name for entries in everything for name in _changed(entries)}
    mine = [one for one in changes_of(spec, dataset) if isinstance(one, Correction)]
    return frozenset(anywhere.difference(_changed(filter(acts_nominally, mine))))


def _changed(entries: Any) -> Iterator[str]:
    one: Correction | Systematic
    for one in entries:
        if one.type == "object" and one.target is not None and one.target[1] == "pt":
            yield one.target[0]


def in_order(spec: AnalysisSpec, dataset: Dataset, events: Any) -> Any:
    """Events whose collections `to_be_sorted` fall in pt; what points to them follows."""
    changes = spec.corrections_of(dataset), spec.systematics_of(dataset)
    for name in sorted(to_be_sorted(spec, dataset)):
        if name in events.fields and _is_collection(events[name]):
            objects = Lists.of(events[name])
            if len(falling(objects.column("pt"), objects.offsets)[0]):
                index = with_random_numbers(*changes, dataset) & {name}
                events = with_file_index(events, index)
                events = reorder(events, name, Lists.of(events[name]))
    return events


def _is_collection(objects: Any) -> bool:
    return objects.ndim > 1 and "pt" in objects.fields
