"""Real NanoAOD files: metadata, skim and spectra equal plain uproot and numpy."""

from __future__ import annotations

import copy
import json
import math

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.analysis import Analysis
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import NormalisationError
from hepflow.execution import make_executor
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.pipeline import make_output_manager
from hepflow.schema import Config
from hepflow.skimming import process_workitems_with_skimming
from tests.builders import SHARED
from tests.pipeline import built_in

FILES = {
    "dy": "nanoaod/nano_dy.root",
    "dy_rntuple": "nanoaod/nano_dy_rntuple.root",
    "dy_parquet": "nanoaod/nano_dy.parquet",
    "dy_2016": "nanoaod/DY_M50_2016.root",
    "ttbar": "nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root",
    "ttbar_rntuple": "nanoaod/"
    "cmsopendata2015_ttbar_19980_NANOAOD_RNTupleImporter_rntuple_v1-0-0-1.root",
    "ttbar_v12": "nanoaod/nano_tt_v12.root",
    "empty": "nanoaod/nano_dy_empty.root",
    "data": "nanoaod/nano_dimuon.root",
}
EVENTS = {"dy": 40, "dy_rntuple": 40, "dy_parquet": 40, "dy_2016": 10, "ttbar": 200,
          "ttbar_rntuple": 10, "ttbar_v12": 200, "empty": 0, "data": 40}  # fmt: skip
SKIMMED_BEFORE = ("dy", "dy_2016")  # their Runs trees hold the sums of whole files
NAMES = (
    "run", "luminosityBlock", "genWeight", "MET_pt", "nMuon", "Muon_pt", "Muon_eta", "Jet_pt",
    "Jet_jetId",
)  # fmt: skip
GOLDEN = "corrections/golden/Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt"
CROSS_SECTIONS = {name: 831.8 if "ttbar" in name else 6077.0 for name in FILES}  # pb
LUMI = 59.8  # 1/pb
PT_EDGES = np.array([0.0, 10.0, 20.0, 40.0, 80.0, 160.0])
N_EDGES = np.linspace(-0.5, 9.5, 11)
BELOW_EDGES = np.linspace(-6.5, 6.5, 14)
EDGES = {"muon_pt": PT_EDGES, "jet_pt": PT_EDGES, "jet_id": BELOW_EDGES}

_absent = [name for name in (*FILES.values(), GOLDEN) if not (SHARED / name).exists()]
pytestmark = pytest.mark.skipif(bool(_absent), reason=f"not there: {', '.join(_absent)}")


def some_met(met):
    return met > 15.0


def central(eta):
    return abs(eta) < 2.4


def same(values):
    return values


def four_less(values):
    """Negative for some: unsigned integers, which a part of the versions has, would wrap."""
    return values - 4


def number(objects):
    return ak.num(objects, axis=1)


def real_config(folder, names=tuple(FILES), **general):
    """Configuration of a few lines for some of the files."""
    entries = [
        {"name": name, "files": [str(SHARED / FILES[name])], "cross_section": CROSS_SECTIONS[name]}
        for name in names
        if name != "data"
    ]
    for entry in entries:
        if entry["name"] in SKIMMED_BEFORE:
            entry["sumw_source"] = "events"
    if "data" in names:
        entries.append({"name": "data", "files": [str(SHARED / FILES["data"])], "is_data": True})
    jet_pt = {
        "name": "jet_pt",
        "binning": PT_EDGES.tolist(),
        "function": same,
        "use": [("Jet", "pt")],
    }
    spectra = [
        {**jet_pt, "name": "muon_pt", "use": [("Muon", "pt")]},
        jet_pt,
        {"name": "n_jet", "binning": "-0.5,9.5,10", "function": number, "use": ["Jet"]},
        {
            "name": "muons",
            "binning": BELOW_EDGES.tolist(),
            "function": four_less,
            "use": [("event", "nMuon")],
        },
        {
            "name": "jet_id",
            "binning": BELOW_EDGES.tolist(),
            "function": four_less,
            "use": [("Jet", "jetId")],
        },
    ]
    return {
        "general": {
            "lumi": LUMI,
            "lumifile": str(SHARED / GOLDEN),
            "output_dir": str(folder / "out"),
            "cache_dir": str(folder / "cache"),
            "run_statistics": False,
            **general,
        },
        "datasets": {"datasets": entries},
        "preprocess": {
            "branches": {
                "event": ["run", "luminosityBlock", "nMuon"],
                "MET": ["pt", "phi"],
                "Muon": ["pt", "eta", "phi", "mass", "charge"],
                "Jet": ["pt", "eta", "phi", "mass", "jetId"],
            },
            "skimming": {"function": some_met, "use": [("MET", "pt")], "chunk_size": 25},
        },
        "good_object_masks": {
            "analysis": [{"object": "Muon", "function": central, "use": [("Muon", "eta")]}]
        },
        "channels": [{"name": "all", "observables": spectra, "fit_observable": "muon_pt"}],
        "plotting": {"enabled": False},
        "execution": {"backend": "inprocess"},
    }


class Chain:
    """Metadata, skim and histograms of a configuration."""

    def __init__(self, config):
        self.config = Config.of(config)
        self.manager = make_output_manager(self.config)
        self.metadata = NanoAODMetadataGenerator(
            dataset_manager=ConfigurableDatasetManager(self.config.datasets),
            output_manager=self.manager,
            executor=make_executor("inprocess"),
        )
        self.metadata.run()
        self.skims = process_workitems_with_skimming(
            self.metadata.workitems,
            self.config,
            self.manager,
            self.metadata.fileset,
            self.metadata.nanoaods_summary,
        )
        self.analysis = Analysis(self.config, self.skims, self.manager)
        self.histograms = self.analysis.fill_histograms()


@pytest.fixture(scope="module")
def chain(built_in_folder):
    with built_in.locked(built_in_folder / "real"):  # the next process of the suite reuses it
        return Chain(real_config(built_in_folder / "real"))


@pytest.fixture(scope="module")
def plain():
    """Columns of all events by dataset, from uproot and pyarrow."""
    return {dataset: plain_columns(SHARED / path) for dataset, path in FILES.items()}


def plain_columns(path):
    if path.suffix == ".parquet":
        events = ak.from_parquet(path, columns=list(NAMES))
        return {name: events[name] for name in events.fields}
    with uproot.open(path) as file:
        tree = file["Events"]
        known = set(tree.keys(recursive=False))
        return {name: tree[name].array() for name in NAMES if name in known}


def key_of(name):
    return name if name == "data" else f"{name}__nominal"


def test_metadata(chain, plain):
    summary = json.loads((chain.manager.get_metadata_dir() / "nanoaods.json").read_text())
    negative = {"dy": 9, "dy_rntuple": 9, "dy_parquet": 9, "ttbar": 26, "empty": 0}
    for name in FILES.keys() - {"data"}:
        weights = np.asarray(plain[name]["genWeight"], np.float64)
        assert int(np.sum(weights < 0)) == negative.get(name, np.sum(weights < 0))
        totals = summary[name]["nominal"]
        assert totals["nevts_total"] == EVENTS[name] == len(weights)
        assert totals["sum_weights_total"] == pytest.approx(math.fsum(weights), rel=1e-12)
        assert [file["path"] for file in totals["files"]] == [str(SHARED / FILES[name])]
    assert summary["data"]["nominal"]["nevts_total"] == 40
    ttbar = np.asarray(plain["ttbar"]["genWeight"])
    assert set(np.abs(ttbar).round().astype(int).tolist()) == {225892}
    assert ak.sum(ak.num(plain["ttbar"]["Jet_pt"]) == 0) == 14


def test_work_items(chain):
    """``n = max(round(N / size), 1)`` ranges of ``ceil(N / n)`` events, as coffea cuts them."""
    found = {}
    for item in chain.metadata.workitems:
        found.setdefault(item.dataset, []).append((item.entrystart, item.entrystop))
    for name in ("dy__nominal", "dy_rntuple__nominal", "dy_parquet__nominal", "data"):
        assert found[name] == [(0, 20), (20, 40)]
    assert found["ttbar__nominal"] == [(start, start + 25) for start in range(0, 200, 25)]
    assert found["empty__nominal"] == [(0, 0)]


@pytest.mark.parametrize("name", FILES)
def test_skim(chain, plain, name):
    columns, pairs = plain[name], list(chain.skims[key_of(name)])
    passed = columns["MET_pt"] > 15
    assert sum(len(events) for events, _ in pairs) == ak.sum(passed)
    assert (0 < ak.sum(passed) < len(passed)) or EVENTS[name] <= 10
    muons = ak.concatenate([events.Muon.pt for events, _ in pairs])
    jets = ak.concatenate([events.Jet.pt for events, _ in pairs])
    assert muons.tolist() == columns["Muon_pt"][passed].tolist()
    assert jets.tolist() == columns["Jet_pt"][passed].tolist()
    for _, metadata in pairs:
        assert metadata["nevts"] == len(passed)
        if name != "data":
            total = math.fsum(np.asarray(columns["genWeight"], np.float64))
            assert metadata["sum_weights"] == pytest.approx(total, rel=1e-12)


def spectra(columns):
    """Raw sums of w and w^2 with flow, by observable, after skim and masks."""
    passed = columns["MET_pt"] > 15
    ones = np.ones(int(ak.sum(passed)))
    weights = (
        np.asarray(columns["genWeight"][passed], np.float64) if "genWeight" in columns else ones
    )
    central_muons = abs(columns["Muon_eta"][passed]) < 2.4
    muons, jets = columns["Muon_pt"][passed][central_muons], columns["Jet_pt"][passed]
    found = {}
    jet_id = ak.values_astype(columns["Jet_jetId"][passed], np.float64) - 4
    for name, values in (("muon_pt", muons), ("jet_pt", jets), ("jet_id", jet_id)):
        counts = ak.to_numpy(ak.num(values))
        flat = ak.to_numpy(ak.flatten(values)).astype(np.float64)
        found[name] = (flat, np.repeat(weights, counts), EDGES[name])
    n_muon = np.asarray(columns["nMuon"][passed], np.float64)
    found["muons"] = (n_muon - 4, weights, BELOW_EDGES)
    found["n_jet"] = (ak.to_numpy(ak.num(jets)).astype(np.float64), weights, N_EDGES)
    return found


@pytest.mark.parametrize("name", FILES)
def test_spectra(chain, plain, name):
    scale = 1.0
    if name != "data":
        total = math.fsum(np.asarray(plain[name]["genWeight"], np.float64))
        scale = CROSS_SECTIONS[name] * LUMI / total if total else 0.0
    for observable, (values, weights, edges) in spectra(plain[name]).items():
        flow = [-np.inf, *edges, np.inf]
        template = chain.histograms.template("all", observable, name)
        first = scale * np.histogram(values, flow, weights=weights)[0]
        second = scale**2 * np.histogram(values, flow, weights=weights**2)[0]
        size = scale * np.abs(weights).sum()
        np.testing.assert_allclose(template.sumw, first, rtol=0, atol=1e-12 * size)
        np.testing.assert_allclose(template.sumw2, second, rtol=1e-12, atol=0)
        if name == "data":
            assert template.sumw.tolist() == np.histogram(values, flow)[0].tolist()
        assert (template.sumw2.sum() > 0) == (name != "empty")


def test_the_three_forms_of_the_same_events_agree(chain):
    """TTree, RNTuple and Parquet: the same numbers, to the last bit."""
    forms = ("dy", "dy_rntuple", "dy_parquet")
    tree, *others = [list(chain.skims[key_of(form)]) for form in forms]
    for other in others:
        for (mine, about), (events, metadata) in zip(tree, other, strict=True):
            assert ak.fields(mine) == ak.fields(events)
            assert mine.tolist() == events.tolist()
            for name in ("nevts", "sum_weights", "sum_signs", "part_nevts", "part_sum_weights"):
                assert about[name] == metadata[name]
    for observable in ("muon_pt", "jet_pt", "n_jet", "muons", "jet_id"):
        first, *rest = [chain.histograms.template("all", observable, form) for form in forms]
        assert first.sumw.any()
        for one in rest:
            assert one.sumw.tolist() == first.sumw.tolist()
            assert one.sumw2.tolist() == first.sumw2.tolist()


def test_all_data_are_certified(chain, plain):
    flow = chain.analysis.raw.cutflows["all", "data"]
    counts = dict(zip(flow.names, flow.counts.tolist(), strict=True))
    assert counts["certified"] == counts["skimmed"] == ak.sum(plain["data"]["MET_pt"] > 15)
    listed = json.loads((SHARED / GOLDEN).read_text())
    assert set(np.asarray(plain["data"]["run"]).tolist()) == {315267}
    assert any(first <= 205 <= last for first, last in listed["315267"])


def test_forty_of_forty_events_are_certified_without_a_skim(tmp_path):
    config = real_config(tmp_path, ("data",))
    del config["preprocess"]["skimming"]["function"], config["preprocess"]["skimming"]["use"]
    flow = Chain(config).analysis.raw.cutflows["all", "data"]
    counts = dict(zip(flow.names, flow.counts.tolist(), strict=True))
    assert counts["skimmed"] == counts["certified"] == 40


def test_no_data_of_another_year_are_certified(tmp_path):
    other = GOLDEN.replace("314472-325175", "271036-284044").replace("2018", "2016")
    other = other.replace("Collisions18", "Collisions16")
    config = real_config(tmp_path, ("data",), lumifile=str(SHARED / other))
    assert Chain(config).histograms.template("all", "n_jet", "data").sumw.sum() == 0


def dy_alone(folder, source):
    config = real_config(folder, ("dy",))
    config["datasets"]["datasets"][0]["sumw_source"] = source
    return config


def test_a_file_that_was_skimmed_before_is_refused_until_the_source_is_chosen(tmp_path):
    with pytest.raises(NormalisationError) as caught:
        Chain(dy_alone(tmp_path, "auto"))
    assert "578762" in str(caught.value)
    assert "1.51667e+10" in str(caught.value)
    assert "sumw_source" in str(caught.value)


def test_the_sum_of_weights_of_the_runs_tree(chain, plain, tmp_path):
    with uproot.open(SHARED / FILES["dy"]) as file:
        runs = float(file["Runs"]["genEventSumw_"].array()[0])
    events = math.fsum(np.asarray(plain["dy"]["genWeight"], np.float64))
    of_runs = Chain(dy_alone(tmp_path, "runs")).histograms.template("all", "jet_pt", "dy")
    of_events = chain.histograms.template("all", "jet_pt", "dy")
    np.testing.assert_allclose(of_runs.sumw * runs, of_events.sumw * events, rtol=1e-12)
    assert runs > 1000 * events


def test_the_runs_tree_of_another_campaign(tmp_path):
    path = SHARED / "nanoaod/DY_M50_2016.root"
    if not path.exists():
        pytest.skip(f"not there: {path}")
    config = dy_alone(tmp_path, "runs")
    config["datasets"]["datasets"][0]["files"] = [str(path)]
    sums = Chain(config).analysis.raw.ledger.runs_sums["dy__nominal"]
    assert list(sums.values()) == [pytest.approx(2.58007e10, rel=1e-5)]


def test_an_empty_file_beside_a_full_one_of_the_same_dataset(chain, tmp_path):
    config = copy.deepcopy(real_config(tmp_path, ("dy",)))
    config["datasets"]["datasets"][0]["files"].append(str(SHARED / FILES["empty"]))
    both = Chain(config)
    assert len(both.skims["dy__nominal"]) == len(chain.skims["dy__nominal"]) + 1
    for observable in ("muon_pt", "jet_pt", "n_jet"):
        mine = both.histograms.template("all", observable, "dy")
        assert (
            mine.sumw.tolist() == chain.histograms.template("all", observable, "dy").sumw.tolist()
        )


def test_an_empty_dataset_alone(tmp_path):
    only = Chain(real_config(tmp_path, ("empty",)))
    (pair,) = only.skims["empty__nominal"]
    assert len(pair[0]) == 0
    assert {"Muon", "Jet", "MET"} <= set(pair[0].fields)
    assert only.histograms.template("all", "n_jet", "empty").sumw.sum() == 0
