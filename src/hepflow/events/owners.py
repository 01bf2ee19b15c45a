"""Which list each entry of jagged columns belongs to."""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
Index = NDArray[np.intp]

# By identity of offsets, as long as these are there.
_choices: dict[int, tuple[Offsets, Index]] = {}  # larger lists, and what is left of them
_owners: dict[int, Index] = {}  # of the larger lists


def owners_of(offsets: Offsets) -> Index:
    """List of each entry, shape (n_entries,).

    Parameters
    ----------
    offsets
        Where each list begins, and the end of the last one; begins with 0.

    Examples
    --------
    >>> owners_of(np.array([0, 2, 2, 3])).tolist()
    [0, 0, 2]
    """
    choice = _choices.get(id(offsets))
    if choice is None:
        return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    larger, index = choice
    if id(larger) not in _owners:
        _owners[id(larger)] = owners_of(larger)
        weakref.finalize(larger, _owners.pop, id(larger), None).atexit = False
    return _owners[id(larger)].take(index)


def note_choice(offsets: Offsets, larger: Offsets, index: Index) -> None:
    """Note that lists are what is left of as many larger ones, each list of its own.

    To take their entries' lists from those of the larger ones, of which there are many choices,
    takes a third of the time.

    Parameters
    ----------
    offsets
        Of the lists.
    larger
        Of the larger ones.
    index
        Positions of the entries that are left, list by list, shape (n_entries,).
    """
    if id(offsets) not in _choices:
        weakref.finalize(offsets, _choices.pop, id(offsets), None).atexit = False
    _choices[id(offsets)] = larger, index
