"""Entry ranges one after the other: nothing is read twice, and all is what the file has."""

from __future__ import annotations

from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events import open_tree
from hepflow.events.ahead import ReadAhead

N = 60
COLUMNS = {
    "x": ak.Array(np.arange(N, dtype=np.float32)),
    "jets": ak.unflatten(np.arange(2 * N, dtype=np.int32), np.tile([1, 0, 5, 2], N // 4)),
    "text": ak.Array([str(i) for i in range(N)]),
}


class Reader:
    def __init__(self, ends, *, damaged_from=N):
        self.ends, self.damaged_from, self.ranges = ends, damaged_from, []

    def read(self, names, start, stop):
        if stop > self.damaged_from:
            raise ValueError("damaged")
        self.ranges.append((start, stop))
        return {name: COLUMNS[name][start:stop] for name in names}

    def ahead(self):
        return ReadAhead(self.read, lambda _: self.ends)


def same(found, start, stop):
    return all(
        one.type == COLUMNS[name][start:stop].type
        and one.tolist() == COLUMNS[name][start:stop].tolist()
        for name, one in found.items()
    )


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, N), max_size=6).map(sorted),
    st.lists(st.integers(1, N), max_size=6, unique=True).map(sorted),
    st.sampled_from([("x", "jets"), ("jets", "text"), ("x",)]),
)
def test_ranges_are_what_they_are_alone(cuts, ends, names):
    reader = Reader(ends)
    ahead = reader.ahead()
    for start, stop in pairwise([0, *cuts, N]):
        assert same(ahead.read(names, start, stop), start, stop)
    if "text" not in names:
        read = [entry for start, stop in reader.ranges for entry in range(start, stop)]
        assert sorted(read) == list(range(N))


def test_what_is_left_is_taken_first():
    reader = Reader([20, 40, 60])
    ahead = reader.ahead()
    for start in range(0, N, 15):
        ahead.read(["x"], start, start + 15)
    assert reader.ranges == [(0, 20), (20, 40), (40, 60)]


def test_other_ranges_and_other_columns_are_read_by_themselves():
    reader = Reader([20, 40, 60])
    ahead = reader.ahead()
    ahead.read(["x"], 0, 15)
    assert same(ahead.read(["jets"], 15, 20), 15, 20)
    assert same(ahead.read(["x"], 16, 20), 16, 20)
    assert reader.ranges == [(0, 20), (15, 20), (16, 20)]


def test_baskets_that_are_longer_than_a_range_are_not_kept():
    reader = Reader([60])
    ahead = reader.ahead()
    ahead.read(["x"], 0, 20)
    assert reader.ranges == [(0, 20)]


def test_an_error_behind_a_range_is_none_of_it():
    reader = Reader([20, 40, 60], damaged_from=18)
    ahead = reader.ahead()
    assert same(ahead.read(["x"], 0, 15), 0, 15)
    with pytest.raises(ValueError, match="damaged"):
        ahead.read(["x"], 15, 30)


def test_a_file_with_several_baskets(tmp_path):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        tree = file.mktree("Events", {"x": "f4", "Jet": "var * int32"})
        for start, stop in pairwise([0, 12, 24, 48, N]):
            tree.extend({"x": COLUMNS["x"][start:stop], "Jet": COLUMNS["jets"][start:stop]})
    opened = open_tree(str(path), "Events")
    assert opened.columns._ends_of(["x", "Jet"]) == [0, 12, 24, 48, N]
    for start, stop in pairwise([0, 10, 11, 30, 50, N]):
        found = opened.read(["x", "Jet"], start, stop)
        assert ak.array_equal(found["x"], COLUMNS["x"][start:stop])
        assert ak.array_equal(found["Jet"], COLUMNS["jets"][start:stop])
