"""Opening and reading: what is there, under which name, of which type, and every fault."""

from __future__ import annotations

import functools
import re
import uuid

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.errors import MissingBranch, MissingTree, UnreadableFile
from hepflow.events import check_branches, open_tree, present_branches
from tests.builders import shared, toy_columns, write_nano


@pytest.fixture
def path(tmp_path):
    return write_nano(tmp_path / "a.root", toy_columns(50), runs=[4.0, 3.0])


def opened(path, tree="Events", branch_map=None):
    return open_tree(str(path), tree, branch_map)


# -- what is there -----------------------------------------------------------------------


def test_an_open_file_knows_its_size_its_names_and_its_sum_of_weights(path):
    file = opened(path)
    with uproot.open(path) as plain:
        assert file.uuid == str(plain.file.uuid)
        assert file.names == set(plain["Events"].keys())
    assert file.num_entries == 50
    assert file.runs_sum == 7.0
    assert opened(path, "Runs").num_entries == 2


def test_the_name_of_a_file_does_not_matter(path, tmp_path):
    other = path.rename(tmp_path / "a.parquet")
    assert opened(other).num_entries == 50


def test_a_tree_of_another_name_and_in_a_folder(tmp_path):
    path = write_nano(tmp_path / "a.root", {"x": np.arange(3)}, tree="analysis/Nominal")
    assert opened(path, "analysis/Nominal").read(["x"], 1, 3)["x"].tolist() == [1, 2]


def test_names_that_python_would_not_take(tmp_path):
    names = ["lep.pt", "class", "1st", "a-b"]
    path = write_nano(tmp_path / "a.root", {name: np.arange(3) for name in names})
    found = opened(path).read(names, 0, 3)
    assert list(found) == names
    assert all(one.tolist() == [0, 1, 2] for one in found.values())


def test_nothing_is_read_where_nothing_is_asked_for(path):
    assert opened(path).read([], 0, 50) == {}


# -- the same identity -------------------------------------------------------------------


def as_tree(path, values):
    write_nano(path, {"x": values}, tree="folder/Events")


def as_rntuple(path, values):
    with uproot.recreate(path) as file:
        file.mkrntuple("folder/Events", {"x": values})


def look(path):
    file = opened(path, "folder/Events")
    return file.uuid, file.num_entries, file.digest


@pytest.fixture
def same_uuid(monkeypatch):
    """All files are written with one uuid, as ROOT does it on request."""
    recreate = functools.partial(uproot.recreate, uuid_function=lambda: uuid.UUID(int=5))
    monkeypatch.setattr(uproot, "recreate", recreate)


@pytest.mark.usefixtures("same_uuid")
@pytest.mark.parametrize("write", [as_tree, as_rntuple])
def test_other_content_under_the_same_uuid_has_another_digest(tmp_path, write):
    path, rng = tmp_path / "a.root", np.random.default_rng(1)
    write(path, np.zeros(1000))
    content, before = path.read_bytes(), look(path)
    path.unlink()  # what is open keeps what it has
    write(path, rng.integers(0, 9, 1000).astype(np.float64))
    after = look(path)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]
    path.write_bytes(content)  # as it was, but for the time of its last change
    assert look(path) == before


def test_a_digest_has_few_digits_and_parquet_needs_none(path, tmp_path):
    assert re.fullmatch("[0-9a-f]{16}", opened(path).digest)
    ak.to_parquet(ak.Array({"x": [1.0, 2.0]}), str(tmp_path / "a.parquet"))
    assert opened(tmp_path / "a.parquet").digest == ""


def test_each_tree_has_a_digest_of_its_own(path):
    assert opened(path).digest != opened(path, "Runs").digest


def test_a_list_of_pages_that_cannot_be_read_is_an_error(tmp_path):
    as_rntuple(tmp_path / "a.root", np.zeros(10))
    file = opened(tmp_path / "a.root", "folder/Events")
    (group,) = file.columns.ntuple.footer.cluster_group_records
    group.page_list_link.locator.offset = 10_000_000
    with pytest.raises(UnreadableFile, match=r"a\.root, list of pages"):
        _ = file.digest


# -- other names -------------------------------------------------------------------------


def test_branches_are_read_under_the_wanted_names(path):
    renamed = {"PuppiMET": "MET", "Lepton": "Muon", "Lepton_pt": "Jet_pt", "weight": "genWeight"}
    file, plain = opened(path, branch_map=renamed), opened(path)
    pairs = {
        "PuppiMET_pt": "MET_pt",
        "Lepton_eta": "Muon_eta",
        "Lepton_pt": "Jet_pt",
        "nLepton": "nMuon",
        "weight": "genWeight",
        "MET_pt": "MET_pt",
    }
    assert set(pairs) <= file.names
    found, expected = file.read(list(pairs), 5, 20), plain.read(sorted(set(pairs.values())), 5, 20)
    assert list(found) == list(pairs)
    for wanted, theirs in pairs.items():
        assert found[wanted].tolist() == expected[theirs].tolist()


def test_names_can_be_exchanged(path):
    file, plain = opened(path, branch_map={"MET_pt": "MET_phi", "MET_phi": "MET_pt"}), opened(path)
    mine, theirs = (one.read(["MET_pt", "MET_phi"], 0, 50) for one in (file, plain))
    assert mine["MET_pt"].tolist() == theirs["MET_phi"].tolist()
    assert mine["MET_phi"].tolist() == theirs["MET_pt"].tolist()


def test_a_renamed_branch_that_is_missing_is_named_both_ways(path):
    file = opened(path, branch_map={"PuppiMET": "MTE"})
    with pytest.raises(MissingBranch) as caught:
        check_branches(file, {"PuppiMET": ["pt"]}, "preprocess.branches")
    for part in ("'PuppiMET_pt' ('MTE_pt' by branch_map)", "Did you mean 'MET_pt'?"):
        assert part in str(caught.value)


def test_a_name_of_the_file_is_not_taken_where_the_map_says_another(path):
    assert "MET_pt" not in opened(path, branch_map={"MET": "PuppiMET"}).names


# -- branches that are not there ---------------------------------------------------------


def test_a_missing_branch_names_file_branch_asker_and_the_nearest(path):
    with pytest.raises(MissingBranch) as caught:
        check_branches(opened(path), {"Muon": ["pt", "etaa"]}, "channels[0]")
    for part in (str(path), "'Muon_etaa'", "channels[0]", "Did you mean 'Muon_eta'?"):
        assert part in str(caught.value)


def test_what_is_there_of_what_is_wanted(path):
    wanted = {"Muon": ["pt", "mvaTTH"], "Tau": ["pt"], "event": ["run", "event"]}
    assert present_branches(opened(path), wanted) == {"Muon": ("pt",), "event": ("run", "event")}


# -- types -------------------------------------------------------------------------------

INTEGERS = [
    (np.int8, np.int32), (np.uint8, np.int32), (np.int16, np.int32), (np.uint16, np.int32),
    (np.int32, np.int32), (np.uint32, np.int64), (np.int64, np.int64), (np.uint64, np.uint64),
    (np.bool_, np.bool_), (np.float32, np.float32), (np.float64, np.float64),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "read"), INTEGERS)
def test_integers_have_a_sign_and_at_least_32_bits(tmp_path, stored, read):
    values = np.array([0, 1, 100], dtype=stored)
    columns = {"x": values, "Jet_id": ak.unflatten(values, [2, 0, 1])}
    found = opened(write_nano(tmp_path / "a.root", columns)).read(["x", "Jet_id"], 0, 3)
    assert found["x"].to_numpy().dtype == ak.flatten(found["Jet_id"]).to_numpy().dtype == read
    assert found["x"].tolist() == values.tolist()
    assert found["Jet_id"].tolist() == columns["Jet_id"].tolist()


def test_what_identifies_an_event_keeps_its_type(path):
    found = opened(path).read(["run", "luminosityBlock", "event"], 0, 50)
    kinds = {name: one.to_numpy().dtype.name for name, one in found.items()}
    assert kinds == {"run": "uint32", "luminosityBlock": "uint32", "event": "uint64"}


def test_a_cut_gives_the_same_for_each_type_of_a_number(tmp_path):
    passed = []
    for kind in (np.uint8, np.int16, np.int32):  # as Jet_jetId in different versions
        path = write_nano(tmp_path / "a.root", {"jetId": np.array([0, 2, 6], dtype=kind)})
        found = opened(path).read(["jetId"], 0, 3)["jetId"]
        passed.append([(found - 4 >= 0).tolist(), (found * 100).tolist(), (-found).tolist()])
    assert passed == [[[False, False, True], [0, 200, 600], [0, -2, -6]]] * 3


# -- faults ------------------------------------------------------------------------------


def test_a_missing_tree_names_those_that_are_there(path):
    with pytest.raises(MissingTree, match=r"no tree 'Event'\. Did you mean 'Events'\?.*Runs"):
        opened(path, "Event")
    with pytest.raises(MissingTree, match=r"no tree 'nominal'\. The file has: Events, Runs\."):
        opened(path, "nominal")


def test_a_histogram_is_no_tree(tmp_path):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file["Events"] = np.histogram([1.0, 2.0])
    with pytest.raises(MissingTree, match=r"no tree 'Events'\. The file has no tree at all"):
        opened(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"gone\.root: there is no such file"):
        opened(tmp_path / "gone.root")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UnreadableFile, match=r"cannot be read"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.root: .*it is empty"),
        (b"not ROOT at all, but long enough to look at" * 20, r"begins with b'not ', not b'root'"),
        (b"PAR1" + bytes(100), r"cannot be read as Parquet: it is truncated, 104 bytes"),
        (b"PAR1" + b"\xff" * 100 + b"PAR1", r"cannot be read as Parquet"),
    ],
)
def test_what_is_of_no_known_format_is_named(tmp_path, content, message):
    path = tmp_path / "x.root"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        opened(path)


@pytest.mark.parametrize(("version", "width"), [(61600, 4), (1061600, 8)])
def test_the_header_tells_how_long_a_file_is(tmp_path, version, width):
    path = tmp_path / "x.root"
    head = b"root" + version.to_bytes(4, "big") + bytes(4) + (5000).to_bytes(width, "big")
    path.write_bytes(head + bytes(4999 - len(head)))
    with pytest.raises(UnreadableFile, match=r"x\.root: .*truncated, 4,999 of 5,000 bytes"):
        opened(path)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_an_error_wherever_it_ends(tmp_path, kept):
    path = write_nano(tmp_path / "a.root", toy_columns(3000))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UnreadableFile, match=r"a\.root: .*truncated"):
        opened(path)


def test_a_damaged_basket_is_an_error_that_names_file_and_entries(tmp_path):
    path = write_nano(tmp_path / "a.root", toy_columns(3000))
    with uproot.open(path) as file:
        start = file["Events"]["Jet_pt"].member("fBasketSeek")[0]
        size = file["Events"]["Jet_pt"].member("fBasketBytes")[0]
    content = bytearray(path.read_bytes())
    content[start + size // 2 : start + size // 2 + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFile, match=r"a\.root, entries 0 to 3000"):
        opened(path).read(["Jet_pt"], 0, 3000)


def test_real_files_read_like_plain_uproot():
    path = shared("nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root")
    with uproot.open(path) as file:
        pt, weight = file["Events"]["Jet_pt"].array(), file["Events"]["genWeight"].array()
    found = opened(path).read(["Jet_pt", "genWeight"], 50, 200)
    assert ak.array_equal(found["Jet_pt"], pt[50:200])
    assert ak.array_equal(found["genWeight"], weight[50:200])
