"""From columns to event records: structure and behaviours."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.events import build_events, open_tree, read_events, replace_object, with_behaviour
from tests.builders import toy_columns, write_nano

BRANCHES = {
    "event": ("run", "genWeight"),
    "HLT": ("Mu50",),
    "MET": ("pt", "phi"),
    "Muon": ("pt", "eta", "phi", "mass"),
}


@pytest.fixture
def file(tmp_path):
    return open_tree(str(write_nano(tmp_path / "a.root", toy_columns(50))), "Events")


def test_an_entry_range_of_each_branch(file):
    columns = toy_columns(50)
    events = read_events(file, BRANCHES, 10, 37)
    assert len(events) == 27
    assert events.fields == ["run", "genWeight", "HLT", "MET", "Muon"]
    assert ak.array_equal(events.Muon.pt, columns["Muon_pt"][10:37], dtype_exact=False)
    assert np.array_equal(events.genWeight, columns["genWeight"][10:37])
    assert np.array_equal(events.HLT.Mu50, columns["HLT_Mu50"][10:37])
    assert np.array_equal(events.MET.phi, columns["MET_phi"][10:37])


def test_columns_that_are_known_are_not_read_again(file):
    known = {"run": ak.Array(np.full(5, -7))}
    events = read_events(file, {"event": ("run",), "MET": ("pt",)}, 0, 5, known)
    assert events.run.tolist() == [-7] * 5
    assert events.MET.pt.tolist() == toy_columns(50)["MET_pt"][:5].tolist()


def test_objects_are_lorentz_vectors_and_missing_momentum_a_plane_vector(file):
    events = read_events(file, BRANCHES, 0, 50)
    muons, met = events.Muon, events.MET
    assert ak.all(abs(muons.px - muons.pt * np.cos(muons.phi)) < 1e-3)
    energy = np.sqrt((muons.pt * np.cosh(muons.eta)) ** 2 + muons.mass**2)
    assert ak.all(abs(muons.energy - energy) < 1e-3 * energy)
    two = muons[ak.num(muons) > 1]
    assert ak.all((two[:, 0] + two[:, 1]).mass > 0)
    assert np.allclose(met.px, met.pt * np.cos(met.phi), atol=1e-4)


def test_behaviours_come_back_after_a_round_trip(file):
    events = read_events(file, BRANCHES, 0, 50)
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
    events = read_events(file, BRANCHES, 0, 50)
    before = ak.to_list(events.Muon.pt)
    changed = replace_object(events, "Muon", events.Muon[events.Muon.pt > 50])
    assert ak.all(changed.Muon.pt > 50)
    assert ak.to_list(events.Muon.pt) == before
