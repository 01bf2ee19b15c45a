"""A skim as its users see it: a lazy sequence of (events, metadata)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from hepflow.errors import ChecksumError
from hepflow.events import with_behaviour
from hepflow.storage import read_part, unpack_array

Pair = tuple[Any, dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """One part of a skim on disk. Small: it travels to workers instead of its events."""

    path: str
    metadata: dict[str, Any]
    n_selected: int

    def load(self) -> Pair:
        """Read the part.

        Returns
        -------
        tuple
            Events (record array with Lorentz vectors), and metadata.

        Raises
        ------
        ChecksumError
            If the bytes on disk are not those that were written.
        """
        payload = read_part(self.path)
        events = with_behaviour(unpack_array(payload["events"]))
        if len(events) != self.n_selected:
            raise ChecksumError(
                f"{self.path}: holds {len(events)} events, its manifest says {self.n_selected}. "
                "Delete it and run the skim again."
            )
        return events, dict(self.metadata)


class Skim(Sequence[Pair]):
    """Parts of one dataset; an element is read from disk when it is asked for."""

    def __init__(self, dataset: str, parts: Sequence[Part]) -> None:
        self.dataset = dataset
        self.parts = tuple(parts)

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(index, slice):
            return Skim(self.dataset, self.parts[index])
        return self.parts[index].load()

    def __iter__(self) -> Iterator[Pair]:
        for part in self.parts:
            yield part.load()

    def __repr__(self) -> str:
        selected = sum(part.n_selected for part in self.parts)
        names = {Path(part.path).parent.name for part in self.parts}
        return f"<Skim {self.dataset}: {len(self)} parts, {selected:,} events in {sorted(names)}>"
