"""The entries for CMS as a part of a configuration: checked, copied, sent and filled."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from hepflow.analysis import Analysis, stack
from hepflow.corrections import cms
from hepflow.errors import ConfigurationError
from hepflow.keys import fingerprint, stable_hash
from hepflow.schema import Config, Correction
from tests.builders import itself, make_skims, manager_of, observable, shared, tiny_config
from tests.unit.corrections.real import (
    EVENT,
    FILES,
    JET,
    MUON_KEYS,
    corrections_of,
)

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "cms_corrections.md"
SOURCES = ("Regrouped_Absolute", "Regrouped_HF_2018")


def all_entries(sources=SOURCES):
    jerc, _ = corrections_of("2018", "jet_jerc")
    folder = jerc.removesuffix("jet_jerc.json.gz")
    return [
        *cms.jet_energy(jerc, "2018", sources=sources),
        cms.pile_up(f"{folder}puWeights.json.gz", "2018"),
        cms.muon_scale_factor(f"{folder}muon_Z.json.gz", MUON_KEYS[0], name="muon_id"),
        cms.btag_shape(f"{folder}btagging.json.gz", "2018", jet_sources=sources),
    ]


def central(pt, eta):
    """Jets that the b-tag weights are for."""
    return (pt > 30.0) & (abs(eta) < 2.4)


def tracked(pt, eta):
    """Muons that the scale factors are for."""
    return (pt > 15.0) & (abs(eta) < 2.4)


def every(pt):
    """Accept all events."""
    return pt > -1.0


def configuration(folder, name="nano_tt_v12.root"):
    rho = FILES[name][0].rho
    jets = [*JET]
    event = {"event": [*EVENT, *([rho[1]] if rho[0] == "event" else [])]}
    event |= {} if rho[0] == "event" else {rho[0]: [rho[1]]}
    mc = {"event": ["genWeight"], "Pileup": ["nTrueInt"], "Jet": ["genJetIdx", "hadronFlavour"],
          "GenJet": ["pt", "eta", "phi"]}  # fmt: skip
    entries = all_entries()
    if rho[0] != "event":
        for one in entries[:2]:
            uses = one["use"] if "smearing" not in one else one["smearing"]["use"]
            uses[-1] = rho
    file = str(shared(f"nanoaod/{name}"))
    observables = [observable("jets", "0,300,6", itself, [("Jet", "pt")]),
                   observable("met", "0,300,6", itself, [("MET", "pt")])]  # fmt: skip
    return tiny_config(
        folder,
        [{"name": "mc", "files": [file], "cross_section": 1.0, "year": "2018"}],
        preprocess={
            "branches": {**event, "MET": ["pt", "phi"], "Muon": ["pt", "eta"], "Jet": jets},
            "mc_branches": mc,
            "skimming": {"function": every, "use": [("MET", "pt")]},
        },
        good_object_masks={"analysis": [
            {"object": "Jet", "function": central, "use": [("Jet", "pt"), ("Jet", "eta")]},
            {"object": "Muon", "function": tracked, "use": [("Muon", "pt"), ("Muon", "eta")]},
        ]},
        corrections=entries,
        baseline_selection={"function": every, "use": [("MET", "pt")]},
        ghost_observables=[],
        channels=[{"name": "all", "observables": observables, "fit_observable": "met",
                   "selection": {"function": every, "use": [("MET", "pt")]}}],
    )  # fmt: skip


def test_the_entries_are_plain_and_survive_copies_keys_and_workers():
    entries = all_entries("regrouped")
    again = copy.deepcopy(entries)
    assert again == entries == all_entries("regrouped")
    models = [Correction(**one) for one in entries]
    assert [Correction(**one) for one in again] == models
    assert stable_hash([one.model_dump() for one in models]) == (
        stable_hash([Correction(**one).model_dump() for one in again]))  # fmt: skip
    assert len({fingerprint(one) for one in (cms.weights.absolute_eta_first,
                                             cms.weights.absolute_eta_second,
                                             cms.weights.supercluster_eta_first)}) == 3  # fmt: skip
    assert pickle.loads(cloudpickle.dumps(models)) == models


def test_the_entries_are_cheap_to_import():
    heavy = "{'awkward', 'coffea', 'correctionlib', 'scipy', 'uproot', 'dask'}"
    code = f"import sys, hepflow.corrections.cms; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stacked_and_single_variations_of_all_corrections_are_the_same(tmp_path, monkeypatch):
    config = configuration(tmp_path)
    Config(**copy.deepcopy(config))
    analysis = Analysis(config, make_skims(config), manager_of(config))
    pair = analysis.processed_datasets["mc__nominal"][0]
    stacked = analysis.process_chunk(*pair)
    monkeypatch.setattr(stack, "STACK_EVENTS", 1)
    single = analysis.process_chunk(*pair)
    block = stacked.blocks["all", "jets", "mc__nominal"]
    assert len(block.variations) == 1 + 2 * (1 + 2 + 1 + 1 + 8)
    for key, one in stacked.blocks.items():
        assert one.variations == single.blocks[key].variations
        assert one.sumw == pytest.approx(single.blocks[key].sumw, rel=1e-12)
        assert one.sumw2 == pytest.approx(single.blocks[key].sumw2, rel=1e-12)
    sums = {one: block.sumw[..., i, :].sum() for i, one in enumerate(block.variations)}
    assert len({round(float(one), 9) for one in sums.values()}) > len(sums) / 2


def test_chunks_do_not_change_what_is_smeared(tmp_path):
    config = configuration(tmp_path)
    config["corrections"] = config["corrections"][:2]

    def filled(chunk):
        config["preprocess"]["skimming"]["chunk_size"] = chunk
        analysis = Analysis(config, make_skims(config), manager_of(config))
        return analysis.fill_histograms().hist("all", "jets").view(flow=True)["value"]

    whole = filled(1000)
    assert filled(64) == pytest.approx(whole, rel=1e-12)
    config["corrections"][1]["name"] = "with_other_numbers"
    assert not np.allclose(filled(64), whole)


# -- what the configuration refuses ------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"key": None}, "key", "missing. It is needed with use_correctionlib"),
        ({"type": "event", "target": None}, "raw_factor", "has no effect for type 'event'"),
        ({"propagate_to_met": None}, "met_threshold", "without `propagate_to_met`"),
        ({"target": ("Jet", "mass")}, "raw_factor", "for the column 'mass'"),
        ({"smearing": {"key": "s", "use": ["Jet.pt"], "generated": "GenJet"}}, "smearing.index",
         "missing. It is needed beside `generated`"),
        ({"smearing": {"key": "s", "use": ["Jet.pt"], "index": "i"}}, "smearing.index",
         "has no effect without `generated`"),
        ({"smearing": {"key": "s", "use": ["Jets.pt"]}}, "smearing.use[0]", "not an object"),
        ({"smearing": {"key": "s", "use": ["Jet.pt"]}, "op": "add"}, "op", "which multiplies"),
        ({"uncertainty_sources": [{"name": "s"}]}, "uncertainty_sources[0].up_and_down_idx",
         "missing"),
        ({"use_correctionlib": False, "uncertainty_sources": [{"name": "s", "key": "k"}]},
         "uncertainty_sources[0].key", "has no effect without use_correctionlib"),
        ({"applies_to": ["mx"]}, "applies_to[0]", "there is no process 'mx'"),
    ],
)  # fmt: skip
def test_what_would_have_no_effect_is_refused(tmp_path, changes, path, message):
    config = configuration(tmp_path)
    entry = {**config["corrections"][0], **changes}
    config["corrections"] = [{k: v for k, v in entry.items() if v is not None}]
    with pytest.raises(ConfigurationError) as caught:
        Config(**config)
    shown = {one.path: f"{one.message} {one.hint}" for one in caught.value.problems}
    assert message in shown[f"corrections[0].{path}"]


def test_object_corrections_may_name_data_and_weights_may_not(tmp_path):
    config = configuration(tmp_path)
    data = {"name": "data_A", "process": "data", "is_data": True, "files": ["a.root"],
            "year": "2018"}  # fmt: skip
    config["datasets"]["datasets"].append(data)
    config["corrections"][0]["applies_to"] = ["data_A", "mc"]
    Config(**copy.deepcopy(config))
    config["corrections"][3]["applies_to"] = ["data_A"]
    with pytest.raises(ConfigurationError, match="'data_A' is collision data"):
        Config(**config)


# -- the example of the documentation ----------------------------------------------------


def test_the_example_of_the_documentation_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    (tmp_path / "jsonpog").mkdir()
    (tmp_path / "jsonpog" / "2018").symlink_to(shared("corrections/2018"))
    (tmp_path / "nano_dy.root").symlink_to(shared("nanoaod/nano_dy.root"))
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, PAGE.name, "exec"), names)  # noqa: S102 - our own page
    lines = (one.split() for one in capsys.readouterr().out.splitlines())
    shown = {one[0]: float(one[1]) for one in lines if len(one) == 2}
    assert len(shown) == 6
    del shown["jer_up"]  # moves no jet across a boundary of these forty events
    assert len(set(shown.values())) == 5
    for one in (*names["of_data"], names["run3"], names["electron"], names["muon"]):
        Correction(**one)
