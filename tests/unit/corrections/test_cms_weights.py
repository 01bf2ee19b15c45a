"""Weights of CMS on real events are those of direct calls of correctionlib."""

from __future__ import annotations

import itertools

import awkward as ak
import numpy as np
import pytest

from hepflow.corrections import cms, per_event
from hepflow.errors import CorrectionError, InputError
from tests.builders import binning, category, correction_node, mask_object, write_corrections
from tests.unit.corrections.real import (
    FILES,
    JET_FILES,
    MUON_KEYS,
    corrections_of,
    jets_of,
    real_events,
    values_of,
)

SIDES = (("nominal", None, ""), ("up", "up", "systup"), ("down", "down", "systdown"))


# -- weights -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_pile_up_weights_are_those_of_the_file(name):
    year, events = FILES[name][1], real_events(name)
    path, theirs = corrections_of(year, "puWeights")
    (key,) = theirs
    entry = cms.pile_up(path, year)
    for in_file, direction, _ in SIDES:
        found = values_of(entry, events, direction and "pileup", direction)
        expected = [theirs[key].evaluate(float(n), in_file) for n in events.Pileup.nTrueInt]
        assert found.tolist() == expected
        assert len(expected) == len(events)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("key", MUON_KEYS)
def test_muon_weights_are_the_product_of_those_of_the_file(name, key):
    year, events = FILES[name][1], real_events(name)
    path, theirs = corrections_of(year, "muon_Z")
    entry = cms.muon_scale_factor(path, key, name="muon")
    inside = (events.Muon.pt > 15.0) & (abs(events.Muon.eta) < 2.4)
    good = mask_object(events, "Muon", inside)
    for _, direction, in_file in SIDES:
        found = per_event(values_of(entry, good, direction and "muon", direction), len(good),
                          "prod", "here")  # fmt: skip
        expected = np.ones(len(good))
        for i, event in enumerate(good):
            for eta, pt in zip(event.Muon.eta.tolist(), event.Muon.pt.tolist(), strict=True):
                expected[i] *= theirs[key].evaluate(eta, pt, in_file or "nominal")
        assert found == pytest.approx(expected, rel=1e-15)
        assert (expected != 1.0).any()
    if ak.any(~inside):
        with pytest.raises(CorrectionError, match=key):
            values_of(entry, events)
        outside = ak.flatten(values_of({**entry, "out_of_range": "one"}, events)[~inside])
        assert set(outside) == {1.0}


def test_files_of_the_first_form_and_of_electrons_have_inputs_between(tmp_path):
    content = category("ValType", {"sf": 0.9, "systup": 1.0, "systdown": 0.8})
    eta = binning("abseta", [0, 2.4], [content], "error")
    muon = {"year": "string", "abseta": "real", "pt": "real", "ValType": "string"}
    sides = {"sf": category("WorkingPoint", {"Tight": binning("eta", [-1, 0, 1], [2, 3], "error")})}
    electron = {"year": "string", "ValType": "string", "WorkingPoint": "string", "eta": "real",
                "pt": "real"}  # fmt: skip
    path = write_corrections(
        tmp_path / "leptons.json",
        correction_node("NUM", muon, category("year", {"2018_UL": eta})),
        correction_node("UL-Electron-ID-SF", electron,
                        category("year", {"2018": category("ValType", sides)})),
    )  # fmt: skip
    muons = ak.Array({"Muon": ak.zip({"eta": [[-2.0], []], "pt": [[30.0], []]})})
    entry = cms.muon_scale_factor(path, "NUM", name="muon", sides=("sf", "systup", "systdown"),
                                  before=("2018_UL",), absolute_eta=True)  # fmt: skip
    assert values_of(entry, muons, "muon", "down").tolist() == [[0.8], []]
    electrons = {"eta": [[0.1, 0.1]], "deltaEtaSC": [[0.2, -0.3]], "pt": [[30.0, 30.0]]}
    events = ak.Array({"Electron": ak.zip(electrons)})
    entry = cms.electron_scale_factor(path, "Tight", name="electron", year="2018")
    assert values_of(entry, events).tolist() == [[3.0, 2.0]]
    entry = cms.electron_scale_factor(path, "Tight", name="electron", year="2023", phi=True)
    assert entry["args"][-1] == ("Electron", "phi")


def tagged_jets(name):
    events = real_events(name)
    jets = events.Jet
    inside = (jets.pt > 20.0) & (abs(jets.eta) < 2.5)
    return mask_object(events, "Jet", inside & (jets.btagDeepFlavB >= 0.0))


@pytest.mark.parametrize("name", JET_FILES)
def test_btag_weights_are_those_of_the_file_for_the_flavours_of_each_source(name):
    path, theirs = corrections_of("2018", "btagging")
    events, shape = tagged_jets(name), theirs["deepJet_shape"]
    entry = cms.btag_shape(path, "2018", jet_sources="regrouped")
    cases = {None: ("central", {0, 4, 5})}
    for one, direction in itertools.product(entry["uncertainty_sources"], (0, 1)):
        flavours = {4} if "cferr" in one["name"] else {0, 5}
        side = ("up", "down")[direction]
        cases[one["name"], side] = (one["up_and_down_idx"][direction], flavours)
    assert len(cases) == 1 + 2 * (8 + 11)
    for case, (in_file, flavours) in cases.items():
        found = ak.flatten(values_of(entry, events, *(case or ())))
        expected = [
            shape.evaluate(in_file if jet["hadronFlavour"] in flavours else "central",
                           jet["hadronFlavour"], abs(jet["eta"]), jet["pt"], jet["btagDeepFlavB"])
            for _, jet in jets_of(events)
        ]  # fmt: skip
        assert found.tolist() == expected


def test_btag_sources_are_linked_to_those_of_the_jets():
    for sources, n in (("total", 1), ("regrouped", 11), ("full", 27), (["Regrouped_HF"], 1)):
        jets = cms.jet_energy_uncertainties("j.json", "2018", sources=sources)
        names = [one["name"] for one in jets["uncertainty_sources"]]
        tag = cms.btag_shape("b.json", "2018", jet_sources=sources)
        linked = [one for one in tag["uncertainty_sources"] if "varies_with" in one]
        assert [one["varies_with"] for one in linked] == names
        assert len(set(names)) == n
    alone = cms.btag_shape("b.json")["uncertainty_sources"]
    years = {one["name"] for one in alone if one.get("correlation") == "uncorrelated"}
    assert years == {"btag_hfstats1", "btag_hfstats2", "btag_lfstats1", "btag_lfstats2"}


def test_the_names_of_a_year_or_set_that_is_not_known_are_asked_for():
    with pytest.raises(InputError, match=r"of the year '2035' are not known"):
        cms.pile_up("pu.json", "2035")
    assert cms.pile_up("pu.json", key="mine")["key"] == "mine"
    with pytest.raises(InputError, match=r"sources 'regroup'\. Did you mean 'regrouped'\?"):
        cms.jet_sources_of("regroup", "2018")
    run = cms.jet_energy_scale("j.json", "2016postVFP", run="FGH", applies_to=["data_FGH"])
    assert run["key"] == "Summer19UL16_RunFGH_V7_DATA_L1L2L3Res_AK4PFchs"
