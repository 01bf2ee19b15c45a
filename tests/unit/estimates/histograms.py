"""Tiny histograms of four regions, whose estimate can be computed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hepflow.estimates import EstimateSpec
from hepflow.records import Axis, Block, HistogramSet, Ledger

SPEC = EstimateSpec(
    process="fakes",
    channel="SR",
    from_channel="SHAPE",
    numerator="TOP",
    denominator="BOTTOM",
    subtract=("w",),
    observable="x",
    parameter="fakes_transfer",
)
BINNED = replace(SPEC, observable=None, parameter=None)
EDGES = (0.0, 1.0, 2.0)
# Of each region: data and the simulation that is subtracted, [underflow, two bins, overflow].
DATA = {"SR": [0, 90, 50, 0], "SHAPE": [0, 40, 24, 1], "TOP": [1, 29, 20, 0],
        "BOTTOM": [0, 60, 50, 0]}  # fmt: skip
MC = {"SR": [0, 70, 40, 0], "SHAPE": [0, 10, 4, 0], "TOP": [0, 6, 4, 0], "BOTTOM": [0, 6, 4, 0]}
JES_UP = {"SR": [0, 75, 35, 0], "SHAPE": [0, 12, 5, 0], "TOP": [0, 9, 6, 0], "BOTTOM": [0, 5, 4, 1]}
W2 = 0.5  # sum of squared weights over sum of weights of the simulation


def block(**rows: Sequence[float]) -> Block:
    """Templates by variation; squared weights are `W2` of the weights."""
    sumw = np.array(list(rows.values()), dtype=np.float64)
    return Block(tuple(rows), sumw, W2 * np.abs(sumw))


def histograms(
    data: Mapping[str, Sequence[float]] = DATA,
    mc: Mapping[str, Sequence[float]] = MC,
    scale: float = 1.0,
    **variations: Mapping[str, Sequence[float]],
) -> HistogramSet:
    """Data, the process w and a signal in the regions."""
    blocks: dict[Any, Block] = {}
    for region in MC:
        rows = {name: one[region] for name, one in variations.items()}
        blocks[region, "x", "signal"] = block(nominal=[0, 1, 3, 0])
        blocks[region, "x", "w"] = block(nominal=mc[region], **rows).scaled(scale)
        if region in data:
            counts = scale * np.array([data[region]], dtype=np.float64)
            blocks[region, "x", "data"] = Block(("nominal",), counts, counts)
    return HistogramSet(
        axes={(region, "x"): Axis("x", "x [GeV]", EDGES) for region in MC},
        blocks=blocks,
        cutflows={},
        data_processes=frozenset({"data"}),
        luminosity={"": 1.0},
        ledger=Ledger(),
        process_of={"data": "data", "w__nominal": "w", "signal__nominal": "signal"},
    )
