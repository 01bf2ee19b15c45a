"""What fails of an entry range is found by trying parts of it."""

from __future__ import annotations

import functools
import math
import os
import signal
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import MissingBranch, StorageError, UserFunctionError
from hepflow.execution import make_executor
from hepflow.execution.isolation import Memory, isolate, most_of


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


def search(probe, item, folder, **more):
    executor = make_executor("inprocess")
    failed = list(executor.map(probe, [item], label="x"))
    probe.tried.clear()
    (found,) = isolate(executor, probe, failed, Memory(folder), **more)
    return found


@given(
    bad=st.sets(st.integers(0, 299), min_size=1, max_size=5),
    start=st.integers(0, 50),
)
def test_it_is_the_smallest_range_outside_of_which_all_works(tmp_path_factory, bad, start):
    folder = tmp_path_factory.mktemp("memory")
    probe = Probe({one + start for one in bad})
    found = search(probe, Entries(start, start + 300), folder)
    low, high = min(probe.bad), max(probe.bad) + 1
    if bad >= {0, 299}:
        low, high = start, start + 300  # both ends fail: not looked further into
    assert found.fails
    assert found.outcome.item.entries == (low, high)
    around = [(start, low), (high, start + 300)]
    assert list(found.good) == [one for one in around if one[0] < one[1]]
    assert f"bad in {low} to {high}" in found.outcome.error.message
    assert bool(found.good) == ("beside them works" in str(found.outcome.error))
    assert len(probe.tried) <= 2 * math.ceil(math.log2(300)) + 5
    # what was found is tried first the next time
    again = search(probe, Entries(start, start + 300), folder)
    assert again.good == found.good
    assert len(probe.tried) == (1 if found.good else 2)


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
    assert found.outcome.item.entries == (0, 100)
    assert found.good == ()
    assert len(probe.tried) == 2
    assert search(probe, Entries(3, 4), tmp_path / "memory").outcome.item.entries == (3, 4)


def test_what_was_repaired_is_not_believed_to_fail(tmp_path):
    folder = tmp_path / "memory"
    assert search(Probe({5}), Entries(0, 100), folder).outcome.item.entries == (5, 6)
    assert search(Probe({70}), Entries(0, 100), folder).outcome.item.entries == (70, 71)
    for path in folder.glob("*.pkl"):
        path.write_bytes(b"nonsense")
    assert search(Probe({70}), Entries(0, 100), folder).outcome.item.entries == (70, 71)


def test_only_what_may_lie_in_the_events_is_looked_for(tmp_path):
    for error in (MissingBranch("x"), StorageError("disk full"), TimeoutError("later")):

        def work(item, error=error):
            raise error

        executor = make_executor("inprocess")
        failed = list(executor.map(work, [Entries(0, 100)], label="x"))
        (found,) = isolate(executor, pytest.fail, failed, Memory(tmp_path / "memory"))
        assert found.outcome is failed[0]
        assert found.to_do("rescale") == ()


def test_few_are_looked_into_where_the_run_ends(tmp_path):
    probe = Probe({5})
    executor = make_executor("inprocess")
    failed = list(executor.map(probe, [Entries(0, 10 + i) for i in range(30)], label="x"))
    most = most_of(failed, of=100, policy="fail")
    assert most_of(failed, of=30, policy="rescale") == 0  # all of them: a bug of the function
    assert most_of(failed[:1], of=1, policy="fail") == most
    large = list(executor.map(Probe(most=5), [one.item for one in failed], label="x"))
    assert most_of(large, of=30, policy="rescale") == most
    found = isolate(executor, probe, failed, Memory(tmp_path / "memory"), most=most)
    assert [one.outcome.item.entries == (5, 6) for one in found] == [True] * most + [False] * 22
    assert most_of(failed, of=100, policy="rescale") > len(failed)


def die_at(entry, item):
    if item.start <= entry < item.stop:
        os.kill(os.getpid(), signal.SIGKILL)


def test_an_entry_that_kills_its_worker(tmp_path):
    work = functools.partial(die_at, 11)
    with make_executor("loky", workers=2, max_retries=0) as executor:
        failed = list(executor.map(work, [Entries(0, 16)], label="x"))
        (found,) = isolate(executor, work, failed, Memory(tmp_path / "memory"))
    assert found.outcome.error.type_name == "WorkerLost"
    assert found.outcome.item.entries == (11, 12)
    assert found.good == ((0, 11), (12, 16))
