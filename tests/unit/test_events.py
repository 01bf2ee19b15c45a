"""From columns of a file to event records: structure, behaviours, errors, index columns."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.errors import MissingBranch, MissingTree, UnreadableFile
from hepflow.events import (
    branch_name,
    branches_of,
    build_events,
    index_target,
    merge_branches,
    open_tree,
    read_columns,
    read_events,
    replace_object,
    with_behaviour,
)
from hepflow.records import WorkItem
from tests.builders import shared, toy_columns, write_nano

BRANCHES = {
    "event": ("run", "genWeight"),
    "HLT": ("Mu50",),
    "MET": ("pt", "phi"),
    "Muon": ("pt", "eta", "phi", "mass"),
}


@pytest.fixture
def file(tmp_path):
    return write_nano(tmp_path / "a.root", toy_columns(50))


def item(path, start=0, stop=50, tree="Events"):
    return WorkItem("mc__nominal", str(path), tree, start, stop, "")


def test_a_work_item_holds_its_entry_range_of_each_branch(file):
    columns = toy_columns(50)
    events = read_events(item(file, 10, 37), BRANCHES)
    assert len(events) == 27
    assert events.fields == ["run", "genWeight", "HLT", "MET", "Muon"]
    assert ak.array_equal(events.Muon.pt, columns["Muon_pt"][10:37], dtype_exact=False)
    assert np.array_equal(events.genWeight, columns["genWeight"][10:37])
    assert np.array_equal(events.HLT.Mu50, columns["HLT_Mu50"][10:37])
    assert np.array_equal(events.MET.phi, columns["MET_phi"][10:37])


def test_objects_are_lorentz_vectors_and_missing_momentum_a_plane_vector(file):
    events = read_events(item(file), BRANCHES)
    muons, met = events.Muon, events.MET
    assert ak.all(abs(muons.px - muons.pt * np.cos(muons.phi)) < 1e-3)
    energy = np.sqrt((muons.pt * np.cosh(muons.eta)) ** 2 + muons.mass**2)
    assert ak.all(abs(muons.energy - energy) < 1e-3 * energy)
    two = muons[ak.num(muons) > 1]
    assert ak.all((two[:, 0] + two[:, 1]).mass > 0)
    assert np.allclose(met.px, met.pt * np.cos(met.phi), atol=1e-4)


def test_behaviours_come_back_after_a_round_trip(file):
    events = read_events(item(file), BRANCHES)
    bare = ak.from_buffers(*ak.to_buffers(ak.to_packed(events)))
    assert ak.all(with_behaviour(bare).Muon.px == events.Muon.px)


def test_no_branches_give_records_without_fields_but_with_the_length():
    events = build_events({}, {}, 7)
    assert (len(events), events.fields) == (7, [])
    assert len(events[np.array([True] * 3 + [False] * 4)]) == 3


def test_an_object_without_branches_is_not_there():
    assert build_events({"run": ak.Array([1, 2])}, {"event": ["run"], "Jet": []}, 2).fields == [
        "run"
    ]


def test_replacing_an_object_leaves_the_original_alone(file):
    events = read_events(item(file), BRANCHES)
    before = ak.to_list(events.Muon.pt)
    changed = replace_object(events, "Muon", events.Muon[events.Muon.pt > 50])
    assert ak.all(changed.Muon.pt > 50)
    assert ak.to_list(events.Muon.pt) == before


def test_a_missing_branch_names_file_branch_asker_and_the_nearest(file):
    with pytest.raises(MissingBranch) as caught:
        read_events(item(file), {"Muon": ["pt", "etaa"]}, wanted_by="channels[0]")
    message = str(caught.value)
    for part in (str(file), "'Muon_etaa'", "channels[0]", "Did you mean 'Muon_eta'?"):
        assert part in message


def test_a_missing_tree_names_those_that_are_there(file):
    with pytest.raises(MissingTree, match=r"no tree 'Event'.*Did you mean 'Events'\?"):
        open_tree(str(file), "Event")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"gone\.root: there is no such file"):
        open_tree(str(tmp_path / "gone.root"), "Events")


@pytest.mark.parametrize("content", [b"", b"not ROOT at all, but long enough to look at" * 20])
def test_what_is_not_a_root_file_is_named(tmp_path, content):
    path = tmp_path / "x.root"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"x\.root: cannot be read as ROOT"):
        open_tree(str(path), "Events")


@pytest.mark.parametrize(("version", "width"), [(61600, 4), (1061600, 8)])
def test_the_header_tells_how_long_a_file_is(tmp_path, version, width):
    path = tmp_path / "x.root"
    head = b"root" + version.to_bytes(4, "big") + bytes(4) + (5000).to_bytes(width, "big")
    path.write_bytes(head + bytes(4999 - len(head)))
    with pytest.raises(UnreadableFile, match=r"x\.root: .*truncated, 4,999 of 5,000 bytes"):
        open_tree(str(path), "Events")


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_an_error_wherever_it_ends(tmp_path, kept):
    path = write_nano(tmp_path / "a.root", toy_columns(3000))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UnreadableFile, match=r"a\.root"):
        read_events(item(path, 0, 3000), {"Muon": ["pt", "eta"], "event": ["nothing_reads_me"]})


def test_a_damaged_basket_is_an_error_that_names_file_and_entries(tmp_path):
    path = write_nano(tmp_path / "a.root", toy_columns(3000))
    with uproot.open(path) as file:
        start = file["Events"]["Jet_pt"].member("fBasketSeek")[0]
        size = file["Events"]["Jet_pt"].member("fBasketBytes")[0]
    content = bytearray(path.read_bytes())
    content[start + size // 2 : start + size // 2 + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFile, match=r"a\.root, entries 0 to 3000"):
        read_columns(open_tree(str(path), "Events"), item(path, 0, 3000), ["Jet_pt"])


def test_merging_keeps_the_order_and_each_branch_once():
    merged = merge_branches({"Jet": ["pt", "eta"]}, {"Muon": ["pt"], "Jet": ["eta", "mass"]})
    assert merged == {"Jet": ("pt", "eta", "mass"), "Muon": ("pt",)}
    assert list(merged) == ["Jet", "Muon"]


def test_a_whole_object_needs_all_its_configured_branches():
    available = {"Jet": ("pt", "eta"), "event": ("run",)}
    use = [("Jet", None), ("Muon", "pt"), ("event", "genWeight"), ("Jet", "mass")]
    assert branches_of(use, available) == {
        "Jet": ("pt", "eta", "mass"),
        "Muon": ("pt",),
        "event": ("genWeight",),
    }


def test_names_in_the_file():
    assert branch_name("Muon", "pt") == "Muon_pt"
    assert branch_name("event", "run") == "run"


@pytest.mark.parametrize(
    ("field", "collection"),
    [
        ("jetIdx", "Jet"),
        ("electronIdx1", "Electron"),
        ("muonIdx3SJ", "Muon"),
        ("muonIdxG", "Muon"),
        ("genPartIdxMother", "GenPart"),
        ("subJetIdx2", "SubJet"),
        ("genJetAK8Idx", "GenJetAK8"),
        ("svIdx1", "SV"),
        ("fsrPhotonIdx", "FsrPhoton"),
        ("pt", None),
        ("jetId", None),
        ("jetIdxs_of", None),
    ],
)
def test_index_columns_are_known_by_their_name(field, collection):
    assert index_target(field) == collection


def test_index_columns_of_real_files_lead_where_coffea_says():
    from coffea.nanoevents import NanoAODSchema

    references = NanoAODSchema.all_cross_references
    with uproot.open(shared("nanoaod/nano_dy.root")) as file:
        present = set(file["Events"].keys())
    known = {name: target for name, target in references.items() if name in present}
    assert len(known) > 10
    for name, target in known.items():
        collection, _, field = name.partition("_")
        assert index_target(field) == target, (collection, field)


def test_real_files_read_like_plain_uproot():
    path = shared("nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root")
    with uproot.open(path) as file:
        pt, weight = file["Events"]["Jet_pt"].array(), file["Events"]["genWeight"].array()
    branches = {"Jet": ["pt", "eta", "phi", "mass"], "event": ["genWeight"]}
    events = read_events(item(path, 50, 200), branches)
    assert ak.array_equal(events.Jet.pt, pt[50:200])
    assert ak.array_equal(events.genWeight, weight[50:200])
