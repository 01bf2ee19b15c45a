"""Order and choice of the objects of an event, and the index columns that follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.events import Lists, columns_of, index_target, replace_object

Floats = NDArray[Any]
_PASSES = 8  # of neighbours that change places; what is not sorted by then is sorted as a whole


def reorder(events: Any, name: str, objects: Lists) -> Any:
    """Put a collection in, sorted by falling pt: leading means leading after correction."""
    order, places = falling(objects.column("pt"), objects.offsets)
    if not len(places):
        return replace_object(events, name, objects.array())
    events = replace_object(events, name, objects.permuted(order, places).array())
    if not any(index_columns(events, name)):
        return events
    index = np.arange(objects.offsets[-1])
    index[places] = order
    local = index - np.repeat(objects.offsets[:-1], objects.counts)
    kept = replace(objects, content=plain_layout(local))
    return remap_indices(events, name, kept.array(), lost=False)


def falling(pt: Floats, offsets: Any) -> tuple[Any, Any]:
    """What must move for each list to fall, equal ones in the order in which they are.

    Returns
    -------
    tuple
        Positions from which to take, and to which to put, of the lists that are not sorted.
    """
    if len(pt) and np.isnan(pt.min()):  # any that is not a number makes the least one
        pt = np.where(np.isnan(pt), -np.inf, pt)  # last, whatever other lists there are
    rises = _rises(pt, offsets)
    if not len(rises):
        return rises, rises
    wrong = np.searchsorted(offsets, rises, side="right") - 1
    wrong = wrong[np.concatenate(([True], wrong[1:] != wrong[:-1]))]
    sizes = np.diff(offsets)[wrong]
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1]) + np.repeat(offsets[wrong] - ends + sizes, sizes)
    order = _fall(pt[places], np.concatenate(([0], ends)))
    return places[order], places


def _rises(pt: Floats, offsets: Any) -> Any:
    """Positions of entries that are less than the next one of the same list."""
    found = np.empty(len(pt) + 1, dtype=np.bool_)  # whether an entry is more than the one before
    np.greater(pt[1:], pt[:-1], out=found[1:-1])
    found[offsets] = False  # the first of a list
    return np.flatnonzero(found) - 1


def _fall(pt: Floats, offsets: Any) -> Any:
    """Order in which each list falls; stable.

    Corrections move an object past few others: neighbours that rise change places, until none do.
    """
    order = np.arange(len(pt))
    for _ in range(_PASSES):
        rises = _rises(pt, offsets)
        if not len(rises):
            return order
        first = rises[np.concatenate(([True], np.diff(rises) > 1))]  # of neighbours, only one pair
        for values in (pt, order):
            values[first], values[first + 1] = values[first + 1], values[first]
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return order[np.lexsort((-pt, owners))]


def keep_sorted(events: Any, name: str, objects: Lists, flat: NDArray[np.bool_]) -> Any:
    """Keep some objects of a collection to which no index column points, sorted by falling pt.

    This is what `keep_objects` does with sorted objects, whose mask is in their order. Parameters
    are the same.
    """
    kept, index = objects.chosen(flat)
    pt = objects.column("pt").take(index)
    order, places = falling(pt, kept)
    for values in (index, pt):
        values[places] = values[order]
    found = objects.at(index, kept).with_columns({"pt": pt})  # which most steps read
    return replace_object(events, name, found.array())


def keep_objects(events: Any, name: str, objects: Lists, flat: NDArray[np.bool_]) -> Any:
    """Keep some objects of a collection, given by a flat mask; index columns follow.

    Parameters
    ----------
    objects
        The collection, taken apart.
    flat
        Whether each of all its objects is kept, shape (n_objects,).
    """
    found = replace_object(events, name, objects.kept(flat).array())
    if not any(index_columns(events, name)):
        return found
    local = np.arange(objects.offsets[-1]) - np.repeat(objects.offsets[:-1], objects.counts)
    kept = replace(objects, content=plain_layout(local)).kept(flat)
    return remap_indices(found, name, kept.array(), lost=True)


def plain_layout(values: Any) -> Any:
    """Flat numbers as an awkward layout."""
    import awkward as ak

    return ak.contents.NumpyArray(values)


def remap_indices(events: Any, name: str, kept: Any, *, lost: bool) -> Any:
    """Make index columns that point to a collection follow its new order.

    Parameters
    ----------
    kept
        For each object of the new collection its position in the old one, shape
        (n_events, var).
    lost
        Whether objects are gone: an index whose object is not there becomes -1. Where objects
        are in another order only, one that points beyond the collection stays as it is.
    """
    import awkward as ak

    for collection, field in index_columns(events, name):
        old = events[collection][field]
        pairs = ak.cartesian([old, kept], axis=1, nested=True)
        matches = pairs["0"] == pairs["1"]
        found = ak.argmax(matches, axis=2)
        new = ak.where(ak.any(matches, axis=2), ak.fill_none(found, -1), -1 if lost else old)
        events = replace_object(events, collection, ak.with_field(events[collection], new, field))
    return events


def index_columns(events: Any, name: str) -> Iterator[tuple[str, str]]:
    """Columns of jagged objects that hold positions in the collection `name`."""
    import awkward as ak

    for collection, record in columns_of(ak.to_layout(events)).items():
        if record.fields and record.purelist_depth > 1:
            for field in record.fields:
                if index_target(field) == name:
                    yield collection, field
