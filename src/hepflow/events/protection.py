"""Numbers that configured functions are given, and cannot change: others read the same ones."""

from __future__ import annotations

import weakref
from typing import Any

import awkward as ak
import numpy as np

_records: weakref.WeakSet[Any] = weakref.WeakSet()  # contents that are protected already


def protected(array: Any) -> Any:
    """The same array, whose numbers can be read only: they are not copied.

    numpy raises where something writes to them.
    """
    if isinstance(array, ak.Array):
        _protect(array.layout)
    return array


def _protect(layout: Any) -> None:
    while layout.is_list or layout.is_indexed or layout.is_option:
        layout = layout.content
    if layout.is_numpy:
        values = layout.data
        if type(values) is np.ndarray:  # else they were not read yet
            values.setflags(write=False)
    elif (layout.is_record or layout.is_union) and layout not in _records:
        for content in layout.contents:
            _protect(content)
        _records.add(layout)


def own_copy(array: Any) -> Any:
    """The same array with numbers of its own, that may be written to."""
    return ak.copy(array) if isinstance(array, ak.Array) else array
