"""Columns straight from baskets are those that uproot reads."""

from __future__ import annotations

from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events import baskets
from hepflow.events.baskets import Baskets
from hepflow.events.root import open_root
from tests.builders import shared

N = 90
TYPES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float32", "float64")


def columns():
    rng = np.random.default_rng(5)
    found = {f"x_{one}": np.arange(N).astype(one) for one in (*TYPES, *FLOATS)}
    for name in ("Jet", "Muon"):
        counts = rng.poisson(1.5, N)
        size = int(counts.sum())
        found[name] = ak.zip(
            {
                one: ak.unflatten(rng.integers(0, 100, size).astype(one), counts)
                for one in ("int32", "uint8", *FLOATS)
            }
        )
    return found


def types(values):
    if isinstance(values, np.ndarray):
        return values.dtype
    fields = (f'"{one}": {values[one].layout.content.dtype.name}' for one in values.fields)
    return f"var * {{{', '.join(fields)}}}"


CODECS = {
    "none": None,
    "zlib": uproot.ZLIB(1),
    "zstd": uproot.ZSTD(1),
    "lz4": uproot.LZ4(1),
    "lzma": uproot.LZMA(1),
}


def reader_of(columns, path):
    return Baskets(columns.tree_with, columns.directory.file.source, path)


def whole(columns):
    """The tree with all branches, as uproot reads it."""
    return columns.directory[columns.name]


@pytest.fixture(scope="module", params=sorted(CODECS))
def path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("baskets") / f"{request.param}.root"
    whole = columns()
    with uproot.recreate(path, compression=CODECS[request.param]) as file:
        tree = file.mktree("Events", {name: types(values) for name, values in whole.items()})
        for first, stop in pairwise((0, 1, 30, 31, 70, N)):
            tree.extend({name: values[first:stop] for name, values in whole.items()})
    return path


@pytest.fixture
def decompressed(monkeypatch):
    """Numbers of the baskets that were decompressed, in their order."""
    seen, real = [], baskets._basket

    def counting(source, record, branch, number, places):
        seen.append(number)
        return real(source, record, branch, number, places)

    monkeypatch.setattr(baskets, "_basket", counting)
    return seen


def same(found, expected):
    assert found.layout.form == expected.layout.form
    assert found.tolist() == expected.tolist()


@settings(deadline=None, max_examples=4)
@given(st.lists(st.integers(0, N), max_size=6).map(sorted), st.booleans())
def test_any_ranges_are_those_of_uproot(path, cuts, backwards):
    columns = open_root(str(path), "Events")
    reader = reader_of(columns, str(path))
    ranges = list(pairwise([0, *cuts, N]))
    for start, stop in reversed(ranges) if backwards else ranges:
        found = reader.read(sorted(columns.names), start, stop)
        assert set(found) == columns.names
        for name, one in found.items():
            same(one, whole(columns)[name].array(entry_start=start, entry_stop=stop))


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(0, N), max_size=3).map(sorted), st.data())
def test_some_entries_are_those_of_all(path, cuts, data):
    columns = open_root(str(path), "Events")
    reader, names = reader_of(columns, str(path)), sorted(columns.names)
    for start, stop in pairwise([0, *cuts, N]):
        shape = st.lists(st.booleans(), min_size=stop - start, max_size=stop - start)
        mask = np.array(data.draw(shape), dtype=bool)
        found = reader.read(names, start, stop, mask)
        for name, one in found.items():
            wanted = whole(columns)[name].array(entry_start=start, entry_stop=stop)
            same(one, ak.to_packed(wanted[mask]))


def test_a_basket_without_a_wanted_entry_is_not_read(path, decompressed):
    columns = open_root(str(path), "Events")
    mask = np.zeros(N, dtype=bool)
    mask[[29, 30]] = True
    found = reader_of(columns, str(path)).read(["x_int32"], 0, N, mask)
    assert found["x_int32"].tolist() == [29, 30]
    assert decompressed == [1, 2]


def test_a_basket_is_decompressed_once(path, decompressed):
    columns = open_root(str(path), "Events")
    reader = reader_of(columns, str(path))
    for start in range(0, N, 30):
        reader.read(["x_int32"], start, start + 30)
    assert decompressed == [0, 1, 2, 3, 4]


def test_columns_of_one_object_share_their_lists(path):
    columns = open_root(str(path), "Events")
    found = reader_of(columns, str(path)).read(["Jet_float32", "Jet_uint8"], 10, 80)
    first, second = (one.layout.offsets.data for one in found.values())
    assert first is second


def test_what_is_not_plain_numbers_is_left_to_uproot(tmp_path):
    path = tmp_path / "texts.root"
    with uproot.recreate(path) as file:
        tree = file.mktree("Events", {"text": str, "fixed": "3 * float64", "x": "float64"})
        tree.extend({"text": ["a", "bc"], "fixed": np.zeros((2, 3)), "x": np.arange(2.0)})
    columns = open_root(str(path), "Events")
    assert set(reader_of(columns, str(path)).read(["text", "fixed", "x"], 0, 2)) == {"x"}
    found = columns.read(["text", "fixed", "x"], 0, 2)
    assert [one.tolist() for one in found.values()] == [["a", "bc"], [[0] * 3] * 2, [0, 1]]


@pytest.mark.parametrize("start", [-1, N])
def test_a_range_that_is_not_in_the_file_is_left_to_uproot(path, start):
    columns = open_root(str(path), "Events")
    assert reader_of(columns, str(path)).read(["x_int32"], start, start + 5) == {}


@pytest.mark.parametrize("where", [4, 7, 17, "tail", "content", "cut"])
def test_a_basket_that_is_damaged_is_left_to_uproot(path, tmp_path, where):
    columns = open_root(str(path), "Events")
    branch = whole(columns)["Jet_float32"]
    seek, size = (int(branch.member(one)[2]) for one in ("fBasketSeek", "fBasketBytes"))
    content = bytearray(path.read_bytes())
    key = int.from_bytes(content[seek + 14 : seek + 16], "big")
    if where == "cut":
        del content[seek + size // 2 :]
    elif where == "tail":
        content[seek + key - 6] ^= 0x55  # number of entries
    elif where == "content":
        content[seek + key : seek + size] = bytes(size - key)
    else:
        content[seek + where - 1] ^= 0x55
    (tmp_path / "damaged.root").write_bytes(content)
    reader = reader_of(columns, str(tmp_path / "damaged.root"))
    found = reader.read(["Jet_float32"], 0, N)
    assert found == {} or ak.array_equal(found["Jet_float32"], branch.array())
    assert where in {4, 7, 17} or found == {} or where == "content"


def damaged(path, target, name):
    """A file in which the third basket of a branch has another number of entries."""
    branch = whole(open_root(str(path), "Events"))[name]
    seek = int(branch.member("fBasketSeek")[2])
    content = bytearray(path.read_bytes())
    key = int.from_bytes(content[seek + 14 : seek + 16], "big")
    content[seek + key - 6] ^= 0x55
    target.write_bytes(content)
    return str(target)


def test_a_branch_that_is_damaged_leaves_the_others_quick(path, tmp_path, monkeypatch):
    columns = open_root(str(path), "Events")
    reader = reader_of(columns, damaged(path, tmp_path / "damaged.root", "Jet_float32"))
    names = ["Jet_float32", "Jet_uint8", "x_int32"]
    assert set(reader.read(names, 0, 30)) == set(names)
    assert set(reader.read(names, 30, 60)) == {"Jet_uint8", "x_int32"}
    seen = []
    real = baskets._basket

    def counting(source, record, branch, number, places):
        seen.append(branch.dtype.name)
        return real(source, record, branch, number, places)

    monkeypatch.setattr(baskets, "_basket", counting)
    found = reader.read(names, 0, N)
    assert set(found) == {"Jet_uint8", "x_int32"}
    assert "float32" not in seen  # it is not tried again
    for name, one in found.items():
        same(one, whole(columns)[name].array())


def test_another_folder_does_not_lead_to_another_file(path, tmp_path, monkeypatch):
    for folder, shift in (("mine", 0.0), ("other", 1.0)):
        (tmp_path / folder).mkdir()
        with uproot.recreate(tmp_path / folder / "a.root", compression=None) as file:
            file.mktree("Events", {"x": "float64"}).extend({"x": np.arange(9.0) + shift})
    monkeypatch.chdir(tmp_path / "mine")
    columns = open_root("a.root", "Events")
    monkeypatch.chdir(tmp_path / "other")
    assert columns.read(["x"], 0, 9)["x"].tolist() == np.arange(9.0).tolist()


@pytest.mark.parametrize("name", ["nano_dy.root", "nano_tt_v12.root", "DY_M50_2016.root"])
def test_files_of_cms_are_read_like_that(name):
    path = str(shared(f"nanoaod/{name}"))
    columns = open_root(path, "Events")
    names = sorted(columns.names)[::40]
    stop = columns.num_entries
    found = reader_of(columns, path).read(names, 1, stop)
    assert len(found) > 0.9 * len(names)
    for one, values in found.items():
        same(values, whole(columns)[one].array(entry_start=1, entry_stop=stop))
