"""Parts that adjoin are read as one entry range; each has what it has alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import UserFunctionError
from hepflow.events import OpenFile
from hepflow.records import WorkItem
from hepflow.skimming.loading import load_parts
from hepflow.skimming.parts import LivePart
from hepflow.skimming.spec import SkimSpec
from tests.builders import keep_triggered, make_dataset, toy_columns, write_nano

N = 120
MC = make_dataset("mc__nominal")
COLUMNS = toy_columns(N)


def make_spec(function=keep_triggered):
    return SkimSpec(
        datasets={MC.key: MC},
        function=function,
        use=(("event", "HLT_Mu50"), ("MET", "pt")) if function else (),
        static_kwargs={},
        branches={"Muon": ("pt", "eta"), "event": ("run",)},
        mc_branches={},
        max_retries=0,
    )


SPEC, EVERYTHING = make_spec(), make_spec(None)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_nano(tmp_path_factory.mktemp("loading") / "a.root", COLUMNS)


@pytest.fixture
def reads(monkeypatch):
    """Entry ranges that were read."""
    found, read = set(), OpenFile.read

    def noted(self, names, start, stop, mask=None):
        found.add((start, stop))
        return read(self, names, start, stop, mask)

    monkeypatch.setattr(OpenFile, "read", noted)
    return found


def live(path, start, stop, spec=SPEC):
    item = WorkItem(MC.key, str(path), "Events", start, stop, "")
    return LivePart(spec, item, {"process": "mc"}, f"{start} {stop}")


def assert_same(loaded, parts):
    ends = np.cumsum([0, *loaded.lengths])
    for place, i in enumerate(loaded.positions):
        events, metadata = parts[i].load()
        mine = loaded.events[ends[place] : ends[place + 1]]
        assert ak.array_equal(mine, events, dtype_exact=True)
        assert loaded.metadata[place] == metadata


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, N), min_size=2, max_size=6),
    whole=st.booleans(),
    skip=st.integers(0, 5),
)
def test_any_parts_are_those_that_are_loaded_alone(path, cuts, whole, skip):
    spec, cuts = EVERYTHING if whole else SPEC, sorted(cuts)
    parts = [live(path, a, b, spec) for a, b in itertools.pairwise(cuts)]
    parts = [part for i, part in enumerate(parts) if i != skip]
    found = load_parts(parts)
    assert sorted(i for one in found for i in one.positions) == list(range(len(parts)))
    for loaded in found:
        assert_same(loaded, parts)


def test_what_adjoins_is_read_at_once(path, reads):
    parts = [live(path, 0, 40), live(path, 40, 80), live(path, 90, N)]
    (loaded,) = load_parts(parts)
    assert reads == {(0, 80), (90, N)}
    assert_same(loaded, parts)


def test_parts_of_two_files_are_one_array(path, tmp_path):
    parts = [live(path, 0, 40), live(write_nano(tmp_path / "b.root", COLUMNS), 40, 80)]
    (loaded,) = load_parts(parts)
    assert loaded.positions == (0, 1)
    assert_same(loaded, parts)


def test_files_with_other_types_stay_apart(path, tmp_path):
    other = {**COLUMNS, "run": COLUMNS["run"].astype(np.int64)}
    parts = [live(path, 0, 40), live(write_nano(tmp_path / "b.root", other), 0, 40)]
    parts.append(live(path, 40, 80))
    found = load_parts(parts)
    assert [one.positions for one in found] == [(0, 2), (1,)]
    for loaded in found:
        assert_same(loaded, parts)


def test_repeated_events_are_left_out_of_the_part_that_has_them(path):
    parts = [live(path, 0, 40), replace(live(path, 40, 80), drop=(0, 2)), live(path, 80, N)]
    known = {}
    for loaded in load_parts(parts):
        assert_same(loaded, parts)
        known |= dict(zip(loaded.positions, loaded.metadata, strict=True))
    assert [known[i].get("part_repeated") for i in range(3)] == [None, 2, None]


def test_parts_stay_apart_where_that_is_wanted(path):
    parts = [live(path, 0, 40), live(path, 40, 80)]
    found = load_parts(parts, apart=True)
    assert [one.positions for one in found] == [(0,), (1,)]
    for loaded in found:
        assert_same(loaded, parts)


def broken(bit, met):
    raise ValueError("no good")


def test_what_fails_in_one_fails(path):
    spec = make_spec(broken)
    with pytest.raises(UserFunctionError, match="no good"):
        load_parts([live(path, 0, 40, spec), live(path, 40, 80, spec)])
