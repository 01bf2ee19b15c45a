"""What was expected, processed and lost, by dataset. Travels with every artifact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_COMPLETE = 1.0 - 1e-12


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

    @property
    def item_key(self) -> tuple[str, str, int, int]:
        """Identity of the entry range; the same range counts once."""
        return (self.dataset, self.file, self.entrystart, self.entrystop)


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
    def item_key(self) -> tuple[str, str, int, int]:
        """Identity of the entry range, as of `PartCounts`."""
        return (self.dataset, self.file, self.entrystart, self.entrystop)


def losses_in(fileset: Mapping[str, Any]) -> tuple[Loss, ...]:
    """Files that could not be read, as a file set says in the metadata of its datasets."""
    return tuple(
        Loss(**loss)
        for one in fileset.values()
        for loss in (one.get("metadata") or {}).get("lost", ())
    )


@dataclass(frozen=True, slots=True)
class DatasetTotals:
    """Sums over the parts of one dataset."""

    nevts: int
    sum_weights: float
    sum_signs: float

    def sum_for(self, weight_mode: str) -> float:
        """Denominator of the normalisation for ``generator`` or ``sign`` weights."""
        return self.sum_signs if weight_mode == "sign" else self.sum_weights


def _merge_nested(
    left: Mapping[str, Mapping[str, Any]], right: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    return {key: {**left.get(key, {}), **right.get(key, {})} for key in {**left, **right}}


@dataclass(frozen=True)
class Ledger:
    """Parts processed and lost, and what the files of each dataset hold."""

    parts: Mapping[tuple[str, str, int, int], PartCounts] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    file_events: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # dataset -> file -> events in the file; the files that were used
    runs_sums: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # dataset -> file -> sum of generator weights in its Runs tree, where it has one
    files_expected: Mapping[str, int] = field(default_factory=dict)
    # dataset -> files that it has, those left out by max_files included

    @classmethod
    def of_parts(cls, parts: Iterable[PartCounts]) -> Ledger:
        """Ledger that holds these parts; a repeated entry range counts once."""
        return cls(parts={part.item_key: part for part in parts})

    def __add__(self, other: Ledger) -> Ledger:
        """Union of both; an entry range that both hold counts once."""
        return Ledger(
            parts={**self.parts, **other.parts},
            losses=tuple(dict.fromkeys((*self.losses, *other.losses))),
            file_events=_merge_nested(self.file_events, other.file_events),
            runs_sums=_merge_nested(self.runs_sums, other.runs_sums),
            files_expected={**self.files_expected, **other.files_expected},
        )

    @classmethod
    def merged(cls, ledgers: Iterable[Ledger]) -> Ledger:
        """Union of ledgers of disjoint parts, in one pass.

        Raises
        ------
        ValueError
            If two of them hold the same entry range.
        """
        parts: dict[tuple[str, str, int, int], PartCounts] = {}
        losses: dict[Loss, None] = {}
        events: dict[str, dict[str, int]] = {}
        sums: dict[str, dict[str, float]] = {}
        expected: dict[str, int] = {}
        for one in ledgers:
            twice = parts.keys() & one.parts.keys()
            if twice:
                raise ValueError(f"the part {min(twice)} is in both histograms")
            parts.update(one.parts)
            losses.update(dict.fromkeys(one.losses))
            for dataset, files in one.file_events.items():
                events.setdefault(dataset, {}).update(files)
            for dataset, runs in one.runs_sums.items():
                sums.setdefault(dataset, {}).update(runs)
            expected.update(one.files_expected)
        return cls(parts, tuple(losses), events, sums, expected)

    def with_losses(self, losses: Iterable[Loss]) -> Ledger:
        """The same with these losses, and what they tell about their files."""
        lost = tuple(losses)
        sizes: dict[str, dict[str, int]] = {}
        for one in lost:
            if one.file_nevts is not None:
                sizes.setdefault(one.dataset, {})[one.file] = one.file_nevts
        return replace(
            self,
            losses=tuple(dict.fromkeys((*self.losses, *lost))),
            file_events=_merge_nested(sizes, self.file_events),
        )

    def datasets(self) -> tuple[str, ...]:
        """Keys of the datasets with at least one part, sorted."""
        return tuple(sorted({part.dataset for part in self.parts.values()}))

    def parts_of(self, dataset: str) -> tuple[PartCounts, ...]:
        """Parts of one dataset, sorted by file and entry range."""
        return tuple(self.parts[key] for key in sorted(self.parts) if key[0] == dataset)

    def totals(self, dataset: str) -> DatasetTotals:
        """Sums over the processed parts of one dataset, in a fixed order."""
        parts = self.parts_of(dataset)
        return DatasetTotals(
            nevts=sum(part.nevts for part in parts),
            sum_weights=math.fsum(part.sum_weights for part in parts),
            sum_signs=math.fsum(part.sum_signs for part in parts),
        )

    def dropped(self) -> tuple[str, ...]:
        """Keys of the datasets that lost something and of which no part is left, sorted."""
        return tuple(sorted({loss.dataset for loss in self.losses} - set(self.datasets())))

    def lost_events(self, dataset: str) -> float:
        """Events of a dataset that were lost.

        A file that could not be read counts as many as the others hold on average.
        """
        sizes = self.file_events.get(dataset, {}).values()
        mean = sum(sizes) / len(sizes) if sizes else 0.0
        return sum(
            mean if loss.file_nevts is None else loss.entrystop - loss.entrystart
            for loss in self.losses
            if loss.dataset == dataset
        )

    def incomplete(self, datasets: Iterable[str]) -> dict[str, float]:
        """Those of the datasets that were not processed in full, with the fraction that was."""
        fractions = {name: self.fraction(name) for name in datasets}
        return {name: one for name, one in fractions.items() if one < _COMPLETE}

    def fraction(self, dataset: str) -> float:
        """Processed part of the dataset: events of the files used times files used."""
        if self.losses and dataset in self.dropped():
            return 0.0
        files = self.file_events.get(dataset, {})
        expected = sum(files.values())
        by_events = self.totals(dataset).nevts / expected if expected else 1.0
        total_files = self.files_expected.get(dataset, 0)
        by_files = len(files) / total_files if total_files and files else 1.0
        return by_files * by_events

    def to_json(self) -> dict[str, Any]:
        """Plain containers for JSON; `from_json` reads them back."""
        return {
            "parts": [asdict(self.parts[key]) for key in sorted(self.parts)],
            "losses": [asdict(loss) for loss in self.losses],
            "file_events": {key: dict(files) for key, files in self.file_events.items()},
            "runs_sums": {key: dict(files) for key, files in self.runs_sums.items()},
            "files_expected": dict(self.files_expected),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ledger:
        """Inverse of `to_json`."""
        parts = (PartCounts(**part) for part in data["parts"])
        return cls(
            parts={part.item_key: part for part in parts},
            losses=tuple(Loss(**loss) for loss in data["losses"]),
            file_events=data["file_events"],
            runs_sums=data["runs_sums"],
            files_expected=data["files_expected"],
        )
