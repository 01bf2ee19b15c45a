"""Find what of a failed entry range is at fault, by trying parts of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from hepflow.errors import StorageError
from hepflow.execution.executor import Executor
from hepflow.execution.outcome import Failure, Outcome
from hepflow.keys import stable_hash
from hepflow.logging import progress
from hepflow.schema.execution import OnMissing
from hepflow.storage import private_folder, read_part, write_part

Range = tuple[int, int]  # first entry, and one after the last
Steps = Generator[list[Range], list[bool], None]  # gives what to try, takes whether it works
Walk = Generator[list[Range], list[bool], int]  # the same, and returns an entry

# What lies in the events or in what a function does with them. Others concern whole files, or are
# no matter of the input at all.
_IN_EVENTS = ("UserFunctionError", "MaskError", "UnreadableFile", "CorrectionError", "WorkerLost")
_LABEL = "looking for what fails"
_FEW, _MANY = 8, 500  # items that are looked into
_RANGES = 16  # of an item that are told apart
_BESIDE = "What is beside these entries works."
_HALVINGS = 6  # of an item that is too large as a whole


class Divisible(Protocol):
    """Work on an entry range of which parts can be tried."""

    @property
    def entries(self) -> Range:
        """First entry, and the one after the last."""
        ...

    @property
    def identity(self) -> str:
        """Digest of the range and of what is done with it."""
        ...

    def narrowed(self, start: int, stop: int) -> Self:
        """The same work on a part of the range."""
        ...


@dataclass(frozen=True)
class Isolated:
    """What was found about a failed item."""

    outcomes: tuple[Outcome, ...]  # of what fails: parts of the item, or all of it
    good: tuple[Range, ...]  # what works, in order

    @property
    def fails(self) -> bool:
        """Whether something is lost; else all works in smaller parts."""
        return bool(self.outcomes)

    def to_do(self, policy: OnMissing) -> tuple[Range, ...]:
        """What goes on by itself: all that works, unless the run or its dataset ends here."""
        return self.good if policy == "rescale" or not self.fails else ()


@dataclass(frozen=True)
class Effort:
    """How much is tried."""

    items: int  # that are looked into; others fail as a whole
    ranges: int  # of an item that are told apart


def effort(failed: Sequence[Outcome], *, of: int, policy: OnMissing) -> Effort:
    """What is worth trying.

    Little where the run ends in any case, or very many items failed. Nothing where all of several
    failed: then it is no matter of single entries, unless each is too large.
    """
    if len(failed) == of > 1 and not any(map(_may_be_too_large, failed)):
        return Effort(0, 1)
    if policy == "fail" or len(failed) == of:
        return Effort(_FEW, 1)
    return Effort(_MANY, _RANGES if len(failed) <= _FEW else 1)


def _may_be_too_large(outcome: Outcome) -> bool:
    error = outcome.error
    return error is not None and (
        error.type_name in {"MemoryError", "WorkerLost"} or "MemoryError" in error.message
    )


@dataclass(frozen=True)
class Memory:
    """Where findings are kept, so that the next run tries what failed and not everything."""

    folder: Path

    def _path(self, item: Divisible) -> Path:
        return private_folder(self.folder) / f"{stable_hash(item.identity)}.pkl"

    def ranges_of(self, item: Divisible) -> list[Range]:
        """Ranges that failed in an earlier run, in order; none where that is not known."""
        path = self._path(item)
        if not path.exists():
            return []
        try:
            found = [(int(start), int(stop)) for start, stop in read_part(path)["ranges"]]
        except (StorageError, KeyError, TypeError, ValueError):
            return []  # looked for again
        first, end = item.entries
        edges = [first, *(edge for one in found for edge in one), end]
        return found if edges == sorted(edges) else []

    def keep(self, item: Divisible, found: Sequence[Range]) -> None:
        """Remember the ranges that fail."""
        write_part(self._path(item), {"ranges": [list(one) for one in found]})


class _Search:
    """Search of one item from its first entry on: where something fails, and where that ends."""

    def __init__(self, failed: Outcome, known: list[Range], ranges: int) -> None:
        self.failed = failed
        self.item: Divisible = failed.item
        self.ranges = ranges
        self.bad: list[Range] = []  # in order; empty: all of it
        self.pieces: list[Range] = []  # of all of it, where each works by itself
        self.failures: dict[Range, Failure] = {}
        self._steps = self._look(known)
        self.wanted = next(self._steps, [])  # to be tried next; empty at the end

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes of the wanted ranges."""
        for one, outcome in zip(self.wanted, outcomes, strict=True):
            if outcome.error is not None:
                self.failures[one] = outcome.error
        try:
            self.wanted = self._steps.send([outcome.ok for outcome in outcomes])
        except StopIteration:
            self.wanted = []

    def _look(self, known: list[Range]) -> Steps:
        start, stop = self.item.entries
        if known and not any((yield known)):
            self.bad = known
            return
        if stop - start <= 1:
            return
        first, last = yield [(start, start + 1), (stop - 1, stop)]
        if not first and not last:
            return  # all of it: no need to look further
        position = start
        while True:  # something in [position, stop) fails
            low = yield from self._first_bad(position, stop)
            if (low, low + 1) not in self.failures and (yield [(low, low + 1)])[0]:
                self.bad = []
                yield from self._halved()  # no entry is at fault
                return
            position = yield from self._end_of_bad(low, stop)
            self.bad.append((low, position))
            if position == stop or (yield [(position, stop)])[0]:
                break
            if len(self.bad) == self.ranges:  # then all up to the last entry that fails
                self.bad[-1] = (low, (yield from self._last_bad(position, stop)))
                break
        missing = [one for one in self.bad if one not in self.failures]
        if missing:
            yield missing

    def _first_bad(self, low: int, bad: int) -> Walk:
        """First entry that fails of those before `bad`."""
        while bad - low > 1:
            middle = (low + bad) // 2
            if (yield [(low, middle)])[0]:
                low = middle
            else:
                bad = middle
        return low

    def _end_of_bad(self, bad: int, stop: int) -> Walk:
        """One after the entries that fail from `bad` on, such as those of a basket."""
        good, step = bad + 1, 1
        while good < stop and not (yield [(good, good + 1)])[0]:
            bad, step = good, 2 * step
            good = min(bad + step, stop)
        while good - bad > 1:
            middle = (bad + good) // 2
            if (yield [(middle, middle + 1)])[0]:
                good = middle
            else:
                bad = middle
        return good

    def _last_bad(self, bad: int, high: int) -> Walk:
        """One after the last entry that fails of those from `bad` on."""
        while high - bad > 1:
            middle = (bad + high) // 2
            if (yield [(middle, high)])[0]:
                high = middle
            else:
                bad = middle
        return high

    def _halved(self) -> Steps:
        """Cut what takes too much memory at once; or it works now, whatever was in the way."""
        if (yield [self.item.entries])[0]:
            self.pieces = [self.item.entries]
            return
        works: list[Range] = []
        todo = [self.item.entries]
        for _ in range(_HALVINGS):
            cuts = [(start, (start + stop) // 2, stop) for start, stop in todo]
            halves = [half for cut in cuts for half in itertools.pairwise(cut) if half[0] < half[1]]
            answers = yield halves
            works += itertools.compress(halves, answers)
            todo = [half for half, good in zip(halves, answers, strict=True) if not good]
            if not todo:
                self.pieces = sorted(works)
                return

    def result(self) -> Isolated:
        """What was found, once nothing is wanted any more."""
        if self.pieces:
            return Isolated((), tuple(self.pieces))
        start, stop = self.item.entries
        edges = [start, *(edge for one in self.bad for edge in one), stop]
        beside = zip(edges[::2], edges[1::2], strict=True)
        good = tuple(one for one in beside if one[0] < one[1])
        if not (self.bad and good) or any(one not in self.failures for one in self.bad):
            return Isolated((self.failed,), ())
        return Isolated(tuple(self._outcome(one) for one in self.bad), good)

    def _outcome(self, bad: Range) -> Outcome:
        error = self.failures[bad]
        told = replace(error, notes=(*error.notes, _BESIDE))
        return Outcome(self.failed.index, self.item.narrowed(*bad), error=told)


def isolate(
    executor: Executor,
    probe: Callable[[Any], Any],
    failed: Sequence[Outcome],
    memory: Memory,
    worth: Effort,
) -> list[Isolated]:
    """Find the entries of each failed item without which it works.

    About ``log2(n)`` parts of an item with n entries are tried for each range that fails, two
    where all of it does. Where more ranges fail than are told apart, what lies between them counts
    as failed. An item of which each entry works is cut in smaller parts.

    Parameters
    ----------
    executor
        Where parts are tried, those of all items side by side.
    probe
        Does an item's work without keeping its result.
    failed
        Outcomes with an error, of items that are `Divisible`.
    memory
        Where findings are kept: what failed in an earlier run is tried first.
    worth
        How much is tried, from `effort`.

    Returns
    -------
    list of Isolated
        In the order of `failed`.
    """
    chosen = [i for i, one in enumerate(failed) if _lies_in_events(one)][: worth.items]
    found = [Isolated((one,), ()) for one in failed]
    searches = {
        i: _Search(failed[i], memory.ranges_of(failed[i].item), worth.ranges) for i in chosen
    }
    if searches:
        with progress(_LABEL, len(searches)) as bar:
            while wanted := [one for one in searches.values() if one.wanted]:
                _try(executor, probe, wanted)
                bar.advance(sum(not one.wanted for one in wanted))
    for i, search in searches.items():
        found[i] = search.result()
        if found[i].good and found[i].fails:
            memory.keep(search.item, search.bad)
    return found


def _try(executor: Executor, probe: Callable[[Any], Any], searches: Sequence[_Search]) -> None:
    """Try what the searches want next, side by side, and tell them."""
    items = [one.item.narrowed(*entries) for one in searches for entries in one.wanted]
    outcomes = iter(
        sorted(executor.map(probe, items, label=_LABEL, probe=True), key=lambda one: one.index)
    )
    for one in searches:
        one.answer(list(itertools.islice(outcomes, len(one.wanted))))


def _lies_in_events(outcome: Outcome) -> bool:
    error = outcome.error
    if error is None or error.transient:
        return False
    return error.type_name in _IN_EVENTS or not error.is_hepflow
