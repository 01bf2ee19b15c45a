"""The missing momentum of real files: what jets and unclustered energy do to it, by hand."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.analysis import Analysis, stack
from hepflow.corrections import cms
from hepflow.events import build_events
from hepflow.planning.variations import plan_variations
from hepflow.records import NOMINAL, Variation
from hepflow.schema import Config, Correction, Systematic
from hepflow.variations import correct_objects
from tests.builders import (
    itself,
    make_dataset,
    make_skims,
    manager_of,
    mask_object,
    observable,
    shared,
    tiny_config,
)
from tests.unit.corrections.real import (
    EVENT,
    FILES,
    JET,
    corrected,
    corrections_of,
    jets_of,
    real_events,
)

V12 = "nano_tt_v12.root"
OPEN_DATA = "nanoAOD_2015_CMS_Open_Data_ttbar.root"
START = "Summer19UL18_V5_MC"
DELTAS = ["MetUnclustEnUpDeltaX", "MetUnclustEnUpDeltaY"]
SIDES = [f"{one}Unclustered{side}" for side in ("Up", "Down") for one in ("pt", "phi")]


def momentum(pt, phi):
    """Its x and y, shape (2, n_events)."""
    pt, phi = (np.asarray(one, dtype=np.float64) for one in (pt, phi))
    return np.stack([pt * np.cos(phi), pt * np.sin(phi)])


# -- jets --------------------------------------------------------------------------------


def type_one_by_hand(theirs, events, source, limit):
    """Missing momentum with jets at the scale of the file, moved up by a source; jets that stay.

    Each jet above 15 GeV moves it, without its muons, unless electrons and photons have most of it.
    """
    found, stayed = momentum(events.MET.pt, events.MET.phi), 0
    for i, jet in jets_of(events):
        rho = events[i].Rho.fixedGridRhoFastjetAll
        pt = raw = np.float64(np.float32(jet["pt"] * np.float32(1 - jet["rawFactor"])))
        pt *= theirs[f"{START}_L1FastJet_AK4PFchs"].evaluate(jet["area"], jet["eta"], raw, rho)
        for level in ("L2Relative", "L3Absolute", "L2L3Residual"):
            pt *= theirs[f"{START}_{level}_AK4PFchs"].evaluate(jet["eta"], float(pt))
        steps = [(jet["pt"], np.float32(pt))]
        if source is not None:
            inside = min(max(float(np.float32(pt)), 9.0), 6000.0)
            size = theirs[f"{START}_{source}_AK4PFchs"].evaluate(jet["eta"], inside)
            steps.append((np.float32(pt), pt * (1.0 + size)))
        for before, after in steps:
            rest = 1.0 - jet["muonSubtrFactor"]
            electromagnetic = jet["neEmEF"] + jet["chEmEF"] >= limit
            stayed += electromagnetic and after * rest > 15.0
            if after * rest > 15.0 and not electromagnetic:
                change = (after - before) * rest
                found[:, i] -= change * np.array([np.cos(jet["phi"]), np.sin(jet["phi"])])
    return found, stayed


@pytest.mark.parametrize("source", [None, "Total"])
def test_the_type_one_missing_momentum_is_that_of_a_sum_by_hand(source):
    path, theirs = corrections_of("2018", "jet_jerc")
    events, jets = real_events(V12), FILES[V12][0]
    inner = mask_object(events, "Jet", abs(events.Jet.eta) < 5.19)
    entries = [
        cms.jet_energy_scale(path, "2018", jets=jets),
        cms.jet_energy_uncertainties(path, "2018", jets=jets, sources="total"),
    ]
    (name,) = [one["name"] for one in entries[1]["uncertainty_sources"]]
    variation = NOMINAL if source is None else Variation(name, "up", "object")
    met = corrected(inner, [Correction(**one) for one in entries], variation).MET
    found = momentum(met.pt, met.phi)
    expected, stayed = type_one_by_hand(theirs, inner, source, 0.9)
    assert found == pytest.approx(expected, abs=3e-4)
    assert stayed > 30
    every = [{k: v for k, v in one.items() if "met_em" not in k} for one in entries]
    other = corrected(inner, [Correction(**one) for one in every], variation).MET
    with_all = momentum(other.pt, other.phi)
    assert with_all == pytest.approx(type_one_by_hand(theirs, inner, source, 9.0)[0], abs=3e-4)
    assert np.sum(np.hypot(*(with_all - found)) > 0.05) > 20  # events that it makes a difference to


# -- unclustered energy ------------------------------------------------------------------


def real_met(name, met):
    """Events of a file with one missing momentum, jets and muons."""
    branches = {met: ("pt", "phi", *(DELTAS if met == "MET" else SIDES)), "Muon": ("pt", "eta"),
                "Jet": JET, "event": EVENT}  # fmt: skip
    with uproot.open(shared(f"nanoaod/{name}")) as file:
        tree = file["Events"]
        names = [f"{one}_{field}" if one != "event" else field
                 for one, fields in branches.items() for field in fields]  # fmt: skip
        return build_events({one: tree[one].array() for one in names}, branches, tree.num_entries)


def vector_by_hand(events, met):
    """What is added to the missing momentum when up, shape (2, n_events)."""
    one = events[met]
    if met == "MET":
        return np.stack([np.asarray(one[field], dtype=np.float64) for field in DELTAS])
    up, down = (momentum(one[f"ptUnclustered{s}"], one[f"phiUnclustered{s}"])
                for s in ("Up", "Down"))  # fmt: skip
    return (up - down) / 2.0


def shift(jets, met):
    """A correction of jets that moves the missing momentum, by 3 GeV and some of each."""
    return Correction(
        name="shift", type="object", use_correctionlib=False, use=[("Jet", "eta")],
        target=("Jet", "pt"), nominal_function=jets, propagate_to_met=met,
    )  # fmt: skip


REAL = [(name, met) for name in (V12, OPEN_DATA) for met in ("MET", "PuppiMET")]


@pytest.mark.parametrize(("name", "met"), [*REAL, ("nano_dy.root", "MET")])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_unclustered_energy_moves_the_missing_momentum_and_nothing_else(name, met, direction):
    events = real_met(name, met)
    source = Systematic(**cms.unclustered_met(met))
    variation = Variation("unclustered", direction, "object")
    found = correct_objects(events, [], [source], variation, make_dataset(), {})
    sign = 1.0 if direction == "up" else -1.0
    before = momentum(events[met].pt, events[met].phi)
    expected = before + sign * vector_by_hand(events, met)
    moved = momentum(found[met].pt, found[met].phi)
    assert moved == pytest.approx(expected, abs=2e-4)
    assert np.abs(moved - before).max() > 1.0
    if met == "PuppiMET":  # the sides of the file, as precise as they are stored
        side = direction.capitalize()
        stored = found[met][f"ptUnclustered{side}"], found[met][f"phiUnclustered{side}"]
        assert np.hypot(*(moved - momentum(*stored))).mean() < 0.05
    assert found.type == events.type
    for one in events.fields:
        for field in events[one].fields or [None]:
            if (one, field) not in {(met, "pt"), (met, "phi")}:
                pair = (of[one] if field is None else of[one][field] for of in (events, found))
                assert ak.array_equal(*pair)


@pytest.mark.parametrize("met", ["MET", "PuppiMET"])
def test_unclustered_energy_is_added_to_what_jets_have_moved(met):
    events = real_met(V12, met)
    jets = shift(lambda eta: 1.1 + 0.01 * abs(eta), met)
    source = [Systematic(**cms.unclustered_met(met, name="soft"))]
    nominal, up, down = (
        correct_objects(events, [jets], source, one, make_dataset(), {})[met]
        for one in (NOMINAL, *(Variation("soft", side, "object") for side in ("up", "down")))
    )
    middle = momentum(nominal.pt, nominal.phi)
    assert np.hypot(*(middle - momentum(events[met].pt, events[met].phi))).min() > 0.0
    vector = vector_by_hand(events, met)
    assert momentum(up.pt, up.phi) - middle == pytest.approx(vector, abs=3e-4)
    assert momentum(down.pt, down.phi) - middle == pytest.approx(-vector, abs=3e-4)


@pytest.mark.parametrize("differences", [True, False])
def test_the_entry_reads_what_the_file_has(differences):
    entry = cms.unclustered_met("PFMET", differences=differences, symmetrise=False, group="met")
    assert [field for _, field in entry["use"]] == (DELTAS if differences else SIDES)
    assert {name for name, _ in entry["use"]} == {"PFMET"}
    assert entry["group"] == "met"


def every(pt):
    """Accept all events."""
    return pt > -1.0


def hard(pt):
    """Missing momentum that some events have."""
    return pt > 40.0


def configuration(folder, met):
    """The real file with unclustered energy and a source of jets that moves the same momentum."""
    path, _ = corrections_of("2018", "jet_jerc")
    jets = cms.Jets(met=met)
    seen = [observable("met", "0,300,30", itself, [(met, "pt")]),
            observable("phi", "-3.2,3.2,16", itself, [(met, "phi")]),
            observable("jets", "0,300,6", itself, [("Jet", "pt")])]  # fmt: skip
    fields = ["pt", "phi", *(DELTAS if met == "MET" else SIDES)]
    return tiny_config(
        folder,
        [{"name": "mc", "files": [str(shared(f"nanoaod/{V12}"))], "cross_section": 1.0}],
        preprocess={
            "branches": {"event": [*EVENT], met: fields, "Jet": [*JET]},
            "mc_branches": {"event": ["genWeight"]},
            "skimming": {"function": every, "use": [(met, "pt")]},
        },
        good_object_masks={"analysis": []},
        corrections=[
            cms.jet_energy_uncertainties(path, "2018", sources=["Regrouped_Absolute"], jets=jets)
        ],
        systematics=[cms.unclustered_met(met)],
        baseline_selection={"cuts": [{"name": "met", "function": hard, "use": [(met, "pt")]}]},
        ghost_observables=[],
        channels=[{"name": "all", "observables": seen, "fit_observable": "met"}],
    )  # fmt: skip


@pytest.mark.parametrize("met", ["MET", "PuppiMET"])
def test_histograms_of_unclustered_energy_are_those_of_numpy(tmp_path, monkeypatch, met):
    config = configuration(tmp_path, met)
    analysis = Analysis(config, make_skims(config), manager_of(config))
    pair = analysis.processed_datasets["mc__nominal"][0]
    stacked = analysis.process_chunk(*pair).blocks
    monkeypatch.setattr(stack, "STACK_EVENTS", 1)
    single = analysis.process_chunk(*pair).blocks
    events = real_met(V12, met)
    with uproot.open(shared(f"nanoaod/{V12}")) as file:
        weights = file["Events"]["genWeight"].array(library="np").astype(np.float64)
    before, vector = momentum(events[met].pt, events[met].phi), vector_by_hand(events, met)
    for variation, sign in {
        "nominal": 0.0,
        "unclustered_up": 1.0,
        "unclustered_down": -1.0,
    }.items():
        x, y = before + sign * vector
        pt, phi = np.hypot(x, y), np.arctan2(y, x)
        passed = pt > 40.0
        for name, values, edges in (("met", pt, np.linspace(0, 300, 31)),
                                    ("phi", phi, np.linspace(-3.2, 3.2, 17))):  # fmt: skip
            expected, _ = np.histogram(values[passed], edges, weights=weights[passed])
            for blocks in (stacked, single):
                block = blocks["all", name, "mc__nominal"]
                assert block.template(variation).sumw[1:-1] == pytest.approx(expected, rel=1e-9)
    block = stacked["all", "met", "mc__nominal"]
    names = {"jes_Absolute_up", "jes_Absolute_down", "unclustered_up", "unclustered_down"}
    assert set(block.variations) == {"nominal", *names}
    templates = {one: tuple(block.template(one).sumw) for one in block.variations}
    assert len(set(templates.values())) == len(templates)


@pytest.mark.parametrize("met", ["MET", "PuppiMET"])
def test_the_plan_tells_what_unclustered_energy_moves(tmp_path, met):
    config = configuration(tmp_path, met)
    config["corrections"] = []
    plan = plan_variations(Config.of(config))
    (one,) = plan.sources
    assert one.touches.columns == ((met, "pt"), (met, "phi"))
    assert [step.place for step in one.touches.shared] == [("observable", "all", "jets")]
