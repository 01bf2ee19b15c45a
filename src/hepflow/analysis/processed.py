"""Histograms of single parts, each entry of a file once, and their sum."""

from __future__ import annotations

import bisect
import logging
from collections.abc import Mapping, Sequence

from hepflow.analysis.cutflow import different_cuts
from hepflow.records import Axis, Cutflow, Dataset, RawHistograms
from hepflow.records.histograms import AxisKey, CutflowKey, merge_raw
from hepflow.records.parts import ItemKey
from hepflow.remote import shown

_log = logging.getLogger(__name__)


class ProcessedParts:
    """What `Analysis.process` has filled so far."""

    def __init__(self) -> None:
        self._found: dict[ItemKey, RawHistograms] = {}
        # entry ranges of each file of a dataset, in order; no two of them overlap
        self._ranges: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._told = False

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self._found)

    def put(self, key: ItemKey, raw: RawHistograms) -> None:
        """Add a part, in the place of those that have entries of its range."""
        dataset, file, start, stop = key
        if start >= stop:  # of a file without an entry
            self._found[key] = raw
            return
        ranges = self._ranges.setdefault((dataset, file), [])
        first = bisect.bisect_left(ranges, (start, stop))
        if first and ranges[first - 1][1] > start:
            first -= 1
        last = first
        while last < len(ranges) and ranges[last][0] < stop:
            last += 1
        gone = [(dataset, file, *one) for one in ranges[first:last] if one != (start, stop)]
        ranges[first:last] = [(start, stop)]
        for one in gone:
            del self._found[one]
        self._found[key] = raw
        self._tell_replaced(key, gone)

    def _tell_replaced(self, key: ItemKey, gone: Sequence[ItemKey]) -> None:
        """Say, once, where entries are out until they are processed again."""
        dataset, file, start, stop = key
        for _, _, low, high in gone:
            left = [(low, min(high, start)), (max(low, stop), high)]
            out = " and ".join(f"{a} to {b}" for a, b in left if a < b)
            if out and not self._told:
                self._told = True
                _log.warning(
                    "%s: entries %d to %d of %s take the place of %d to %d: %s are out until they "
                    "are processed again, and so on where ranges of other parts overlap",
                    *(dataset, start, stop, shown(file), low, high, out),
                )

    def total(self, axes: Mapping[AxisKey, Axis]) -> RawHistograms:
        """Sum of all parts, in the order of their work items."""
        return merge_parts([self._found[key] for key in sorted(self._found)], axes)


def merge_parts(raws: Sequence[RawHistograms], axes: Mapping[AxisKey, Axis]) -> RawHistograms:
    """Sum of parts, in their order.

    Raises
    ------
    UserFunctionError
        If the cuts of a channel have other names in one part than in another.
    ValueError
        If entry ranges of two of them overlap: their events would count twice.
    """
    longest: dict[CutflowKey, RawHistograms] = {}  # part with the most cuts
    for raw in raws:
        for place, flow in raw.cutflows.items():
            known = longest.setdefault(place, raw)
            before = known.cutflows[place]
            if not before.fits(flow):
                raise different_cuts(place[0], (before, flow), (_part_of(known), _part_of(raw)))
            if len(flow.names) > len(before.names):
                longest[place] = raw
    return merge_raw(raws, axes)


def check_processes(
    cutflows: Mapping[CutflowKey, Cutflow], datasets: Mapping[str, Dataset]
) -> None:
    """Make sure that cutflows of the datasets of a process can be added.

    Raises
    ------
    UserFunctionError
        If the cuts of a channel have other names in one of them than in another.
    """
    longest: dict[tuple[str, str], tuple[str, Cutflow]] = {}
    for (channel, key), flow in cutflows.items():
        place = (channel, datasets[key].process)
        known, before = longest.setdefault(place, (key, flow))
        if not before.fits(flow):
            places = (f"dataset {known!r}", f"dataset {key!r}")
            raise different_cuts(channel, (before, flow), places)
        if len(flow.names) > len(before.names):
            longest[place] = (key, flow)


def _part_of(raw: RawHistograms) -> str:
    dataset, file, start, stop = min(raw.ledger.parts)
    return f"{dataset}: {shown(file)}, {start} to {stop}"
