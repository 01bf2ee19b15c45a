"""What configured functions returned: numbers, or told with what was expected in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from hepflow.errors import UserFunctionError

_KINDS = "biuf"  # of numpy types: truth values, integers and real numbers
_NUMBERS = (bool, int, float, np.number, np.bool_)
_MOST = 2  # dimensions: the events, and the objects of each
_FIELDS = 4  # of records that a message names


def array_of(result: Any) -> Any:
    """Take what a function returned for a column of numbers, or of lists of numbers.

    Only the type is looked at: values may be missing, and their number may be a wrong one.

    Returns
    -------
    ak.Array
        None of anything else; `described` says what it is.
    """
    import awkward as ak

    found = _array(result)
    if found is None or _kind(found) or found.ndim > _MOST:
        return None
    return found if isinstance(found, ak.Array) else ak.Array(found)


def numbers_of(result: Any, where: str, expected: str) -> Any:
    """Take what a function returned for one number, or for a column of them, or of lists of them.

    Only the type is looked at, as by `array_of`.

    Parameters
    ----------
    where
        Path in the configuration, for messages.
    expected
        What the function should return, for messages.

    Returns
    -------
    float, numpy.ndarray or ak.Array
        Lists are made arrays: they hold one value for each event, too.

    Raises
    ------
    UserFunctionError
        If it is something else.
    """
    if _is_plain(result) and result.ndim == 0:
        result = np.asarray(result)[()]
    if isinstance(result, _NUMBERS) and np.asarray(result).dtype.kind in _KINDS:
        return result
    found = _array(result)
    if found is None or _kind(found) or found.ndim > _MOST:
        raise UserFunctionError(f"{where}: returned {described(result)}, expected {expected}.")
    return found


def column_from(result: Any, where: str, name: str) -> Any:
    """Take what a function returned for a column of any type, records included.

    Returns
    -------
    numpy.ndarray or ak.Array

    Raises
    ------
    UserFunctionError
        If it has no entries.
    """
    found = _array(result)
    if found is None or (_is_plain(found) and found.dtype == object):
        raise UserFunctionError(
            f"{where}: returned {described(result)}, expected an array with one entry for each "
            f"event as {name!r}."
        )
    return found


def described(result: Any) -> str:
    """Say in a few words what something is.

    Examples
    --------
    >>> described(None), described({"a": 1}), described(np.zeros((3, 2)))
    ('None', 'a value of type dict', 'an array of shape (3, 2) and type float64')
    """
    if result is None or isinstance(result, (*_NUMBERS, complex)):
        return repr(result)
    if isinstance(result, str):
        return f"the text {result!r}"
    if _is_plain(result):
        return f"an array of shape {result.shape} and type {result.dtype}"
    found = _array(result)
    if found is None:
        return f"a value of type {type(result).__name__}"
    start = "" if found is result else f"a {type(result).__name__}, which is "
    lists = "lists of " * (found.ndim - 1)
    return f"{start}an array of {len(found)} {lists}{_kind(found) or 'numbers'}"


def _is_plain(result: Any) -> bool:
    """Whether it is an array of one type, such as numpy's."""
    import awkward as ak

    if isinstance(result, (ak.Array, ak.Record, np.generic)):
        return False
    return all(hasattr(result, name) for name in ("__array__", "shape", "dtype", "ndim"))


def _array(result: Any) -> Any:
    """What may be a column, as an array; None of anything else."""
    import awkward as ak

    if isinstance(result, (ak.Array, np.ndarray)):
        return result if result.ndim else None
    if hasattr(result, "__array__") and not isinstance(result, (ak.Record, np.generic)):
        found = np.asarray(result)
        return found if found.ndim else None
    unordered = isinstance(result, (str, bytes, Mapping, AbstractSet, ak.Record))
    if unordered or not isinstance(result, Iterable):
        return None
    try:
        return ak.Array(result)
    except (TypeError, ValueError):
        return None


def _kind(array: Any) -> str:
    """What the values of an array are, in the plural; nothing where they are numbers."""
    if isinstance(array, np.ndarray):
        return "" if array.dtype.kind in _KINDS else f"values of type {array.dtype}"
    layout = array.layout
    while not (layout.is_record or layout.is_union or layout.is_numpy or layout.is_unknown):
        if layout.parameter("__array__") in {"string", "bytestring"}:
            return "texts"
        layout = layout.content
    if layout.is_record:
        more = ", ..." if len(layout.fields) > _FIELDS else ""
        return f"records with {', '.join(layout.fields[:_FIELDS])}{more}"
    if layout.is_union:
        return "values of several types"
    known = layout.is_unknown or layout.data.dtype.kind in _KINDS
    return "" if known else f"values of type {layout.data.dtype}"
