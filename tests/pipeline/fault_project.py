"""An analysis for the matrix of faults: every kind of user function, and input in small baskets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.builders import cut_columns, scale_node, toy_columns, write_corrections
from tests.pipeline.projects import changed

EVENTS, CHUNK, BASKET = 400, 200, 100  # of the largest file, of a work item, of a basket
FILES = {"background_0": CHUNK, "data_0": EVENTS, "signal_0": CHUNK, "signal_1": EVENTS}
TARGET = "signal_1.root"  # what is broken; the last of its dataset
SICK = 250  # entry of a file that functions may refuse, in the third basket
SICK_MET = 1e6  # [GeV]
BRANCHES = (
    *("run", "luminosityBlock", "event", "HLT_Mu50", "MET_pt", "Jet_pt"),
    *("genWeight", "Pileup_nTrueInt"),
)

MODULE = '''
"""A search, as a user writes it."""

import os
import resource
import signal
import time
from pathlib import Path

import awkward as ak
import numpy as np

HERE = Path(__file__).resolve().parent


def skim(trigger, met):
    return trigger & (met > 10.0)


def good_jets(pt):
    return pt > 30.0


def some_jets(jets):
    return ak.num(jets, axis=1) >= 1


def many_jets(jets, met):
    return ak.num(jets, axis=1) >= 2


def few_jets(jets):
    return ak.num(jets, axis=1) < 2


def scalar_sum(jets, met):
    return ak.sum(jets.pt, axis=1)


def itself(values):
    return values * 1.0


def up(met):
    return 1.0 + 0.0 * met


def down(met):
    return 1.0 + 0.0 * met


JETS, MET_PT = ("Jet", None), ("MET", "pt")


def observable(name, function, use):
    return {"name": name, "binning": "0,200,4", "function": function, "use": use}


def dataset(name, **more):
    return {"name": name, "files": [str(HERE / f"{name}.txt")], **more}


config = {
    "general": {"lumi": 100.0, "output_dir": str(HERE / "out")},
    "datasets": {
        "datasets": [
            dataset("signal", cross_section=2.0),
            dataset("background", cross_section=8.0),
            dataset("data", is_data=True, duplicates="once"),
        ]
    },
    "preprocess": {
        "branches": {
            "event": ["run", "luminosityBlock", "event", "HLT_Mu50"],
            "MET": ["pt"],
            "Jet": ["pt"],
        },
        "mc_branches": {"event": ["genWeight"], "Pileup": ["nTrueInt"]},
        "skimming": {"function": skim, "use": [("event", "HLT_Mu50"), MET_PT], "chunk_size": 200},
    },
    "good_object_masks": {
        "analysis": [{"object": "Jet", "function": good_jets, "use": [("Jet", "pt")]}]
    },
    "ghost_observables": [
        {"names": ["ht"], "collections": ["sums"], "function": scalar_sum, "use": [JETS, MET_PT]}
    ],
    "baseline_selection": {"function": some_jets, "use": [JETS]},
    "channels": [
        {
            "name": "SR",
            "selection": {"function": many_jets, "use": [JETS, MET_PT]},
            "observables": [
                observable("met", itself, [MET_PT]),
                observable("ht", itself, [("sums", "ht")]),
            ],
            "fit_observable": "met",
        },
        {
            "name": "CR",
            "kind": "control",
            "selection": {"function": few_jets, "use": [JETS]},
            "observables": [observable("met", itself, [MET_PT])],
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
    "systematics": [
        {
            "name": "scale",
            "type": "event",
            "up_function": up,
            "down_function": down,
            "use": [MET_PT],
            "processes": ["signal"],
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
    "execution": {"workers": 2, "retry_wait": 0.01},
}
'''


def write_fault_project(folder: Path) -> Path:
    """Write module, listings, input files and corrections."""
    folder.mkdir(parents=True)
    write_module(folder)
    for name in FILES:
        write_events(folder / f"{name}.root", columns_of(f"{name}.root"))
    for process in ("signal", "background", "data"):
        write_listing(folder, process, [name for name in FILES if name.startswith(process)])
    write_weights(folder)
    return folder


def write_module(folder: Path, *changes: tuple[str, str]) -> None:
    """Write the user's module; each change replaces a text of it."""
    (folder / "mine.py").write_text(changed(MODULE.lstrip("\n"), *changes), encoding="utf-8")


def write_listing(folder: Path, process: str, names: Sequence[str]) -> None:
    (folder / f"{process}.txt").write_text("".join(f"{name}.root\n" for name in names))


def write_weights(folder: Path, *, low: float = 0.9, last: float = 60.0) -> None:
    """Write the pile-up weights, which end at `last`."""
    values = {"nominal": [low, 1.1], "up": [1.0, 1.2], "down": [0.8, 1.0]}
    node = scale_node("pu", "x", [0.0, 30.0, last], values, "error")
    write_corrections(folder / "pileup.json", node)


def columns_of(file: str, *, seed: int = 0) -> dict[str, Any]:
    """Branches of an input file; another seed gives other events."""
    name = file.removesuffix(".root")
    data = name.startswith("data")
    every = toy_columns(FILES[name], list(FILES).index(name) + 10 * seed, data=data)
    found = {branch: every[branch] for branch in BRANCHES if branch in every}
    if data:  # the second work item repeats some events of the first
        found["luminosityBlock"] = found["luminosityBlock"] * 0 + 1
        found["event"][CHUNK:] -= BASKET
    if name.startswith("signal"):
        found["MET_pt"] = found["MET_pt"] * 2
    return found


def sick_columns(file: str) -> dict[str, Any]:
    """The same with one event that functions may refuse; it passes all cuts before."""
    import awkward as ak
    import numpy as np

    found = columns_of(file)
    found["MET_pt"][SICK], found["HLT_Mu50"][SICK] = SICK_MET, True
    jets = found["Jet_pt"].to_list()
    jets[SICK] = [2e5, 80.0]
    return {**found, "Jet_pt": ak.values_astype(ak.Array(jets), np.float32)}


def without_entries(columns: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Branches without an entry range."""
    import numpy as np

    kept = np.r_[0:start, stop:EVENTS]
    return {name: values[kept] for name, values in columns.items()}


def write_events(path: Path, columns: Mapping[str, Any], *, tree: str = "Events") -> None:
    """Write branches as a TTree with several baskets each."""
    import awkward as ak
    import numpy as np
    import uproot

    types: dict[str, Any] = {}
    for name, values in columns.items():
        if isinstance(values, ak.Array):
            types[name] = values.type.content
        else:
            types[name] = np.asarray(values).dtype
    jagged = [name for name in columns if str(types[name]).startswith("var")]
    counts = {
        f"n{name.partition('_')[0]}": ak.to_numpy(ak.num(columns[name], axis=1)).astype(np.int32)
        for name in jagged
    }
    everything = {**counts, **columns}
    length = len(next(iter(columns.values())))
    with uproot.recreate(path) as file:
        file.mktree(tree, types, counter_name=lambda name: f"n{name.partition('_')[0]}")
        for start in range(0, length, BASKET):
            file[tree].extend(cut_columns(everything, start, min(start + BASKET, length)))
