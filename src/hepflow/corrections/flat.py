"""Inputs and values of corrections as flat numbers, none of which is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import CorrectionError, UserFunctionError
from hepflow.events import Lists, numbers

Floats = NDArray[np.float64]
_KINDS = "biuf"  # of numpy types: truth values, integers and real numbers


def flattened(arguments: Sequence[Any], where: str) -> tuple[list[Any], Lists | None]:
    """Flatten jagged inputs; flat ones beside them are repeated for each object.

    Returns
    -------
    tuple
        Inputs, texts as they are; and the lists of the objects, None where inputs are of events.

    Raises
    ------
    CorrectionError
        If jagged inputs belong to different objects: equal totals would hide it.
    UserFunctionError
        If values are missing.
    """
    found = [one if isinstance(one, (str, float)) else _taken(one, where) for one in arguments]
    jagged = [one for one in found if isinstance(one, Lists)]
    if not jagged:
        return found, None
    first = jagged[0]
    if any(not np.array_equal(one.offsets, first.offsets) for one in jagged[1:]):
        raise CorrectionError(
            "the inputs of a correction have different numbers of objects in the same event; "
            "take all columns from one object."
        )
    flat: list[Any] = []
    for one in found:
        if isinstance(one, Lists):
            flat.append(one.content.data)
        else:
            flat.append(np.repeat(one, first.counts) if isinstance(one, np.ndarray) else one)
    return flat, first


def unflattened(values: Floats, objects: Lists | None, length: int) -> Any:
    """Values of the objects, or of `length` events."""
    import awkward as ak

    if objects is not None:
        return replace(objects, content=ak.contents.NumpyArray(values), behaviour=None).array()
    return np.broadcast_to(values, (length,)) if values.shape in {(), (1,)} else values


def floats(values: Any, where: str) -> Floats:
    """Numbers, of each event or one after the other of all objects.

    Raises
    ------
    UserFunctionError
        If values are missing, or no real numbers.
    """
    taken = _taken(values, where)
    return taken.content.data if isinstance(taken, Lists) else taken


def _taken(values: Any, where: str) -> Lists | Floats:
    """Lists of numbers, or numbers."""
    import awkward as ak

    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        masked = int(np.ma.getmaskarray(values).sum())
        raise UserFunctionError(
            f"{where}: {masked} of {values.size} values are masked. Fill them: np.ma.filled."
        )
    try:
        if not isinstance(values, ak.Array):
            return _real(np.asarray(values))
        if values.ndim == 1:
            return _real(numbers(ak.to_layout(values)))
        lists = Lists.of(values)
        return replace(lists, content=ak.contents.NumpyArray(_real(lists.numbers())))
    except (UserFunctionError, ValueError) as error:
        raise UserFunctionError(f"{where}: {error}") from error


def _real(values: NDArray[Any]) -> Floats:
    if values.dtype.kind not in _KINDS:
        raise UserFunctionError(f"values of type {values.dtype}. Expected real numbers.")
    return np.asarray(values, np.float64)
