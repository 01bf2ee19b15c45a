"""What follows from a source: read off the columns that each configured step uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hepflow.analysis.spec import AnalysisSpec
from hepflow.corrections import acts_nominally, met_columns, sources_of
from hepflow.events import EVENT, Branches, index_target
from hepflow.records import Dataset
from hepflow.schema import Channel, Correction, Selection, Systematic
from hepflow.sources import applies
from hepflow.variations import columns_read

Column = tuple[str, str | None]  # object and field; without field the whole object
StepKind = Literal["correction", "mask", "baseline", "columns", "selection", "observable", "weight"]
ALL: Column = ("", None)  # the events with all that they have
WHOLE = "selection"  # name of a selection that is one function


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done to events, with the columns that it reads and writes."""

    kind: StepKind
    name: str  # of the correction, object, cut, columns or observable
    reads: tuple[Column, ...]
    writes: tuple[Column, ...] = ()
    channel: str = ""  # of a selection or an observable
    sources: tuple[str, ...] = ()  # that change what it does

    @property
    def place(self) -> tuple[str, str, str]:
        """What it is called, in whatever year."""
        return (self.kind, self.channel, self.name)


@dataclass(frozen=True, slots=True)
class Touches:
    """What a source moves, and which steps see it."""

    columns: tuple[Column, ...]  # of other value, or in another order, than nominally
    again: tuple[Step, ...]  # their results may differ from nominal
    shared: tuple[Step, ...]  # they give for each event what they give nominally


class Moved:
    """Columns that have moved so far, in the order in which they did."""

    def __init__(self) -> None:
        self.columns: dict[Column, None] = {}

    def add(self, columns: Iterable[Column]) -> None:
        """Count more columns as moved."""
        self.columns.update(dict.fromkeys(columns))

    def reach(self, reads: Iterable[Column]) -> bool:
        """Whether any of the columns that are read has moved.

        Examples
        --------
        >>> moved = Moved()
        >>> moved.add([("Jet", "pt"), ("Muon", None)])
        >>> [moved.reach([one]) for one in [("Jet", None), ("Jet", "eta"), ("Muon", "eta")]]
        [True, False, True]
        """
        return any(self._has(canonical(one)) for one in reads)

    def _has(self, read: Column) -> bool:
        if not self.columns:
            return False
        name, field = read
        if read == ALL or ALL in self.columns:
            return True
        if field is None:
            return any(name == moved for moved, _ in self.columns)
        return read in self.columns or (name, None) in self.columns


def canonical(column: Column) -> Column:
    """Give a column the one name it has here: a branch without an object is one by itself.

    Examples
    --------
    >>> canonical(("event", "run")), canonical(("Jet", "pt"))
    (('run', None), ('Jet', 'pt'))
    """
    name, field = column
    if name != EVENT:
        return column
    return ALL if field is None else (field, None)


def touches_of(source: str, steps: Iterable[Step]) -> Touches:
    """Follow a source through the steps, in their order."""
    moved = Moved()
    again, shared = [], []
    for step in steps:
        if source in step.sources or moved.reach(step.reads):
            moved.add(map(canonical, step.writes))
            again.append(step)
        elif step.reads or not step.sources:  # else it is there for its own sources only
            shared.append(step)
    return Touches(tuple(moved.columns), tuple(again), tuple(shared))


def together(found: Iterable[Touches]) -> Touches:
    """What any of several does, as one source does on several datasets."""
    parts = list(found)
    again = {step.place: step for one in parts for step in one.again}
    shared = {step.place: step for one in parts for step in one.shared}
    return Touches(
        tuple(dict.fromkeys(column for one in parts for column in one.columns)),
        tuple(again.values()),
        tuple(step for place, step in shared.items() if place not in again),
    )


# -- the steps of a dataset --------------------------------------------------------------


def steps_of(
    spec: AnalysisSpec, dataset: Dataset, branches: Branches, overridden: Collection[str] = ()
) -> tuple[Step, ...]:
    """Everything that is done to the events of a dataset, in its order.

    Parameters
    ----------
    branches
        Those that are kept of this dataset.
    overridden
        Names of the steps of `EventLoop` that the analysis does in its own way: they may read
        and write anything.
    """
    parts: Mapping[str, Iterator[Step]] = {
        "correct_objects": _object_corrections(spec, dataset, branches),
        "mask_objects": _masks(spec, branches),
        "select_baseline": _cuts("baseline", spec.baseline),
        "add_ghost_observables": _ghosts(spec),
        "select_channel": _selections(spec.visible_channels(dataset)),
        "observable": _observables(spec, dataset),
        "event_weights": _weights(spec, dataset),
    }
    found: list[Step] = []
    for name, steps in parts.items():
        found += _unknown(name, spec, dataset) if name in overridden else steps
    return tuple(found)


def overridden_steps(analysis: type | None, usual: type) -> tuple[str, ...]:
    """Steps that an analysis class does in another way than the usual one."""
    if analysis is None:
        return ()
    return tuple(one for one in _KINDS if getattr(analysis, one) is not getattr(usual, one))


_KINDS: Mapping[str, StepKind] = {
    "correct_objects": "correction",
    "mask_objects": "mask",
    "select_baseline": "baseline",
    "add_ghost_observables": "columns",
    "select_channel": "selection",
    "observable": "observable",
    "event_weights": "weight",
}


def _unknown(name: str, spec: AnalysisSpec, dataset: Dataset) -> list[Step]:
    """A step of the analysis' own, of which no more is known than when it comes."""
    kind = _KINDS[name]
    one = Step(kind, name, (ALL,), (ALL,) if kind in {"correction", "mask", "columns"} else ())
    if kind == "correction":
        moving = [v.source for v in spec.variations(dataset) if v.kind == "object"]
        return [replace(one, sources=tuple(dict.fromkeys(moving)))]
    if kind in {"selection", "observable"}:
        return [replace(one, channel=c.name) for c in spec.visible_channels(dataset)]
    return [one]


def _object_corrections(spec: AnalysisSpec, dataset: Dataset, branches: Branches) -> Iterator[Step]:
    changes: list[Correction | Systematic] = [
        *(one for one in spec.corrections_of(dataset) if applies(one.applies_to, dataset)),
        *(one for one in spec.systematics_of(dataset) if applies(one.processes, dataset)),
    ]
    missing = {one.propagate_to_met for one in changes}
    for one in changes:
        if one.type == "object":
            # nothing of it can be sorted
            single = one.op == "add_vector" or (one.target or (EVENT, None))[0] in missing
            yield from _changes(one, _written(one, branches, single=single))


def _changes(one: Correction | Systematic, writes: tuple[Column, ...]) -> Iterator[Step]:
    """A change of the target, and what it does to the missing momentum."""
    name, field = one.target or (EVENT, None)
    if isinstance(one, Correction):
        raw, own = one.raw_factor, sources_of(one)
    else:
        raw, own = None, (one.name,)
    # A source without a nominal value changes its target in its own variations only.
    nominally = isinstance(one, Correction) and acts_nominally(one)
    reads = (*columns_read(one), (name, field), *([(name, raw)] if raw else []))
    yield Step("correction", one.name, reads if nominally else (), writes, sources=own)
    if one.propagate_to_met is not None:
        missing = ((one.propagate_to_met, "pt"), (one.propagate_to_met, "phi"))
        objects = [(name, part) for part in met_columns(one)]
        taken = (*objects, *missing) if nominally else ()
        title = f"{one.name} on {one.propagate_to_met}"
        yield Step("correction", title, taken, missing, sources=own)


def _written(
    one: Correction | Systematic, branches: Branches, *, single: bool
) -> tuple[Column, ...]:
    """All columns that move with the target; `single` is one that each event has once."""
    name, field = one.target or (EVENT, None)
    raw = [(name, one.raw_factor)] if isinstance(one, Correction) and one.raw_factor else []
    if field != "pt":
        return ((name, field), *raw)
    if one.op == "add_vector":
        return ((name, field), (name, "phi"))
    mass = [(name, "mass")] if one.scale_mass and "mass" in branches.get(name, ()) else []
    # Sorted by their new pt, the objects have all of their columns in another order.
    order = () if single else _rearranged(name, branches)
    return ((name, field), *mass, *raw, *order)


def _rearranged(name: str, branches: Branches) -> tuple[Column, ...]:
    """An object of which other ones are there, or in another order, with what points to it."""
    pointers = [
        (other, field)
        for other, fields in branches.items()
        for field in fields
        if other != EVENT and index_target(field) == name
    ]
    return ((name, None), *pointers)


def _masks(spec: AnalysisSpec, branches: Branches) -> Iterator[Step]:
    for one in spec.masks:
        yield Step("mask", one.object, tuple(one.use), _rearranged(one.object, branches))


def _cuts(kind: StepKind, selection: Selection | None, channel: str = "") -> Iterator[Step]:
    if selection is None:
        return
    if selection.function is not None:
        yield Step(kind, WHOLE, tuple(selection.use), channel=channel)
    for cut in selection.cuts:
        yield Step(kind, cut.name, tuple(cut.use), channel=channel)


def _ghosts(spec: AnalysisSpec) -> Iterator[Step]:
    for ghost in spec.ghosts:
        columns = tuple(map(canonical, ghost.columns))
        name = ", ".join(map(column_name, columns))
        yield Step("columns", name, tuple(ghost.use), columns)


def column_name(column: Column) -> str:
    """Name of a column for people: ``Jet.pt``, or ``Jet`` as a whole."""
    name, field = column
    if column == ALL:
        return "everything"
    return name if field is None else f"{name}.{field}"


def split_columns(
    columns: Iterable[Column], collections: Collection[str]
) -> tuple[list[Column], list[str]]:
    """Columns of other values, and objects that are there in another order or number."""
    found = list(columns)
    whole = [name for name, part in found if part is None and name in collections]
    return [one for one in found if one[1] is not None or one[0] not in whole], whole


def _selections(channels: Iterable[Channel]) -> Iterator[Step]:
    for channel in channels:
        yield from _cuts("selection", channel.selection, channel.name)


def _observables(spec: AnalysisSpec, dataset: Dataset) -> Iterator[Step]:
    for channel in spec.visible_channels(dataset):
        for one in spec.visible_observables(channel, dataset):
            yield Step("observable", one.name, tuple(one.use), channel=channel.name)
        for _, other in spec.n_minus_1(channel):
            if other.variations:
                yield Step("observable", other.observable, tuple(other.use), channel=channel.name)


def _weights(spec: AnalysisSpec, dataset: Dataset) -> Iterator[Step]:
    """Factors of the nominal weight; the object sources that some are linked to move them."""
    read: list[Column] = []
    kept: list[str] = []
    for one in spec.corrections_of(dataset):
        if one.type == "event" and applies(one.applies_to, dataset):
            linked = [source.varies_with for source in one.uncertainty_sources]
            moving = tuple(name for name in linked if name is not None)
            reads = columns_read(one) if acts_nominally(one) else ()
            yield Step("weight", one.name, reads, sources=moving)
            read += reads
            kept += [one.name] if one.keep_yield else []
    # What keeps the yield hangs on the events behind the baseline, and on their weights.
    baseline = (column for step in _cuts("baseline", spec.baseline) for column in step.reads)
    for name in kept:
        yield Step("weight", f"yield of {name}", (*baseline, *read))
