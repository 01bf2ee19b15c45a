"""Events as columns: plain ones of shape (n,) and collections in fixed slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Collection:
    """Objects of one kind in fixed slots, those present first."""

    present: NDArray[np.bool_]  # (n, slots)
    columns: Mapping[str, Column]  # each (n, slots)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of objects in each event, shape (n,)."""
        return np.asarray(self.present.sum(axis=1))

    def flat(self) -> dict[str, Column]:
        """Return the objects of all events one after the other, each of shape (counts.sum(),)."""
        return {name: values[self.present] for name, values in self.columns.items()}


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Events before they become branches."""

    plain: Mapping[str, Column]  # each (n,)
    collections: Mapping[str, Collection]

    def __len__(self) -> int:
        return len(next(iter(self.plain.values())))

    def take(self, index: Column) -> EventColumns:
        """Return the events at `index` (integers or a mask), in that order."""
        return EventColumns(
            {name: values[index] for name, values in self.plain.items()},
            {
                name: Collection(
                    part.present[index], {key: v[index] for key, v in part.columns.items()}
                )
                for name, part in self.collections.items()
            },
        )


def concatenate(parts: Sequence[EventColumns]) -> EventColumns:
    """Return the events of all parts; all must have the same columns and slots."""
    first = parts[0]
    plain = {name: np.concatenate([p.plain[name] for p in parts]) for name in first.plain}
    collections = {
        name: Collection(
            np.concatenate([p.collections[name].present for p in parts]),
            {
                key: np.concatenate([p.collections[name].columns[key] for p in parts])
                for key in collection.columns
            },
        )
        for name, collection in first.collections.items()
    }
    return EventColumns(plain, collections)


def ordered(present: Column, by: Column, columns: Mapping[str, Column]) -> Collection:
    """Return a collection sorted by decreasing `by`, what is absent last.

    Parameters
    ----------
    present : shape (n, slots), boolean
    by : shape (n, slots)
    columns : each of shape (n, slots)
    """
    order = np.argsort(np.where(present, -by, np.inf), axis=1, kind="stable")
    return Collection(
        np.take_along_axis(present, order, axis=1),
        {name: np.take_along_axis(values, order, axis=1) for name, values in columns.items()},
    )


def coarse(values: ArrayLike, bits: int = 12) -> NDArray[np.float32]:
    """Round to `bits` bits of mantissa, as NanoAOD does, so that files stay small.

    Examples
    --------
    >>> coarse([1 / 3], bits=2).tolist()
    [0.3125]
    """
    whole = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    drop = np.uint32(23 - bits)
    half = np.uint32(1) << (drop - np.uint32(1))
    mask = ~np.uint32((1 << int(drop)) - 1)
    return np.asarray(((whole + half) & mask).view(np.float32))
