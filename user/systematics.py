"""Corrections of simulation and their uncertainties."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FATJET_SCALE = 1.02
FATJET_SCALE_UNCERTAINTY = 0.01
TTBAR_SLOPE = 0.05  # relative change of the weight per TeV of scalar sum


def fatjet_scale(pt: Any) -> Any:
    """Factor on the pt of simulated fat jets."""
    return 0.0 * pt + FATJET_SCALE


def fatjet_scale_up(pt: Any) -> Any:
    """The same, scale up."""
    return fatjet_scale(pt) * (1 + FATJET_SCALE_UNCERTAINTY)


def fatjet_scale_down(pt: Any) -> Any:
    """The same, scale down."""
    return fatjet_scale(pt) * (1 - FATJET_SCALE_UNCERTAINTY)


def ttbar_slope_up(scalar_sum: Any) -> Any:
    """Factor on the weight of top pairs: a harder spectrum of the scalar sum [GeV]."""
    return 1.0 + TTBAR_SLOPE * (np.minimum(scalar_sum, 3000.0) - 1200.0) / 1000.0


def ttbar_slope_down(scalar_sum: Any) -> Any:
    """The same, softer."""
    return 2.0 - ttbar_slope_up(scalar_sum)


def _muon(name: str, files: Mapping[str, Path]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "event",
        "file": str(files["muon"]),
        "key": name,
        "use": [("Muon", "eta"), ("Muon", "pt")],
        "nominal_idx": "nominal",
        "up_and_down_idx": ("systup", "systdown"),
    }


def corrections(files: Mapping[str, Path]) -> list[dict[str, Any]]:
    """All corrections; `files` are the correction files by name."""
    return [*_object_corrections(files), *_weight_corrections(files)]


def _object_corrections(files: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [
        {
            "name": "jet_energy_scale",
            "type": "object",
            "file": str(files["jes"]),
            "key": "jes",
            "use": [("Jet", "eta"), ("Jet", "pt")],
            "target": ("Jet", "pt"),
            "nominal_idx": "nominal",
            "uncertainty_sources": [
                {
                    "name": source,
                    "up_and_down_idx": (f"{source}_up", f"{source}_down"),
                }
                for source in ("jes_absolute", "jes_pileup")
            ],
        },
        {
            "name": "fatjet_energy_scale",
            "type": "object",
            "use_correctionlib": False,
            "nominal_function": fatjet_scale,
            "use": [("FatJet", "pt")],
            "target": ("FatJet", "pt"),
            "uncertainty_sources": [
                {
                    "name": "fatjet_scale",
                    "up_function": fatjet_scale_up,
                    "down_function": fatjet_scale_down,
                }
            ],
        },
        {
            "name": "fatjet_softdrop_scale",  # pt scales the mass of the jet, not this one
            "type": "object",
            "use_correctionlib": False,
            "nominal_function": fatjet_scale,
            "use": [("FatJet", "msoftdrop")],
            "target": ("FatJet", "msoftdrop"),
        },
    ]


def _weight_corrections(files: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [
        {
            "name": "pileup",
            "type": "event",
            "file": str(files["pileup"]),
            "key": "puWeights",
            "use": [("Pileup", "nTrueInt")],
            "nominal_idx": "nominal",
            "up_and_down_idx": ("up", "down"),
        },
        *(_muon(name, files) for name in ("muon_id", "muon_iso", "muon_trigger")),
        {
            "name": "btag",
            "type": "event",
            "file": str(files["btag"]),
            "key": "btag",
            "use": [("Jet", "hadronFlavour"), ("Jet", "pt"), ("Jet", "btagDeepB")],
            "nominal_idx": "central",
            "uncertainty_sources": [
                {"name": "btag_hf", "up_and_down_idx": ("up_hf", "down_hf")},
                {"name": "btag_lf", "up_and_down_idx": ("up_lf", "down_lf")},
            ],
        },
        {
            "name": "toptag",
            "type": "event",
            "file": str(files["toptag"]),
            "key": "toptag",
            "use": [
                ("FatJet", "hadronFlavour"),
                ("FatJet", "pt"),
                ("FatJet", "particleNet_TvsQCD"),
            ],
            "nominal_idx": "nominal",
            "up_and_down_idx": ("up", "down"),
        },
    ]


def systematics() -> list[dict[str, Any]]:
    """Sources of uncertainty that do not come with a correction."""
    return [
        {
            "name": "ttbar_slope",
            "type": "event",
            "use": [("shapes", "scalar_sum")],
            "up_function": ttbar_slope_up,
            "down_function": ttbar_slope_down,
            "processes": ["ttbar_semilep", "ttbar_had", "ttbar_lep"],
        },
        {"name": "lumi", "type": "normalisation", "size": 0.016},
        {
            "name": "xsec_ttbar_lep",
            "type": "normalisation",
            "size": 0.10,
            "processes": ["ttbar_lep"],
        },
        {
            "name": "xsec_ttbar_had",
            "type": "normalisation",
            "size": 0.20,
            "processes": ["ttbar_had"],
        },
    ]
