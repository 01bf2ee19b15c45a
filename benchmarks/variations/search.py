"""The analysis for hepflow, with ordinary awkward code: ``python -m hepflow`` takes `config`.

``HEPFLOW_BENCHMARK_FILE`` names the input file; without it, the sample in zlib with 150 branches.
"""

from __future__ import annotations

import os
from typing import Any

import awkward as ak

from benchmarks.variations import physics
from benchmarks.variations.sample import SampleFile, cache_folder

FILE = "HEPFLOW_BENCHMARK_FILE"
JET, MUON = ("Jet", None), ("Muon", None)
BRANCHES = {
    "event": ["genWeight"],
    "HLT": ["IsoMu24"],
    "Pileup": ["nTrueInt"],
    "MET": ["pt"],
    "Muon": ["pt", "eta", "tightId", "pfRelIso04_all"],
    "Jet": ["pt", "eta", "jetId", "muEF", "btagDeepFlavB"],
}
MUONS = [("Muon", name) for name in BRANCHES["Muon"]]
QUALITY = [("Jet", name) for name in ("eta", "jetId", "muEF")]


def good_muons(pt: Any, eta: Any, tight: Any, isolation: Any) -> Any:
    """Muons of the analysis."""
    inside = (pt > physics.MUON_PT) & (abs(eta) < physics.ETA)
    return inside & tight & (isolation < physics.ISOLATION)


def tight_jets(eta: Any, jet_id: Any, muon_fraction: Any) -> Any:
    """Jets within acceptance and of good quality, which no source changes."""
    quality = (jet_id >= physics.TIGHT_JET) & (muon_fraction < physics.MUON_FRACTION)
    return (abs(eta) < physics.ETA) & quality


def hard_jets(pt: Any) -> Any:
    """Jets above the threshold."""
    return pt > physics.JET_PT


def triggered(bit: Any) -> Any:
    """Events that fired the trigger."""
    return bit


def one_muon(pt: Any) -> Any:
    """Exactly one good muon."""
    return ak.num(pt, axis=1) == 1


def missing(pt: Any) -> Any:
    """Some missing momentum."""
    return pt > physics.MET_PT


def four_jets(pt: Any) -> Any:
    """Four good jets."""
    return ak.num(pt, axis=1) >= physics.JETS


def b_tag(score: Any) -> Any:
    """One of the good jets is tagged."""
    return ak.any(score > physics.B_TAG, axis=1)


def scalar_sum(pt: Any) -> Any:
    """Scalar sum of the momenta of the good jets [GeV]."""
    return ak.sum(ak.values_astype(pt, "float64"), axis=1)


def skim(bit: Any, met: Any, muons: Any, jets: Any) -> Any:
    """Keep a tenth of the events, among them all that a variation can bring in."""
    good = muons[good_muons(muons.pt, muons.eta, muons.tightId, muons.pfRelIso04_all)]
    near = jets[tight_jets(jets.eta, jets.jetId, jets.muEF) & hard_jets(jets.pt * physics.MARGIN)]
    tagged = ak.any(near.btagDeepFlavB > physics.B_TAG, axis=1)
    return bit & missing(met) & one_muon(good) & four_jets(near) & tagged


def _jet_source(source: physics.JetSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "type": "object",
        "target": ("Jet", "pt"),
        "use": [("Jet", "pt"), ("Jet", "eta")],
        "up_function": source.up,
        "down_function": source.down,
    }


def _weight_source(source: physics.WeightSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "type": "event",
        "use": list(source.use),
        "up_function": source.up,
        "down_function": source.down,
    }


_MASKS: dict[str, Any] = {
    "analysis": [
        {"object": "Muon", "function": good_muons, "use": MUONS},
        {"object": "Jet", "function": tight_jets, "use": QUALITY},
        {"object": "Jet", "function": hard_jets, "use": [("Jet", "pt")]},
    ]
}
_BASELINE: dict[str, Any] = {
    "cuts": [
        {"name": "trigger", "function": triggered, "use": [("HLT", "IsoMu24")]},
        {"name": "missing", "function": missing, "use": [("MET", "pt")]},
        {"name": "one_muon", "function": one_muon, "use": [("Muon", "pt")]},
    ]
}
_CHANNELS: list[dict[str, Any]] = [
    {
        "name": "SR",
        "selection": {
            "cuts": [
                {"name": "four_jets", "function": four_jets, "use": [("Jet", "pt")]},
                {"name": "b_tag", "function": b_tag, "use": [("Jet", "btagDeepFlavB")]},
            ]
        },
        "observables": [
            {
                "name": "ht",
                "binning": f"{physics.HT_LOW},{physics.HT_HIGH},{physics.HT_BINS}",
                "label": "HT [GeV]",
                "function": scalar_sum,
                "use": [("Jet", "pt")],
            }
        ],
        "fit_observable": "ht",
    }
]
_CORRECTIONS: list[dict[str, Any]] = [
    {
        "name": "pileup",
        "type": "event",
        "use_correctionlib": False,
        "use": [("Pileup", "nTrueInt")],
        "nominal_function": physics.pileup,
    },
    {
        "name": "muon",
        "type": "event",
        "use_correctionlib": False,
        "use": [("Muon", "pt"), ("Muon", "eta")],
        "nominal_function": physics.muon,
        "reduce": "prod",
    },
]


def make(file: str, output_dir: str) -> dict[str, Any]:
    """Configuration for one input file."""
    dataset = {"name": "ttbar", "files": [file], "cross_section": physics.CROSS_SECTION}
    return {
        "general": {
            "lumi": 1.0,
            "output_dir": output_dir,
            "run_statistics": False,
            "report": False,
        },
        "datasets": {"datasets": [dataset]},
        "preprocess": {
            "branches": BRANCHES,
            "skimming": {"chunk_size": 100_000},
        },
        "good_object_masks": _MASKS,
        "baseline_selection": _BASELINE,
        "channels": _CHANNELS,
        "corrections": _CORRECTIONS,
        "systematics": [
            *(_jet_source(one) for one in physics.JET_SOURCES),
            *(_weight_source(one) for one in physics.WEIGHT_SOURCES),
        ],
        "plotting": {"enabled": False},
        "execution": {"backend": "inprocess"},
    }


SKIM: dict[str, Any] = {"function": skim, "use": [("HLT", "IsoMu24"), ("MET", "pt"), MUON, JET]}
DEFAULT = os.environ.get(FILE, str(cache_folder() / SampleFile().name))
config = make(DEFAULT, "outputs")
skimmed = make(DEFAULT, "outputs")
skimmed["preprocess"]["skimming"] |= SKIM
