"""Energies of real jets are those of direct calls of correctionlib, and of coffea."""

from __future__ import annotations

import sys
import warnings

import awkward as ak
import numpy as np
import pytest

from hepflow.corrections import cms, with_file_index
from hepflow.corrections.random import random_normal
from hepflow.records import NOMINAL, Variation
from hepflow.schema import Correction
from tests.builders import make_dataset, mask_object
from tests.unit.corrections.real import (
    FILES,
    JET_FILES,
    corrected,
    corrections_of,
    jets_of,
    real_events,
    values_of,
)

JERC = "Summer19UL18_V5_MC"


def scaled_by_hand(theirs, event, jet, rho, tag=JERC):
    """Pt of a jet by direct calls, level by level."""
    pt = np.float64(np.float32(jet["pt"] * np.float32(1 - jet["rawFactor"])))
    for level, inputs in {
        "L1FastJet": (jet["area"], jet["eta"], None, event[rho]),
        "L2Relative": (jet["eta"], None),
        "L3Absolute": (jet["eta"], None),
        "L2L3Residual": (jet["eta"], None),
    }.items():
        given = [float(pt) if one is None else float(one) for one in inputs]
        pt *= theirs[f"{tag}_{level}_AK4PFchs"].evaluate(*given)
    return pt


def sorted_falling(events, pt):
    """Pt of all jets of the events, each event's sorted as a corrected collection is."""
    rows = ak.unflatten(np.asarray(pt), ak.num(events.Jet.pt))
    return ak.flatten(ak.sort(rows, ascending=False)).tolist()


@pytest.mark.parametrize("name", JET_FILES)
def test_the_energy_scale_from_the_raw_pt_is_that_of_direct_calls(name):
    path, theirs = corrections_of("2018", "jet_jerc")
    events, jets = real_events(name), FILES[name][0]
    rho = jets.rho if jets.rho[0] != "event" else jets.rho[1]
    entry = cms.jet_energy_scale(path, "2018", jets=jets)
    inside = abs(events.Jet.eta) < 5.19
    inner = mask_object(events, "Jet", inside)
    exact = Correction(**{**entry, "out_of_range": "error"})
    found = corrected(inner, [exact], NOMINAL)
    expected = [scaled_by_hand(theirs, inner[i], jet, rho) for i, jet in jets_of(inner)]
    assert len(expected) > 100
    assert ak.flatten(found.Jet.pt) == pytest.approx(sorted_falling(inner, expected), rel=3e-7)


def test_the_residuals_of_data_act_on_the_data_of_their_era():
    path, theirs = corrections_of("2018", "jet_jerc")
    events = real_events("nano_dimuon.root", data=True)
    entry = Correction(**cms.jet_energy_scale(path, "2018", run="A", applies_to=["data_A"]))
    data = {"process": "data", "is_data": True}
    found = corrected(events, [entry], NOMINAL, make_dataset("data_A", **data))
    tag = "Summer19UL18_RunA_V5_DATA"
    expected = [scaled_by_hand(theirs, events[i], jet, cms.AK4.rho[1], tag)
                for i, jet in jets_of(events)]  # fmt: skip
    assert ak.flatten(found.Jet.pt) == pytest.approx(sorted_falling(events, expected), rel=3e-7)
    other = corrected(events, [entry], NOMINAL, make_dataset("data_B", **data))
    assert other.Jet.pt.tolist() == events.Jet.pt.tolist()
    smeared = Correction(**cms.jet_energy_resolution(path, "2018"))
    dataset = make_dataset("data_A", **data)
    assert corrected(events, [smeared], NOMINAL, dataset).Jet.pt.tolist() == (
        events.Jet.pt.tolist())  # fmt: skip


@pytest.mark.parametrize("name", JET_FILES)
def test_each_uncertainty_is_a_relative_change_of_the_corrected_pt(name):
    path, theirs = corrections_of("2018", "jet_jerc")
    for sources in ("regrouped", "full"):
        entry = cms.jet_energy_uncertainties(path, "2018", sources=sources)
        events = mask_object(real_events(name), "Jet", real_events(name).Jet.pt > 9.0)
        for one in entry["uncertainty_sources"]:
            size = np.array([theirs[one["key"]].evaluate(jet["eta"], jet["pt"])
                             for _, jet in jets_of(events)])  # fmt: skip
            up = ak.flatten(values_of(entry, events, one["name"], "up"))
            down = ak.flatten(values_of(entry, events, one["name"], "down"))
            assert up.tolist() == (1.0 + size).tolist()
            assert down.tolist() == (1.0 - size).tolist()
            assert len(size) > 100


def coffea_jets(path, events, rho, **parts):
    """Jets as coffea's factory corrects them."""
    from coffea.jetmet_tools import CorrectedJetsFactory
    from coffea.jetmet_tools.correctionlib_adapters import CorrectionLibJECStack

    corrections = CorrectionLibJECStack.from_file(
        path, "Summer19UL18_V5", "MC", "AK4PFchs", **parts
    )
    jets = events.Jet
    raw = 1 - jets.rawFactor
    index = ak.mask(jets.genJetIdx, (jets.genJetIdx >= 0)
                    & (jets.genJetIdx < ak.num(events.GenJet)))  # fmt: skip
    generated = events.GenJet[index]
    turn = (generated.phi - jets.phi + np.pi) % (2 * np.pi) - np.pi
    near = np.hypot(generated.eta - jets.eta, turn) < 0.2
    fields = {
        **{field: jets[field] for field in ("pt", "eta", "phi", "mass", "area")},
        "pt_raw": jets.pt * raw,
        "mass_raw": jets.mass * raw,
        "pt_gen": ak.values_astype(ak.fill_none(ak.where(near, generated.pt, 0), 0), np.float32),
        "rho": ak.broadcast_arrays(rho, jets.pt)[0],
    }
    names = {"JetPt": "pt", "JetMass": "mass", "JetEta": "eta", "JetA": "area", "Rho": "rho",
             "ptRaw": "pt_raw", "massRaw": "mass_raw", "ptGenJet": "pt_gen"}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CorrectedJetsFactory(names, corrections).build(ak.zip(fields))


@pytest.mark.parametrize("name", JET_FILES)
def test_scale_and_uncertainties_are_those_of_coffea(name):
    path, _ = corrections_of("2018", "jet_jerc")
    events, jets = real_events(name), FILES[name][0]
    rho = events[jets.rho[1]] if jets.rho[0] == "event" else events[jets.rho[0]][jets.rho[1]]
    sources = ["Regrouped_Absolute", "Regrouped_HF_2018"]
    theirs = coffea_jets(path, events, rho, unc_sources=sources)
    scale = Correction(**cms.jet_energy_scale(path, "2018", jets=jets))
    unsure = Correction(**cms.jet_energy_uncertainties(path, "2018", jets=jets, sources=sources))
    for source in (None, *sources):
        for side in ("up", "down"):
            short = f"jes_{str(source).removeprefix('Regrouped_')}"
            variation = NOMINAL if source is None else Variation(short, side, "object")
            found = corrected(events, [scale, unsure], variation).Jet
            other = theirs if source is None else theirs[f"JES_{source}"][side]
            order = ak.argsort(other.pt, ascending=False)
            for field in ("pt", "mass"):
                assert ak.flatten(found[field]) == pytest.approx(
                    ak.to_numpy(ak.flatten(other[order][field])), rel=1e-6, abs=1e-6
                )


@pytest.mark.parametrize("name", JET_FILES)
def test_smearing_is_that_of_coffea_with_random_numbers_of_our_own(name, monkeypatch):
    path, _ = corrections_of("2018", "jet_jerc")
    events, jets = real_events(name), FILES[name][0]
    inner = mask_object(events, "Jet", abs(events.Jet.eta) < 4.7)
    rho = inner[jets.rho[1]] if jets.rho[0] == "event" else inner[jets.rho[0]][jets.rho[1]]
    indexed = with_file_index(inner, {"Jet"})
    normal = ak.flatten(random_normal(indexed, "Jet", "jer", "here"))
    factory = sys.modules["coffea.jetmet_tools.CorrectedJetsFactory"]
    monkeypatch.setattr(factory, "rand_gauss", lambda _: ak.Array(normal))
    theirs = coffea_jets(path, inner, rho, jer_tag="Summer19UL18_JRV2")
    entries = [cms.jet_energy_scale(path, "2018", jets=jets),
               cms.jet_energy_resolution(path, "2018", jets=jets)]  # fmt: skip
    both = [Correction(**one) for one in entries]
    for side in ("", "up", "down"):
        variation = Variation("jer", side, "object") if side else NOMINAL
        found = corrected(inner, both, variation).Jet.pt
        other = theirs.JER[side].pt if side else theirs.pt
        expected = ak.flatten(ak.sort(other, ascending=False))
        assert ak.flatten(found) == pytest.approx(ak.to_numpy(expected), rel=2e-5, abs=1e-4)
