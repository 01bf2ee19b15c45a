"""Object and event requirements."""

from __future__ import annotations

from typing import Any

import awkward as ak

from user.observables import far_from, leading

TIGHT_JET_ID = 4  # the bit of the tight identification, and above
MUON_PT = 55.0  # [GeV]
MUON_ETA = 2.4
MINIMUM_JETS = 2
JET_PT = 30.0  # [GeV]
JET_ETA = 2.4
FATJET_PT = 500.0  # [GeV]
TOP_TAG = 0.5
B_TAG = 0.5
MET_PT = 50.0  # [GeV]
LEPTONIC_PT = 150.0  # [GeV] muon pt plus missing momentum
FATJET_RADIUS = 0.8


def good_muons(muons: Any) -> Any:
    """Tight, isolated muons within acceptance."""
    return (
        (muons.pt > MUON_PT) & (abs(muons.eta) < MUON_ETA) & muons.tightId & (muons.miniIsoId > 1)
    )


def good_jets(jets: Any) -> Any:
    """Jets within acceptance that pass the tight identification."""
    return (jets.pt > JET_PT) & (abs(jets.eta) < JET_ETA) & (jets.jetId >= TIGHT_JET_ID)


def good_fatjets(fatjets: Any) -> Any:
    """Fat jets that can hold a top quark; tagged or not, since both enter the tag weight."""
    return fatjets.pt > FATJET_PT


def top_tagged(fatjets: Any) -> Any:
    """Fat jets that carry the top tag."""
    return fatjets[fatjets.particleNet_TvsQCD > TOP_TAG]


def baseline(muons: Any, jets: Any) -> Any:
    """Exactly one muon and at least two jets."""
    from coffea.analysis_tools import PackedSelection  # noqa: PLC0415  # slow to import

    selection = PackedSelection()
    selection.add("one_muon", ak.num(muons, axis=1) == 1)
    selection.add("two_jets", ak.num(jets, axis=1) >= MINIMUM_JETS)
    selection.add("baseline", selection.all("one_muon", "two_jets"))
    return selection


def _common(muons: Any, fatjets: Any, met: Any) -> Any:
    from coffea.analysis_tools import PackedSelection  # noqa: PLC0415  # slow to import

    selection = PackedSelection()
    muon_pt = ak.sum(muons.pt, axis=1)  # exactly one after the baseline
    selection.add("met", met.pt > MET_PT)
    selection.add("leptonic_pt", muon_pt + met.pt > LEPTONIC_PT)
    selection.add("one_top_tag", ak.num(top_tagged(fatjets), axis=1) == 1)
    return selection


def signal_region(muons: Any, jets: Any, fatjets: Any, met: Any) -> Any:
    """One top-tagged fat jet, and a b-tagged jet away from it."""
    selection = _common(muons, fatjets, met)
    outside = far_from(jets, leading(top_tagged(fatjets)), FATJET_RADIUS)
    selection.add("b_tag_outside", ak.any(outside.btagDeepB > B_TAG, axis=1))
    selection.add("signal_region", selection.all(*selection.names))
    return selection


def control_region(muons: Any, jets: Any, fatjets: Any, met: Any) -> Any:
    """The same with a jet away from the fat jet and no b-tagged jet at all."""
    selection = _common(muons, fatjets, met)
    outside = far_from(jets, leading(top_tagged(fatjets)), FATJET_RADIUS)
    selection.add("jet_outside", ak.num(outside, axis=1) >= 1)
    selection.add("no_b_tag", ~ak.any(jets.btagDeepB > B_TAG, axis=1))
    selection.add("control_region", selection.all(*selection.names))
    return selection
