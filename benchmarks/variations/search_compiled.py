"""The analysis for hepflow with element-wise functions that numba compiles; else as `search`."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

from benchmarks.variations import physics, search
from benchmarks.variations.search import FILE

_PT = np.float32(physics.JET_PT)
_MUON_PT = np.float32(physics.MUON_PT)
_ETA = np.float32(physics.ETA)
_FRACTION = np.float32(physics.MUON_FRACTION)
_ISOLATION = np.float32(physics.ISOLATION)

_element_wise: Callable[[list[str]], Callable[[Any], Any]] = numba.vectorize


@_element_wise(["boolean(float32,float32,boolean,float32)"])
def good_muons(pt: Any, eta: Any, tight: Any, isolation: Any) -> Any:
    """Muons of the analysis."""
    return pt > _MUON_PT and abs(eta) < _ETA and tight and isolation < _ISOLATION


@_element_wise(["boolean(float32,int32,float32)"])
def tight_jets(eta: Any, jet_id: Any, muon_fraction: Any) -> Any:
    """Jets within acceptance and of good quality."""
    return abs(eta) < _ETA and jet_id >= physics.TIGHT_JET and muon_fraction < _FRACTION


@_element_wise(["float32(float32,float32,float32,float32,float32)"])
def _jet_scale(pt: Any, eta: Any, first: Any, slope: Any, noise: Any) -> Any:
    return first + slope * abs(eta) + noise / pt


def jet_scale(pt: Any, eta: Any, *, flat: float, slope: float, noise: float) -> Any:
    """Factor on the momentum of jets."""
    numbers = (np.float32(x) for x in (1.0 + flat, slope, noise))
    return _jet_scale(pt, eta, *numbers)


@_element_wise(["boolean(float32)"])
def hard_jets(pt: Any) -> Any:
    """Jets above the threshold."""
    return pt > _PT


def _jet_source(source: physics.JetSource) -> dict[str, Callable[..., Any]]:
    up = partial(jet_scale, flat=source.flat, slope=source.slope, noise=source.noise)
    down = partial(jet_scale, flat=-source.flat, slope=-source.slope, noise=-source.noise)
    return {"up_function": up, "down_function": down}


def make(file: str, output_dir: str) -> dict[str, Any]:
    """Configuration for one input file; the functions of the weights run on few events."""
    config = copy.deepcopy(search.make(file, output_dir))
    config["good_object_masks"]["analysis"] = [
        {"object": "Muon", "function": good_muons, "use": search.MUONS},
        {"object": "Jet", "function": tight_jets, "use": search.QUALITY},
        {"object": "Jet", "function": hard_jets, "use": [("Jet", "pt")]},
    ]
    for source, entry in zip(physics.JET_SOURCES, config["systematics"], strict=False):
        entry.update(_jet_source(source))
    return config


config = make(os.environ.get(FILE, search.DEFAULT), "outputs")
skimmed = make(os.environ.get(FILE, search.DEFAULT), "outputs")
skimmed["preprocess"]["skimming"] |= search.SKIM
