"""Formats of parts: the same events to the last bit, and files that others open."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import ChecksumError, MissingArtifact, StorageError
from hepflow.events import build_events
from hepflow.skimming.formats import FORMATS, format_of
from hepflow.skimming.formats.header import FORMAT
from hepflow.storage import read_part, write_part

HEADER = {"tree": "Events", "uuid": "u", "counts": {"sum_weights": 0.1 + 0.2}}
OTHERS = ["root", "parquet"]
LISTS = ak.Array([[1, 2], [], [3], [250, 5, 6], []])
BRANCHES = {
    "Muon": ["pt", "eta", "phi", "mass", "q", "tight", "bits"],
    "Jet": ["pt", "phi"],
    "MET": ["pt", "phi"],
    "event": ["run", "event", "HLT_Mu50", "nMuon", "LHEPdfWeight", "genWeight", "scale"],
}


def lists_of(kind):
    return ak.values_astype(LISTS, kind)


COLUMNS = {
    **{f"Muon_{name}": lists_of(np.float32) for name in ("pt", "eta", "phi", "mass")},
    "Muon_q": ak.values_astype(LISTS % 3 - 1, np.int8),
    "Muon_tight": LISTS > 2,
    "Muon_bits": lists_of(np.uint8),
    "Jet_pt": ak.Array([[], [], [], [], []]) + np.float32(0),
    "Jet_phi": ak.Array([[], [], [], [], []]) + np.float32(0),
    "MET_pt": ak.Array(np.array([1.5, np.nan, np.inf, -0.0, 5], np.float32)),
    "MET_phi": ak.Array(np.linspace(-3, 3, 5, dtype=np.float64)),
    "run": ak.Array(np.array([1, 2, 3, 4, 2**32 - 1], np.uint32)),
    "event": ak.Array(np.array([1, 2, 3, 4, 2**64 - 1], np.uint64)),
    "HLT_Mu50": ak.Array(np.array([True, False, True, True, False])),
    "nMuon": ak.Array(np.asarray(ak.num(LISTS)).astype(np.uint32)),
    "LHEPdfWeight": lists_of(np.float32)[[3, 0, 0, 2, 1]],
    "genWeight": ak.Array(np.array([1, -1, 0, 2, 3], np.float32)),
    "scale": ak.to_regular(ak.Array(np.arange(15, dtype=np.float32).reshape(5, 3))),
}


def events_of(branches=BRANCHES, columns=COLUMNS):
    return build_events(columns, branches, 5)


def stored(folder, name, events, header=HEADER):
    path = folder / f"part{FORMATS[name].suffix}"
    FORMATS[name].write(path, events, header)
    return path


def back(path, columns=None):
    return format_of(path).read(path, columns)


def assert_equal(left, right):
    """Fields, types with record names, behaviours, and every bit of the numbers."""
    assert left.type == right.type
    assert left.layout.form == right.layout.form
    mine, theirs = (ak.to_buffers(one)[2] for one in (left, right))
    assert {name: one.tobytes() for name, one in mine.items()} == {
        name: one.tobytes() for name, one in theirs.items()
    }


# -- the same events ---------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "kept", [[True] * 5, [False, True, False, True, True], [False] * 5], ids=["all", "some", "none"]
)
def test_what_is_read_back_equals_the_pickle(tmp_path, name, kept):
    events = events_of()[np.array(kept)]
    reference, _ = back(stored(tmp_path, "pickle", events))
    found, header = back(stored(tmp_path, name, events))
    assert len(found) == sum(kept)
    assert_equal(found, reference)
    assert ak.array_equal(found, events, equal_nan=True, check_parameters=True)
    assert type(found.Muon) is type(reference.Muon)
    assert ak.array_equal(found.Muon.px, reference.Muon.px)
    assert {key: header[key] for key in HEADER} == HEADER
    assert header["format"] == FORMAT


KINDS = st.sampled_from(
    [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
     np.float32, np.float64]
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(0, 3), max_size=4),
    kinds=st.tuples(KINDS, KINDS, KINDS, KINDS),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_numbers_come_back_as_they_were(tmp_path_factory, counts, kinds, seed):
    rng = np.random.default_rng(seed)

    def numbers(kind, n):
        if kind is np.bool_:
            return rng.random(n) < 0.5
        return np.frombuffer(rng.bytes(n * np.dtype(kind).itemsize), kind)

    def column(kind, *, jagged):
        n = sum(counts) if jagged else len(counts)
        flat = numbers(kind, n)
        return ak.unflatten(flat, np.array(counts, np.int64)) if jagged else ak.Array(flat)

    columns = {
        "A_x": column(kinds[0], jagged=True),
        "A_y": column(kinds[1], jagged=True),
        "v": column(kinds[2], jagged=True),
        "s": column(kinds[3], jagged=False),
    }
    events = build_events(columns, {"A": ["x", "y"], "event": ["v", "s"]}, len(counts))
    folder = tmp_path_factory.mktemp("law")
    reference, _ = back(stored(folder, "pickle", events))
    for name in OTHERS:
        assert_equal(back(stored(folder, name, events))[0], reference)


@pytest.mark.parametrize("name", FORMATS)
def test_chosen_columns_are_those_of_the_whole(tmp_path, name):
    path = stored(tmp_path, name, events_of())
    whole, _ = back(path)
    some, _ = back(path, ["MET.pt", "MET.phi", "run"])
    assert set(some.fields) == {"MET", "run"}
    assert ak.array_equal(some.run, whole.run)
    assert ak.array_equal(some.MET.px, whole.MET.px, equal_nan=True)


@pytest.mark.parametrize("name", FORMATS)
def test_events_without_any_column_keep_their_number(tmp_path, name):
    found, _ = back(stored(tmp_path, name, build_events({}, {}, 7)))
    assert (len(found), found.fields) == (7, [])


# -- files that others open --------------------------------------------------------------


def test_a_root_part_is_a_tree_as_in_nanoaod(tmp_path):
    path = stored(tmp_path, "root", events_of(), {**HEADER, "tree": "nano/Events"})
    with uproot.open(path) as file:
        tree = file["nano/Events"]
        assert tree.num_entries == 5
        arrays = tree.arrays()
        json.loads(str(file["hepflow"]))
    assert arrays.nMuon.tolist() == [2, 0, 1, 3, 0]
    assert arrays.Muon_pt.tolist() == LISTS.tolist()
    assert arrays.nLHEPdfWeight.tolist() == [3, 2, 2, 1, 0]
    assert str(arrays.Muon_q.type.content.content) == "int8"
    assert {name for name in arrays.fields if "_" in name} >= {"Muon_bits", "MET_phi", "HLT_Mu50"}


def test_a_parquet_part_has_flat_columns(tmp_path):
    path = stored(tmp_path, "parquet", events_of())
    table = pq.read_table(path)
    assert table["Muon_pt"].to_pylist() == LISTS.tolist()
    assert table.schema.field("HLT_Mu50").type == pa.bool_()
    assert ak.from_parquet(path).Muon_bits.tolist() == LISTS.tolist()
    assert pd.read_parquet(path)["event"].iloc[-1] == 2**64 - 1


@pytest.mark.skipif(find_spec("ROOT") is None, reason="no ROOT here (the wheel is named `root`)")
def test_root_itself_reads_a_root_part(tmp_path):
    path = stored(tmp_path, "root", events_of())
    code = """
        import json, sys
        import ROOT
        file = ROOT.TFile.Open(sys.argv[1])
        events = [
            [e.nMuon, list(e.Muon_pt), [bool(x) for x in e.Muon_tight], e.event, bool(e.HLT_Mu50)]
            for e in file.Get("Events")
        ]
        print(json.dumps([events, len(str(file.Get("hepflow").GetString()))]))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    events, header_length = json.loads(run.stdout.splitlines()[-1])
    tight = (LISTS > 2).tolist()
    assert header_length > 100
    assert events == [
        [len(LISTS[i]), LISTS[i].tolist(), tight[i], int(COLUMNS["event"][i]), bool(hlt)]
        for i, hlt in enumerate(COLUMNS["HLT_Mu50"])
    ]


# -- what a format cannot hold -----------------------------------------------------------

NESTED = {"Jet_cells": ak.Array([[[1, 2], []], [], [[3]], [], []])}


def test_lists_of_lists_are_for_parquet_and_pickle(tmp_path):
    events = build_events(NESTED, {"Jet": ["cells"]}, 5)
    reference, _ = back(stored(tmp_path, "pickle", events))
    assert_equal(back(stored(tmp_path, "parquet", events))[0], reference)
    with pytest.raises(StorageError, match=r"'Jet_cells' \(lists of lists of int64\).*'root'.*pa"):
        stored(tmp_path, "root", events)
    assert not (tmp_path / "part.root").exists()


@pytest.mark.parametrize(
    ("column", "kind"),
    [(["a", "b", "", "c", "d"], "string"), ([1, None, 2, 3, 4], r"\?int64")],
    ids=["strings", "missing values"],
)
def test_what_is_no_number_is_for_pickle(tmp_path, column, kind):
    events = build_events({"x": ak.Array(column)}, {"event": ["x"]}, 5)
    assert back(stored(tmp_path, "pickle", events))[0].x.tolist() == column
    for name in OTHERS:
        with pytest.raises(StorageError, match=rf"branch 'x' \({kind}\).*format.*pickle"):
            stored(tmp_path, name, events)


def test_a_kept_counter_that_counts_something_else_is_told(tmp_path):
    wrong = {**COLUMNS, "nMuon": COLUMNS["nMuon"] + np.uint32(1)}
    with pytest.raises(StorageError, match=r"'nMuon' \(two columns of this name differ.*pickle"):
        stored(tmp_path, "root", events_of(columns=wrong))
    found, _ = back(stored(tmp_path, "parquet", events_of(columns=wrong)))  # has no counters
    assert ak.array_equal(found.nMuon, wrong["nMuon"])


# -- damage ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_any_flipped_byte_is_noticed_or_harmless(tmp_path, name):
    events = events_of()[np.random.default_rng(1).integers(0, 5, 2000)]
    path = stored(tmp_path, name, events)
    whole = path.read_bytes()
    reference, header = back(path)
    noticed = 0
    positions = np.linspace(0, len(whole) - 1, 40).astype(int)
    for position in positions:
        content = bytearray(whole)
        content[position] ^= 0xFF
        path.write_bytes(bytes(content))
        try:
            found, same = back(path)
        except StorageError:
            noticed += 1
        else:
            assert_equal(found, reference)
            assert same == header
    assert noticed >= (len(positions) if name == "pickle" else 10)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("length", [0, 3, 400])
def test_a_cut_part_is_noticed(tmp_path, name, length):
    path = stored(tmp_path, name, events_of())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ChecksumError, match=path.name):
        back(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_part_that_is_not_there_says_so(tmp_path, name):
    with pytest.raises(MissingArtifact, match="does not exist"):
        back(tmp_path / f"no{FORMATS[name].suffix}")


def test_a_file_of_another_kind_is_no_part(tmp_path):
    with pytest.raises(StorageError, match=r"\.pkl, \.root, \.parquet"):
        format_of(tmp_path / "a.csv")


def test_a_part_of_another_version_is_not_taken(tmp_path):
    path = stored(tmp_path, "pickle", events_of())
    write_part(path, {**read_part(path), "format": 1})
    with pytest.raises(StorageError, match="has the format 1, 2 is expected"):
        back(path)
