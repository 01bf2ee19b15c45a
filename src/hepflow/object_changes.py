"""What follows when a column of an object changes: mass, missing momentum, order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections import change_in_met
from hepflow.errors import CorrectionError, UserFunctionError
from hepflow.events import Lists, flat_like, numbers, replace_object
from hepflow.functors import column
from hepflow.object_order import plain_layout, reorder
from hepflow.returned import described, numbers_of
from hepflow.schema import Correction, Systematic

Floats = NDArray[Any]
Vector = tuple[Floats, Floats]
_PARTS = 2  # of a vector: x and y


def change_target(
    events: Any,
    change: Correction | Systematic,
    value: Any,
    where: str,
    raw: Any = None,
    *,
    sort: bool = True,
) -> Any:
    """Apply a value to the target column, with all that follows from a new pt.

    Parameters
    ----------
    raw
        Events with the column that the value acts on; default `events`, which have it as it was.
    sort
        Whether objects are sorted by a new pt here; otherwise the caller does it.
    """
    name, field = change.target or ("", None)
    if field is None:
        raise UserFunctionError(f"{where}.target: expected an object and its column.")
    column(events, name, field, f"{where}.target")
    if change.op == "add_vector":
        return _with_vector(events, name, value, where)
    target = events[name]
    objects = Lists.of(target) if target.ndim > 1 else None
    before = column_of(target, objects, field, where)
    start = before
    if raw is not None and raw is not events:
        start = column_of(raw[name], objects and Lists.of(raw[name]), field, where)
    after = _combine(start, value, change.op, objects, len(events), where)
    after = _typed_as(before, after)
    _check(after, before, name if field == "pt" else "", where)
    columns = {field: after}
    if field == "pt" and change.scale_mass and "mass" in target.fields:
        mass = column_of(target, objects, "mass", where)
        columns["mass"] = (mass * _ratio(before, after)).astype(mass.dtype)
    if isinstance(change, Correction) and change.raw_factor is not None:
        factor = column_of(target, objects, change.raw_factor, where)
        columns[change.raw_factor] = (1.0 - _ratio(after, start)).astype(factor.dtype)
    if field == "pt" and change.propagate_to_met:
        place = f"{where}.propagate_to_met"
        column(events, name, "phi", place)
        phi = column_of(target, objects, "phi", where)
        moved = _moved_in_met(change, events, objects, before, after, where)
        owners = None if objects is None else objects.owners()
        events = propagate_to_met(events, change.propagate_to_met, moved, phi, place, owners)
    if objects is None:
        for one, values in columns.items():
            target = _set(target, one, values)
        return replace_object(events, name, target)
    changed = objects.with_columns(columns)
    if field != "pt" or not sort:
        return replace_object(events, name, changed.array())
    return reorder(events, name, changed)


def column_of(
    target: Any, objects: Lists | None, field: str, where: str, name: str = "the target"
) -> Floats:
    """Flat numbers of a column of an object, which messages call by its name."""
    import awkward as ak

    try:
        return numbers(ak.to_layout(target[field])) if objects is None else objects.column(field)
    except UserFunctionError as error:
        raise UserFunctionError(f"{where}: {field!r} of {name}: {error}") from error


def _moved_in_met(
    change: Correction | Systematic,
    events: Any,
    objects: Lists | None,
    before: Floats,
    after: Floats,
    where: str,
) -> Floats:
    """How far each object moves the missing momentum, flat."""
    if objects is None or not isinstance(change, Correction):
        return after - before
    old, new = (replace(objects, content=plain_layout(one)).array() for one in (before, after))
    return Lists.of(change_in_met(change, events, old, new, where)).numbers()


def _combine(
    start: Floats, value: Any, operation: str, objects: Lists | None, n_events: int, where: str
) -> Floats:
    """The column after a value acted on it.

    Raises
    ------
    UserFunctionError
        If the value has another structure, or misses some.
    """
    try:
        flat = flat_like(value, None if objects is None else objects.offsets, n_events)
    except ValueError as error:
        raise UserFunctionError(
            f"{where}: the value does not have the structure of its target: it is "
            f"{described(value)}, for {n_events} events. Expected a number, one for each event, "
            "or lists of numbers like those of the target."
        ) from error
    except UserFunctionError as error:
        raise UserFunctionError(f"{where}: the value for its target: {error}") from error
    if operation == "mult":
        return start * flat
    return start + flat if operation == "add" else start - flat


def _typed_as(before: Floats, after: Floats) -> Floats:
    """The new numbers in the type of the old ones, which all variations have.

    Whole numbers stay whole only where that changes none of them.
    """
    if before.dtype.kind == "f" or after.dtype == before.dtype:
        return after.astype(before.dtype, copy=False)
    with np.errstate(invalid="ignore"):  # what fits into no whole number
        whole = after.astype(before.dtype)
    return whole if np.array_equal(whole, after) else after


def _check(after: Floats, before: Floats, momentum_of: str, where: str) -> None:
    """Refuse values that would take events out of every selection without a word."""
    if len(after):
        least, most = after.min(), after.max()
        if not np.isfinite([least, most]).all():
            _check_finite(after, before, where)
        if momentum_of and not least >= 0:
            _check_not_negative(after, before, momentum_of, where)


def _check_finite(after: Floats, before: Floats, where: str) -> None:
    bad = ~np.isfinite(after)
    if np.isfinite(before[bad]).any():
        raise UserFunctionError(
            f"{where}: makes {int(bad.sum())} of {len(bad)} values of its target not finite."
        )


def _check_not_negative(after: Floats, before: Floats, name: str, where: str) -> None:
    """A negative pt would fail every selection, and turn the object round in sums of vectors.

    Raises
    ------
    CorrectionError
        If there is one that was not negative before.
    """
    bad = (after < 0) & (before >= 0)
    if bad.any():
        first = int(np.argmax(bad))
        raise CorrectionError(
            f"{where}: makes the pt of {int(bad.sum())} of {len(bad)} objects of {name} negative, "
            f"the first from {before[first]:g} to {after[first]:g} GeV. Expected at least 0: look "
            "at the value for such objects, and at its sign and type (op, is_delta)."
        )


def _ratio(before: Floats, after: Floats) -> Floats:
    """After over before; 1 where before is 0."""
    safe = np.where(before == 0, np.float64(1.0), before)
    return np.where(before == 0, 1.0, after / safe)


def _set(record: Any, field: str, value: Any) -> Any:
    import awkward as ak

    return ak.with_field(record, value, field)


def propagate_to_met(
    events: Any, met: str, change: Floats, phi: Floats, where: str, owners: Any = None
) -> Any:
    """Take the change in pt of objects off the missing momentum, as vectors.

    Where that is nothing, it stays as it is to the last bit.

    Parameters
    ----------
    change, phi
        Of each object, flat.
    owners
        Event of each object; None for one object each event.
    """
    pt, angle = _momentum(events, met, where)
    x = _sum(change * np.cos(phi), owners, pt)
    y = _sum(change * np.sin(phi), owners, pt)
    start = pt * np.cos(angle), pt * np.sin(angle)
    return _with_momentum(events, met, (pt, angle), start, (start[0] - x, start[1] - y))


def _with_vector(events: Any, met: str, value: Any, where: str) -> Any:
    """Add a vector to the missing momentum.

    Parameters
    ----------
    value
        Pair of what is added to x and y [GeV], a number or one for each event.

    Raises
    ------
    UserFunctionError
        If the value is no such pair, or the target is a list of objects.
    """
    if events[met].ndim > 1:
        raise UserFunctionError(
            f"{where}.target: {met!r} is a list of objects. With op 'add_vector', expected one "
            "that each event has once, such as the missing momentum."
        )
    if not isinstance(value, (tuple, list)) or len(value) != _PARTS:
        found = f"{len(value)} values" if isinstance(value, (tuple, list)) else "one value"
        raise UserFunctionError(
            f"{where}: returned {found}, expected a pair (x, y) for op 'add_vector'. Return what "
            "is added to x and what is added to y."
        )
    x, y = (numbers_of(one, where, "numbers for x and y of each event") for one in value)
    pt, angle = _momentum(events, met, where)
    start = pt * np.cos(angle), pt * np.sin(angle)
    px, py = (
        _combine(before, one, "add", None, len(events), where)
        for before, one in zip(start, (x, y), strict=True)
    )
    for after in (px, py):
        _check_finite(after, pt, where)
    moved = px.astype(pt.dtype), py.astype(pt.dtype)
    return _with_momentum(events, met, (pt, angle), start, moved)


def _momentum(events: Any, met: str, where: str) -> tuple[Floats, Floats]:
    """Size and angle of the missing momentum, each of shape (n_events,).

    Raises
    ------
    MissingBranch
        If the events do not carry it.
    UserFunctionError
        If there is not one for each event.
    """
    for one in ("pt", "phi"):
        column(events, met, one, where)
    pt, angle = (column_of(events[met], None, one, where, met) for one in ("pt", "phi"))
    return pt, angle


def _with_momentum(events: Any, met: str, kept: Vector, before: Vector, after: Vector) -> Any:
    """Events with another missing momentum.

    Parameters
    ----------
    kept
        Size and angle, which stay where nothing changes.
    before, after
        Components x and y.
    """
    moves = (after[0] != before[0]) | (after[1] != before[1])
    pt = np.where(moves, np.hypot(*after), kept[0])
    angle = np.where(moves, np.arctan2(after[1], after[0]), kept[1])
    return replace_object(events, met, _set(_set(events[met], "pt", pt), "phi", angle))


def _sum(values: Floats, owners: Any, like: Floats) -> Floats:
    """Sum over the objects of each event, as precise as `like`, shape (n_events,)."""
    if owners is None:
        return values
    precision = like.dtype if like.dtype.kind == "f" else np.float64
    return np.bincount(owners, values, len(like)).astype(precision, copy=False)
