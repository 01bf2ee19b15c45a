"""What fails of an entry range is found by trying parts of it."""

from __future__ import annotations

import functools
import math
import os
import signal
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import MissingBranch, StorageError, UserFunctionError
from hepflow.execution import make_executor
from hepflow.execution.isolation import Effort, Memory, effort, isolate


@dataclass(frozen=True)
class Entries:
    start: int
    stop: int

    @property
    def entries(self):
        return self.start, self.stop

    @property
    def identity(self):
        return f"{self.start} to {self.stop}"

    def narrowed(self, start, stop):
        return Entries(start, stop)


class Probe:
    """Fails where one of the bad entries is in, or where there are too many at once."""

    def __init__(self, bad=(), most=math.inf):
        self.bad, self.most, self.tried = set(bad), most, []

    def __call__(self, item):
        self.tried.append(item.entries)
        if item.stop - item.start > self.most:
            raise MemoryError
        if any(item.start <= one < item.stop for one in self.bad):
            raise UserFunctionError(f"bad in {item.start} to {item.stop}")


ONE, MANY = Effort(8, 1), Effort(8, 16)


def search(probe, item, folder, worth=ONE):
    executor = make_executor("inprocess")
    failed = list(executor.map(probe, [item], label="x"))
    probe.tried.clear()
    (found,) = isolate(executor, probe, failed, Memory(folder), worth=worth)
    return found


def ranges_of(found):
    return [one.item.entries for one in found.outcomes]


def contiguous(entries):
    """Ranges of neighbours."""
    found = []
    for one in sorted(entries):
        if found and found[-1][1] == one:
            found[-1] = (found[-1][0], one + 1)
        else:
            found.append((one, one + 1))
    return found


def beside(start, stop, ranges):
    edges = [start, *(edge for one in ranges for edge in one), stop]
    return [one for one in zip(edges[::2], edges[1::2], strict=True) if one[0] < one[1]]


@settings(deadline=None)
@given(
    bad=st.sets(st.integers(0, 299), min_size=1, max_size=5),
    start=st.integers(0, 50),
    width=st.integers(1, 40),
)
def test_exactly_the_entries_that_fail_are_found(tmp_path_factory, bad, start, width):
    folder = tmp_path_factory.mktemp("memory")
    bad = {start + min(one + i, 299) for one in bad for i in range(width if one % 2 else 1)}
    probe = Probe(bad)
    stop = start + 300
    found = search(probe, Entries(start, stop), folder, MANY)
    ranges = contiguous(bad)
    if bad >= {start, stop - 1}:
        ranges = [(start, stop)]  # both ends fail: not looked further into
    # what lies between two bad entries may be found to fail, if the gallop jumps over it
    assert {one for low, high in ranges_of(found) for one in range(low, high)} >= bad
    assert list(found.good) == beside(start, stop, ranges_of(found))
    if width == 1:
        assert ranges_of(found) == ranges
    for outcome in found.outcomes:
        low, high = outcome.item.entries
        assert f"bad in {low} to {high}" in outcome.error.message
        assert bool(found.good) == ("beside these entries works" in str(outcome.error))
    # what was found is tried first the next time
    count = len(found.outcomes)
    again = search(probe, Entries(start, stop), folder, MANY)
    assert again.good == found.good
    assert ranges_of(again) == ranges_of(found)
    assert len(probe.tried) == (count if found.good else 2)


@settings(deadline=None)
@given(
    bad=st.sets(st.integers(0, 299), min_size=1, max_size=5),
    start=st.integers(0, 50),
)
def test_one_range_reaches_from_the_first_to_the_last(tmp_path_factory, bad, start):
    probe = Probe({one + start for one in bad})
    found = search(probe, Entries(start, start + 300), tmp_path_factory.mktemp("memory"))
    low, high = min(probe.bad), max(probe.bad) + 1
    if bad >= {0, 299}:
        low, high = start, start + 300
    assert ranges_of(found) == [(low, high)]
    assert list(found.good) == beside(start, start + 300, [(low, high)])
    assert len(probe.tried) <= 2 * math.ceil(math.log2(300)) + 25


def test_more_ranges_than_are_told_apart_are_lost_with_what_lies_between(tmp_path):
    probe = Probe(range(10, 300, 10))
    found = search(probe, Entries(0, 1000), tmp_path / "memory", MANY)
    assert len(found.outcomes) == 16
    assert ranges_of(found)[:15] == [(i, i + 1) for i in range(10, 160, 10)]
    assert ranges_of(found)[15] == (160, 291)


@pytest.mark.parametrize(("most", "pieces"), [(75, 4), (20, 16)])
def test_what_is_too_much_at_once_works_in_parts(tmp_path, most, pieces):
    found = search(Probe(most=most), Entries(0, 300), tmp_path / "memory")
    assert not found.fails
    assert [one[0] for one in found.good] == [0, *(one[1] for one in found.good[:-1])]
    assert found.good[-1][1] == 300
    assert len(found.good) == pieces
    assert found.to_do("fail") == found.to_do("drop_dataset") == found.good


def test_all_of_it_fails(tmp_path):
    probe = Probe(range(100))
    found = search(probe, Entries(0, 100), tmp_path / "memory")
    assert ranges_of(found) == [(0, 100)]
    assert found.good == ()
    assert len(probe.tried) == 2
    assert ranges_of(search(probe, Entries(3, 4), tmp_path / "memory")) == [(3, 4)]


def test_what_was_repaired_is_not_believed_to_fail(tmp_path):
    folder = tmp_path / "memory"
    assert ranges_of(search(Probe({5}), Entries(0, 100), folder)) == [(5, 6)]
    assert ranges_of(search(Probe({70}), Entries(0, 100), folder)) == [(70, 71)]
    for path in folder.glob("*.pkl"):
        path.write_bytes(b"nonsense")
    assert ranges_of(search(Probe({70}), Entries(0, 100), folder)) == [(70, 71)]


def test_only_what_may_lie_in_the_events_is_looked_for(tmp_path):
    for error in (MissingBranch("x"), StorageError("disk full"), TimeoutError("later")):

        def work(item, error=error):
            raise error

        executor = make_executor("inprocess")
        failed = list(executor.map(work, [Entries(0, 100)], label="x"))
        (found,) = isolate(executor, pytest.fail, failed, Memory(tmp_path / "memory"), worth=MANY)
        assert found.outcomes == (failed[0],)
        assert found.to_do("rescale") == ()


def test_few_are_looked_into_where_the_run_ends(tmp_path):
    probe = Probe({5})
    executor = make_executor("inprocess")
    failed = list(executor.map(probe, [Entries(0, 10 + i) for i in range(30)], label="x"))
    few = effort(failed, of=100, policy="fail")
    assert effort(failed, of=30, policy="rescale").items == 0  # all: a bug of the function
    assert effort(failed[:1], of=1, policy="fail") == few
    large = list(executor.map(Probe(most=5), [one.item for one in failed], label="x"))
    assert effort(large, of=30, policy="rescale") == few
    found = isolate(executor, probe, failed, Memory(tmp_path / "memory"), worth=few)
    assert [ranges_of(one) == [(5, 6)] for one in found] == [True] * 8 + [False] * 22
    assert effort(failed, of=100, policy="rescale").items > len(failed)
    assert effort(failed[:2], of=100, policy="rescale").ranges > few.ranges == 1


def die_at(entry, item):
    if item.start <= entry < item.stop:
        os.kill(os.getpid(), signal.SIGKILL)


def test_an_entry_that_kills_its_worker(tmp_path):
    work = functools.partial(die_at, 11)
    with make_executor("loky", workers=2, max_retries=0) as executor:
        failed = list(executor.map(work, [Entries(0, 16)], label="x"))
        (found,) = isolate(executor, work, failed, Memory(tmp_path / "memory"), worth=ONE)
    assert found.outcomes[0].error.type_name == "WorkerLost"
    assert ranges_of(found) == [(11, 12)]
    assert found.good == ((0, 11), (12, 16))
