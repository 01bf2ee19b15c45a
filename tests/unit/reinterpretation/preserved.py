"""A small finished run with functions of every kind, to be preserved."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from hepflow.failed import Invocation
from hepflow.pipeline import run
from hepflow.schema import Config, load_config_with_restricted_cli
from tests.pipeline.projects import write_project

SECRET = "s3cr3t-t0ken-of-nobody"  # noqa: S105 - a dummy that must not be found anywhere
NAMES = ("study", "far_tools")

_SELECTIONS = '''
"""Selections."""
import functools

import awkward as ak
import far_tools
from study.thresholds import SKIM_MET

from . import thresholds


def skim(trigger, met):
    return trigger & (met > SKIM_MET)


def above(pt, threshold):
    return pt > threshold


good = functools.partial(above, threshold=thresholds.MUON_PT)


def at_least(n):
    def selected(objects):
        return ak.num(objects, axis=1) >= n
    return selected


class AtMost:
    def __init__(self, n):
        self.n = n

    def __call__(self, objects):
        return ak.num(objects, axis=1) <= self.n


has_muon = at_least(1)


def itself(values):
    from study.late import double
    return far_tools.half(double(values))
'''

_CONFIGURATION = '''
"""Configuration."""
import os
from pathlib import Path

import awkward as ak
from study import selections

TOKEN = os.environ.get("STUDY_TOKEN", "none")
HERE = Path(__file__).resolve().parent.parent


def make_input():
    """Input is there."""


config = {
    "general": {"lumi": 100.0, "output_dir": "out", "cache_dir": str(HERE / "cache"),
                "processes": ["signal", "background", "data"]},
    "datasets": {
        "prepare": make_input,
        "datasets": [
            {"name": "signal", "files": [str(HERE / "signal.txt")], "cross_section": 1.0},
            {"name": "background", "files": [str(HERE / "background.txt")], "cross_section": 8.0},
            {"name": "elsewhere", "files": [f"root://me:{TOKEN}@host//a.root?authz={TOKEN}"],
              "cross_section": 1.0},
            {"name": "data", "files": [str(HERE / "data.txt")], "is_data": True},
        ]
    },
    "preprocess": {
        "branches": {"event": ["HLT_Mu50"], "MET": ["pt", "phi"], "Jet": ["pt"],
                     "Muon": ["pt", "eta", "phi", "mass"]},
        "mc_branches": {"event": ["genWeight"], "Pileup": ["nTrueInt"]},
        "skimming": {"function": selections.skim, "use": [("event", "HLT_Mu50"), ("MET", "pt")]},
    },
    "good_object_masks": {
        "analysis": [{"object": "Muon", "function": selections.good, "use": [("Muon", "pt")]}]
    },
    "baseline_selection": {"function": selections.has_muon, "use": [("Muon", None)]},
    "channels": [
        {
            "name": "SR",
            "selection": {"function": lambda jets: ak.num(jets, axis=1) >= 2,
                          "use": [("Jet", None)]},
            "observables": [{"name": "met", "binning": "0,200,4", "label": "MET",
                             "function": selections.itself, "use": [("MET", "pt")]}],
            "fit_observable": "met",
        },
        {
            "name": "CR",
            "kind": "control",
            "selection": {"function": selections.AtMost(1), "use": [("Jet", None)]},
            "observables": [{"name": "met", "binning": "0,200,4", "label": "MET",
                             "function": selections.itself, "use": [("MET", "pt")]}],
            "fit_observable": "met",
        },
    ],
    "corrections": [{
        "name": "pileup", "type": "event", "file": "pileup.json", "key": "pu",
        "use": [("Pileup", "nTrueInt")], "nominal_idx": "nominal",
        "up_and_down_idx": ("up", "down"),
    }],
    "statistics": {
        "poi": "mu",
        "norm_factors": [
            {"name": "mu", "processes": ["signal"], "bounds": (0.0, 20.0)},
            {"name": "background_norm", "processes": ["background"], "bounds": (0.0, 5.0)},
        ],
        "scan_points": 5, "ranking": False, "significance": False,
    },
    "plotting": {"enabled": False},
    "execution": {"backend": "inprocess"},
}
'''

FILES = {
    "study/__init__.py": "",
    "study/thresholds.py": "SKIM_MET = 10.0  # [GeV]\nMUON_PT = 30.0  # [GeV]\n",
    "study/late.py": "def double(values):\n    return 2 * values\n",
    "study/selections.py": _SELECTIONS,
    "study/configuration.py": _CONFIGURATION,
    "study/steps.py": (
        "from hepflow.analysis import Analysis\n\n\n"
        "class Study(Analysis):\n"
        '    """The steps of the study."""\n'
    ),
    "far_tools.py": "def half(values):\n    return values / 2\n",
}
CONFIG = "study.configuration:config"
CLASS = "study.steps:Study"


def write(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Write the project; each change replaces a text of one of its files."""
    write_project(folder)
    (folder / "mine.py").unlink()
    files = dict(FILES)
    for name, old, new in changes:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Be in the project, with its modules and none of another one."""
    forget()
    os.environ["STUDY_TOKEN"] = SECRET
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    with contextlib.chdir(folder):
        try:
            yield
        finally:
            sys.path.remove(str(folder))
            os.environ.pop("STUDY_TOKEN", None)
            forget()
            importlib.invalidate_caches()


def forget() -> None:
    """Unload the modules of the project."""
    for name in [one for one in sys.modules if one.partition(".")[0] in NAMES]:
        del sys.modules[name]


def finish(folder: Path, *overrides: str, recorded: bool = True) -> Path:
    """Run the project, as the command does; its output folder."""
    with at_home(folder):
        module = importlib.import_module("study.configuration")
        config = Config(**load_config_with_restricted_cli(module.config, list(overrides)))
        study = importlib.import_module("study.steps").Study
        invocation = Invocation.here("hepflow run", CONFIG, CLASS, overrides)
        run(config, study, invocation=invocation if recorded else None)
        return folder / str(config.general.output_dir)
