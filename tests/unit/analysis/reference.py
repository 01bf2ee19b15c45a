"""The tiny analysis of `tests.builders` in plain Python, an event at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np

EDGES = {
    "muon_pt": np.linspace(0, 200, 11),
    "jet_pts": np.array([0.0, 30.0, 60.0, 120.0]),
    "ht": np.linspace(0, 500, 6),
}
PU_EDGES = np.array([0.0, 20.0, 40.0, 60.0])
PILEUP = {"nominal": [0.9, 1.0, 1.2], "up": [1.0, 1.05, 1.3], "down": [0.8, 0.95, 1.1]}


def pileup_weight(value: float, name: str) -> float:
    """Value of the tiny pile-up file."""
    return PILEUP[name][int(np.searchsorted(PU_EDGES, value, side="right")) - 1]


def entries(columns: Mapping[str, Any], jet_factor: float = 1.0) -> list[dict[str, Any]]:
    """Channel, values and index of each event that passes the skim and the baseline."""
    plain = {
        name: values.tolist() if isinstance(values, ak.Array) else values
        for name, values in columns.items()
    }
    found = []
    for i in range(len(plain["run"])):
        if not (plain["HLT_Mu50"][i] and plain["MET_pt"][i] > 10.0):
            continue
        muons = [pt for pt in plain["Muon_pt"][i] if pt > 30.0]
        if not muons:
            continue
        jets = [np.float32(pt) * jet_factor for pt in plain["Jet_pt"][i]]
        values = {"muon_pt": [max(muons)]}
        if len(jets) >= 2:
            values |= {"jet_pts": jets, "ht": [sum(jets) + plain["MET_pt"][i]]}
        found.append({"index": i, "channel": "SR" if len(jets) >= 2 else "CR", "values": values})
    return found


def template(
    columns: Mapping[str, Any],
    channel: str,
    observable: str,
    weights: np.ndarray,
    jet_factor: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of weights and squared weights, flow included."""
    edges = EDGES[observable]
    sumw, sumw2 = np.zeros(len(edges) + 1), np.zeros(len(edges) + 1)
    for one in entries(columns, jet_factor):
        if one["channel"] == channel:
            for value in one["values"][observable]:
                place = int(np.searchsorted(edges, value, side="right"))
                sumw[place] += weights[one["index"]]
                sumw2[place] += weights[one["index"]] ** 2
    return sumw, sumw2
