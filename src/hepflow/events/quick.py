"""Columns of numbers whose arithmetic goes straight to numpy: awkward's own costs ten times that.

Configured functions get them as awkward arrays, which they are. What is not plain arithmetic on
columns of one structure is done by awkward.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import awkward as ak
import numpy as np

from hepflow.events.owners import owners_of
from hepflow.events.segments import chosen_before

_MOST = 2  # lists for each that was selected: up to here it pays to do all of them
_KINDS = "biuf"  # of numpy types: truth values, integers and real numbers
_NUMBERS = (bool, int, float, np.number, np.bool_)
_Apart = tuple[Any, Any]  # offsets, or None of one number each event; and the flat numbers


_state = threading.local()  # `left`: whether a function is left to awkward


class QuickArray(ak.Array):  # type: ignore[misc] # awkward has no types
    """An awkward array of numbers, or of lists of numbers, with quick arithmetic."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc to the flat numbers, where all inputs have one structure."""
        if method == "__call__" and not kwargs and ufunc.nout == 1 and ufunc.signature is None:
            found = _applied(ufunc, inputs, self.behavior)
            if found is not None:
                return found
        return quick(super().__array_ufunc__(ufunc, method, *inputs, **kwargs))

    def __getitem__(self, where: Any) -> Any:
        """Choose; one object of each event, ``[:, 0]``, is taken from the flat numbers."""
        whole = slice(None)
        if type(where) is tuple and where[1:] and type(where[0]) is slice and where[0] == whole:
            found = self._each(*where[1:])
            if found is not None:
                return found
        return quick(super().__getitem__(where))

    @property
    def __awkward_function__(self) -> Any:
        """What awkward's functions hand over to."""
        if getattr(_state, "left", False):
            raise AttributeError("awkward's own way is taken")
        return _called

    def _each(self, position: Any, *more: Any) -> Any:
        if more or type(position) is not int or position < 0:
            return None
        apart = taken_apart(self)
        if apart is None or apart[0] is None:
            return None
        first = apart[0][:-1] + position
        if not (first < apart[0][1:]).all():
            return None
        return _together(None, apart[1].take(first), self.behavior)


def _called(function: Any, _: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Do what a function of awkward does: quickly, or in awkward's way."""
    way = _WAYS.get(function)
    if way is not None:
        found = way(*arguments, **named)
        if found is not None:
            return found
    _state.left = True
    try:
        return quick(function(*arguments, **named))
    finally:
        _state.left = False


def _lists(array: Any, axis: Any, named: Any) -> _Apart | None:
    """Offsets and flat numbers where the objects of each event are meant, in the usual way."""
    apart = taken_apart(array) if type(axis) is int and axis in {1, -1} and not named else None
    return None if apart is None or apart[0] is None else apart


def _num(array: Any, axis: Any = 1, **named: Any) -> Any:
    if type(axis) is not int or axis not in {1, -1} or named or not isinstance(array, QuickArray):
        return None
    layout = array.layout
    layout = layout.project() if layout.is_indexed else layout
    if not layout.is_list:
        return None
    counts = layout.stops.data - layout.starts.data
    return _together(None, counts.astype(np.int64, copy=False), array.behavior)


def _any(array: Any, axis: Any = None, **named: Any) -> Any:
    apart = _lists(array, axis, named)
    if apart is None or apart[1].dtype != np.bool_:
        return None
    return _together(None, _counts(*apart) > 0, array.behavior)


def _all(array: Any, axis: Any = None, **named: Any) -> Any:
    apart = _lists(array, axis, named)
    if apart is None or apart[1].dtype != np.bool_:
        return None
    return _together(None, _counts(apart[0], ~apart[1]) == 0, array.behavior)


def _sum(array: Any, axis: Any = None, **named: Any) -> Any:
    rows = _rows_of_lists(array) if type(axis) is int and axis in {1, -1} and not named else None
    if rows is not None:
        sums = _sum(_together(*rows[1], array.behavior), axis)
        flat = None if sums is None else sums.layout.data.take(rows[0])
        return None if flat is None else _together(None, flat, array.behavior)
    apart = _lists(array, axis, named)
    if apart is None or apart[1].dtype != np.float64:
        return None  # else it depends on the type in which awkward adds up
    # adds up one after the other, as awkward does; without any entry it counts instead
    found = np.bincount(_owners(array, apart[0]), apart[1], len(array))
    sums = found.astype(np.float64, copy=False)
    return _together(None, sums, array.behavior)


def _values_astype(array: Any, to: Any, **named: Any) -> Any:
    if named or not isinstance(to, (str, type, np.dtype)):
        return None
    rows = _rows_of_lists(array)
    if rows is not None and np.can_cast(rows[1][1].dtype, to, "safe"):
        whole = _values_astype(_together(*rows[1], array.behavior), to)
        if whole is None:
            return None
        chosen = ak.contents.IndexedArray(ak.index.Index64(rows[0]), whole.layout)
        return quick(ak.Array(chosen, behavior=array.behavior))
    apart = taken_apart(array)
    kind = np.dtype(to)
    if apart is None or kind.kind not in _KINDS:
        return None
    found = _together(apart[0], apart[1].astype(kind, copy=False), array.behavior)
    found.__dict__["_owners"] = array.__dict__.get("_owners")
    return found


_WAYS: dict[Any, Callable[..., Any]] = {
    ak.num: _num,
    ak.any: _any,
    ak.all: _all,
    ak.sum: _sum,
    ak.values_astype: _values_astype,
}


def _counts(offsets: Any, mask: Any) -> Any:
    """How many entries of each list a mask holds for."""
    at = chosen_before(mask, offsets)
    return at[1:] - at[:-1]


def quick(array: Any) -> Any:
    """The same array with quick arithmetic, where it is one of numbers or of lists of numbers."""
    if type(array) is not ak.Array or not _is_plain(array.layout) or array.attrs:
        return array
    found = ak.Array(array.layout, behavior=array.behavior)
    found.__class__ = QuickArray
    return found


def quick_field(events: Any, names: Sequence[str]) -> Any:
    """A field of a field of events, as ``quick(events[first][second])`` gives it, at once.

    Returns
    -------
    ak.Array
        None where a field is not there, or awkward has more to do than to look it up.
    """
    if type(events) is not ak.Array or events.attrs:
        return None
    layout = events.layout
    for name in names:
        if name not in layout.fields:
            return None
        layout = layout[name]
    found = ak.Array(layout, behavior=events.behavior)
    if _is_plain(layout) and type(found) is ak.Array:
        found.__class__ = QuickArray
    return found


def taken_apart(array: Any) -> _Apart | None:
    """Offsets and flat numbers; None of what is not made of plain numbers."""
    if isinstance(array, QuickArray):
        known = array.__dict__.get("_apart")
        if known is None:
            known, owners = _apart(array.layout)
            array.__dict__.update(_apart=known, _owners=owners)
        return known
    if type(array) is ak.Array and not array.attrs and _is_plain(array.layout):
        return _apart(array.layout)[0]
    return None


def _owners(array: Any, offsets: Any) -> Any:
    """List of each of the flat numbers of an array, which may be known from taking it apart."""
    known = array.__dict__.get("_owners") if isinstance(array, QuickArray) else None
    return owners_of(offsets) if known is None else known


def _rows_of_lists(array: Any) -> tuple[Any, _Apart] | None:
    """Rows, and offsets and flat numbers of the lists of which they are most.

    Where events were selected, what cannot fail is done for all lists: that takes less time than
    to take out the numbers of those that are left.
    """
    if not isinstance(array, QuickArray) or "_apart" in array.__dict__:
        return None
    layout = array.layout
    if not (layout.is_indexed and layout.content.is_list) or _MOST * len(layout) < len(
        layout.content
    ):
        return None
    known = getattr(layout.content, "offsets", None)
    if known is None or len(known) < 1 or known.data[0] != 0 or known.data.dtype != np.int64:
        return None
    flat = _numbers(layout.content.content, slice(known.data[-1]))
    return layout.index.data, (known.data, flat)


def _is_plain(layout: Any) -> bool:
    """Whether it is of numbers, or of lists of them, that no behaviour has a say in."""
    inside = False  # of a list
    while layout.is_list or layout.is_indexed:
        if layout.is_option or layout.parameters or layout.is_regular:
            return False
        if inside and layout.is_list:
            return False
        inside = inside or layout.is_list
        layout = layout.content
    if not layout.is_numpy or layout.parameters:
        return False
    return layout.data.ndim == 1 and layout.data.dtype.kind in _KINDS


def _apart(layout: Any) -> tuple[_Apart, Any]:
    """Offsets and flat numbers; and the list of each number, where it was needed for them."""
    layout = layout.project() if layout.is_indexed and layout.content.is_list else layout
    if not layout.is_list:
        return (None, _numbers(layout, slice(None))), None
    starts, stops = layout.starts.data, layout.stops.data
    known = getattr(layout, "offsets", None)
    if known is not None and known.data[0] == 0 and known.data.dtype == np.int64:
        return (known.data, _numbers(layout.content, slice(known.data[-1]))), None
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    np.cumsum(stops - starts, out=offsets[1:])
    if np.array_equal(starts[1:], stops[:-1]):  # one after the other
        first = starts[0] if len(starts) else 0
        flat = _numbers(layout.content, slice(first, first + offsets[-1]))
        return (offsets, flat), None
    owners = np.repeat(np.arange(len(starts)), stops - starts)
    where = (starts - offsets[:-1])[owners]
    where += np.arange(offsets[-1])
    return (offsets, _numbers(layout.content, where)), owners


def _numbers(content: Any, where: Any) -> Any:
    """Some of the numbers of a content, which may be indexed."""
    while content.is_indexed:
        where = _at(content.index.data, where)
        content = content.content
    return _at(content.data, where)


def _at(values: Any, where: Any) -> Any:
    return values[where] if isinstance(where, slice) else values.take(where)


def _applied(ufunc: Any, inputs: tuple[Any, ...], behavior: Any) -> Any:
    """Result of a ufunc; None where the inputs are not columns of one structure, and numbers."""
    operands: list[_Apart | None] = []
    for one in inputs:
        if isinstance(one, _NUMBERS):
            operands.append(None)
            continue
        apart = taken_apart(one)
        if apart is None:
            return None
        operands.append(apart)
    columns = [one for one in operands if one is not None]
    structures = [one[0] for one in columns if one[0] is not None]
    offsets = structures[0] if structures else None
    if any(one is not offsets and not np.array_equal(one, structures[0]) for one in structures):
        return None
    if len({len(flat) if own is None else len(own) - 1 for own, flat in columns}) > 1:
        return None
    flat = ufunc(
        *(
            given if apart is None else _spread(*apart, offsets)
            for given, apart in zip(inputs, operands, strict=True)
        )
    )
    return _together(offsets, flat, behavior)


def _spread(own: Any, flat: Any, offsets: Any) -> Any:
    """Flat numbers; one of each event is repeated for its objects."""
    return np.repeat(flat, np.diff(offsets)) if own is None and offsets is not None else flat


def _together(offsets: Any, flat: Any, behavior: Any) -> Any:
    layout = ak.contents.NumpyArray(flat)
    if offsets is not None:
        layout = ak.contents.ListOffsetArray(ak.index.Index64(offsets), layout)
    found = ak.Array(layout, behavior=behavior)
    found.__class__ = QuickArray
    found.__dict__["_apart"] = offsets, flat
    return found
