"""RNTuple and Parquet, flat or with records: the same columns as the TTree of the same events."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from hepflow.errors import MissingBranch, UnreadableFile
from hepflow.events import check_branches, open_tree
from tests.builders import toy_columns, write_nano

N = 60
COLUMNS = toy_columns(N)
NAMES = [*COLUMNS, "nMuon", "nJet"]
OBJECTS = ("Muon", "Jet")


def flat():
    """One record array with a field a branch, as ROOT's importer and coffea write it."""
    counters = {f"n{one}": ak.num(COLUMNS[f"{one}_pt"]) for one in OBJECTS}
    return ak.Array({**counters, **COLUMNS})


def nested():
    """Objects as records, as CMSSW's RNTuples and dask-awkward's Parquet files have them."""
    fields = {key: one for key, one in COLUMNS.items() if "_" not in key}
    for name, depth in (("Muon", 2), ("Jet", 2), ("MET", 1), ("HLT", 1), ("Pileup", 1)):
        start = f"{name}_"
        members = {key[len(start) :]: one for key, one in COLUMNS.items() if key.startswith(start)}
        fields[name] = ak.zip(members, depth_limit=depth)
    return ak.zip(
        {**fields, "nothing": ak.zip({"reads_me": COLUMNS["nothing_reads_me"]})}, depth_limit=1
    )


def as_rntuple(path, events):
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", events)
        file.mkrntuple("Runs", ak.Array({"genEventSumw": [1.5, 2.5]}))


def as_parquet(path, events, **options):
    ak.to_parquet(events, str(path), **options)


LAYOUTS = {
    "RNTuple, flat": lambda path: as_rntuple(path, flat()),
    "RNTuple, records": lambda path: as_rntuple(path, nested()),
    "Parquet, flat": lambda path: as_parquet(path, flat()),
    "Parquet, records": lambda path: as_parquet(path, nested()),
    "Parquet, many row groups": lambda path: as_parquet(path, flat(), row_group_size=7),
    "Parquet, records in row groups": lambda path: as_parquet(path, nested(), row_group_size=11),
    "Parquet, short lists": lambda path: as_parquet(path, nested(), list_to32=True),
    "Parquet, awkward's types": lambda path: as_parquet(path, nested(), extensionarray=True),
    "Parquet, nullable": lambda path: pq.write_table(nullable(), path),
}


def nullable():
    """Every column could have missing values, as pandas and others write it."""
    table = ak.to_arrow_table(flat(), extensionarray=False)
    fields = [pa.field(one.name, free(one.type), nullable=True) for one in table.schema]
    return pa.table([one.cast(f.type) for one, f in zip(table.columns, fields, strict=True)],
                    schema=pa.schema(fields))  # fmt: skip


def free(kind):
    return pa.list_(pa.field("item", kind.value_type)) if pa.types.is_large_list(kind) else kind


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    paths = {}
    for i, (name, write) in enumerate(LAYOUTS.items()):
        paths[name] = folder / f"{i}.dat"
        write(paths[name])
    return paths


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    path = write_nano(tmp_path_factory.mktemp("tree") / "a.root", COLUMNS)
    return open_tree(str(path), "Events")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("start", "stop"), [(0, N), (0, 0), (5, 6), (7, 14), (13, 41), (59, N)])
def test_any_layout_reads_like_the_tree(files, tree, layout, start, stop):
    file = open_tree(str(files[layout]), "Events")
    assert file.num_entries == N
    assert set(NAMES) <= file.names
    found, expected = file.read(NAMES, start, stop), tree.read(NAMES, start, stop)
    for name in NAMES:
        assert found[name].tolist() == expected[name].tolist(), name
        assert found[name].ndim == expected[name].ndim
        counter = name.startswith("n")  # stored in 32 or in 64 bits
        assert counter or str(found[name].type) == str(expected[name].type)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_what_is_asked_for_comes_back(files, layout):
    file = open_tree(str(files[layout]), "Events")
    assert list(file.read(["Jet_eta", "nMuon"], 3, 9)) == ["Jet_eta", "nMuon"]
    with pytest.raises(MissingBranch, match=r"'Jet_ptt'.*Did you mean 'Jet_pt'"):
        check_branches(file, {"Jet": ["ptt"]}, "here")


def test_the_columns_that_are_not_asked_for_are_not_read(files, monkeypatch):
    read = []
    real = pq.ParquetFile.read_row_groups

    def counting(self, groups, columns=None, **options):
        read.append((groups, columns))
        return real(self, groups, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", counting)
    file = open_tree(str(files["Parquet, records in row groups"]), "Events")
    file.read(["Muon_pt", "run"], 12, 23)
    ((groups, columns),) = read
    assert groups == [1, 2]
    assert [one.partition(".list.")[0] for one in columns] == ["Muon", "run"]
    assert columns[0].endswith(".pt")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_tells_itself_from_another(files, layout, tmp_path):
    once, again = (open_tree(str(files[layout]), "Events").uuid for _ in range(2))
    assert once == again
    other = tmp_path / "other.dat"
    LAYOUTS[layout](other)
    changed = ak.to_numpy(COLUMNS["MET_pt"]) + 1
    if "Parquet" in layout:
        as_parquet(other, ak.with_field(flat(), changed, "MET_pt"))
    assert open_tree(str(other), "Events").uuid != once


def test_the_sum_of_weights_of_a_runs_rntuple(files):
    assert open_tree(str(files["RNTuple, flat"]), "Events").runs_sum == 4.0
    assert open_tree(str(files["Parquet, flat"]), "Events").runs_sum is None


@pytest.mark.parametrize("form", [flat, nested])
@pytest.mark.parametrize("write", [as_rntuple, as_parquet])
def test_a_file_without_events_has_all_columns(tmp_path, write, form):
    path = tmp_path / "a.dat"
    write(path, form()[:0])
    file = open_tree(str(path), "Events")
    assert file.num_entries == 0
    found = file.read(NAMES, 0, 0)
    assert all(len(found[name]) == 0 for name in NAMES)
    assert (found["Muon_pt"].ndim, found["run"].ndim) == (2, 1)


def test_a_branch_map_holds_for_each_format(files):
    for path in files.values():
        file = open_tree(str(path), "Events", {"Lepton": "Muon", "w": "genWeight"})
        found = file.read(["Lepton_pt", "nLepton", "w"], 0, N)
        assert found["Lepton_pt"].tolist() == COLUMNS["Muon_pt"].tolist()
        assert found["nLepton"].tolist() == ak.num(COLUMNS["Muon_pt"]).tolist()
        assert found["w"].tolist() == COLUMNS["genWeight"].tolist()


def test_missing_values_are_an_error_where_they_are_read(tmp_path):
    path = tmp_path / "a.parquet"
    lists = [[1.0, None], [2.0], []]
    pq.write_table(pa.table({"x": [1.0, 2.0, None], "y": [1, 2, 3], "Jet_pt": lists}), path)
    file = open_tree(str(path), "Events")
    assert file.read(["x", "y"], 0, 2)["x"].tolist() == [1.0, 2.0]
    with pytest.raises(UnreadableFile, match=r"a\.parquet: the column 'x' has missing values \(1"):
        file.read(["x"], 0, 3)
    with pytest.raises(UnreadableFile, match=r"'Jet_pt' has missing values"):
        file.read(["Jet_pt"], 0, 1)
    assert file.read(["Jet_pt"], 1, 3)["Jet_pt"].tolist() == [[2.0], []]


def test_a_damaged_page_of_parquet_is_an_error_that_names_the_entries(tmp_path):
    path = tmp_path / "a.parquet"
    as_parquet(path, ak.Array({"x": np.random.default_rng(1).random(5000)}))
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFile, match=r"a\.parquet, entries 10 to 20: cannot be read as"):
        open_tree(str(path), "Events").read(["x"], 10, 20)


def test_a_name_of_its_own_wins_over_a_field_of_a_record(tmp_path):
    path = tmp_path / "a.parquet"
    as_parquet(
        path, ak.Array({"Muon": ak.Array([[{"pt": 1.0}]]), "Muon_pt": [[2.0]], "nMuon": [9]})
    )
    found = open_tree(str(path), "Events").read(["Muon_pt", "nMuon"], 0, 1)
    assert (found["Muon_pt"].tolist(), found["nMuon"].tolist()) == ([[2.0]], [9])
