"""From the events of a part to raw histograms, against a plain loop and closed forms."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis, stack
from hepflow.errors import InputError, MaskError, UserFunctionError
from tests.builders import (
    event_correction,
    jet_scale,
    make_skims,
    manager_of,
    scale_down,
    scale_node,
    scale_up,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_corrections,
)
from tests.unit.analysis.reference import PILEUP, entries, pileup_weight, template

MC = toy_columns(250)
DATA = toy_columns(120, 2, data=True)
WEIGHTS = MC["genWeight"].astype(np.float64)
SCALE = 10.0 * 100.0 / WEIGHTS.sum()
CASES = [("SR", "muon_pt"), ("SR", "jet_pts"), ("SR", "ht"), ("CR", "muon_pt")]


def five_percent_up(pt):
    return np.full(len(pt), 1.05)


def five_percent_down(pt):
    return np.full(len(pt), 0.95)


def top_pt(**changes):
    return {
        "name": "top_pt", "type": "event", "up_function": five_percent_up,
        "down_function": five_percent_down, "use": [("MET", "pt")], **changes,
    }  # fmt: skip


def build(tmp_path, **sections):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"), **sections)
    return Analysis(config, make_skims(config), manager_of(config))


@pytest.fixture(scope="module")
def pu(tmp_path_factory):
    path = tmp_path_factory.mktemp("corrections") / "pu.json"
    return write_corrections(path, scale_node("pu", "nTrueInt", [0, 20, 40, 60], PILEUP, "error"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory, pu):
    analysis = build(
        tmp_path_factory.mktemp("run"),
        corrections=[event_correction(pu), jet_scale()],
        systematics=[top_pt(), {"name": "lumi", "type": "normalisation", "size": 0.02}],
    )
    return analysis.fill_histograms()


def pileup(name):
    return np.array([pileup_weight(value, name) for value in MC["Pileup_nTrueInt"]])


@pytest.mark.parametrize(("channel", "observable"), CASES)
@pytest.mark.parametrize(
    ("variation", "factor", "jets"),
    [
        ("nominal", "nominal", 1.0),
        ("pileup_up", "up", 1.0),
        ("pileup_down", "down", 1.0),
        ("jes_total_up", "nominal", 1.03),
        ("jes_total_down", "nominal", 0.97),
    ],
)
def test_templates_are_those_of_a_plain_loop(filled, channel, observable, variation, factor, jets):
    weights = WEIGHTS * pileup(factor)
    sumw, sumw2 = template(MC, channel, observable, weights, jets)
    found = filled.template(channel, observable, "mc", variation)
    tolerance = 1e-9 * np.abs(weights).sum() * SCALE
    assert found.sumw == pytest.approx(sumw * SCALE, abs=tolerance)
    assert found.sumw2 == pytest.approx(sumw2 * SCALE**2, abs=1e-9 * (weights**2).sum() * SCALE**2)


@pytest.mark.parametrize(("channel", "observable"), CASES)
def test_data_is_counted(filled, channel, observable):
    sumw, _ = template(DATA, channel, observable, np.ones(120))
    found = filled.template(channel, observable, "data")
    assert found.sumw.tolist() == sumw.tolist()
    assert found.sumw2.tolist() == sumw.tolist()
    assert filled.blocks[channel, observable, "data"].variations == ("nominal",)


@pytest.mark.parametrize(("channel", "observable"), CASES)
def test_a_factor_varied_by_five_percent_moves_every_bin_by_five_percent(
    filled, channel, observable
):
    nominal = filled.template(channel, observable, "mc")
    up = filled.template(channel, observable, "mc", "top_pt_up")
    down = filled.template(channel, observable, "mc", "top_pt_down")
    assert np.count_nonzero(nominal.sumw) > 2
    assert up.sumw == pytest.approx(1.05 * nominal.sumw, rel=1e-12)
    assert down.sumw == pytest.approx(0.95 * nominal.sumw, rel=1e-12)
    assert up.sumw2 == pytest.approx(1.05**2 * nominal.sumw2, rel=1e-12)


def test_variations_are_named_by_source_and_direction(filled):
    assert filled.variations("SR", "ht") == (
        "nominal", "pileup_up", "pileup_down", "top_pt_up", "top_pt_down", "jes_total_up",
        "jes_total_down",
    )  # fmt: skip


def test_a_varied_selection_moves_events_between_channels(tmp_path):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"), corrections=[jet_scale()])
    config["good_object_masks"]["analysis"].append(
        {"object": "Jet", "function": lambda pt: pt > 50.0, "use": [("Jet", "pt")]}
    )
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()

    def passing(factor):
        return sum(
            WEIGHTS[one["index"]]
            for one in entries(MC)
            if sum(float(pt) * factor > 50.0 for pt in MC["Jet_pt"][one["index"]].tolist()) >= 2
        )

    for name, factor in (("nominal", 1.0), ("jes_total_up", 1.03), ("jes_total_down", 0.97)):
        found = filled.template("SR", "muon_pt", "mc", name).sumw.sum()
        assert found == pytest.approx(passing(factor) * SCALE)
    assert passing(1.03) != passing(0.97)


@pytest.mark.parametrize("limit", [1, 200, 700])
def test_stacked_variations_equal_those_one_by_one(tmp_path, pu, monkeypatch, limit):
    sections = {
        "corrections": [event_correction(pu), jet_scale(propagate_to_met="MET")],
        "systematics": [
            {"name": "mu", "type": "object", "target": ("Muon", "pt"), "use": [("Muon", "pt")],
             "up_function": scale_up, "down_function": scale_down},
        ],
    }  # fmt: skip
    analysis = build(tmp_path, **sections)
    pair = analysis.processed_datasets["mc__nominal"][0]
    stacked = analysis.process_chunk(*pair)
    monkeypatch.setattr(stack, "STACK_EVENTS", limit)
    one_by_one = analysis.process_chunk(*pair)
    assert stacked.blocks.keys() == one_by_one.blocks.keys()
    for key, block in stacked.blocks.items():
        other = one_by_one.blocks[key]
        assert block.variations == other.variations
        assert block.sumw == pytest.approx(other.sumw, abs=1e-9)
        assert block.sumw2 == pytest.approx(other.sumw2, abs=1e-9)
    assert len(stacked.blocks["SR", "ht", "mc__nominal"].variations) == 7
    for key, flow in stacked.cutflows.items():
        assert flow.counts.tolist() == one_by_one.cutflows[key].counts.tolist()


def test_the_part_is_left_as_it_was(tmp_path, pu):
    analysis = build(
        tmp_path, corrections=[event_correction(pu), jet_scale(propagate_to_met="MET")]
    )
    events, metadata = analysis.processed_datasets["mc__nominal"][0]
    before = ak.to_list(events)
    first = analysis.process_chunk(events, metadata)
    assert ak.to_list(events) == before
    second = analysis.process_chunk(events, metadata)
    for key, block in first.blocks.items():
        assert np.array_equal(block.sumw, second.blocks[key].sumw)


def test_without_systematics_there_is_nominal_alone(tmp_path, pu):
    config = tiny_config(
        tmp_path, toy_inputs(tmp_path / "in"), corrections=[event_correction(pu)],
        general={"run_systematics": False},
    )  # fmt: skip
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    assert filled.variations("SR", "ht") == ("nominal",)
    sumw, _ = template(MC, "SR", "ht", WEIGHTS * pileup("nominal"))
    assert filled.template("SR", "ht", "mc").sumw == pytest.approx(sumw * SCALE)


def test_signs_of_the_weights_can_be_the_weights(tmp_path):
    signs = np.sign(WEIGHTS)
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"), general={"weight_mode": "sign"})
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    sumw, sumw2 = template(MC, "SR", "muon_pt", signs)
    scale = 1000.0 / signs.sum()
    assert filled.template("SR", "muon_pt", "mc").sumw == pytest.approx(sumw * scale)
    assert filled.template("SR", "muon_pt", "mc").sumw2 == pytest.approx(sumw2 * scale**2)
    assert np.isfinite(filled.template("SR", "muon_pt", "mc").sumw).all()


def test_a_correction_for_some_processes_leaves_the_others(tmp_path, pu):
    inputs = toy_inputs(tmp_path / "in")
    inputs[:1] = [
        {"name": name, "files": [str(tmp_path / f"in/mc_{i}.root")], "cross_section": 1.0}
        for i, name in enumerate(("a", "b"))
    ]
    config = tiny_config(tmp_path, inputs, corrections=[event_correction(pu, applies_to=["a"])])
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    assert filled.blocks["SR", "ht", "b"].variations == ("nominal",)
    assert filled.blocks["SR", "ht", "a"].variations == ("nominal", "pileup_up", "pileup_down")
    nominal = filled.template("SR", "ht", "b").sumw
    assert np.array_equal(filled.template("SR", "ht", "b", "pileup_up").sumw, nominal)
    both = filled.total("SR", "ht", ("a", "b"), "pileup_up").sumw
    assert both == pytest.approx(filled.template("SR", "ht", "a", "pileup_up").sumw + nominal)
    view = filled.hist("SR", "ht")[:, "b", "pileup_up"].view(flow=True)
    assert np.array_equal(view["value"], nominal)


# -- the cutflow -------------------------------------------------------------------------


def test_the_cutflow_counts_what_a_plain_loop_counts(filled):
    skimmed = MC["HLT_Mu50"] & (MC["MET_pt"] > 10.0)
    passed = entries(MC)
    flow = filled.cutflows["SR", "mc__nominal"]
    assert flow.names == ("skimmed", "selection", "jets", "corrected")
    chosen = [one["index"] for one in passed if one["channel"] == "SR"]
    assert flow.counts.tolist() == [skimmed.sum(), len(passed), len(chosen), len(chosen)]
    sums = [
        WEIGHTS[skimmed].sum(), WEIGHTS[[one["index"] for one in passed]].sum(),
        WEIGHTS[chosen].sum(), (WEIGHTS * pileup("nominal"))[chosen].sum(),
    ]  # fmt: skip
    assert flow.sumw == pytest.approx(np.array(sums) * SCALE)
    assert flow.sumw[-1] == pytest.approx(filled.template("SR", "muon_pt", "mc").sumw.sum())


# -- certified data ----------------------------------------------------------------------


def test_only_certified_data_is_filled_and_simulation_is_not_asked(tmp_path):
    (tmp_path / "golden.json").write_text('{"273158": [[10, 30]]}')
    config = tiny_config(
        tmp_path, toy_inputs(tmp_path / "in"), general={"lumifile": str(tmp_path / "golden.json")}
    )
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    good = (DATA["luminosityBlock"] >= 10) & (DATA["luminosityBlock"] <= 30)
    sumw, _ = template(DATA, "SR", "muon_pt", good.astype(float))
    assert 0 < sumw.sum() < template(DATA, "SR", "muon_pt", np.ones(120))[0].sum()
    assert filled.template("SR", "muon_pt", "data").sumw.tolist() == sumw.tolist()
    expected, _ = template(MC, "SR", "muon_pt", WEIGHTS)
    assert filled.template("SR", "muon_pt", "mc").sumw == pytest.approx(expected * SCALE)
    assert "certified" in filled.cutflows["SR", "data"].names
    assert "certified" not in filled.cutflows["SR", "mc__nominal"].names


def test_certification_needs_run_and_block(tmp_path):
    (tmp_path / "golden.json").write_text("{}")
    config = tiny_config(
        tmp_path, toy_inputs(tmp_path / "in"), general={"lumifile": str(tmp_path / "golden.json")}
    )
    config["preprocess"]["branches"]["event"] = ["run", "HLT_Mu50"]
    Analysis(config, make_skims(config), manager_of(config)).fill_histograms()  # data has both
    config["datasets"]["datasets"][1]["duplicates"] = "keep"
    analysis = Analysis(config, make_skims(config), manager_of(config))
    with pytest.raises(InputError, match="needs the branch 'luminosityBlock'"):
        analysis.fill_histograms()


# -- nothing to fill ---------------------------------------------------------------------


def test_events_that_all_fail_leave_empty_templates_with_the_sum_of_weights(tmp_path, pu):
    config = tiny_config(
        tmp_path, toy_inputs(tmp_path / "in"), corrections=[event_correction(pu), jet_scale()]
    )
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 1e9}
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    block = filled.blocks["SR", "ht", "mc"]
    assert block.variations == (
        "nominal",
        "pileup_up",
        "pileup_down",
        "jes_total_up",
        "jes_total_down",
    )
    assert not block.sumw.any()
    assert filled.ledger.totals("mc__nominal").sum_weights == pytest.approx(WEIGHTS.sum())


def test_a_baseline_that_nothing_passes_is_no_error(tmp_path, pu):
    config = tiny_config(
        tmp_path, toy_inputs(tmp_path / "in"), corrections=[event_correction(pu), jet_scale()]
    )
    config["baseline_selection"] = {"function": lambda muons: ak.num(muons) > 99, "use": ["Muon"]}
    filled = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    assert not filled.blocks["CR", "muon_pt", "mc"].sumw.any()
    assert filled.cutflows["SR", "mc__nominal"].counts.tolist()[1:] == [0, 0, 0]


# -- functions that do not do what they should -------------------------------------------


CUT = ("channels", 0, "selection", "cuts", 0)
SELECTION = ("channels", 1, "selection")
OBSERVABLE = ("channels", 0, "observables", 0)
MASK = ("good_object_masks", "analysis", 0)
GHOST = ("ghost_observables", 0)


@pytest.mark.parametrize(
    ("place", "function", "error", "message"),
    [
        (CUT, lambda j: ak.num(j)[1:] > 1, MaskError,
         r"channels\[0\] \(SR\)\.selection\.cuts\[0\]: returned a mask of"),
        (SELECTION, lambda _: None, MaskError,
         r"channels\[1\] \(CR\)\.selection: returned None"),
        (OBSERVABLE, lambda m: ak.firsts(m.pt)[:-1], UserFunctionError,
         r"observables \(muon_pt\): gave \d+ values for \d+ events"),
        (OBSERVABLE, lambda m: ak.firsts(m.pt[m.pt > 50]), UserFunctionError,
         r"observables \(muon_pt\): \d+ of \d+ values are missing"),
        (OBSERVABLE, lambda m: 0 * ak.firsts(m.pt) + np.nan, UserFunctionError,
         r"observables \(muon_pt\): \d+ of \d+ values are not a number"),
        (OBSERVABLE, lambda _: 3.0, UserFunctionError,
         r"observables \(muon_pt\): returned 3.0, expected one number"),
        (MASK, lambda pt: pt[:, :1] > 0, MaskError,
         r"good_object_masks\.analysis\[0\] \(Muon\): its lists differ"),
        (MASK, lambda pt: ak.any(pt > 0, axis=1), MaskError,
         r"good_object_masks\.analysis\[0\] \(Muon\): expected one value for each Muon"),
        (GHOST, lambda j, m: (m, m), UserFunctionError,
         r"ghost_observables\[0\]: returned 2 columns for 1 names \(ht\)"),
        (GHOST, lambda j, m: m[:-1], UserFunctionError,
         r"ghost_observables\[0\]: 'ht' has \d+ entries for \d+ events"),
    ],
)  # fmt: skip
def test_errors_name_the_place_in_the_configuration(tmp_path, place, function, error, message):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    skims = make_skims(config)
    where = config
    for step in place:
        where = where[step]
    where["function"] = function
    analysis = Analysis(config, skims, manager_of(config))
    with pytest.raises(error, match=message):
        analysis.process(*skims["mc__nominal"][0])


def test_one_object_an_event_cannot_be_masked(tmp_path):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    skims = make_skims(config)
    config["good_object_masks"]["analysis"].append(
        {"object": "MET", "function": lambda pt: pt > 0, "use": [("MET", "pt")]}
    )
    analysis = Analysis(config, skims, manager_of(config))
    with pytest.raises(MaskError, match=r"\(MET\): MET is one for each event"):
        analysis.process(*skims["mc__nominal"][0])


def test_a_dataset_that_the_configuration_does_not_know_is_an_error(tmp_path):
    analysis = build(tmp_path)
    events, metadata = analysis.processed_datasets["data"][0]
    with pytest.raises(InputError, match=r"no dataset 'dat'\. Did you mean 'data'"):
        analysis.process_chunk(events, {**metadata, "dataset": "dat"})


def test_ghost_observables_go_where_they_are_told(tmp_path):
    seen = {}
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    config["ghost_observables"] = [
        {"names": ["n", "twice", "top"], "collections": ["Jet", "sums", "event"],
         "function": lambda jets: (jets.pt * 0, ak.num(jets) * 2, ak.num(jets)), "use": ["Jet"]},
        {"names": ["ht"], "collections": "sums", "function": lambda top: top + 1.0,
         "use": [("event", "top")]},
    ]  # fmt: skip

    class Looking(Analysis):
        def select_channel(self, events, channel):
            seen["events"] = events
            return super().select_channel(events, channel)

    skims = make_skims(config)
    Looking(config, skims, manager_of(config)).process(*skims["data"][0])
    events = seen["events"]
    assert {"n", "pt"} <= set(events.Jet.fields)
    assert events.sums.fields == ["twice", "ht"]
    assert ak.all(events.top * 2 == events.sums.twice)
    assert ak.all(events.sums.ht == events.top + 1)
