"""Apply object corrections and their variations to events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hepflow.corrections import (
    Choice,
    correction_values,
    inputs_of,
    sources_of,
    wants_random,
    with_file_index,
)
from hepflow.errors import UserFunctionError
from hepflow.events import index_target, replace_object
from hepflow.functors import column, run_user_code
from hepflow.records import Dataset, Variation
from hepflow.schema import Correction, Systematic
from hepflow.sources import applies

Function = Callable[..., Any]
Digests = Mapping[str, str]  # correction file -> sha256


def correct_objects(
    events: Any,
    corrections: Sequence[Correction],
    systematics: Sequence[Systematic],
    variation: Variation,
    dataset: Dataset,
    digests: Digests,
) -> Any:
    """Events with all object corrections, one of them varied where `variation` says so.

    Starts from the uncorrected `events` each time, which stay as they are. `corrections` and
    `systematics` are those of the dataset's year.
    """
    events = with_file_index(events, _with_random_numbers(corrections, systematics, dataset))
    for i, one in enumerate(corrections):
        if one.type == "object" and applies(one.applies_to, dataset):
            where = place_of(one, f"corrections[{i}]")
            varied = variation.source in sources_of(one)
            choice = Choice(variation.source, variation.direction) if varied else Choice()
            value = correction_values(one, digests.get(one.file or "", ""), events, choice, where)
            events = change_target(events, one, value, where)
    for i, source in enumerate(systematics):
        if source.type == "object" and source.name == variation.source:
            where = place_of(source, f"systematics[{i}]")
            value = systematic_value(source, variation, events, where)
            events = change_target(events, source, value, where)
    return events


def _with_random_numbers(
    corrections: Sequence[Correction], systematics: Sequence[Systematic], dataset: Dataset
) -> set[str]:
    """Collections whose random numbers something on this dataset reads."""
    used = [wants_random(c.args or c.use) for c in corrections if applies(c.applies_to, dataset)]
    used += [wants_random(s.use) for s in systematics if applies(s.processes, dataset)]
    return set().union(*used)


def place_of(entry: Correction | Systematic, default: str) -> str:
    """Where an entry stands in its configuration, with its name."""
    return f"{entry.path or default} ({entry.name})"


def systematic_value(source: Systematic, variation: Variation, events: Any, where: str) -> Any:
    """Value of a source that does not come with a correction.

    Raises
    ------
    UserFunctionError
        If a configured function raises.
    """
    function = varied_function(source, variation)
    arguments = inputs_of(events, source.use, source.name, where)
    transform = source.transform
    if transform is not None:
        result = run_user_code(lambda: transform(*arguments), transform, where)
        arguments = list(result) if isinstance(result, (tuple, list)) else [result]
    return run_user_code(lambda: function(*arguments), function, where)


def varied_function(source: Systematic, variation: Variation) -> Function:
    """Function of a source for the direction of a variation."""
    function = source.up_function if variation.direction == "up" else source.down_function
    if function is None:  # a side without a function is no variation
        raise UserFunctionError(f"source {source.name!r} has no {variation.direction}_function.")
    return function


def change_target(events: Any, change: Correction | Systematic, value: Any, where: str) -> Any:
    """Apply a value to the target column, with all that follows from a new pt."""
    name, field = change.target or ("", None)
    if field is None:
        raise UserFunctionError(f"{where}.target: expected an object and its column.")
    before = column(events, name, field, f"{where}.target")
    after = _as_before(_combine(before, value, change.op, where), before)
    _check_finite(after, before, where)
    target = events[name]
    if field == "pt" and change.scale_mass and "mass" in target.fields:
        target = _set(
            target, "mass", _as_before(target["mass"] * _ratio(before, after), target["mass"])
        )
    target = _set(target, field, after)
    if field == "pt" and change.propagate_to_met:
        events = propagate_to_met(events, change.propagate_to_met, target["phi"], before, after)
    if field != "pt" or target.ndim == 1:
        return replace_object(events, name, target)
    return reorder(events, name, target)


def _combine(before: Any, value: Any, operation: str, where: str) -> Any:
    import awkward as ak

    if isinstance(value, ak.Array) and (
        len(value) != len(before) or (value.ndim > 1 and not _same_counts(value, before))
    ):
        raise UserFunctionError(f"{where}: the value does not have the structure of its target.")
    if operation == "mult":
        return before * value
    return before + value if operation == "add" else before - value


def _as_before(after: Any, before: Any) -> Any:
    """Keep the precision of the column, so that all variations have one type."""
    import awkward as ak

    kind = ak.to_numpy(ak.flatten(before[:0], axis=None)).dtype
    return ak.values_astype(after, kind)


def _check_finite(after: Any, before: Any, where: str) -> None:
    """A value that is not finite would take events out of every selection without a word."""
    import awkward as ak

    bad = ~np.isfinite(ak.to_numpy(ak.flatten(after, axis=None)))
    if bad.any() and np.isfinite(ak.to_numpy(ak.flatten(before, axis=None))[bad]).any():
        raise UserFunctionError(
            f"{where}: makes {int(bad.sum())} of {len(bad)} values of its target not finite."
        )


def _same_counts(left: Any, right: Any) -> bool:
    import awkward as ak

    return bool(left.ndim > 1 and right.ndim > 1 and ak.all(ak.num(left) == ak.num(right)))


def _ratio(before: Any, after: Any) -> Any:
    """After over before; 1 where before is 0."""
    import awkward as ak

    safe = ak.where(before == 0, 1.0, before)
    return ak.where(before == 0, 1.0, after / safe)


def _set(record: Any, field: str, value: Any) -> Any:
    import awkward as ak

    return ak.with_field(record, value, field)


def propagate_to_met(events: Any, met: str, phi: Any, before: Any, after: Any) -> Any:
    """Take the change in pt of the objects off the missing momentum, as vectors."""
    import awkward as ak

    missing = column(events, met, None, "propagate_to_met")
    change = after - before
    px = missing["pt"] * np.cos(missing["phi"]) - ak.sum(change * np.cos(phi), axis=1)
    py = missing["pt"] * np.sin(missing["phi"]) - ak.sum(change * np.sin(phi), axis=1)
    updated = _set(missing, "pt", np.hypot(px, py))
    return replace_object(events, met, _set(updated, "phi", np.arctan2(py, px)))


def reorder(events: Any, name: str, target: Any) -> Any:
    """Sort a collection by falling pt, so that leading means leading after correction."""
    import awkward as ak

    order = ak.argsort(target["pt"], axis=1, ascending=False, stable=True)
    if ak.all(order == ak.local_index(order, axis=1)):
        return replace_object(events, name, target)
    return remap_indices(replace_object(events, name, target[order]), name, order)


def mask_object(events: Any, name: str, mask: Any) -> Any:
    """Keep some objects of a collection; index columns that point to it follow."""
    import awkward as ak

    kept = ak.local_index(mask, axis=1)[mask]
    return remap_indices(replace_object(events, name, events[name][mask]), name, kept)


def remap_indices(events: Any, name: str, kept: Any) -> Any:
    """Make index columns that point to a collection follow its new order.

    Parameters
    ----------
    kept
        For each object of the new collection its position in the old one, shape
        (n_events, var). An index whose object is gone becomes -1.
    """
    import awkward as ak

    for collection, field in index_columns(events, name):
        old = events[collection][field]
        pairs = ak.cartesian([old, kept], axis=1, nested=True)
        matches = pairs["0"] == pairs["1"]
        found = ak.argmax(matches, axis=2)
        new = ak.where(ak.any(matches, axis=2), ak.fill_none(found, -1), -1)
        events = replace_object(events, collection, _set(events[collection], field, new))
    return events


def index_columns(events: Any, name: str) -> Iterator[tuple[str, str]]:
    """Columns of jagged objects that hold positions in the collection `name`."""
    for collection in events.fields:
        record = events[collection]
        if record.ndim > 1:
            for field in record.fields:
                if index_target(field) == name:
                    yield collection, field
