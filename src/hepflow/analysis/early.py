"""Object masks that may come before the object variations, though these change their objects."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hepflow.analysis.spec import AnalysisSpec
from hepflow.corrections import random_of, wants_random
from hepflow.events import EVENT, index_target
from hepflow.object_order import index_columns
from hepflow.records import Dataset
from hepflow.schema import Correction, GoodObjectMask, Systematic
from hepflow.sources import applies
from hepflow.variations import columns_read

Change = Correction | Systematic
Column = tuple[str, str | None]


def early_masks(
    spec: AnalysisSpec, dataset: Dataset, events: Any, again: Collection[int]
) -> frozenset[int]:
    """Masks whose result is the same before all object corrections and after them.

    Such a mask reads no column that changes; and it, the masks in front of it and all that
    changes its objects is arithmetic: each object has its values, whatever others are there.

    Parameters
    ----------
    events
        Uncorrected events.
    again
        Positions of the masks that variations apply again.
    """
    changes = changes_of(spec, dataset)
    found: set[int] = set()
    closed: set[str] = set()  # objects that something in front looks at in another way
    for i, mask in enumerate(spec.masks):
        name = mask.object
        plain = is_plain(mask)
        if i in again and plain and name not in closed and _may_lack(name, changes, events):
            columns = {field or "" for _, field in mask.use}
            # A column of indices changes with the order of what it points to.
            points = any(map(index_target, columns))
            if not points and columns.isdisjoint(changed_columns(name, changes)):
                found.add(i)
        closed |= {one for one, _ in mask.use} - ({name} if plain else set())
        closed |= set() if plain else {name}
    return frozenset(found) if EVENT not in closed else frozenset()


def changes_of(spec: AnalysisSpec, dataset: Dataset) -> list[Change]:
    """Corrections and sources that act on a dataset."""
    return [
        *(one for one in spec.corrections_of(dataset) if applies(one.applies_to, dataset)),
        *(one for one in spec.systematics_of(dataset) if applies(one.processes, dataset)),
    ]


def is_plain(mask: GoodObjectMask) -> bool:
    """Whether a mask is arithmetic on columns of its own objects."""
    mine = all(name == mask.object and field is not None for name, field in mask.use)
    return mine and _is_arithmetic(mask.function, len(mask.use), number=False)


def _may_lack(name: str, changes: list[Change], events: Any) -> bool:
    """Whether all changes do the same to each of these objects, whatever others are there."""
    if name not in events.fields or any(index_columns(events, name)):
        return False
    for one in changes:
        randomly = random_of(one) if isinstance(one, Correction) else wants_random(one.use)
        if name in randomly:
            return False
        if one.type != "object":
            continue
        mine = one.target is not None and one.target[0] == name
        reads = {column[0] for column in columns_read(one)}
        if (mine and not _changes_each(one, name, events)) or (not mine and name in reads):
            return False
        if EVENT in {column[0] for column in columns_read(one) if column[1] is None}:
            return False
    return True


def _changes_each(one: Change, name: str, events: Any) -> bool:
    """Whether a change of these objects computes each by itself, and changes nothing else."""
    if one.propagate_to_met is not None or not all(
        field is not None and (of == name or _is_single(events, of, field))
        for of, field in columns_read(one)
    ):
        return False
    if isinstance(one, Systematic):
        if one.transform is not None:
            return False
        functions = (one.up_function, one.down_function)
        return all(f is None or _is_arithmetic(f, len(one.use)) for f in functions)
    if one.smearing is not None or one.transform_in is not None or one.transform_out is not None:
        return False
    if one.use_correctionlib:
        return True
    sides = [f for s in one.uncertainty_sources for f in (s.up_function, s.down_function)]
    count = len(one.args or one.use)
    return all(f is None or _is_arithmetic(f, count) for f in (one.nominal_function, *sides))


def _is_single(events: Any, name: str, field: str) -> bool:
    """Whether a column has one number for each event."""
    if name == EVENT:
        return field not in events.fields or events[field].ndim == 1  # or a random number
    return name in events.fields and events[name].ndim == 1


def changed_columns(name: str, changes: list[Change]) -> set[str]:
    """Columns of an object that changes write."""
    found: set[str] = set()
    for one in changes:
        if one.type == "object" and one.target is not None and one.target[0] == name:
            found |= {one.target[1] or "", "mass"}
            found |= {"phi"} if one.op == "add_vector" else set()
            found |= {one.raw_factor} if isinstance(one, Correction) and one.raw_factor else set()
    return found


def _is_arithmetic(function: Any, columns: int, *, number: bool = True) -> bool:
    from hepflow.events.arithmetic import is_arithmetic

    return is_arithmetic(function, columns, number=number)
