"""Objects that nothing reads before the baseline: they are read of those events that pass it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.early import changes_of
from hepflow.analysis.file_order import in_order, to_be_sorted
from hepflow.analysis.shared import shared_steps
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.waiting import waiting_masks
from hepflow.corrections import acts_nominally, random_of, wants_random
from hepflow.events import EVENT, columns_of, packed
from hepflow.object_order import index_columns
from hepflow.records import Dataset
from hepflow.schema import Correction
from hepflow.skimming.late import Late
from hepflow.variations import columns_read

Mask = NDArray[np.bool_]
Column = tuple[str, str | None]


def late_objects(spec: AnalysisSpec, dataset: Dataset, events: Any) -> frozenset[str]:
    """Objects that no step up to the baseline reads or changes, nominally.

    None where events that fail the baseline are wanted behind it.

    Parameters
    ----------
    events
        Record with all objects; how many events it has does not matter.
    """
    baseline = spec.baseline
    if baseline is None or baseline.n_minus_1 or spec.varied_failing:
        return frozenset()
    shared = None
    if any(one.kind == "object" for one in spec.variations(dataset)):
        shared = shared_steps(spec, dataset, events)
        if shared is None:
            return frozenset()
    waiting = waiting_masks(spec, events)
    if shared is not None:
        waiting &= shared.masks | shared.early
    seen = set(_seen(spec, dataset, events, waiting))
    if EVENT in seen:
        return frozenset()
    return frozenset(name for name in events.fields if events[name].fields and name not in seen)


def _seen(
    spec: AnalysisSpec, dataset: Dataset, events: Any, waiting: frozenset[int]
) -> Iterator[str]:
    """Objects that are read or changed up to the baseline; ``event`` is all of them."""
    baseline, kept = spec.baseline, spec.keeps.get(dataset.key)
    columns: list[Column] = [*kept.use] if kept is not None else []
    if baseline is not None:
        columns += [*baseline.use, *(column for cut in baseline.cuts for column in cut.use)]
    for i, mask in enumerate(spec.masks):
        if i not in waiting:
            columns += [*mask.use, (mask.object, ""), *index_columns(events, mask.object)]
    for change in changes_of(spec, dataset):
        if isinstance(change, Correction):
            yield from random_of(change)
            columns += _changed(change, events)
        else:
            yield from wants_random(change.use)
    for name in to_be_sorted(spec, dataset):
        pointers = list(index_columns(events, name))
        columns += [*pointers, (name, "")] if pointers else []
    yield from (name for name, field in columns if name != EVENT or field is None)


def _changed(one: Correction, events: Any) -> Iterator[Column]:
    """Columns that a correction reads and changes nominally, with what points to them."""
    if one.type == "object" and acts_nominally(one):
        yield from columns_read(one)
        target = (one.target or (EVENT, None))[0]
        yield (target, "" if target != EVENT else None)
        yield from index_columns(events, target)
        if one.propagate_to_met is not None:
            yield (one.propagate_to_met, "")


@dataclass(frozen=True)
class LateObjects:
    """Late objects of some of the events."""

    wanted: Mask  # which events they are of
    objects: Any  # record array of them
    order: tuple[str, ...]  # of all fields of the events

    @classmethod
    def read(cls, spec: AnalysisSpec, dataset: Dataset, late: Late, wanted: Mask) -> LateObjects:
        """Read them, each sorted as `in_order` says.

        Raises
        ------
        UnreadableFile
            If the file is damaged there.
        """
        objects = in_order(spec, dataset, late.read(wanted))
        return cls(wanted, objects, tuple(late.template.fields))

    def added_to(self, events: Any, there: Mask) -> Any:
        """Put them into events.

        Parameters
        ----------
        there
            Which events these are: each of them is wanted.
        """
        import awkward as ak

        chosen = there[self.wanted]
        mine = self.objects if chosen.all() else packed(self.objects[chosen])
        columns = columns_of(ak.to_layout(events)) | columns_of(ak.to_layout(mine))
        names = [*(one for one in self.order if one in columns)]
        names += [one for one in columns if one not in self.order]
        record = ak.contents.RecordArray(
            [columns[name] for name in names], names, length=int(chosen.sum())
        )
        return ak.Array(record, behavior=events.behavior)
