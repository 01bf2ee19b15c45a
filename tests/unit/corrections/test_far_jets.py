"""Jets beyond the edges of the file: with the values at its edge, by direct calls for those."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
import pytest

from hepflow.corrections import cms, with_file_index
from hepflow.corrections.random import random_normal
from hepflow.errors import CorrectionError
from hepflow.records import NOMINAL, Variation
from hepflow.schema import Correction
from tests.unit.corrections.real import (
    FILES,
    JET_FILES,
    corrected,
    corrections_of,
    jets_of,
    real_events,
    values_of,
)

SCALE, RESOLUTION, SOURCES, RHO = 5.191, 4.7, 5.4, 90.0  # where the file of 2018 ends
TAG = "Summer19UL18"


def within(value, edge):
    return float(np.clip(value, -edge, np.nextafter(edge, 0.0)))


def rho_of(name):
    place = FILES[name][0].rho
    return lambda event: event[place[1]] if place[0] == "event" else event[place[0]][place[1]]


def far_events(name):
    """Real events with jets further forward than any detector, and twice the pile-up."""
    events = real_events(name)
    eta = events.Jet.eta * np.float32(1.5)
    events = ak.with_field(events, ak.with_field(events.Jet, eta, "eta"), "Jet")
    place = FILES[name][0].rho[1]
    return ak.with_field(events, events[place] * np.float32(4.0), place)


def smeared_by_hand(theirs, event, jet, rho, normal, side="nom"):
    """Factor on the pt of a jet, with resolution and scale factor at the edges of the file."""
    pt = jet["pt"]
    sigma = theirs[f"{TAG}_JRV2_MC_PtResolution_AK4PFchs"].evaluate(
        within(jet["eta"], RESOLUTION), pt, min(rho, np.nextafter(RHO, 0.0))
    )
    s = theirs[f"{TAG}_JRV2_MC_ScaleFactor_AK4PFchs"].evaluate(within(jet["eta"], SCALE), side)
    least = 0.01 / math.cosh(jet["eta"]) / pt
    if 0 <= jet["genJetIdx"] < len(event.GenJet):
        other = event.GenJet[jet["genJetIdx"]]
        turn = (other.phi - jet["phi"] + math.pi) % (2 * math.pi) - math.pi
        near = math.hypot(turn, other.eta - jet["eta"]) < 0.2
        if near and abs(pt - other.pt) < 3 * sigma * pt:
            return max(1 + (s - 1) * (pt - other.pt) / pt, least)
    return max(1 + normal * sigma * math.sqrt(max(s * s - 1, 0)), least)


def smeared(name, events, chosen, **fields):
    """Factors of the chosen jets as they are and by hand, for each side of the source."""
    path, theirs = corrections_of("2018", "jet_jerc")
    entry = cms.jet_energy_resolution(path, "2018", jets=FILES[name][0], **fields)
    indexed, rho = with_file_index(events, {"Jet"}), rho_of(name)
    normal = ak.flatten(random_normal(indexed, "Jet", "jer", "here"))[chosen].tolist()
    jets = [one for one, wanted in zip(jets_of(events), chosen, strict=True) if wanted]
    for side in ("nom", "up", "down"):
        source = (None, "up") if side == "nom" else ("jer", side)
        found = ak.flatten(values_of(entry, indexed, *source))
        rows = zip(jets, normal, strict=True)
        expected = [smeared_by_hand(theirs, events[i], jet, float(rho(events[i])), n, side)
                    for (i, jet), n in rows]  # fmt: skip
        yield found[chosen].tolist(), expected


@pytest.mark.parametrize("name", JET_FILES)
def test_real_jets_beyond_the_resolution_of_the_file_have_that_at_its_edge(name):
    events = real_events(name)
    far = ak.flatten(abs(events.Jet.eta) >= RESOLUTION)
    for found, expected in smeared(name, events, far):
        assert found == pytest.approx(expected, rel=1e-5)
        assert len(found) == {"nano_dy.root": 1}.get(name, 9)
    for found, _ in smeared(name, events, far, out_of_range="one"):
        assert set(found) == {1.0}
    with pytest.raises(CorrectionError, match=r"JetEta.* is -?(4\.[7-9]|5\.0)\d* in .*\[-4\.7, 4"):
        list(smeared(name, events, far, out_of_range="error"))


def test_jets_beyond_all_edges_are_smeared_as_at_them():
    events = far_events("nano_dy.root")
    assert ak.sum(abs(events.Jet.eta) >= SCALE) > 10
    assert ak.sum(events.fixedGridRhoFastjetAll >= RHO) == 10
    everyone = ak.flatten(events.Jet.pt > 0.0)
    for found, expected in smeared("nano_dy.root", events, everyone):
        assert found == pytest.approx(expected, rel=1e-5)


def test_the_energy_scale_beyond_the_file_is_that_at_its_edge():
    path, theirs = corrections_of("2018", "jet_jerc")
    events = far_events("nano_dy.root")
    found = corrected(events, [Correction(**cms.jet_energy_scale(path, "2018"))])
    expected = []
    for i, jet in jets_of(events):
        pt = np.float64(np.float32(jet["pt"] * np.float32(1 - jet["rawFactor"])))
        eta, rho = within(jet["eta"], SCALE), float(events[i].fixedGridRhoFastjetAll)
        for level, before in {"L1FastJet": [jet["area"], eta], "L2Relative": [eta]}.items():
            last = [rho] if level == "L1FastJet" else []
            pt *= theirs[f"{TAG}_V5_MC_{level}_AK4PFchs"].evaluate(*before, float(pt), *last)
        expected.append(pt)  # the other levels are 1
    rows = ak.sort(ak.unflatten(np.array(expected), ak.num(events.Jet.pt)), ascending=False)
    assert ak.flatten(found.Jet.pt) == pytest.approx(ak.flatten(rows).tolist(), rel=3e-7)
    entry = cms.jet_energy_scale(path, "2018", out_of_range="error")
    with pytest.raises(CorrectionError, match=r"L1FastJet.*\[-5\.191, 5\.191\), where .* has 1 "):
        values_of(entry, events)


def test_sources_beyond_the_file_have_their_size_at_its_edge():
    path, theirs = corrections_of("2018", "jet_jerc")
    events = far_events("nano_dy.root")
    entry = cms.jet_energy_uncertainties(path, "2018")
    far = ak.flatten(abs(events.Jet.eta) >= SOURCES)
    assert ak.sum(far) > 10
    for one in entry["uncertainty_sources"]:
        sizes = [theirs[one["key"]].evaluate(within(jet["eta"], SOURCES), max(jet["pt"], 9.0))
                 for _, jet in jets_of(events)]  # fmt: skip
        for side, sign in (("up", 1.0), ("down", -1.0)):
            found = ak.flatten(values_of(entry, events, one["name"], side))
            assert found.tolist() == [1.0 + sign * size for size in sizes]
            neutral = values_of({**entry, "out_of_range": "one"}, events, one["name"], side)
            assert set(ak.flatten(neutral)[far]) == {1.0}
    with pytest.raises(CorrectionError, match=r"\[-5\.4, 5\.4\), where the file has -999 for"):
        values_of({**entry, "out_of_range": "error"}, events, "jes_Absolute")


def test_no_jet_gets_a_negative_pt_by_any_source():
    path, _ = corrections_of("2018", "jet_jerc")
    events = far_events("nano_dy.root")
    chain = [Correction(**one) for one in cms.jet_energy(path, "2018")]
    names = [one.name for one in chain[2].uncertainty_sources]
    assert len(names) == 11
    shifts = [Variation(one, side, "object") for one in ("jer", *names) for side in ("up", "down")]
    nominal = corrected(events, chain, NOMINAL)
    for shift in shifts:
        ratio = ak.sum(corrected(events, chain, shift).Jet.pt) / ak.sum(nominal.Jet.pt)
        assert 0.9 < ratio < 1.1
