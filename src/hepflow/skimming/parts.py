"""Parts of a skim: what stands for events on disk, or for events that are read live."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from hepflow.errors import ChecksumError
from hepflow.events import EVENT, EVENT_ID, branches_of, merge_branches, packed, with_behaviour
from hepflow.keys import stable_hash
from hepflow.records import PartCounts, WorkItem
from hepflow.skimming.counting import Columns, stored_columns
from hepflow.skimming.formats import format_of
from hepflow.skimming.making import item_identity
from hepflow.skimming.select import read_everything, select_events
from hepflow.skimming.spec import SkimSpec
from hepflow.skimming.totals import item_metadata

Pair = tuple[Any, dict[str, Any]]
# Of the metadata: known after reading.
_COUNTED = ("part_sum_weights", "part_sum_signs", "part_theory")


class AnyPart(Protocol):
    """One part of a skim, wherever its events are. Small: it travels instead of them."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known before the events are read: dataset, file, entry range, totals."""
        ...

    @property
    def identity(self) -> str:
        """Digest of all that the events depend on, and of nothing else.

        Equal for a part on disk, in any format, and one that is read live.
        """
        ...

    @property
    def item(self) -> WorkItem:
        """Entry range of the input."""
        ...

    @property
    def n_selected(self) -> int | None:
        """Events; None where that is known only after reading."""
        ...

    def load(self) -> Pair:
        """Events (record array with Lorentz vectors), and metadata with the part's counts."""
        ...

    def read(self, columns: Sequence[str] | None = None) -> Any:
        """Events with at least these columns, such as ``Muon.pt`` and ``run``."""
        ...

    def form(self) -> Any:
        """Awkward form of the events."""
        ...

    def numbered(self, use: Columns = ()) -> Any:
        """All events, those to drop included: what numbers them, where known, and columns."""
        ...

    def without(self, drop: Sequence[int] | np.ndarray[Any, Any]) -> Self:
        """The same part without these of its events."""
        ...

    def whole(self, spec: SkimSpec) -> AnyPart:
        """The same part with those of its events that are left out as repeated."""
        ...

    def live(self, spec: SkimSpec) -> LivePart:
        """The same events, read from the input each time."""
        ...


@dataclass(frozen=True)
class PartTask:
    """Work on a part, as messages name it."""

    part: AnyPart

    @property
    def file(self) -> str:
        """Input file."""
        return self.part.item.filename

    @property
    def label(self) -> str:
        """For messages."""
        item = self.part.item
        return f"{item.dataset}: {self.file}, {item.entrystart} to {item.entrystop}"

    @property
    def stage(self) -> str:
        """For records of failures."""
        return "duplicates"

    @property
    def work(self) -> WorkItem:
        """The entry range, with all that is known of it."""
        return replace(self.part.item, usermeta=self.part.metadata)

    @property
    def entries(self) -> tuple[int, int]:
        """First entry, and the one after the last."""
        return self.part.item.entrystart, self.part.item.entrystop

    @property
    def identity(self) -> str:
        """Digest of the part and of what is done with it."""
        return f"{self.stage} {self.part.identity}"

    def live(self, spec: SkimSpec) -> Self:
        """The same work on events that are read from the input."""
        return replace(self, part=self.part.live(spec))

    def narrowed(self, start: int, stop: int) -> Self:
        """The same work on some of the entries of a part that is read live."""
        if not isinstance(self.part, LivePart):
            raise TypeError("only a part that is read from the input can be narrowed: use live()")
        return replace(self, part=self.part.narrowed(start, stop))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a skim on disk. There may be a million: what they share they hold once."""

    path: str
    common: Mapping[str, Any]  # metadata of all parts of the dataset
    n_selected: int
    identity: str
    item: WorkItem
    counts: PartCounts
    drop: tuple[int, ...] = ()  # events of the file that are left out: they are repeated

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known before the events are read: dataset, file, entry range, totals."""
        known = {
            **self.common,
            **item_metadata(self.item),
            **_counted(self.counts),
        }
        return {**known, "part_repeated": len(self.drop)} if self.drop else known

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
        return self.read(), self.metadata

    def read(self, columns: Sequence[str] | None = None) -> Any:
        """Read events; with `columns` (``Muon.pt``, ``run``) only those."""
        return _without(self._stored(columns), self.drop)

    def form(self) -> Any:
        """Awkward form of the events."""
        return self._stored(None).layout.form

    def numbered(self, use: Columns = ()) -> Any:
        """Read run, luminosity block and event number of all events, and columns."""
        return self._stored(stored_columns(use))

    def without(self, drop: Sequence[int] | np.ndarray[Any, Any]) -> Self:
        """The same part without these of its events."""
        return replace(
            self,
            n_selected=self.n_selected - len(drop),
            drop=tuple(map(int, drop)),
            identity=_identity_without(self.identity, drop),
        )

    def whole(self, spec: SkimSpec) -> Part:
        """The same part with those of its events that are left out as repeated."""
        count = self.n_selected + len(self.drop)
        return replace(self, n_selected=count, drop=(), identity=_identity(self.item, spec))

    def live(self, spec: SkimSpec) -> LivePart:
        """The same events, read from the input each time."""
        own = spec.only(self.item.dataset)
        return LivePart(own, self.item, self.common, self.identity, self.drop)

    def _stored(self, columns: Sequence[str] | None) -> Any:
        events, _ = format_of(self.path).read(Path(self.path), columns)
        expected = self.n_selected + len(self.drop)
        if len(events) != expected:
            raise ChecksumError(
                f"{self.path}: holds {len(events)} events, its manifest says {expected}. "
                "Delete it and run the skim again."
            )
        return events


@dataclass(frozen=True, slots=True)
class LivePart:
    """One entry range that is read, selected and counted each time it is loaded."""

    spec: SkimSpec
    item: WorkItem
    common: Mapping[str, Any]  # metadata besides what the entry range tells
    identity: str
    drop: tuple[int, ...] = ()  # selected events that are left out: they are repeated
    before: int = 0  # entries before the range whose selected events count in `drop`
    n_selected: None = None  # nothing is read before it is asked for

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known before the events are read: dataset, file, entry range, totals."""
        known = {**item_metadata(self.item), **self.common}
        return {**known, "part_repeated": len(self.drop)} if self.drop else known

    def load(self) -> Pair:
        """Read and select the entry range.

        Returns
        -------
        tuple
            Events (record array with Lorentz vectors), and metadata with what was counted.

        Raises
        ------
        UnreadableFile, MissingTree, MissingBranch
            If the input cannot be read.
        UserFunctionError
            If the selection raises or returns something else than one value for each event.
        """
        events, counts = self._select(self.spec, self.item)
        metadata = self.counted(counts)
        dropped = self._dropped(len(events))
        if dropped or self.drop:
            metadata["part_repeated"] = len(dropped)
        return _without(events, dropped), metadata

    def counted(self, counts: PartCounts) -> dict[str, Any]:
        """Metadata with what was counted."""
        return {**self.metadata, **_counted(counts)}

    def read(self, columns: Sequence[str] | None = None) -> Any:  # noqa: ARG002 - as of `Part`
        """Read events with all their columns: the names of records follow from all of them."""
        events = self._select(self.spec, self.item)[0]
        return _without(events, self._dropped(len(events)))

    def form(self) -> Any:
        """Awkward form of the events, from an empty entry range."""
        empty = replace(self.item, entrystop=self.item.entrystart)
        return self._select(self.spec, empty)[0].layout.form

    def numbered(self, use: Columns = ()) -> Any:
        """Read run, luminosity block and event number of the selected events, and columns.

        Nothing else is read than these and what the selection reads.
        """
        return self._with_only(use, self.item)

    def _with_only(self, use: Columns, item: WorkItem) -> Any:
        kept = self.spec.branches
        if (EVENT, None) not in use:
            whole = [(name, None) for name, field in self.spec.use if field is None]
            numbers = {EVENT: [name for name in kept.get(EVENT, ()) if name in EVENT_ID]}
            kept = merge_branches(branches_of([*whole, *use], kept), numbers)
        reduced = replace(self.spec, branches=kept, theory={})
        return self._select(reduced, item)[0]

    def without(self, drop: Sequence[int] | np.ndarray[Any, Any]) -> Self:
        """The same part without these of its selected events."""
        return replace(
            self, drop=tuple(map(int, drop)), identity=_identity_without(self.identity, drop)
        )

    def whole(self, spec: SkimSpec) -> LivePart:
        """The same part with those of its events that are left out as repeated."""
        return replace(self, drop=(), before=0, identity=_identity(self.item, spec))

    def live(self, spec: SkimSpec) -> LivePart:  # noqa: ARG002 - it has its own
        """The part itself."""
        return self

    def check(self) -> None:
        """Read all of the entry range, selected or not.

        Raises
        ------
        UnreadableFile
            If it is damaged.
        """
        read_everything(self.spec, self.spec.datasets[self.item.dataset], self.item)

    def narrowed(self, start: int, stop: int) -> LivePart:
        """Some of its entries, as a part of its own."""
        item = replace(self.item, entrystart=start, entrystop=stop)
        identity = _identity(item, self.spec)
        own = {*_COUNTED, *item_metadata(item)}
        known = {name: one for name, one in self.common.items() if name not in own}
        before = self.before + start - self.item.entrystart if self.drop else 0
        return LivePart(
            self.spec,
            item,
            known,
            _identity_without(identity, self.drop) if self.drop else identity,
            self.drop,
            before,
        )

    def _dropped(self, count: int) -> list[int]:
        """Positions in its own events of those that are left out."""
        if not self.drop:
            return []
        first = self.item.entrystart
        earlier = replace(self.item, entrystart=first - self.before, entrystop=first)
        offset = len(self._with_only((), earlier)) if self.before else 0
        return [one - offset for one in self.drop if offset <= one < offset + count]

    def _select(self, spec: SkimSpec, item: WorkItem) -> tuple[Any, PartCounts]:
        events, counts = select_events(spec, spec.datasets[item.dataset], item)
        return as_read(events), counts


def as_read(events: Any) -> Any:
    """Events as they come from a file: a view would keep what was not selected in memory."""
    return with_behaviour(packed(events))


def _counted(counts: PartCounts) -> dict[str, Any]:
    """What reading told about a part, for its metadata."""
    sums = {"part_sum_weights": counts.sum_weights, "part_sum_signs": counts.sum_signs}
    return {**sums, "part_theory": counts.theory} if counts.theory else sums


def _without(events: Any, drop: Sequence[int]) -> Any:
    if not drop:
        return events
    keep = np.ones(len(events), dtype=np.bool_)
    keep[list(drop)] = False
    return events[keep]


def _identity(item: WorkItem, spec: SkimSpec) -> str:
    return item_identity(item, spec.key(spec.datasets[item.dataset]))


def _identity_without(identity: str, drop: Sequence[int] | np.ndarray[Any, Any]) -> str:
    dropped = np.asarray(drop, dtype=np.int64)
    return stable_hash([identity, hashlib.sha256(dropped.data).hexdigest()])
