"""The plan of variations of a configuration with every kind of source, in closed form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hepflow.analysis import AnalysisSpec, EventLoop
from hepflow.analysis.touches import overridden_steps
from hepflow.cli.plan_variations import effect, follows_of, lines_of, show_tables, sides, where
from hepflow.planning.variations import plain, plan_variations
from hepflow.records import NOMINAL
from hepflow.schema import Config
from tests.builders import (
    itself,
    jet_scale,
    observable,
    scale_down,
    scale_one,
    scale_up,
    tiny_config,
)

BOTH = {"up_function": scale_up, "down_function": scale_down}
WEIGHT = {"type": "event", "use_correctionlib": False, "nominal_function": scale_one}


def simulation(name, year, **fields):
    return {
        "name": f"{name}_{year}",
        "process": name,
        "files": [f"{name}.root"],
        "cross_section": 1.0,
        "year": year,
        **fields,
    }


MUON_PTS = observable("muon_pts", "0,200,10", itself, [("Muon", "pt")])
DATASETS = [
    simulation("ttbar", "2016"),
    simulation("ttbar", "2017"),
    simulation("wjets", "2016"),
    simulation("wjets", "2017"),
    {
        **simulation("ttbar", "2016"),
        "name": "herwig",
        "variation": "shower_up",
        "replaces": "ttbar_2016",
    },
]
CORRECTIONS = [
    jet_scale(
        propagate_to_met="MET",
        uncertainty_sources=[
            {"name": "jes_total", **BOTH},
            {"name": "jes_year", "correlation": "uncorrelated", **BOTH},
            {"name": "jes_flavour", "up_function": scale_up, "symmetrise": True},
            {"name": "jes_delta", "up_function": scale_up, "is_delta": True},
        ],
    ),
    {
        **jet_scale(name="muon_tune", target=("Muon", "pt"), use=[("Muon", "eta")]),
        "uncertainty_sources": [],
    },
    {
        "name": "btag",
        "use": [("Jet", "pt")],
        **WEIGHT,
        "uncertainty_sources": [
            {"name": "btag_hf", **BOTH},
            {"name": "btag_jes", **BOTH, "varies_with": "jes_total"},
        ],
    },
    {
        "name": "pileup",
        "use": [("Pileup", "nTrueInt")],
        **WEIGHT,
        "uncertainty_sources": [{"name": "pileup", **BOTH}],
    },
]
LIMITED = {"processes": ["ttbar"], "channels": ["SR"]}
SYSTEMATICS = [
    {"name": "muon_scale", "type": "object", "use": [("Muon", "pt")], "target": ("Muon", "pt"),
     "up_function": scale_up, **LIMITED},
    {"name": "muon_mass", "type": "object", "use": [("Muon", "pt")], "target": ("Muon", "mass"),
     **BOTH, "channels": ["CR"]},
    {"name": "slope", "type": "event", "use": [("sums", "ht")], "up_function": scale_up, **LIMITED},
    {"name": "lumi", "type": "normalisation", "size": 0.012},
    {"name": "xsec", "type": "normalisation", "size": 0.1, "processes": ["wjets"],
     "correlation": "uncorrelated"},
    {"name": "shower", "type": "sample", "symmetrise": True},
]  # fmt: skip


def every_kind(folder):
    """Two years, a control region, and a source of each kind; no file is there."""
    config = tiny_config(folder, DATASETS, corrections=CORRECTIONS, systematics=SYSTEMATICS)
    config["general"]["lumi"] = {"2016": 10.0, "2017": 20.0}
    cut = {"name": "met", "function": itself, "use": [("MET", "pt")]}
    signal = config["channels"][0]
    signal["selection"]["cuts"].append(cut)
    signal["observables"] = [MUON_PTS, *signal["observables"][1:]]
    signal["fit_observable"] = "muon_pts"
    return config


@pytest.fixture
def plan(tmp_path):
    return plan_variations(Config.of(every_kind(tmp_path)))


@pytest.fixture
def by_name(plan):
    return {one.parameter: one for one in plan.sources}


def test_variations_are_expanded_once_and_belong_to_the_sources_of_bands_and_fit(tmp_path):
    spec = AnalysisSpec.before_files(every_kind(tmp_path))
    first, second = spec.datasets["wjets_2016__nominal"], spec.datasets["wjets_2017__nominal"]
    assert spec.variations(first) is spec.variations(first)
    assert spec.variations(first) != spec.variations(second)  # by what has a year
    assert spec.expanded["herwig__shower_up"] == (NOMINAL,)
    for dataset in (one for one in spec.datasets.values() if one.variation == "nominal"):
        acting = {
            one.name
            for one in spec.sources
            if one.kind in {"object", "weight"} and dataset.process in one.processes
        }
        found = {one.parameter for one in spec.variations(dataset)[1:]}
        assert found <= acting
        assert acting - found == {f"jes_year_{2016 if dataset.year == '2017' else 2017}"}


def test_equal_variations_travel_as_one(tmp_path):
    config = every_kind(tmp_path)
    config["corrections"], config["systematics"] = CORRECTIONS[1:2], SYSTEMATICS[-1:]
    config["corrections"].append(CORRECTIONS[3])
    found = AnalysisSpec.before_files(config).expanded
    assert found["wjets_2016__nominal"] is found["ttbar_2017__nominal"]


def test_every_kind_of_source_has_its_row(plan):
    found = [(one.parameter, one.kind, sides(one), where(one)) for one in plan.sources]
    years = "2016, 2017 (correlated)"
    everywhere, ttbar = f"all simulation; {years}", f"ttbar; {years}; in SR"
    assert found == [
        ("jes_total", "object", "up, down", everywhere),
        ("jes_year_2016", "object", "up, down", "all simulation; 2016 (its own parameter)"),
        ("jes_year_2017", "object", "up, down", "all simulation; 2017 (its own parameter)"),
        ("jes_flavour", "object", "up; down reflected", everywhere),
        ("jes_delta", "object", "up, down: nominal + and - the value", everywhere),
        ("btag_hf", "weight", "up, down", everywhere),
        ("pileup", "weight", "up, down", everywhere),
        ("muon_scale", "object", "up; down is nominal", ttbar),
        ("muon_mass", "object", "up, down", f"{everywhere}; in CR"),
        ("slope", "weight", "up; down is nominal", ttbar),
        ("lumi", "normalisation", "", everywhere),
        ("xsec_2016", "normalisation", "up, down", "wjets; 2016 (its own parameter)"),
        ("xsec_2017", "normalisation", "up, down", "wjets; 2017 (its own parameter)"),
        ("shower", "sample", "up; down reflected", "ttbar; 2016"),
        ("btag_jes", "linked", "as jes_total", everywhere),
    ]


def test_weights_name_the_factor_that_is_evaluated_again(by_name):
    factors = {name: one.factor for name, one in by_name.items() if one.factor}
    assert factors == {"btag_hf": "btag", "pileup": "pileup", "slope": "slope", "btag_jes": "btag"}
    assert by_name["jes_total"].linked == ("btag_jes",)
    assert by_name["jes_flavour"].linked == ()


def test_templates_name_their_datasets(by_name):
    first, second = "ttbar_2016__nominal", "ttbar_2017__nominal"
    assert by_name["slope"].templates == {"slope_up": (first, second)}
    assert by_name["jes_year_2017"].templates == {
        f"jes_year_2017_{side}": (second, "wjets_2017__nominal") for side in ("up", "down")
    }
    assert by_name["shower"].templates == {"shower_up": ("herwig__shower_up",)}
    assert by_name["lumi"].templates == {}


def test_what_moves_whole_templates(by_name):
    assert effect(by_name["lumi"]) == "±1.2 % in the fit"
    down = replace(by_name["lumi"], size_down=0.01)
    assert effect(down) == "+1.2 -1 % in the fit"
    years = replace(by_name["xsec_2016"], downs=dict.fromkeys(by_name["xsec_2016"].sizes, 0.05))
    assert effect(years).startswith("+10 -5 %, as templates")
    partly = "±10 %, as templates: not all of the process alike"
    assert effect(by_name["xsec_2016"]) == partly
    assert effect(by_name["shower"]) == "herwig__shower_up in the place of ttbar_2016__nominal"


def test_a_jet_scale_is_followed_to_all_that_reads_it(plan, by_name):
    again = (  # the baseline and the control region read all columns of the muons
        "corrections jes, jes on MET; baseline; columns sums.ht; all selections; "
        "observables jet_pts, ht (SR), all (CR); weight btag"
    )
    shared = "correction muon_tune; mask Muon; observables muon_pts (SR); weight pileup"
    assert follows_of(by_name["jes_total"], plan) == [
        ("moves", "Jet.pt, Jet.mass, Muon.jetIdx, MET.pt, MET.phi; Jet sorted and chosen anew"),
        ("again", again),
        ("as nominal", shared),
        ("so", ""),
    ]


def test_only_what_reads_the_muons_follows_from_them(plan, by_name):
    told = dict(follows_of(by_name["muon_scale"], plan))
    assert told["moves"] == "Muon.pt, Muon.mass; Muon sorted and chosen anew"
    assert told["again"] == (
        "correction muon_scale; mask Muon; baseline; observables muon_pts (SR)"
    )
    assert told["as nominal"] == (
        "corrections jes, jes on MET, muon_tune; columns sums.ht; all selections; "
        "observables jet_pts, ht (SR); weights btag, pileup"
    )  # in the control region nothing is filled


def test_a_source_that_nothing_reads_is_told(tmp_path):
    config = every_kind(tmp_path)
    config["baseline_selection"]["use"] = [("Muon", "pt")]
    config["channels"][1]["observables"] = [MUON_PTS]
    config["channels"][1]["fit_observable"] = "muon_pts"
    plan = plan_variations(Config.of(config))
    (one,) = [one for one in plan.sources if one.parameter == "muon_mass"]
    shared = (
        "corrections jes, jes on MET, muon_tune; mask Muon; baseline; columns sums.ht; "
        "all selections; all observables; weights btag, pileup"
    )
    assert follows_of(one, plan) == [
        ("moves", "Muon.mass"),
        ("again", "correction muon_mass"),
        ("as nominal", shared),
        ("so", "its histograms are those of nominal"),
    ]


def test_cuts_are_told_one_by_one(tmp_path):
    config = every_kind(tmp_path)
    config["corrections"] = [jet_scale()]
    config["preprocess"]["branches"]["Muon"].remove("jetIdx")
    plan = plan_variations(Config.of(config))
    told = dict(follows_of(plan.sources[0], plan))
    assert told["moves"] == "Jet.pt, Jet.mass; Jet sorted and chosen anew"
    assert told["again"] == (
        "correction jes; columns sums.ht; selections jets (SR), all (CR); "
        "observables jet_pts, ht (SR)"
    )
    assert told["as nominal"] == (
        "mask Muon; baseline; selections met (SR); observables muon_pts (SR), all (CR)"
    )


def test_the_skim_needs_a_margin_for_what_moves_its_columns(plan, by_name, tmp_path):
    jets = ["jes_total", "jes_year_2016", "jes_year_2017", "jes_flavour", "jes_delta"]
    assert [name for name, one in by_name.items() if one.skim] == jets
    assert dict(lines_of(plan))["The skim"] == (
        f"reads what {', '.join(jets)} moves: its cuts on it need a margin"
    )
    config = every_kind(tmp_path)
    config["preprocess"]["skimming"]["use"] = [("event", "HLT_Mu50"), ("event", "run")]
    assert not any(one.skim for one in plan_variations(Config.of(config)).sources)


def test_the_sum_of_it_all(plan):
    lines = dict(lines_of(plan))
    # 2016, ttbar: 2 x (total, year, delta, mass), flavour up, muon up; btag 2, pileup 2, slope 1
    assert lines["Of one dataset"] == (
        "up to 11 object variations (nominal included), and 5 weight variations in nominal's bins"
    )
    assert lines["In all"] == "17 distinct variations of 10 sources"
    # SR: 3 observables of 12, 5 and 7 bins; all but the mass, of ttbar 14, of wjets 12, herwig 1
    # CR: 1 observable of 12 bins; ttbar and wjets all but what is in SR alone: 14, herwig 1
    histograms = 3 * (2 * 14 + 2 * 12 + 1) + (4 * 14 + 1)
    bins = 24 * (2 * 14 + 2 * 12 + 1) + 12 * (4 * 14 + 1)
    assert lines["Filled"] == f"{histograms:,} histograms of {bins:,} bins"


def test_without_systematics_what_is_filled_is_nominal(tmp_path):
    config = every_kind(tmp_path)
    config["general"]["run_systematics"] = False
    plan = plan_variations(Config.of(config))
    assert [one.parameter for one in plan.sources] == ["lumi", "xsec_2016", "xsec_2017"]
    assert plan.counts.distinct == plan.counts.weight_variations == 0
    assert plan.counts.object_variations == 1


class Own(EventLoop):
    """Selects in its own way."""

    def select_channel(self, events, channel):
        return super().select_channel(events, channel)

    def mask_objects(self, events):
        return super().mask_objects(events)


def test_steps_of_the_analysis_own_may_read_and_change_anything(tmp_path):
    assert overridden_steps(None, EventLoop) == overridden_steps(EventLoop, EventLoop) == ()
    own = overridden_steps(Own, EventLoop)
    assert own == ("mask_objects", "select_channel")
    plan = plan_variations(Config.of(every_kind(tmp_path)), own)
    (one,) = [one for one in plan.sources if one.parameter == "muon_mass"]
    told = dict(follows_of(one, plan))
    assert told["again"] == (
        "correction muon_mass; mask mask_objects; baseline; columns sums.ht; all selections; "
        "all observables; weights btag, pileup"
    )
    assert dict(lines_of(plan))["The analysis' own"] == (
        "mask_objects, select_channel: may read anything"
    )


def test_what_a_step_of_its_own_does_to_objects_is_not_known(tmp_path):
    plan = plan_variations(Config.of(every_kind(tmp_path)), ("correct_objects",))
    told = {one.parameter: dict(follows_of(one, plan)) for one in plan.sources}
    assert told["muon_mass"]["again"].startswith("correction correct_objects; mask Muon; baseline")
    assert told["muon_mass"]["as nominal"] == ""
    assert told["muon_mass"]["moves"].startswith("everything")


def test_what_all_momenta_are_taken_off_is_no_list(tmp_path):
    config = every_kind(tmp_path)
    config["systematics"] = [
        {"name": "unclustered", "type": "object", "target": ("MET", "pt"), **BOTH,
         "use": [("MET", "pt")]},
        *SYSTEMATICS[-1:],
    ]  # fmt: skip
    plan = plan_variations(Config.of(config))
    (one,) = [one for one in plan.sources if one.parameter == "unclustered"]
    assert dict(follows_of(one, plan))["moves"] == "MET.pt"


def test_a_vector_that_is_added_moves_size_and_angle_of_what_is_no_list(tmp_path):
    config = every_kind(tmp_path)
    soft = {"name": "unclustered", "type": "object", "target": ("MET", "pt"), **BOTH,
            "op": "add_vector", "use": [("MET", "phi")]}  # fmt: skip
    config["corrections"], config["systematics"] = [], [soft, *SYSTEMATICS[-1:]]
    plan = plan_variations(Config.of(config))
    (one,) = [one for one in plan.sources if one.parameter == "unclustered"]
    told = dict(follows_of(one, plan))
    assert told["moves"] == "MET.pt, MET.phi"
    assert told["again"] == (
        "correction unclustered; columns sums.ht; selections met (SR); observables ht (SR)"
    )
    assert (plain(plan)["sources"][0]["rearranged"], one.skim) == ([], True)


def test_the_plan_as_plain_values(plan):
    found = plain(plan)
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found, sort_keys=True))
    one = found["sources"][0]
    assert one["columns"] == ["Jet.pt", "Jet.mass", "Muon.jetIdx", "MET.pt", "MET.phi", "sums.ht"]
    assert one["rearranged"] == ["Jet"]
    assert {"kind": "selection", "name": "met", "channel": "SR"} in one["again"]
    assert {"kind": "weight", "name": "pileup", "channel": ""} in one["as_nominal"]
    assert found["counts"]["histograms"] == plan.counts.histograms
    assert "columns" not in next(one for one in found["sources"] if one["kind"] == "weight")


@pytest.mark.parametrize("width", [80, 160])
def test_the_tables_fit(plan, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    show_tables(plan)
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= width
    for one in plan.sources:
        assert one.parameter in told
    assert "jes_delta" in told.split("Sources that move weights")[0]


def test_what_is_alike_is_told_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    many = [{"name": f"jes_{i}", **BOTH} for i in range(20)]
    weights = [{"name": f"hf_{i}", **BOTH} for i in range(30)]
    config = every_kind(tmp_path)
    config["corrections"] = [
        jet_scale(uncertainty_sources=many),
        {**CORRECTIONS[2], "uncertainty_sources": weights},
    ]
    config["systematics"] = SYSTEMATICS[-1:]
    plan = plan_variations(Config.of(config))
    assert plan.counts.object_variations == 41
    assert plan.counts.weight_variations == 60
    show_tables(plan)
    told = capsys.readouterr().out
    assert told.count("again:") == 1
    assert len(told.splitlines()) < 50


def test_theory_weights_name_their_list(tmp_path):
    config = every_kind(tmp_path)
    theory = {"name": "scale", "type": "theory", "weights": "LHEScaleWeight", "members": "scale",
              "processes": ["ttbar"]}  # fmt: skip
    config["systematics"] = [theory, *SYSTEMATICS[-1:]]
    plan = plan_variations(Config.of(config))
    (one,) = [one for one in plan.sources if one.kind == "theory"]
    years = "2016, 2017 (correlated)"
    told = (sides(one), one.factor, where(one))
    assert told == ("up, down from its members", "LHEScaleWeight", f"ttbar; {years}")


def smeared():
    """Jet energy scale from the raw pt, smeared towards the generated jets."""
    return jet_scale(
        raw_factor="rawFactor",
        propagate_to_met="MET",
        met_excluded="muonSubtrFactor",
        met_em_columns=["neEmEF", "chEmEF"],
        file="jer.json",
        key="ratio",
        use_correctionlib=True,
        nominal_function=None,
        nominal_idx="nom",
        smearing={"key": "resolution", "use": [("Jet", "eta")], "generated": "GenJet",
                  "index": "genJetIdx"},
        uncertainty_sources=[{"name": "jer", "up_and_down_idx": ("up", "down")}],
    )  # fmt: skip


def test_what_smearing_and_the_raw_pt_read_and_write_counts(tmp_path):
    config = every_kind(tmp_path)
    em = ["neEmEF", "chEmEF"]
    config["preprocess"]["branches"]["Jet"] += ["rawFactor", "muonSubtrFactor", "genJetIdx", *em]
    config["preprocess"]["branches"]["GenJet"] = ["pt", "eta", "phi"]
    moving = [
        {**jet_scale(name=f"{name}_{part}", target=(name, part), use=[(name, part)]),
         "uncertainty_sources": [{"name": f"moved_{name}_{part}", **BOTH}]}
        for name, part in [("GenJet", "eta"), ("Jet", "muonSubtrFactor"), ("Jet", "chEmEF"),
                           ("Jet", "eta")]
    ]  # fmt: skip
    config["corrections"] = [*moving, smeared()]
    config["systematics"] = SYSTEMATICS[-1:]
    plan = plan_variations(Config.of(config))
    again = {one.parameter: one.touches for one in plan.sources if one.touches}
    found = {
        name: [step.name for step in touches.again if step.kind == "correction"][1:]
        for name, touches in again.items()
    }
    assert found == {
        "moved_GenJet_eta": ["jes", "jes on MET"],
        "moved_Jet_muonSubtrFactor": ["jes on MET"],
        "moved_Jet_chEmEF": ["jes on MET"],
        "moved_Jet_eta": ["jes", "jes on MET"],
        "jer": ["jes on MET"],
    }
    assert ("Jet", "rawFactor") in again["jer"].columns


def test_what_keeps_the_yield_hangs_on_the_baseline_and_on_other_weights(tmp_path):
    config = every_kind(tmp_path)
    config["corrections"] = [jet_scale(), {**CORRECTIONS[3], "keep_yield": True}]
    config["baseline_selection"]["use"] = [("Muon", "eta")]
    config["systematics"] = SYSTEMATICS[-1:]

    def again():
        touches = plan_variations(Config.of(config)).sources[0].touches
        return [step.name for step in touches.again if step.kind == "weight"]

    assert again() == []
    config["baseline_selection"]["use"] = [("Jet", "eta")]
    assert again() == ["yield of pileup"]
    config["baseline_selection"]["use"] = [("Muon", "eta")]
    config["corrections"].append({**CORRECTIONS[2], "uncertainty_sources": []})
    assert again() == ["btag", "yield of pileup"]


def test_histograms_without_a_cut_are_followed_and_counted(tmp_path):
    config = every_kind(tmp_path)
    before = plan_variations(Config.of(config))
    one = {"cut": "met", "function": itself, "use": [("MET", "pt")], "binning": "0,100,10"}
    config["channels"][0]["selection"]["n_minus_1"] = [one]
    nominal = plan_variations(Config.of(config))
    assert nominal.counts.histograms == before.counts.histograms + 5  # simulated datasets
    assert nominal.counts.bins == before.counts.bins + 5 * 12
    config["channels"][0]["selection"]["n_minus_1"] = [{**one, "variations": True}]
    plan = plan_variations(Config.of(config))
    assert plan.counts.histograms == before.counts.histograms + 2 * 14 + 2 * 12 + 1
    names = [step.name for step in plan.sources[0].touches.again if step.kind == "observable"]
    assert "n_minus_1_met" in names
