"""A search so small that a run takes a second: real files, all stages, results with every digit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.random import Generator

EVENTS = 400  # of a file; a work item has 200
FILES = ("signal_0", "background_0", "background_1", "data_0", "data_1")
MODULE = '''
"""The search, and the same with one thing changed."""

import copy
from pathlib import Path

import awkward as ak

HERE = Path(__file__).resolve().parent


def keep(trigger, met):
    return trigger & (met > 10.0)


def keep_less(trigger, met):
    return trigger & (met > 15.0)


def good(pt):
    return pt > 30.0


def better(pt):
    return pt > 35.0


def some(objects):
    return ak.num(objects, axis=1) >= 1


def many(objects):
    return ak.num(objects, axis=1) >= 2


def few(objects):
    return ak.num(objects, axis=1) < 2


def itself(values):
    return values


def channel(name, kind, function):
    met = {"name": "met", "binning": "0,200,4", "function": itself, "use": [("MET", "pt")]}
    return {
        "name": name,
        "kind": kind,
        "selection": {"function": function, "use": [("Jet", None)]},
        "observables": [met],
        "fit_observable": "met",
    }


def simulation(name, cross_section):
    return {"name": name, "files": [str(HERE / f"{name}_*.root")], "cross_section": cross_section}


config = {
    "general": {"lumi": 100.0, "output_dir": str(HERE / "out")},
    "datasets": {
        "datasets": [
            simulation("signal", 2.0),
            simulation("background", 8.0),
            {"name": "data", "files": [str(HERE / "data_*.root")], "is_data": True},
        ]
    },
    "preprocess": {
        "branches": {"event": ["trigger"], "MET": ["pt"], "Jet": ["pt"]},
        "mc_branches": {"event": ["genWeight"]},
        "skimming": {
            "function": keep,
            "use": [("event", "trigger"), ("MET", "pt")],
            "chunk_size": 200,
        },
    },
    "good_object_masks": {
        "analysis": [{"object": "Jet", "function": good, "use": [("Jet", "pt")]}]
    },
    "baseline_selection": {"function": some, "use": [("Jet", None)]},
    "channels": [channel("SR", "signal", many), channel("CR", "control", few)],
    "systematics": [{"name": "size", "type": "normalisation", "size": 0.1}],
    "statistics": {
        "poi": "mu",
        "norm_factors": [
            {"name": "mu", "processes": ["signal"], "bounds": (0.0, 20.0)},
            {"name": "background_norm", "processes": ["background"], "bounds": (0.0, 5.0)},
        ],
        "scan_points": 5,
    },
    "plotting": {"formats": ["png"], "signal_processes": ["signal"]},
    "execution": {"workers": 2},
}

other_skim = copy.deepcopy(config)
other_skim["preprocess"]["skimming"]["function"] = keep_less
other_cut = copy.deepcopy(config)
other_cut["good_object_masks"]["analysis"][0]["function"] = better
other_look = copy.deepcopy(config)
other_look["plotting"]["process_colors"] = {"signal": "red"}
'''


def write_project(folder: Path, seed: int = 1) -> Path:
    """Write module and input files of the search.

    Parameters
    ----------
    folder
        Is made.
    seed
        Of the events.
    """
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(MODULE.lstrip("\n"), encoding="utf-8")
    for number, name in enumerate(FILES):
        rng = np.random.default_rng([seed, number])
        hardness = 120.0 if name.startswith("signal") else 50.0
        _write(folder / f"{name}.root", _columns(rng, hardness, data=name.startswith("data")))
    return folder


def _columns(rng: Generator, hardness: float, *, data: bool) -> dict[str, Any]:
    """Branches of one file: energies [GeV] fall exponentially, with this mean."""
    counts = rng.integers(0, 5, EVENTS)
    jets = (20.0 + rng.exponential(40.0, int(counts.sum()))).astype(np.float32)
    found = {
        "trigger": rng.random(EVENTS) < 0.9,
        "MET_pt": rng.exponential(hardness, EVENTS).astype(np.float32),
        "Jet_pt": ak.unflatten(jets, counts),
        "nJet": counts.astype(np.int32),
    }
    weights = rng.choice([1.5, 2.5, -1.5], EVENTS, p=[0.6, 0.3, 0.1]).astype(np.float32)
    return found if data else {**found, "genWeight": weights}


def _write(path: Path, columns: Mapping[str, Any]) -> None:
    """Write the branches as a TTree."""
    types = {
        name: "var * float32" if isinstance(values, ak.Array) else values.dtype
        for name, values in columns.items()
        if name != "nJet"
    }
    with uproot.recreate(path) as file:
        file.mktree("Events", types, counter_name=lambda name: f"n{name.partition('_')[0]}")
        file["Events"].extend(columns)


def run(words: Sequence[str]) -> int:
    """Run the chain, as ``python analysis.py`` does; its exit status."""
    from hepflow.cli import main_for

    return main_for(config="mine:config", argv=list(words), prog="python analysis.py")
