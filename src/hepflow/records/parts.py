"""Entry ranges of files: what was counted in one that was read, and one that was lost."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hepflow.records.theory import MemberSums

ItemKey = tuple[str, str, int, int]  # dataset, file, first entry, entry after the last one


@dataclass(frozen=True, slots=True)
class PartCounts:
    """One entry range of one file that was read to its end, selected events or not."""

    dataset: str
    file: str
    entrystart: int
    entrystop: int
    nevts: int  # events read
    sum_weights: float  # generator weights of all events read (data: events)
    sum_signs: float  # signs of the generator weights of all events read
    repeated: int = 0  # events of data that are left out, as another part has them
    theory: tuple[MemberSums, ...] = ()  # of each source of theory weights

    @property
    def item_key(self) -> ItemKey:
        """Identity of the entry range; the same range counts once."""
        return (self.dataset, self.file, self.entrystart, self.entrystop)


def check_apart(parts: Iterable[ItemKey], others: Collection[ItemKey] = ()) -> None:
    """Make sure that no two entry ranges have an entry in common, which would count twice.

    Parameters
    ----------
    parts
        Ranges; there may be a million.
    others
        More of them. Where there are any, only their files are looked at.

    Raises
    ------
    ValueError
        If two do.
    """
    wanted = {key[:2] for key in others}
    ranges: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for dataset, file, start, stop in itertools.chain(parts, others):
        if start < stop and (not wanted or (dataset, file) in wanted):
            ranges.setdefault((dataset, file), []).append((start, stop))
    for (dataset, file), mine in ranges.items():
        mine.sort()
        for (start, stop), (after, end) in itertools.pairwise(mine):
            if (start, stop) == (after, end):
                raise ValueError(f"the part {(dataset, file, start, stop)} is in both histograms")
            if after < stop:
                raise ValueError(
                    f"dataset {dataset!r}: entries {start} to {stop} and {after} to {end} of "
                    f"{file} overlap: events of both would count twice"
                )


@dataclass(frozen=True, slots=True)
class Loss:
    """An entry range that could not be processed, and why."""

    dataset: str
    file: str
    entrystart: int
    entrystop: int
    reason: str
    stage: str = ""  # "metadata", "skim" or "histograms"
    file_nevts: int | None = None  # events in the file; None where it could not be read at all

    @property
    def item_key(self) -> ItemKey:
        """Identity of the entry range, as of `PartCounts`."""
        return (self.dataset, self.file, self.entrystart, self.entrystop)

    @property
    def place(self) -> str:
        """File and entry range for messages; the file alone where it was lost as a whole."""
        whole = (self.entrystart, self.entrystop) in {(0, 0), (0, self.file_nevts)}
        return self.file if whole else f"{self.file}, {self.entrystart} to {self.entrystop}"
