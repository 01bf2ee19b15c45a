"""N-1 histograms against plain masks, their laws, and what they refuse."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis, stack
from hepflow.analysis.event_loop import EventLoop
from hepflow.analysis.filling_keys import filling_keys, prepared_key
from hepflow.errors import CorrectionError, MaskError, UserFunctionError
from hepflow.functors import Passed
from hepflow.records.histograms import merge_raw
from tests.builders import (
    event_correction,
    itself,
    jet_scale,
    leading_pt,
    make_skims,
    manager_of,
    observable,
    scale_node,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_corrections,
)
from tests.fields.corrections import by_function
from tests.fields.project import fill, of_x
from tests.unit.theory.weighted import entry, lists, project, tilted

MC = toy_columns(250)
DATA = toy_columns(120, 2, data=True)
WEIGHTS = MC["genWeight"].astype(np.float64)
SCALE = 10.0 * 100.0 / WEIGHTS.sum()
MET = {"function": itself, "use": [("MET", "pt")]}
EDGES = "0,200,8"


def number(objects):
    return ak.num(objects, axis=1)


def some_met(met):
    return met > 40.0


def two_jets(pt):
    return ak.sum(pt > 35.0, axis=1) >= 2


def has_muon(muons):
    return ak.num(muons, axis=1) >= 1


def packed(met, jets):
    from coffea.analysis_tools import PackedSelection

    selection = PackedSelection()
    selection.add("met", some_met(met))
    selection.add("jets", two_jets(jets.pt))
    selection.add("both", selection.all("met", "jets"))
    return selection


CUTS = [
    {"name": "met", "function": some_met, "use": [("MET", "pt")]},
    {"name": "jets", "function": two_jets, "use": [("Jet", "pt")]},
]
WANTED = [
    {"cut": "met", **MET, "binning": EDGES, "variations": True},
    {"cut": "jets", "name": "of_jets", "function": itself, "use": [("Jet", "pt")],
     "binning": "0,150,6", "variations": True},
]  # fmt: skip
MUON = {"cut": "muon", "function": number, "use": ["Muon"], "binning": "0,4,4", "variations": True}
BASELINE = {
    "cuts": [{"name": "muon", "function": has_muon, "use": ["Muon"]}],
    "n_minus_1": [MUON],
}


def config_of(folder, selection=None, **sections):
    """One channel with two cuts and their histograms; pile-up and jets are varied."""
    content = {"nominal": [0.9, 1.1], "up": [1.0, 1.3], "down": [0.7, 1.0]}
    node = scale_node("pu", "nTrueInt", [0.0, 30.0, 60.0], content, "error")
    file = write_corrections(folder / "pu.json", node)
    cut = observable("met", EDGES, itself, [("MET", "pt")])
    muons = observable("muons", "0,4,4", number, ["Muon"])
    channel = {
        "name": "SR",
        "selection": selection or {"cuts": CUTS, "n_minus_1": WANTED},
        "observables": [cut, muons],
        "fit_observable": "met",
        "cutflow_variations": True,
    }
    plain = {
        "corrections": [event_correction(file), jet_scale(propagate_to_met="MET")],
        "baseline_selection": BASELINE,
        "channels": [channel],
    }
    return tiny_config(folder, toy_inputs(folder / "in"), **{**plain, **sections})


def build(config, kind=Analysis):
    return kind(config, make_skims(config), manager_of(config))


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    return build(config_of(tmp_path_factory.mktemp("n_minus_1")))


@pytest.fixture(scope="module")
def filled(analysis):
    return analysis.fill_histograms()


def masks(columns):
    """Skim, muon, missing momentum and jets, of nominal."""
    skim = columns["HLT_Mu50"] & (columns["MET_pt"] > 10.0)
    muon = np.asarray(ak.sum(columns["Muon_pt"] > 30.0, axis=1) >= 1)
    jets = np.asarray(ak.sum(columns["Jet_pt"] > 35.0, axis=1) >= 2)
    return skim, muon, columns["MET_pt"] > 40.0, jets


@pytest.mark.parametrize(("process", "columns", "scale"), [("mc", MC, SCALE), ("data", DATA, 1.0)])
def test_all_cuts_but_one_as_counted_by_plain_masks(filled, process, columns, scale):
    skim, muon, met, jets = masks(columns)
    weights = np.ones(len(skim))
    if process == "mc":
        weights = WEIGHTS * np.where(MC["Pileup_nTrueInt"] < 30.0, 0.9, 1.1)
    muons = np.asarray(ak.sum(columns["Muon_pt"] > 30.0, axis=1))

    def of(name, values, events, edges):
        found = filled.template("SR", name, process)
        inside = [-np.inf, *edges, np.inf]
        expected, _ = np.histogram(values[events], inside, weights=weights[events])
        squares, _ = np.histogram(values[events], inside, weights=weights[events] ** 2)
        assert found.sumw == pytest.approx(expected * scale, abs=1e-9)
        assert found.sumw2 == pytest.approx(squares * scale**2, abs=1e-9)

    assert (skim & muon & jets & ~met).sum() > 3
    assert (skim & ~muon & met & jets).sum() > 3
    of("n_minus_1_met", columns["MET_pt"], skim & muon & jets, np.linspace(0, 200, 9))
    of("n_minus_1_muon", muons, skim & met & jets, np.arange(5))
    found = filled.template("SR", "n_minus_1_of_jets", process).sumw.sum() / scale
    per_event = np.asarray(ak.num(columns["Jet_pt"], axis=1))
    assert found == pytest.approx((per_event * weights)[skim & muon & met].sum())


@pytest.mark.parametrize("process", ["mc", "data"])
def test_beyond_the_cut_it_is_the_histogram_of_the_channel(filled, process):
    for name, whole, bins in (("n_minus_1_met", "met", 3), ("n_minus_1_muon", "muons", 2)):
        left = filled.blocks["SR", name, process]
        right = filled.blocks["SR", whole, process]
        assert left.variations == right.variations
        # The cuts are at an edge of nominal; corrected jets move the missing momentum as well.
        assert np.array_equal(left.sumw[:, bins:], right.sumw[:, bins:])
        assert np.array_equal(left.sumw2[:, bins:], right.sumw2[:, bins:])
        assert not right.sumw[:, 1 : bins - 1].any()
        assert (left.sumw[:, 1:bins] != right.sumw[:, 1:bins]).any()


def test_the_last_step_is_the_sum_of_the_histogram_in_every_variation(filled):
    assert len(filled.variations("SR", "met")) == 5
    flow = filled.cutflows["SR", "mc__nominal"]
    assert list(flow.varied) == list(filled.variations("SR", "met")[1:])
    for name in filled.variations("SR", "met"):
        template = filled.template("SR", "met", "mc", name)
        assert flow.of(name).sumw[-1] == pytest.approx(template.sumw.sum(), rel=1e-12)
        assert flow.of(name).sumw2[-1] == pytest.approx(template.sumw2.sum(), rel=1e-12)
    counts = {name: flow.of(name).counts.tolist() for name in filled.variations("SR", "met")}
    assert counts["pileup_up"] == counts["nominal"]
    assert counts["jes_total_up"] != counts["nominal"]
    assert filled.cutflows["SR", "data"].varied == {}


def test_the_cutflow_of_a_variation_is_that_of_varied_events(filled):
    skim, muon, *_ = masks(MC)
    varied = {"up": 1.03, "down": 0.97}
    for direction, factor in varied.items():
        flow = filled.cutflows["SR", "mc__nominal"].of(f"jes_total_{direction}")
        assert flow.names == ("skimmed", "muon", "met", "jets", "corrected")
        px = MC["MET_pt"] * np.cos(MC["MET_phi"])
        py = MC["MET_pt"] * np.sin(MC["MET_phi"])
        shift = MC["Jet_pt"] * (factor - 1.0)
        px = px - ak.sum(shift * np.cos(MC["Jet_phi"]), axis=1)
        py = py - ak.sum(shift * np.sin(MC["Jet_phi"]), axis=1)
        met = np.hypot(np.asarray(px), np.asarray(py)) > 40.0
        jets = np.asarray(ak.sum(MC["Jet_pt"] * factor > 35.0, axis=1) >= 2)
        steps = [skim, skim & muon, skim & muon & met, skim & muon & met & jets]
        steps.append(steps[-1])
        assert flow.counts.tolist() == [int(one.sum()) for one in steps]
        expected = [WEIGHTS[one].sum() * SCALE for one in steps[:-1]]
        assert flow.sumw[:-1] == pytest.approx(expected)


def assert_same(found, expected, tolerance):
    assert found.blocks.keys() == expected.blocks.keys()
    for key, block in expected.blocks.items():
        assert found.blocks[key].variations == block.variations
        assert np.abs(found.blocks[key].sumw - block.sumw).max() <= tolerance
        assert np.abs(found.blocks[key].sumw2 - block.sumw2).max() <= tolerance
    assert found.cutflows.keys() == expected.cutflows.keys()
    for key, flow in expected.cutflows.items():
        assert found.cutflows[key].varied.keys() == flow.varied.keys()
        for name in ("nominal", *flow.varied):
            one, other = found.cutflows[key].of(name), flow.of(name)
            assert one.counts.tolist() == other.counts.tolist()
            assert np.abs(one.sumw - other.sumw).max() <= tolerance


def one_by_one(analysis):
    """Each part by itself, in the order of the work items."""
    worker = analysis.on_worker()
    return [worker.process_chunk(*pair) for skim in analysis.processed_datasets.values()
            for pair in skim]  # fmt: skip


@pytest.mark.parametrize("order", [1, -1])
def test_parts_in_any_order_give_the_same(analysis, filled, order):
    del filled
    found = merge_raw(one_by_one(analysis)[::order], analysis.spec.axes())
    assert_same(found, analysis.raw, 1e-10)


@pytest.mark.parametrize("limit", [1, 150])
def test_blocks_of_variations_give_the_same(analysis, monkeypatch, limit):
    pair = analysis.processed_datasets["mc__nominal"][0]
    whole = analysis.on_worker().process_chunk(*pair)
    monkeypatch.setattr(stack, "STACK_EVENTS", limit)
    assert_same(analysis.on_worker().process_chunk(*pair), whole, 1e-10)


def test_nominal_alone_where_variations_are_not_wanted(tmp_path, monkeypatch):
    wanted = [{**one, "variations": False} for one in WANTED]
    config = config_of(
        tmp_path, {"cuts": CUTS, "n_minus_1": wanted},
        baseline_selection={**BASELINE, "n_minus_1": [{**MUON, "variations": False}]},
    )  # fmt: skip
    plain = build(config)
    found = plain.fill_histograms()
    monkeypatch.setattr(stack, "STACK_EVENTS", 1)
    pair = plain.processed_datasets["mc__nominal"][0]
    in_blocks = plain.on_worker().process_chunk(*pair)
    for name in ("n_minus_1_met", "n_minus_1_of_jets", "n_minus_1_muon"):
        assert found.variations("SR", name) == ("nominal",)
        assert in_blocks.blocks["SR", name, "mc__nominal"].variations == ("nominal",)
        assert found.template("SR", name, "mc").sumw.any()


def test_a_packed_selection_gives_the_same(tmp_path, filled):
    use = [("MET", "pt"), "Jet"]
    config = config_of(tmp_path, {"function": packed, "use": use, "n_minus_1": WANTED})
    found = build(config).fill_histograms()
    for name in ("n_minus_1_met", "n_minus_1_of_jets", "n_minus_1_muon"):
        mine, other = found.blocks["SR", name, "mc"], filled.blocks["SR", name, "mc"]
        assert np.array_equal(mine.sumw, other.sumw)


def test_events_that_all_fail_leave_empty_histograms(tmp_path, filled):
    config = config_of(tmp_path)
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 1e9}
    found = build(config).fill_histograms()
    for key, block in found.blocks.items():
        assert block.variations == filled.blocks[key].variations
        assert not block.sumw.any()


def test_only_certified_data_is_near_the_baseline(tmp_path):
    (tmp_path / "golden.json").write_text('{"273158": [[10, 30]]}')
    config = config_of(tmp_path, general={"lumifile": str(tmp_path / "golden.json")})
    found = build(config).fill_histograms().template("SR", "n_minus_1_muon", "data")
    skim, _, met, jets = masks(DATA)
    good = (DATA["luminosityBlock"] >= 10) & (DATA["luminosityBlock"] <= 30)
    assert 0 < found.sumw.sum() == (skim & met & jets & good).sum() < (skim & met & jets).sum()


# -- blinding ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "blind",
    [["CR"], ["SR"], True, [{"channel": "SR", "observable": "met", "range": (0.0, 100.0)}],
     [{"channel": "CR", "observable": "met", "range": (0.0, 100.0)}]],
)  # fmt: skip
def test_while_anything_is_blind_no_data_is_in_them(tmp_path, blind):
    config = config_of(tmp_path, general={"blind": blind})
    (channel,) = config["channels"]
    config["channels"] = [channel, {**channel, "name": "CR", "kind": "control"}]
    found = build(config).fill_histograms()
    for region in ("SR", "CR"):
        for name in ("n_minus_1_met", "n_minus_1_of_jets", "n_minus_1_muon"):
            assert found.processes(region, name) == ("mc",)
    seen = {key[0] for key, flow in found.cutflows.items() if key[1] == "data"}
    assert all(len(found.cutflows[region, "data"].names) == 1 for region in seen)


# -- what is refused ---------------------------------------------------------------------


def raising(config, kind=Analysis):
    """Error of the first part, with its notes."""
    analysis = build(config, kind).on_worker()
    pair = build(config).processed_datasets["mc__nominal"][0]
    with pytest.raises((MaskError, UserFunctionError, CorrectionError)) as error:
        analysis.process_chunk(*pair)
    return "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])


def test_a_requirement_that_a_selection_does_not_have(tmp_path):
    use = [("MET", "pt"), "Jet"]
    wanted = [{**WANTED[0], "cut": "mett"}]
    config = config_of(tmp_path, {"function": packed, "use": use, "n_minus_1": wanted})
    text = raising(config)
    assert "channel 'SR'" in text
    assert "there is no requirement 'mett' to leave out. Did you mean 'met'?" in text


def test_a_last_name_that_requires_more_than_the_others(tmp_path):
    def more(met, jets):
        selection = packed(met, jets)
        selection.add("region", selection.all("both") & (met < 100.0))
        return selection

    use = [("MET", "pt"), "Jet"]
    config = config_of(tmp_path, {"function": more, "use": use, "n_minus_1": WANTED[:1]})
    assert "its last name is not just all others together (met, jets, both)" in raising(config)


class TellsTooLittle(Analysis):
    def select_channel(self, events, channel):
        passed = super().select_channel(events, channel)
        return Passed(passed.mask, passed.steps)


def test_a_step_that_does_not_tell_its_requirements(tmp_path):
    text = raising(config_of(tmp_path), TellsTooLittle)
    assert "returned a Passed without `alone`" in text


def test_a_function_that_does_not_take_events_without_a_muon(tmp_path):
    ghost = {"names": ["first"], "collections": "Muon1", "function": lambda pt: pt[:, 0],
             "use": [("Muon", "pt")]}  # fmt: skip
    config = config_of(tmp_path, ghost_observables=[ghost])
    text = raising(config)
    assert "ghost_observables[0]" in text
    assert "events that fail one cut of a channel or of the baseline" in text
    assert "ak.fill_none" in text
    config["baseline_selection"] = {"cuts": BASELINE["cuts"]}
    build(config).fill_histograms()  # events with a muon only


def test_a_value_that_is_missing_where_the_cut_fails(tmp_path):
    wanted = {**MUON, "function": lambda muons: ak.firsts(muons.pt), "binning": "0,200,4"}
    config = config_of(tmp_path, baseline_selection={**BASELINE, "n_minus_1": [wanted]})
    text = raising(config)
    assert "baseline_selection.n_minus_1[0]" in text
    assert "values are missing" in text
    assert "events that fail one cut of channel 'SR'" in text
    config["baseline_selection"] = {
        **BASELINE, "n_minus_1": [{**wanted, "function": leading_pt}],
    }  # fmt: skip
    build(config).fill_histograms()


def test_a_correction_outside_its_domain_where_the_cut_fails(tmp_path):
    content = {"nominal": [1.0], "up": [1.1], "down": [0.9]}
    node = scale_node("pu", "met", [40.0, 1e9], content, "error")
    file = write_corrections(tmp_path / "met.json", node)
    correction = event_correction(file, name="trigger", use=[("MET", "pt")])
    config = config_of(tmp_path, corrections=[correction])
    text = raising(config)
    assert "trigger" in text
    assert "a correction may need out_of_range" in text
    config["channels"][0]["selection"] = {"cuts": CUTS}
    build(config).fill_histograms()


# -- keys --------------------------------------------------------------------------------


def test_what_is_filled_again_after_a_change(tmp_path):
    def keys(baseline=None, varied=True, **change):
        config = config_of(
            tmp_path,
            {"cuts": CUTS, "n_minus_1": [{**WANTED[0], **change}]},
            baseline_selection={**BASELINE, "n_minus_1": baseline or [MUON]},
        )
        (channel,) = config["channels"]
        channel["cutflow_variations"] = varied
        config["channels"] = [channel, {**channel, "name": "CR", "cutflow_variations": False,
                                        "selection": None}]  # fmt: skip
        analysis = Analysis(config, {}, manager_of(config))
        found = {name: key.digest for name, key in filling_keys(analysis, ()).items()}
        return found, prepared_key(analysis).digest

    first, prepared = keys()
    assert keys(thresholds=[40.0], label="MET [GeV]") == (first, prepared)
    changes = ({"binning": "0,100,8"}, {"variations": False}, {"name": "other"}, {"cut": "jets"},
               {"use": [("MET", "phi")]}, {"function": number})  # fmt: skip
    for change in changes:
        again, same = keys(**change)
        assert again["SR"] != first["SR"]
        assert (again["CR"], same) == (first["CR"], prepared)
    again, other = keys(varied=False)
    assert again["SR"] != first["SR"]
    assert again["CR"] == first["CR"]
    nominal = [{**MUON, "variations": False}]
    first, prepared = keys(nominal, varied=False, variations=False)
    for change in ({"varied": True, "variations": False}, {"varied": False, "variations": True}):
        again, other = keys(nominal, **change)
        assert again["SR"] != first["SR"]
        assert again["CR"] == first["CR"]
        assert other != prepared  # variations take all steps then
    again, other = keys([{**nominal[0], "binning": "0,8,4"}], varied=False, variations=False)
    assert not set(again.values()) & set(first.values())
    assert other != prepared


def test_prepared_events_of_a_blind_analysis_are_no_others(tmp_path):
    def key(blind, **baseline):
        config = config_of(tmp_path, general={"blind": blind}, **baseline)
        return prepared_key(Analysis(config, {}, manager_of(config))).digest

    bare = {"baseline_selection": {"cuts": BASELINE["cuts"]}}
    assert key(True, **bare) == key(False, **bare)
    assert key(True) == key(["SR"])
    assert key(True) != key(False)


# -- prepared events that were kept ------------------------------------------------------


def test_events_that_were_kept_give_the_same(tmp_path, monkeypatch):
    config = config_of(tmp_path)
    (channel,) = config["channels"]
    skims = make_skims(config)
    muons = observable("muons", "0,8,8", number, ["Muon"])
    change = {"observables": [channel["observables"][0], muons]}
    changed = {**config, "channels": [{**channel, **change}]}
    Analysis(config, skims, manager_of(config)).fill_histograms()
    monkeypatch.setattr(EventLoop, "_prepare", None)  # not needed any more
    again = Analysis(changed, skims, manager_of(config))
    again.fill_histograms()
    monkeypatch.undo()
    anew = Analysis(changed, skims, manager_of(config))
    assert_same(again.raw, merge_raw(one_by_one(anew), anew.spec.axes()), 1e-10)


def test_nominal_alone_leaves_what_variations_share(tmp_path):
    wanted = [{**one, "variations": False} for one in WANTED]
    bare = {"cutflow_variations": False}

    def filled_with(selection, baseline):
        config = config_of(tmp_path, selection, baseline_selection=baseline)
        config["channels"][0] |= bare
        analysis = build(config)
        shifts = [one for one in analysis.spec.variations(analysis.spec.datasets["mc__nominal"])
                  if one.kind == "object"]  # fmt: skip
        events, _ = analysis.processed_datasets["mc__nominal"][0]
        shared = analysis._shared(events, analysis.spec.datasets["mc__nominal"])
        return analysis.fill_histograms(), shared, shifts

    plain, shared, shifts = filled_with({"cuts": CUTS}, {"cuts": BASELINE["cuts"]})
    nominal = {"cuts": CUTS, "n_minus_1": wanted}
    baseline = {**BASELINE, "n_minus_1": [{**MUON, "variations": False}]}
    found, same, _ = filled_with(nominal, baseline)
    assert shifts
    assert shared == same is not None
    assert filled_with({"cuts": CUTS, "n_minus_1": WANTED}, baseline)[1] is None
    for key, block in plain.blocks.items():
        assert np.array_equal(found.blocks[key].sumw, block.sumw)


# -- theory weights, and corrections that keep the yield ---------------------------------


def above_one(x):
    return x > 1.0


def up(x):
    return 1.0 + x


def test_members_and_kept_yields_are_as_in_the_histogram_of_the_channel(tmp_path):
    source = {"name": "hf", "up_function": up, "down_function": lambda x: 1.0 + 0.25 * x}
    tag = by_function(
        lambda x: 1.0 + 0.5 * x, uncertainty_sources=[source], keep_yield=True, name="tag"
    )
    wanted = {"cut": "x", "function": itself, "use": [("event", "x")], "binning": "0,4,4"}
    cuts = [{"name": "x", "function": above_one, "use": [("event", "x")]}]
    selection = {"cuts": cuts, "n_minus_1": [{**wanted, "variations": True}]}
    channel = {"name": "SR", "observables": [of_x()], "fit_observable": "x",
               "selection": selection, "cutflow_variations": True}  # fmt: skip
    config = project(
        tmp_path, {"Some": lists(tilted([0.5, -0.125]))}, entry(), channels=[channel],
        corrections=[tag],
    )  # fmt: skip
    found = fill(config)
    left, right = found.blocks["SR", "n_minus_1_x", "mc"], found.blocks["SR", "x", "mc"]
    assert set(left.variations) == set(right.variations) == {
        "nominal", "hf_up", "hf_down", "t_up", "t_down",
    }  # fmt: skip
    for name in right.variations:
        mine, whole = left.template(name), right.template(name)
        assert mine.values[1:] == pytest.approx(whole.values[1:])
        assert mine.values[0] > 0.0 == whole.values[0]
    first = [left.template(name).values[0] for name in left.variations]
    assert len(set(first)) == len(first)
    flow = found.cutflows["SR", "mc__nominal"]
    assert list(flow.varied) == ["hf_up", "hf_down"]
    for name in ("nominal", *flow.varied):
        total = found.template("SR", "x", "mc", name).sumw.sum()
        assert flow.of(name).sumw[-1] == pytest.approx(total)
