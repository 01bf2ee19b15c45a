"""An analysis in a folder of its own."""

import os
import time
from pathlib import Path

import awkward as ak

HERE = Path(__file__).resolve().parent
SKIM_MET = 10.0  # [GeV]
MUON_PT = 30.0  # [GeV]


def skim(trigger, met):
    """Trigger and missing momentum."""
    time.sleep(float(os.environ.get("SLOW_SKIM", "0")))
    if ak.any(met < 0):
        raise ValueError("negative MET")
    return trigger & (met > SKIM_MET)


def good_muons(pt):
    """Muons above threshold."""
    return pt > MUON_PT


def has_muon(muons):
    """At least one muon."""
    time.sleep(float(os.environ.get("SLOW_FILL", "0")))
    return ak.num(muons, axis=1) >= 1


def many_jets(jets):
    """At least two jets."""
    return ak.num(jets, axis=1) >= 2


def few_jets(jets):
    """At most one jet."""
    return ak.num(jets, axis=1) < 2


def itself(values):
    """A column as it is."""
    return values


def leading_pt(objects):
    """Transverse momentum of the leading object."""
    return ak.fill_none(ak.firsts(objects.pt, axis=1), 0.0)


MET = {
    "name": "met",
    "binning": "0,200,4",
    "label": "MET",
    "function": itself,
    "use": [("MET", "pt")],
}
MUON = {
    "name": "muon_pt",
    "binning": "30,230,4",
    "label": "Muon pt",
    "function": leading_pt,
    "use": [("Muon", None)],
}

config = {
    "general": {"lumi": 100.0, "output_dir": "out"},
    "datasets": {
        "datasets": [
            {"name": "signal", "files": [str(HERE / "signal.txt")], "cross_section": 1.0},
            {"name": "background", "files": [str(HERE / "background.txt")], "cross_section": 8.0},
            {"name": "data", "files": [str(HERE / "data.txt")], "is_data": True},
        ]
    },
    "preprocess": {
        "branches": {
            "event": ["HLT_Mu50"],
            "MET": ["pt", "phi"],
            "Muon": ["pt", "eta", "phi", "mass"],
            "Jet": ["pt", "eta", "phi", "mass"],
        },
        "mc_branches": {"event": ["genWeight"], "Pileup": ["nTrueInt"]},
        "skimming": {
            "function": skim,
            "use": [("event", "HLT_Mu50"), ("MET", "pt")],
            "chunk_size": 400,
        },
    },
    "good_object_masks": {
        "analysis": [{"object": "Muon", "function": good_muons, "use": [("Muon", "pt")]}]
    },
    "baseline_selection": {"function": has_muon, "use": [("Muon", None)]},
    "channels": [
        {
            "name": "SR",
            "selection": {"function": many_jets, "use": [("Jet", None)]},
            "observables": [MET, MUON],
            "fit_observable": "met",
        },
        {
            "name": "CR",
            "kind": "control",
            "selection": {"function": few_jets, "use": [("Jet", None)]},
            "observables": [MET],
            "fit_observable": "met",
        },
    ],
    "corrections": [
        {
            "name": "pileup",
            "type": "event",
            "file": str(HERE / "pileup.json"),
            "key": "pu",
            "use": [("Pileup", "nTrueInt")],
            "nominal_idx": "nominal",
            "up_and_down_idx": ("up", "down"),
        }
    ],
    "statistics": {
        "poi": "mu",
        "norm_factors": [
            {"name": "mu", "processes": ["signal"], "bounds": (0.0, 20.0)},
            {"name": "background_norm", "processes": ["background"], "bounds": (0.0, 5.0)},
        ],
        "scan_points": 5,
    },
    "plotting": {"enabled": False, "formats": ["png"], "signal_processes": ["signal"]},
    "execution": {"workers": 2},
}
