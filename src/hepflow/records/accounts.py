"""The account of a dataset: what of it was expected, processed, skipped and lost."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hepflow.records.parts import Loss, PartCounts

_COMPLETE = 1.0 - 1e-12
_NUMBER = re.compile(r"\d+")
Range = tuple[int, int]  # first entry, entry after the last one


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was lost."""

    text: str  # of the first loss, in full
    stage: str  # "metadata", "skim" or "histograms"
    losses: int  # entry ranges, or files that could not be opened, with a reason like it


@dataclass(frozen=True, slots=True)
class Account:
    """What the files of one dataset hold, and what became of it, before any selection.

    Everywhere `expected` = `processed` + `skipped` + `failed`. A file counts as processed where
    all of it was read, as failed where something of it was lost, as skipped otherwise. Skipped is
    what was not asked for (``max_files``), and what is left out with the rest of its dataset
    (``drop_dataset``). The events of files that were never opened are known to nobody: they are
    in no count, only in the estimates.
    """

    dataset: str
    files_expected: int  # that the dataset has
    files_processed: int
    files_skipped: int
    files_failed: int
    skipped_unopened: int  # of the skipped files: number of events unknown
    failed_unopened: int  # of the failed files: likewise
    ranges_processed: int  # entry ranges (work items) that were read to their end
    ranges_failed: int  # losses
    events_expected: int  # in files that were opened
    events_processed: int
    events_skipped: int
    events_failed: int
    weights_expected: float | None  # sums of generator weights (data: events); None: unknown
    weights_processed: float
    weights_skipped: float | None
    weights_failed: float | None
    repeated: int = 0  # events of data that are left out, as another part has them
    reasons: tuple[Reason, ...] = ()  # the most frequent first
    lost: Mapping[str, tuple[Range, ...]] = field(default_factory=dict)
    # file -> entry ranges that were lost, merged; none where it was never opened

    @property
    def events_per_file(self) -> float | None:
        """Mean over the files that were opened; None where none was."""
        opened = self.files_expected - self.skipped_unopened - self.failed_unopened
        return self.events_expected / opened if opened else None

    @property
    def lost_estimate(self) -> float | None:
        """Events lost; a file that was never opened counts as the others on average."""
        if not self.failed_unopened:
            return float(self.events_failed)
        mean = self.events_per_file
        return None if mean is None else self.events_failed + self.failed_unopened * mean

    @property
    def expected_estimate(self) -> float | None:
        """Events of the dataset; a file that was never opened counts as the others on average."""
        unopened = self.skipped_unopened + self.failed_unopened
        if not unopened:
            return float(self.events_expected)
        mean = self.events_per_file
        return None if mean is None else self.events_expected + unopened * mean

    @property
    def fraction(self) -> float:
        """Processed part of the dataset, by events; an estimate where files were never opened."""
        expected = self.expected_estimate
        if expected:
            return self.events_processed / expected
        # no events at all: nothing can be missing but files
        return self.files_processed / self.files_expected if self.files_expected else 1.0

    @property
    def complete(self) -> bool:
        """Whether all of the dataset was processed."""
        return self.fraction >= _COMPLETE and not self.files_failed

    def to_json(self) -> dict[str, Any]:
        """Plain containers for JSON, estimates included."""
        return {
            **asdict(self),
            "complete": self.complete,
            "fraction": self.fraction,
            "lost_estimate": self.lost_estimate,
            "expected_estimate": self.expected_estimate,
        }


def account_of(
    dataset: str,
    parts: Sequence[PartCounts],
    losses: Sequence[Loss],
    sizes: Mapping[str, int],
    sums: Mapping[str, float],
    n_files: int,
) -> Account:
    """Account of one dataset.

    Parameters
    ----------
    parts, losses
        Of this dataset, in any order.
    sizes
        Events of its files, where known.
    sums
        Sums of the generator weights of all events of its files, where known.
    n_files
        Files that it has; 0 where nobody says.
    """
    if losses:
        done = {part.item_key for part in parts}
        losses = [one for one in losses if one.item_key not in done]  # processed since then
    files = _files(parts, losses, sizes, sums)
    n_files = max(n_files, len(files))
    never = n_files - len(files)  # not even looked at
    failed = [one for one in files if one.hit]
    skipped = [one for one in files if one.skipped and not one.hit]
    processed = math.fsum(part.sum_weights for part in parts)
    lost_weights = _sum([one.weights_failed for one in failed])
    left_weights = None if never else _sum([one.weights_skipped for one in files])
    return Account(
        dataset=dataset,
        files_expected=n_files,
        files_processed=len(files) - len(failed) - len(skipped),
        files_skipped=len(skipped) + never,
        files_failed=len(failed),
        skipped_unopened=never,
        failed_unopened=sum(one.unopened for one in failed),
        ranges_processed=len(parts),
        ranges_failed=len(losses),
        events_expected=sum(one.expected for one in files),
        events_processed=sum(one.processed for one in files),
        events_skipped=sum(one.skipped for one in files),
        events_failed=sum(one.failed for one in files),
        weights_expected=_sum([processed, left_weights, lost_weights]),
        weights_processed=processed,
        weights_skipped=left_weights,
        weights_failed=lost_weights,
        repeated=sum(part.repeated for part in parts),
        reasons=_reasons(losses),
        lost={one.name: one.lost for one in failed},
    )


@dataclass(frozen=True, slots=True)
class _File:
    """What became of the events of one file."""

    name: str
    processed: int
    skipped: int
    failed: int
    hit: bool  # something of it was lost, if only that it cannot be opened
    unopened: bool
    lost: tuple[Range, ...]
    rest: float | None  # sum of the weights that were not processed; None: unknown

    @property
    def expected(self) -> int:
        return self.processed + self.skipped + self.failed

    @property
    def weights_failed(self) -> float | None:
        return None if self.unopened else self._share(self.failed)

    @property
    def weights_skipped(self) -> float | None:
        return self._share(self.skipped)

    def _share(self, events: int) -> float | None:
        """Share of the rest that these events have; by number where not all of it is theirs."""
        if not events:
            return 0.0
        return None if self.rest is None else self.rest * events / (self.skipped + self.failed)


def _files(
    parts: Sequence[PartCounts],
    losses: Sequence[Loss],
    sizes: Mapping[str, int],
    sums: Mapping[str, float],
) -> list[_File]:
    """Files of which anything is known, sorted by name."""
    processed = dict.fromkeys(sizes, 0)
    for part in parts:
        processed[part.file] = processed.get(part.file, 0) + part.nevts
    lost = _lost_ranges(parts, losses)
    short = {
        name
        for name, events in processed.items()
        if name in lost or events < sizes.get(name, events)
    }
    weights: dict[str, list[float]] = {name: [] for name in short}
    for part in parts:
        if part.file in weights:
            weights[part.file].append(part.sum_weights)
    found = []
    for name in sorted(processed.keys() | lost.keys()):
        ranges, done = lost.get(name, ()), processed.get(name, 0)
        failed = sum(stop - start for start, stop in ranges)
        rest = sums[name] - math.fsum(weights[name]) if name in short and name in sums else None
        found.append(
            _File(
                name=name,
                processed=done,
                skipped=max(sizes.get(name, 0) - done - failed, 0),
                failed=failed,
                hit=name in lost,
                unopened=name not in processed and not ranges,
                lost=ranges,
                rest=rest,
            )
        )
    return found


def _lost_ranges(
    parts: Sequence[PartCounts], losses: Sequence[Loss]
) -> dict[str, tuple[Range, ...]]:
    """Entry ranges that were lost and that no part has, merged, by file."""
    lost: dict[str, list[Range]] = {}
    done: dict[str, list[Range]] = {}
    for loss in losses:
        lost.setdefault(loss.file, []).append((loss.entrystart, loss.entrystop))
    for part in parts if lost else ():
        if part.file in lost:
            done.setdefault(part.file, []).append((part.entrystart, part.entrystop))
    return {name: _without(merged(mine), merged(done.get(name, ()))) for name, mine in lost.items()}


def percent(fraction: float) -> str:
    """Percentage with three digits, never rounded to all.

    Examples
    --------
    >>> percent(0.4826), percent(0.99999)
    ('48.3 %', 'over 99.9 %')
    """
    text = f"{100 * fraction:.3g}"
    return f"{text} %" if text != "100" or fraction >= 1 else "over 99.9 %"


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Union of entry ranges, as few as there can be, in rising order; empty ones vanish.

    Examples
    --------
    >>> merged([(20, 30), (0, 5), (5, 10), (7, 7)])
    ((0, 10), (20, 30))
    """
    found: list[Range] = []
    for start, stop in sorted(one for one in ranges if one[0] < one[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(found)


def _without(ranges: Sequence[Range], others: Sequence[Range]) -> tuple[Range, ...]:
    """Merged ranges without those of others, which are merged as well."""
    found: list[Range] = []
    first = 0  # of the others that can still overlap
    for start, stop in ranges:
        low = start
        while first < len(others) and others[first][1] <= low:
            first += 1
        while first < len(others) and others[first][0] < stop:
            found.append((low, others[first][0]))
            low = others[first][1]
            if low >= stop:
                break  # it may reach into the next range
            first += 1
        found.append((low, stop))
    return merged(found)


def _sum(values: Sequence[float | None]) -> float | None:
    """Sum, rounded once; None where one of them is not known."""
    known = [one for one in values if one is not None]
    return math.fsum(known) if len(known) == len(values) else None


def _reasons(losses: Sequence[Loss]) -> tuple[Reason, ...]:
    """Reasons that differ in more than the file and numbers, the most frequent first."""
    alike: dict[tuple[str, str], list[Loss]] = {}
    for loss in sorted(losses, key=lambda one: (one.item_key, one.stage, one.reason)):
        shape = _NUMBER.sub("#", loss.reason.replace(loss.file, ""))
        alike.setdefault((loss.stage, shape), []).append(loss)
    found = [Reason(group[0].reason, stage, len(group)) for (stage, _), group in alike.items()]
    return tuple(sorted(found, key=lambda one: -one.losses))
