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

# What lies in the events or in what a function does with them. Others concern whole files, or are
# no matter of the input at all.
_IN_EVENTS = ("UserFunctionError", "MaskError", "UnreadableFile", "CorrectionError", "WorkerLost")
_LABEL = "looking for what fails"
_FEW, _MANY = 8, 500  # items that are looked into
_BESIDE = "Only these entries fail; what is beside them works."
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

    outcome: Outcome  # of what fails: a part of the item, or all of it; ok: all works in parts
    good: tuple[Range, ...]  # what works, in order

    @property
    def fails(self) -> bool:
        """Whether something is lost; else all works in smaller parts."""
        return not self.outcome.ok

    def to_do(self, policy: OnMissing) -> tuple[Range, ...]:
        """What goes on by itself: all that works, unless the run or its dataset ends here."""
        return self.good if policy == "rescale" or not self.fails else ()


def most_of(failed: Sequence[Outcome], *, of: int, policy: OnMissing) -> int:
    """How many failed items are worth a look.

    A few where the run ends in any case. None where all of several failed: then it is no matter of
    single entries, unless each is too large.
    """
    if len(failed) == of > 1 and not any(map(_may_be_too_large, failed)):
        return 0
    return _FEW if policy == "fail" or len(failed) == of else _MANY


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

    def range_of(self, item: Divisible) -> Range | None:
        """Range that failed in an earlier run."""
        path = self._path(item)
        if not path.exists():
            return None
        try:
            start, stop = (int(one) for one in read_part(path)["range"])
        except (StorageError, KeyError, TypeError, ValueError):
            return None  # looked for again
        first, end = item.entries
        return (start, stop) if first <= start < stop <= end else None

    def keep(self, item: Divisible, found: Range) -> None:
        """Remember the range that fails."""
        write_part(self._path(item), {"range": list(found)})


class _Search:
    """Bisection of one item: first the left end of what fails, then the right one."""

    def __init__(self, failed: Outcome, guess: Range | None) -> None:
        self.failed = failed
        self.item: Divisible = failed.item
        self.low, self.high = self.item.entries  # what is not known to work
        self.pieces: list[Range] = []  # of all of it, where each works by itself
        self.failures: dict[Range, Failure] = {}
        self._steps = self._look(guess)
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

    def _look(self, guess: Range | None) -> Steps:
        start, stop = self.item.entries
        if guess is not None:
            (works,) = yield [guess]
            if not works:
                self.low, self.high = guess
                return
        if stop - start <= 1:
            return
        first, last = yield [(start, start + 1), (stop - 1, stop)]
        if not first and not last:
            return  # all of it: no need to look further
        yield from self._left_end()
        single = (self.low, self.low + 1)
        if single not in self.failures:
            (works,) = yield [single]
            if works:  # no entry is at fault
                self.low, self.high = start, stop
                yield from self._halved()
                return
        yield from self._right_end()
        if (self.low, self.high) not in self.failures:
            yield [(self.low, self.high)]

    def _halved(self) -> Steps:
        """Cut what takes too much memory at once; or it works now, whatever was in the way."""
        (now,) = yield [self.item.entries]
        if now:
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

    def _left_end(self) -> Steps:
        bad = self.high  # something before it fails
        while bad - self.low > 1:
            middle = (self.low + bad) // 2
            (works,) = yield [(self.low, middle)]
            if works:
                self.low = middle
            else:
                bad = middle

    def _right_end(self) -> Steps:
        bad = self.low  # it or something behind it fails
        while self.high - bad > 1:
            middle = (bad + self.high) // 2
            (works,) = yield [(middle, self.high)]
            if works:
                self.high = middle
            else:
                bad = middle

    def result(self) -> Isolated:
        """What was found, once nothing is wanted any more."""
        start, stop = self.item.entries
        found = (self.low, self.high)
        if self.pieces:
            return Isolated(Outcome(self.failed.index, self.item), tuple(self.pieces))
        if found == (start, stop) or found not in self.failures:
            return Isolated(self.failed, ())
        around = ((start, self.low), (self.high, stop))
        good = tuple(one for one in around if one[0] < one[1])
        error = self.failures[found]
        told = replace(error, notes=(*error.notes, _BESIDE))
        return Isolated(Outcome(self.failed.index, self.item.narrowed(*found), error=told), good)


def isolate(
    executor: Executor,
    probe: Callable[[Any], Any],
    failed: Sequence[Outcome],
    memory: Memory,
    *,
    most: int | None = None,
) -> list[Isolated]:
    """Find the smallest range of each failed item outside of which all works.

    About ``2 log2(n)`` parts of an item with n entries are tried, half of them of a few entries
    only; two where all of it fails. An item of which each entry works is cut in smaller parts.

    Parameters
    ----------
    executor
        Where parts are tried, those of all items side by side.
    probe
        Does an item's work without keeping its result.
    failed
        Outcomes with an error, of items that are `Divisible`.
    memory
        Where findings are kept: the range that failed in an earlier run is tried first.
    most
        Items that are looked into; the others fail as a whole.

    Returns
    -------
    list of Isolated
        In the order of `failed`.
    """
    chosen = [i for i, one in enumerate(failed) if _lies_in_events(one)][:most]
    found = [Isolated(one, ()) for one in failed]
    searches = {i: _Search(failed[i], memory.range_of(failed[i].item)) for i in chosen}
    if searches:
        with progress(_LABEL, len(searches)) as bar:
            while wanted := [one for one in searches.values() if one.wanted]:
                _try(executor, probe, wanted)
                bar.advance(sum(not one.wanted for one in wanted))
    for i, search in searches.items():
        found[i] = search.result()
        if found[i].good and found[i].fails:
            memory.keep(search.item, found[i].outcome.item.entries)
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
