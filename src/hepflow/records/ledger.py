"""What was expected, processed and lost, by dataset. Travels with every artifact."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hepflow.records.accounts import Account, account_of
from hepflow.records.parts import ItemKey, Loss, PartCounts, check_apart
from hepflow.records.theory import (
    MemberSums,
    MemberTotals,
    from_plain,
    of_assumed_order,
    without_weights,
)


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


def files_of(fileset: Mapping[str, Any], summary: Mapping[str, Any]) -> Ledger:
    """What the metadata step knows about the files of each dataset, as a ledger without parts.

    Parameters
    ----------
    fileset, summary
        Contents of ``fileset.json`` and ``nanoaods.json``.
    """
    counts = {key: (one.get("metadata") or {}).get("n_files") for key, one in fileset.items()}
    events: dict[str, dict[str, int]] = {}
    sums: dict[str, dict[str, float]] = {}
    for variations in summary.values():
        for process in variations.values():
            for file in process["files"]:
                events.setdefault(file["dataset"], {})[file["path"]] = file["nevts"]
                sums.setdefault(file["dataset"], {})[file["path"]] = file["sum_weights"]
    return Ledger(
        file_events=events,
        file_sums=sums,
        files_expected={key: one for key, one in counts.items() if one is not None},
    )


def _each_once(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Losses in an order that does not tell which was found first."""
    return tuple(
        sorted(dict.fromkeys(losses), key=lambda one: (*one.item_key, one.stage, one.reason))
    )


def _merge_nested(
    left: Mapping[str, Mapping[str, Any]], right: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    return {key: {**left.get(key, {}), **right.get(key, {})} for key in {**left, **right}}


@dataclass(frozen=True)
class Ledger:
    """Parts processed and lost, and what the files of each dataset hold."""

    parts: Mapping[ItemKey, PartCounts] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    file_events: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # dataset -> file -> events in the file; the files that were used
    runs_sums: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # dataset -> file -> sum of generator weights in its Runs tree, where it has one
    files_expected: Mapping[str, int] = field(default_factory=dict)
    # dataset -> files that it has, those left out by max_files included
    file_sums: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # dataset -> file -> sum of the generator weights of all its events (data: events)

    def __post_init__(self) -> None:
        """Put losses in order, each once."""
        object.__setattr__(self, "losses", _each_once(self.losses))

    @classmethod
    def of_parts(cls, parts: Iterable[PartCounts]) -> Ledger:
        """Ledger that holds these parts; a repeated entry range counts once."""
        return cls(parts={part.item_key: part for part in parts})

    def __add__(self, other: Ledger) -> Ledger:
        """Union of both; an entry range that both hold counts once."""
        return Ledger(
            parts={**self.parts, **other.parts},
            losses=(*self.losses, *other.losses),
            file_events=_merge_nested(self.file_events, other.file_events),
            runs_sums=_merge_nested(self.runs_sums, other.runs_sums),
            files_expected={**self.files_expected, **other.files_expected},
            file_sums=_merge_nested(self.file_sums, other.file_sums),
        )

    @classmethod
    def merged(cls, ledgers: Iterable[Ledger]) -> Ledger:
        """Union of ledgers of disjoint parts, in one pass.

        Raises
        ------
        ValueError
            If entry ranges of two of them overlap.
        """
        parts: dict[ItemKey, PartCounts] = {}
        losses: dict[Loss, None] = {}
        events: dict[str, dict[str, int]] = {}
        runs: dict[str, dict[str, float]] = {}
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
            for dataset, found in one.runs_sums.items():
                runs.setdefault(dataset, {}).update(found)
            for dataset, found in one.file_sums.items():
                sums.setdefault(dataset, {}).update(found)
            expected.update(one.files_expected)
        check_apart(parts)
        return cls(parts, tuple(losses), events, runs, expected, sums)

    def with_losses(self, losses: Iterable[Loss]) -> Ledger:
        """The same with these losses, and what they tell about their files."""
        lost = tuple(losses)
        sizes: dict[str, dict[str, int]] = {}
        for one in lost:
            if one.file_nevts is not None:
                sizes.setdefault(one.dataset, {})[one.file] = one.file_nevts
        return replace(
            self,
            losses=(*self.losses, *lost),
            file_events=_merge_nested(sizes, self.file_events),
        )

    @cached_property
    def _by_dataset(self) -> dict[str, list[PartCounts]]:
        """Parts by dataset, in one pass: there may be a million of them."""
        found: dict[str, list[PartCounts]] = {}
        for part in self.parts.values():
            found.setdefault(part.dataset, []).append(part)
        return found

    @cached_property
    def _lost_by_dataset(self) -> dict[str, list[Loss]]:
        found: dict[str, list[Loss]] = {}
        for loss in self.losses:
            found.setdefault(loss.dataset, []).append(loss)
        return found

    def about(self, dataset: str) -> Ledger:
        """What is known about the files of one dataset, without parts and losses."""
        mine = {dataset}
        return Ledger(
            file_events={key: self.file_events[key] for key in mine & self.file_events.keys()},
            runs_sums={key: self.runs_sums[key] for key in mine & self.runs_sums.keys()},
            files_expected={
                key: self.files_expected[key] for key in mine & self.files_expected.keys()
            },
            file_sums={key: self.file_sums[key] for key in mine & self.file_sums.keys()},
        )

    def datasets(self) -> tuple[str, ...]:
        """Keys of the datasets with at least one part, sorted."""
        return tuple(sorted(self._by_dataset))

    def parts_of(self, dataset: str) -> tuple[PartCounts, ...]:
        """Parts of one dataset, sorted by file and entry range."""
        return tuple(sorted(self._by_dataset.get(dataset, ()), key=lambda part: part.item_key))

    def totals(self, dataset: str) -> DatasetTotals:
        """Sums over the processed parts of one dataset, whatever their order."""
        parts = self._by_dataset.get(dataset, ())
        return DatasetTotals(
            nevts=sum(part.nevts for part in parts),
            sum_weights=math.fsum(part.sum_weights for part in parts),
            sum_signs=math.fsum(part.sum_signs for part in parts),
        )

    def member_totals(self, dataset: str, source: str, weight_mode: str) -> MemberTotals:
        """Sums of theory weights over all events of the processed parts of a dataset.

        Events without weights of a set count with their generator weight: they read as nominal.

        Returns
        -------
        mapping
            Set of members -> total of each member.
        """
        parts = self._by_dataset.get(dataset, ())
        mine = [
            (part, next((one for one in part.theory if one[0] == source), None)) for part in parts
        ]
        signs = weight_mode == "sign"
        lengths = {one[1]: len(one[2]) for _, one in mine if one is not None and one[1]}
        columns: dict[str, list[tuple[float, ...]]] = {name: [] for name in lengths}
        for part, one in mine:
            plain = part.sum_signs if signs else part.sum_weights
            for name, length in lengths.items():
                own = one is not None and one[1] == name
                sums = (one[3] if signs else one[2]) if own and one is not None else ()
                columns[name].append(sums if own else (plain,) * length)
        return {
            name: tuple(math.fsum(column) for column in zip(*rows, strict=True))
            for name, rows in columns.items()
        }

    def without_theory(self) -> dict[str, tuple[str, ...]]:
        """Sources of theory weights -> datasets with events that do not have them, sorted."""
        return self._by_source(without_weights)

    def assumed_theory(self) -> dict[str, tuple[str, ...]]:
        """Sources of theory weights -> datasets whose files do not tell their order, sorted."""
        return self._by_source(of_assumed_order)

    def _by_source(
        self, sources: Callable[[tuple[MemberSums, ...]], tuple[str, ...]]
    ) -> dict[str, tuple[str, ...]]:
        """Datasets with parts of which this is said of a source."""
        found: dict[str, set[str]] = {}
        for part in self.parts.values():
            for source in sources(part.theory) if part.nevts else ():
                found.setdefault(source, set()).add(part.dataset)
        return {source: tuple(sorted(datasets)) for source, datasets in sorted(found.items())}

    def accounts(self) -> tuple[Account, ...]:
        """Account of each dataset of which anything is known, sorted by key."""
        known = (self._by_dataset, self._lost_by_dataset, self.file_events, self.files_expected)
        return tuple(self.account(key) for key in sorted(set().union(*known)))

    @cached_property
    def _made_accounts(self) -> dict[str, Account]:
        return {}

    def account(self, dataset: str) -> Account:
        """What was expected of a dataset, processed, skipped and lost; made once."""
        if dataset not in self._made_accounts:
            self._made_accounts[dataset] = account_of(
                dataset,
                self._by_dataset.get(dataset, ()),
                self._lost_by_dataset.get(dataset, ()),
                self.file_events.get(dataset, {}),
                self.file_sums.get(dataset, {}),
                self.files_expected.get(dataset, 0),
            )
        return self._made_accounts[dataset]

    def dropped(self) -> tuple[str, ...]:
        """Keys of the datasets that lost something and of which no part is left, sorted."""
        return tuple(sorted(self._lost_by_dataset.keys() - self._by_dataset.keys()))

    def lost_events(self, dataset: str) -> float:
        """Events of a dataset that were lost.

        A file that could not be read counts as many as the others hold on average.
        """
        if dataset not in self._lost_by_dataset:
            return 0.0
        return self.account(dataset).lost_estimate or 0.0

    def incomplete(self, datasets: Iterable[str]) -> dict[str, float]:
        """Those of the datasets that were not processed in full, with the fraction that was."""
        accounts = {name: self.account(name) for name in datasets}
        return {name: one.fraction for name, one in accounts.items() if not one.complete}

    def fraction(self, dataset: str) -> float:
        """Processed part of the dataset, by events."""
        return self.account(dataset).fraction

    def to_json(self) -> dict[str, Any]:
        """Plain containers for JSON; `from_json` reads them back."""
        return {
            "parts": [_plain(self.parts[key]) for key in sorted(self.parts)],
            "losses": [_plain(loss) for loss in self.losses],
            "file_events": {key: dict(files) for key, files in self.file_events.items()},
            "runs_sums": {key: dict(files) for key, files in self.runs_sums.items()},
            "files_expected": dict(self.files_expected),
            "file_sums": {key: dict(files) for key, files in self.file_sums.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ledger:
        """Inverse of `to_json`."""
        parts = (
            PartCounts(**{**part, "theory": from_plain(part["theory"])})
            if part.get("theory")
            else PartCounts(**part)
            for part in data["parts"]
        )
        return cls(
            parts={part.item_key: part for part in parts},
            losses=tuple(Loss(**loss) for loss in data["losses"]),
            file_events=data["file_events"],
            runs_sums=data["runs_sums"],
            files_expected=data["files_expected"],
            file_sums=data["file_sums"],
        )


def _plain(one: PartCounts | Loss) -> dict[str, Any]:
    """Fields as a dict; there may be a million, and `asdict` would look into every value."""
    fields = {name: getattr(one, name) for name in one.__slots__}
    if not fields.get("theory", True):
        del fields["theory"]  # nothing to say in most analyses
    return fields
