"""Real NanoAOD files with a configuration of a few lines, against plain uproot and numpy."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.analysis import Analysis
from tests.builders import all_pts, make_skims, manager_of, observable, shared, tiny_config

FILES = {
    "dy": "nano_dy.root",
    "empty": "nano_dy_empty.root",
    "ttbar": "nanoAOD_2015_CMS_Open_Data_ttbar.root",
    "data": "nano_dimuon.root",
}
GOLDEN = "corrections/golden/Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt"
EDGES = np.linspace(0.0, 200.0, 21)


def above_ten(pt):
    return pt > 10.0


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    datasets = [
        {"name": name, "files": [str(shared(f"nanoaod/{file}"))], "sumw_source": "events",
         "cross_section": 6.0}
        for name, file in FILES.items()
        if name != "data"
    ]  # fmt: skip
    data = {"name": "data", "files": [str(shared(f"nanoaod/{FILES['data']}"))], "is_data": True}
    observables = [
        observable("muons", EDGES.tolist(), all_pts, [("Muon", "pt")]),
        observable("jets", EDGES.tolist(), all_pts, [("Jet", "pt")]),
    ]
    config = tiny_config(
        folder,
        [*datasets, data],
        general={"lumifile": str(shared(GOLDEN))},
        preprocess={
            "branches": {"event": ["run", "luminosityBlock"], "Muon": ["pt"], "Jet": ["pt"]},
            "mc_branches": {"event": ["genWeight"]},
            "skimming": {"chunk_size": 120},
        },
        baseline_selection=None,
        ghost_observables=[],
        good_object_masks={
            "analysis": [{"object": "Muon", "function": above_ten, "use": [("Muon", "pt")]}]
        },
        channels=[{"name": "all", "observables": observables, "fit_observable": "jets"}],
    )
    return Analysis(config, make_skims(config), manager_of(config)).fill_histograms()


def expected(name, branch, cut):
    with uproot.open(shared(f"nanoaod/{FILES[name]}")) as file:
        tree = file["Events"]
        pt = tree[branch].array()
        data = name == "data"
        weights = np.ones(len(pt)) if data else tree["genWeight"].array(library="np")
    weights = weights.astype(np.float64)
    chosen = pt[pt > cut]
    each = np.repeat(weights, ak.to_numpy(ak.num(chosen)))
    place = np.searchsorted(EDGES, ak.to_numpy(ak.flatten(chosen)).astype(np.float64), side="right")
    scale = 1.0 if data or not len(pt) else 6.0 * 100.0 / weights.sum()
    return np.bincount(place, each, minlength=len(EDGES) + 1) * scale, len(pt)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("what", "branch", "cut"), [("muons", "Muon_pt", 10.0), ("jets", "Jet_pt", 0.0)]
)
def test_spectra_are_those_of_plain_uproot_and_numpy(filled, name, what, branch, cut):
    sums, events = expected(name, branch, cut)
    found = filled.template("all", what, name)
    assert found.sumw == pytest.approx(sums, rel=1e-9, abs=1e-9)
    key = "data" if name == "data" else f"{name}__nominal"
    assert filled.ledger.totals(key).nevts == events
    assert bool(sums.any()) == (name != "empty")


def test_all_events_of_the_real_data_are_certified(filled):
    flow = filled.cutflows["all", "data"]
    assert dict(zip(flow.names, flow.counts.tolist(), strict=True))["certified"] == 40


def test_the_real_negative_weights_are_counted(filled):
    for key, events, negative in (("dy__nominal", 40, 9), ("ttbar__nominal", 200, 26)):
        assert filled.ledger.totals(key).sum_signs == events - 2 * negative
