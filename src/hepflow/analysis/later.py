"""Which columns of objects are read behind the corrections; the others need not be stacked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hepflow.analysis.spec import AnalysisSpec
from hepflow.corrections import INDEX, met_columns
from hepflow.events import EVENT, Lists, replace_object
from hepflow.records import Dataset
from hepflow.schema import Correction, Selection, Systematic
from hepflow.sources import applies
from hepflow.variations import columns_read

_MOVED = ("pt", "mass")  # by a change of pt
Column = tuple[str, str | None]
Later = Mapping[str, frozenset[str]]


def read_later(spec: AnalysisSpec, dataset: Dataset, masks: Collection[int]) -> Later:
    """Columns by object that the steps behind the object corrections read of object variations.

    Objects that a step takes as a whole are not among them, nor is any where one takes the whole
    event: all of their columns are needed. Weights of weight variations are nominal only.

    Parameters
    ----------
    masks
        Positions of the object masks that are applied to variations.
    """
    found: dict[str, set[str]] = {}
    whole: set[str] = set()
    for name, field in columns_behind(spec, dataset, masks):
        if field is None:
            whole.add(name)
        else:
            found.setdefault(name, {INDEX}).add(field)
    if EVENT in whole:
        return {}
    return {name: frozenset(fields) for name, fields in found.items() if name not in whole}


def with_order(later: Later, objects: Collection[str]) -> Later:
    """The same with the pt of those objects that are still to be sorted by it."""
    return {**later, **{name: later[name] | {"pt"} for name in objects if name in later}}


def without_unread(spec: AnalysisSpec, dataset: Dataset, events: Any, later: Later) -> Any:
    """Events without columns of objects that neither object corrections nor later steps read."""
    wanted = {name: set(fields) for name, fields in later.items()}
    changes: list[Correction | Systematic] = [
        *(one for one in spec.corrections_of(dataset) if one.type == "object"),
        *(one for one in spec.systematics_of(dataset) if one.type == "object"),
    ]
    for one in changes:
        for name, field in columns_of_change(one):
            if name in wanted and field is None:
                del wanted[name]
            elif name in wanted:
                wanted[name].add(field or "")
    for name, fields in wanted.items():
        if name in events.fields and events[name].ndim > 1 and events[name].fields:
            objects = Lists.of(events[name])
            if not fields.issuperset(objects.fields):
                events = replace_object(events, name, objects.only(fields).array())
    return events


def columns_of_change(one: Correction | Systematic) -> Iterator[Column]:
    """Columns that a correction or source of objects reads, or that follow from its target."""
    raw = one.raw_factor if isinstance(one, Correction) else None
    target = one.target or (EVENT, None)
    yield from columns_read(one)
    yield target
    own = (*_MOVED, *met_columns(one), *([] if raw is None else [raw]))
    yield from ((target[0], name) for name in own)
    if one.propagate_to_met is not None:
        yield from ((one.propagate_to_met, name) for name in ("pt", "phi"))


def columns_behind(
    spec: AnalysisSpec, dataset: Dataset, masks: Collection[int]
) -> Iterator[Column]:
    """Columns that the steps behind the object corrections read, of the masks only some."""
    for i in masks:
        yield (spec.masks[i].object, INDEX)
        yield from spec.masks[i].use
    for ghost in spec.ghosts:
        yield from ghost.use
    yield from _of_selection(spec.baseline)
    for channel in spec.channels:
        yield from _of_selection(channel.selection)
        for observable in channel.observables:
            yield from observable.use
    for one in spec.corrections_of(dataset):
        if one.type == "event" and applies(one.applies_to, dataset):
            yield from columns_read(one)


def _of_selection(selection: Selection | None) -> Iterator[Column]:
    if selection is None:
        return
    if selection.function is not None:
        yield from selection.use
    for cut in selection.cuts:
        yield from cut.use
    for other in selection.n_minus_1:
        yield from other.use or ()
