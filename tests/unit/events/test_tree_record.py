"""Branches that are read out of the record of a tree are those that uproot reads from all of it."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events.opening import quicken_opening
from hepflow.events.root import open_root
from hepflow.events.tree_record import TreeRecord
from tests.builders import shared

FILES = [
    "nanoaod/nano_dy.root",
    "nanoaod/nano_tt_v12.root",
    "nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root",
]
N = 40
NAMES = ["x7", "Jet_pt"]


def as_told(branch):
    """What a branch says of itself."""
    numbers = [list(branch.member(one)) for one in ("fBasketSeek", "fBasketBytes", "fBasketEntry")]
    return branch.name, branch.title, str(branch.interpretation), branch.num_entries, numbers


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file of uproot, in which each branch has the names of its classes."""
    path = tmp_path_factory.mktemp("record") / "a.root"
    counts = np.arange(N) % 4
    jets = {one: ak.unflatten(np.arange(counts.sum(), dtype="f4"), counts) for one in ("pt", "eta")}
    with uproot.recreate(path) as file:
        many = {f"x{i}": np.arange(N).astype(("i4", "f8", "?")[i % 3]) for i in range(30)}
        for name, columns in [
            ("Events", {**many, "Jet": ak.zip(jets)}),
            ("folder/Events", {"y": np.arange(3.0)}),
        ]:
            types = {one: ak.type(values).content for one, values in columns.items()}
            file.mktree(name, {one: str(kind) for one, kind in types.items()}).extend(columns)
    return path


@pytest.fixture
def opened(path):
    quicken_opening()
    with uproot.open(path) as file:
        yield file


@pytest.mark.parametrize("name", FILES)
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_any_branches_of_files_of_cms_are_those_of_the_whole_tree(name, data):
    quicken_opening()
    with uproot.open(shared(name)) as file:
        tree, record = file["Events"], TreeRecord.of(file, "Events")
        assert record.names == frozenset(tree.keys(recursive=False))
        for _ in range(2):
            wanted = data.draw(st.sets(st.sampled_from(sorted(record.names)), max_size=12))
            some = record.tree_with(wanted)
            there = {one.name for one in some.branches}
            assert wanted <= there
            assert len(there) < len(record.names) / 4
            assert some.num_entries == tree.num_entries
            for one in wanted:
                assert as_told(some[one]) == as_told(tree[one])
                few = (tree_[one].array(entry_stop=5) for tree_ in (some, tree))
                assert ak.array_equal(*few, equal_nan=True)


def test_lists_come_with_the_branch_of_their_lengths(opened):
    record = TreeRecord.of(opened, "Events")
    some = record.tree_with(["Jet_pt"])
    assert {"Jet_pt", "nJet"} <= {one.name for one in some.branches}
    assert some["Jet_pt"].array().tolist() == opened["Events"]["Jet_pt"].array().tolist()
    assert len(some.branches) < 6


def test_what_is_there_is_not_read_again(opened):
    record = TreeRecord.of(opened, "Events")
    some = record.tree_with(["x3", "x4"])
    assert record.tree_with(["x4"]) is some
    more = record.tree_with(["x9"])
    assert {"x3", "x4", "x9"} <= {one.name for one in more.branches}


def test_a_tree_in_a_folder_is_found(opened):
    record = TreeRecord.of(opened, "folder/Events")
    assert record.names == {"y"}
    assert record.tree_with(["y"])["y"].array().tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("name", ["nanoaod/nano_dy_rntuple.root", "nanoaod/uproot-HZZ-zlib.root"])
def test_what_is_no_tree_of_plain_branches_is_left_to_uproot(name):
    with uproot.open(shared(name)) as file:
        tree = file.keys(recursive=False, cycle=False)[0]
        record = TreeRecord.of(file, tree)
        if record is not None:  # this one has plain branches, too
            assert record.names == frozenset(file[tree].keys(recursive=False))
        assert open_root(str(shared(name)), tree).names


def without_branches(content, leaves):
    return content.replace(b"TBranch\x00", b"TBrunch\x00")


def with_fewer_leaves(content, leaves):
    changed = bytearray(content)
    changed[leaves - 8 : leaves - 4] = (3).to_bytes(4, "big")
    return bytes(changed)


def with_another_branch(content, leaves):
    return content[::-1].replace(b"\x00hcnarBT", b"\x00hcnarBX", 1)[::-1]


def with_a_name_of_the_leaves(content, leaves):
    changed = bytearray(content)
    changed[leaves - 9] = 1
    return bytes(changed)


@pytest.mark.parametrize(
    "change",
    [without_branches, with_fewer_leaves, with_another_branch, with_a_name_of_the_leaves],
)
def test_another_record_is_left_to_uproot(opened, change):
    record = TreeRecord.of(opened, "Events")
    key = _Key(opened.key("Events"), change(record.content, record._leaves[0]))
    assert TreeRecord.of(_Directory(key), "Events") is None


@settings(deadline=None, max_examples=60)
@given(place=st.integers(0, 10**6), value=st.integers(0, 255), name=st.sampled_from(NAMES))
def test_a_damaged_record_says_what_uproot_says_or_nothing(path, place, value, name):
    quicken_opening()
    with uproot.open(path) as file:
        record = TreeRecord.of(file, "Events")
        content = bytearray(record.content)
        content[place % len(content)] = value
        damaged = bytes(content)
        key = _Key(file.key("Events"), damaged)
        found = TreeRecord.of(_Directory(key), "Events")
        some = found and found.tree_with([name]) if found and name in found.names else None
        if some is not None:
            tree = key.whole()
            if tree is not None:
                assert as_told(some[name]) == as_told(tree[name])


class _Directory:
    def __init__(self, key):
        self.found = key

    def key(self, name):
        assert name == "Events"
        return self.found


class _Key:
    """The key of a tree whose record is another one."""

    def __init__(self, key, content):
        self.real, self.content = key, np.frombuffer(content, dtype=np.uint8)

    def __getattr__(self, name):
        return getattr(self.real, name)

    def get_uncompressed_chunk_cursor(self):
        chunk, cursor = self.real.get_uncompressed_chunk_cursor()
        return type(chunk).wrap(chunk.source, self.content), cursor

    def whole(self):
        """What uproot makes of it; None where it cannot."""
        chunk, cursor = self.get_uncompressed_chunk_cursor()
        context = {"breadcrumbs": (), "TKey": self.real}
        kind = self.real.file.class_named("TTree")
        try:
            return kind.read(chunk, cursor, context, self.real.file, self.real.file, self.real)
        except Exception:  # noqa: BLE001 - of whatever kind
            return None
