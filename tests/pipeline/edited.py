"""An analysis whose code stands in several modules, in every form that people write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from tests.pipeline.projects import write_project

SETTINGS = '''
"""Numbers that several modules use."""

MET_MIN = 10.0  # [GeV], of the skim and of a cut
LIMITS = {"few": 2, "spare": 7}
'''

TOOLS = '''
"""What cuts and observables share."""

import functools

import awkward as ak


def _first(values):
    return ak.firsts(values, axis=1)


def leading(values, shift):
    """Value of the first object of each event."""
    return ak.fill_none(_first(values), 0.0) + shift


def checked(function):
    """Wrap a cut."""

    @functools.wraps(function)
    def wrapped(*args):
        return function(*args) & True

    return wrapped


class Base:
    """What callable objects share."""

    def factor_of(self, given):
        return given * 1.0


def nobody_calls_me(values):
    return values * 2
'''

EXTRA = """
def shifted(values):
    return values + 0.5
"""

COMPILED = '''
"""Compiled when it is called first."""

import numba
import numpy as np


@numba.njit(cache=True)
def _weight(value):
    return 1.0 * value


@numba.njit(cache=True)
def _sums(counts, values):
    sums = np.zeros(len(counts))
    position = 0
    for i in range(len(counts)):
        for _ in range(counts[i]):
            sums[i] += _weight(values[position])
            position += 1
    return sums
'''

CUTS = '''
"""Which events are kept."""

import functools

import awkward as ak

from . import settings, tools
from .settings import MET_MIN


def skim(trigger, met, factor):
    """Trigger and missing momentum."""
    return trigger & (met > MET_MIN * factor)


def good_muons(pt):
    """Muons above threshold."""
    return pt > 30.0


def has_muon(muons):
    """At least one muon."""
    return ak.num(muons, axis=1) >= 1


def at_least(number):
    """Make a cut on the number of objects."""

    def cut(objects):
        return ak.num(objects, axis=1) >= number

    return cut


def above(values, threshold):
    """Values above a threshold."""
    return values > threshold


@tools.checked
def few_jets(jets):
    """Jets below a number that stands in a dict of another module."""
    return ak.num(jets, axis=1) < settings.LIMITS["few"]


def enough_met(met):
    """The same threshold as in the skim."""
    return met > settings.MET_MIN * 2


two_jets = at_least(2)
hard = functools.partial(above, threshold=15.0)
'''

OBSERVABLES = '''
"""What is histogrammed."""

import numpy as np

from . import compiled
from . import tools as t

AS_IS, SCALED = (lambda values: values), (lambda values: values * 1.0)


def muon_pt(muons, shift=0.0):
    """Transverse momentum of the leading muon."""
    return t.leading(muons.pt, shift)


class Scaled(t.Base):
    """A column times a factor."""

    def __init__(self, factor):
        self.factor = self.factor_of(factor)

    def __call__(self, values):
        return self.factor * np.asarray(values)


def scalar_sum(jets):
    """Scalar sum of the momenta of the jets."""
    import awkward as ak

    counts = ak.to_numpy(ak.num(jets.pt, axis=1))
    return compiled._sums(counts, ak.to_numpy(ak.flatten(jets.pt)))


def shifted_met(met):
    """Imports where it is called."""
    from .extra import shifted

    return shifted(met)
'''

MINE = '''
"""Configuration and analysis."""

from pathlib import Path

from hepflow.analysis import Analysis

import physics.observables as obs
from physics import cuts

HERE = Path(__file__).resolve().parent
JET, MUON, MET_PT = ("Jet", None), ("Muon", None), ("MET", "pt")


def up(values):
    return values * 0 + 1.1


def down(values):
    return values * 0 + 0.9


class Mine(Analysis):
    """One step is done differently."""

    FACTOR = 1.0

    def select_channel(self, events, channel):
        return super().select_channel(events, channel)

    def event_weights(self, events, dataset, variations, *more):
        found = super().event_weights(events, dataset, variations, *more)
        return {name: self.FACTOR * values for name, values in found.items()}


def observable(name, function, use, **more):
    binning = more.pop("binning", "0,200,4")
    return {"name": name, "binning": binning, "function": function, "use": use, **more}


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
            "function": cuts.skim,
            "use": [("event", "HLT_Mu50"), MET_PT],
            "static_kwargs": {"factor": 1.0},
            "chunk_size": 400,
        },
    },
    "good_object_masks": {
        "analysis": [{"object": "Muon", "function": cuts.good_muons, "use": [("Muon", "pt")]}]
    },
    "ghost_observables": [
        {"names": ["pt"], "collections": ["shifted"], "function": obs.shifted_met, "use": [MET_PT]}
    ],
    "baseline_selection": {"function": cuts.has_muon, "use": [MUON]},
    "channels": [
        {
            "name": "SR",
            "label": "Signal region",
            "selection": {
                "cuts": [
                    {"name": "jets", "function": cuts.two_jets, "use": [JET]},
                    {"name": "met", "function": cuts.hard, "use": [MET_PT]},
                ]
            },
            "observables": [
                observable("met", obs.AS_IS, [MET_PT], label="MET"),
                observable("muon_pt", obs.muon_pt, [MUON], binning="30,230,4"),
            ],
            "fit_observable": "met",
        },
        {
            "name": "CR",
            "kind": "control",
            "selection": {
                "cuts": [
                    {"name": "jets", "function": cuts.few_jets, "use": [JET]},
                    {"name": "met", "function": cuts.enough_met, "use": [MET_PT]},
                ]
            },
            "observables": [
                observable("met", obs.SCALED, [MET_PT]),
                observable("half_met", obs.Scaled(0.5), [("shifted", "pt")]),
            ],
            "fit_observable": "met",
        },
        {
            "name": "VR",
            "kind": "validation",
            "observables": [observable("ht", obs.scalar_sum, [JET])],
            "fit_observable": "ht",
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
        {"name": "size", "type": "normalisation", "size": 0.02, "processes": ["background"]},
        {
            "name": "scale",
            "type": "event",
            "up_function": up,
            "down_function": down,
            "use": [MET_PT],
            "processes": ["signal"],
        },
    ],
    "statistics": {
        "poi": "mu",
        "norm_factors": [
            {"name": "mu", "processes": ["signal"], "bounds": (0.0, 20.0)},
            {"name": "background_norm", "processes": ["background"], "bounds": (0.0, 5.0)},
        ],
        "scan_points": 5,
    },
    "plotting": {"formats": ["png"], "signal_processes": ["signal"]},
    "execution": {"backend": "inprocess", "workers": 2},
}
'''

MODULES = {
    "mine.py": MINE,
    "physics/__init__.py": "",
    "physics/settings.py": SETTINGS,
    "physics/tools.py": TOOLS,
    "physics/extra.py": EXTRA,
    "physics/compiled.py": COMPILED,
    "physics/cuts.py": CUTS,
    "physics/observables.py": OBSERVABLES,
}


def write_edited_project(folder: Path) -> Path:
    """Write the project, with the input files of the other one."""
    write_project(folder)
    (folder / "physics").mkdir()
    for name, text in MODULES.items():
        (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
    return folder


def run(words: Sequence[str]) -> int:
    """Run the chain with pictures that cost nothing. Called in a process of its own."""
    from hepflow.cli import main_for
    from hepflow.keys import stable_hash

    def write(task):
        path = task.folder / f"{task.name}.png"
        path.write_text(stable_hash([task.content, task.spec, task.remarks]))
        return [path]

    with mock.patch("hepflow.analysis.drawing.write_figure", write):
        return main_for(config="mine:config", analysis="mine:Mine", argv=list(words))
