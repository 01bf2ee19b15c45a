"""A collection that the file does not sort by pt is in one order for nominal and variations."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.events import build_events
from tests.builders import (
    has_muon,
    manager_of,
    observable,
    scale_one,
    scale_up,
    tiny_config,
    toy_columns,
)

BRANCHES = {
    "event": ("run", "luminosityBlock", "event", "HLT_Mu50", "genWeight"),
    "MET": ("pt", "phi"),
    "Muon": ("pt", "eta", "phi", "mass", "jetIdx"),
    "Jet": ("pt", "eta", "phi", "mass"),
}
N = 300
NOTHING = {
    "name": "nothing", "type": "object", "target": ("Jet", "pt"), "use": [("Jet", "pt")],
    "up_function": scale_one,
}  # fmt: skip
SHIFT = {**NOTHING, "name": "shift", "up_function": scale_up}


def leading_eta(eta):
    return ak.fill_none(ak.firsts(eta, axis=1), -9.0)


def nearest_pt(index, pt):
    """Momentum of the jet that the first muon points to."""
    first = ak.fill_none(ak.firsts(index, axis=1), -1)
    there = (first >= 0) & (first < ak.num(pt))
    places = ak.local_index(pt, axis=1) == first
    return ak.where(there, ak.sum(pt[places], axis=1), -1.0)


SEEN = [
    observable("lead", "-3,3,6", leading_eta, [("Jet", "eta")]),
    observable("near", "-5,200,20", nearest_pt, [("Muon", "jetIdx"), ("Jet", "pt")]),
]


@pytest.fixture(scope="module")
def events():
    """Events whose jets stand in the wrong order in the file."""
    columns = {name: ak.Array(one) for name, one in toy_columns(N, seed=7).items()}
    for name in ("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass"):
        columns[name] = columns[name][:, ::-1]
    index, counts = columns["Muon_jetIdx"], ak.num(columns["Jet_pt"])
    columns["Muon_jetIdx"] = ak.where(index >= 0, counts - 1 - index, index)
    return build_events(columns, BRANCHES, N)


def filled(folder, events, systematics, **sections):
    dataset = {"name": "mc", "files": [str(folder / "a.root")], "cross_section": 1.0}
    channel = {"name": "SR", "selection": None, "observables": SEEN, "fit_observable": "lead"}
    config = tiny_config(
        folder,
        [dataset],
        systematics=systematics,
        good_object_masks={"analysis": []},
        ghost_observables=[],
        baseline_selection={"function": has_muon, "use": ["Muon"]},
        channels=[channel],
        **sections,
    )
    metadata = {
        "dataset": "mc__nominal", "file": "a.root", "entrystart": 0, "entrystop": N,
        "part_nevts": N, "part_sum_weights": 1.0, "part_sum_signs": 1.0,
    }  # fmt: skip
    return Analysis(config, {}, manager_of(config)).on_worker().process_chunk(events, metadata)


@pytest.mark.parametrize("name", ["lead", "near"])
def test_a_source_without_an_effect_gives_nominal(tmp_path, events, name):
    block = filled(tmp_path, events, [NOTHING, SHIFT]).blocks["SR", name, "mc__nominal"]
    rows = dict(zip(block.variations, block.sumw, strict=True))
    assert np.array_equal(rows["nothing_up"], rows["nominal"])


def test_nominal_is_sorted_where_only_a_variation_changes_pt(tmp_path, events):
    with_source = filled(tmp_path, events, [SHIFT]).blocks["SR", "lead", "mc__nominal"]
    has = ak.num(events.Muon) > 0
    jets = events.Jet[has]
    sorted_jets = jets[ak.argsort(jets.pt, axis=1, ascending=False)]
    weights = np.asarray(events.genWeight[has], dtype=np.float64)
    eta = np.asarray(leading_eta(sorted_jets.eta))
    expected, _ = np.histogram(eta, np.linspace(-3, 3, 7), weights=weights)
    assert np.allclose(with_source.sumw[0][1:-1], expected, rtol=1e-12)


def test_without_a_change_of_pt_the_order_is_that_of_the_file(tmp_path, events):
    found = filled(tmp_path, events, []).blocks["SR", "lead", "mc__nominal"]
    has = ak.num(events.Muon) > 0
    weights = np.asarray(events.genWeight[has], dtype=np.float64)
    eta = np.asarray(leading_eta(events.Jet[has].eta))
    expected, _ = np.histogram(eta, np.linspace(-3, 3, 7), weights=weights)
    assert np.allclose(found.sumw[0][1:-1], expected, rtol=1e-12)
