"""Names of branches: objects and fields, index columns, and what a file calls them."""

from __future__ import annotations

import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from hepflow.events import (
    branch_name,
    branches_of,
    index_target,
    merge_branches,
    name_in_file,
    names_of,
)
from hepflow.events.branches import wanted_names
from tests.builders import shared


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
    assert names_of({"event": ["run"], "Muon": ["pt", "eta"]}) == ["run", "Muon_pt", "Muon_eta"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("MET_pt", "PuppiMET_pt"),
        ("MET_phi", "met_phi_corrected"),  # the entry of a branch wins over that of its object
        ("PuppiMET_pt", "PuppiMET_pt"),
        ("nMuon", "nlep"),
        ("Muon_pt", "lep_pt"),
        ("Muons_pt", "Muons_pt"),
        ("genWeight", "mcEventWeight"),
        ("nJet", "nJet"),
    ],
)
def test_a_branch_map_gives_the_name_in_the_file(wanted, found):
    renamed = {
        "MET": "PuppiMET",
        "MET_phi": "met_phi_corrected",
        "Muon": "lep",
        "genWeight": "mcEventWeight",
    }
    assert name_in_file(wanted, renamed) == found


def test_the_names_that_are_there_are_those_that_lead_somewhere():
    renamed = {"PuppiMET": "MET", "PuppiMET_sumEt": "met_sum", "Muon": "lep", "gone": "nowhere"}
    names = {"MET_pt", "MET_phi", "PuppiMET_pt", "PuppiMET_raw", "nlep", "lep_pt", "run"}
    assert wanted_names(names, renamed) == {
        "MET_pt", "MET_phi", "PuppiMET_pt", "PuppiMET_phi", "nMuon", "Muon_pt", "nlep", "lep_pt",
        "run",
    }  # fmt: skip


WORD = st.sampled_from(["Muon", "MET", "lep", "run", "Jet"])
NAME = st.one_of(WORD, st.builds(lambda a, b: f"{a}_{b}", WORD, WORD), WORD.map(lambda a: f"n{a}"))


@given(names=st.frozensets(NAME), renamed=st.dictionaries(NAME, NAME, max_size=4), asked=NAME)
def test_a_name_is_there_exactly_if_its_name_in_the_file_is(names, renamed, asked):
    assert (asked in wanted_names(names, renamed)) == (name_in_file(asked, renamed) in names)


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
