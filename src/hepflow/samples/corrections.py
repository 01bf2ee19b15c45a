"""The correction files of the built-in sample, as correctionlib (schema version 2) JSON.

Each undoes one difference between data and simulation of `hepflow.samples.truth`, exactly in its
nominal value, and has up and down variations.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.samples import truth
from hepflow.storage import atomic_write

Node = dict[str, Any] | float

FILES: Mapping[str, str] = {
    "pileup": "pileup.json.gz",
    "muon": "muon.json.gz",
    "btag": "btag.json.gz",
    "toptag": "toptag.json.gz",
    "jes": "jes.json.gz",
}


def write_corrections(folder: Path) -> None:
    """Write all correction files into `folder`; the bytes are the same each time."""
    content = {
        "pileup": [_pileup()],
        "muon": [_muon(name, known) for name, known in truth.MUON.items()],
        "btag": [_btag()],
        "toptag": [_toptag()],
        "jes": [_jes()],
    }
    for name, corrections in content.items():
        text = json.dumps({"schema_version": 2, "corrections": corrections}, indent=1)
        atomic_write(folder / FILES[name], gzip.compress(text.encode(), mtime=0))


def _edges(edges: Sequence[float]) -> list[float | str]:
    return [edge if np.isfinite(edge) else "inf" for edge in edges]


def _binning(variable: str, edges: Sequence[float], content: Sequence[Node]) -> Node:
    return {
        "nodetype": "binning",
        "input": variable,
        "edges": _edges(edges),
        "content": list(content),
        "flow": "error",
    }


def _category(variable: str, content: Mapping[Any, Node]) -> Node:
    return {
        "nodetype": "category",
        "input": variable,
        "content": [{"key": key, "value": value} for key, value in content.items()],
    }


def _inputs(**inputs: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "type": kind, "description": text} for name, (kind, text) in inputs.items()
    ]


def _correction(
    name: str, description: str, inputs: list[dict[str, str]], output: str, data: Node
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "version": truth.VERSION,
        "inputs": inputs,
        "output": {"name": output, "type": "real"},
        "data": data,
    }


def _pileup() -> dict[str, Any]:
    mean, width = truth.PILEUP_DATA
    simulation = truth.pileup_profile(*truth.PILEUP_SIMULATION)
    shifts = {"nominal": 0.0, "up": truth.PILEUP_UNCERTAINTY, "down": -truth.PILEUP_UNCERTAINTY}
    edges = [float(edge) for edge in range(truth.PILEUP_BINS + 1)]
    content = {
        key: _binning(
            "NumTrueInteractions",
            edges,
            (truth.pileup_profile(mean * (1 + shift), width) / simulation).tolist(),
        )
        for key, shift in shifts.items()
    }
    return _correction(
        "puWeights",
        "Profile of true interactions in data over the one in simulation",
        _inputs(
            NumTrueInteractions=("real", "Number of true interactions"),
            weights=("string", "nominal, up, or down"),
        ),
        "weight",
        _category("weights", content),
    )


def _muon(name: str, known: truth.MuonTruth) -> dict[str, Any]:
    grid = known.scale_factor
    eta = [-edge for edge in reversed(grid.eta[1:])] + list(grid.eta)
    rows = [*reversed(grid.values), *grid.values]

    def by_pt(values: Sequence[float]) -> Node:
        return _binning("pt", grid.pt, [_muon_bin(value, known.uncertainty) for value in values])

    return _correction(
        name,
        f"Efficiency in data over the one in simulation: {name}",
        _inputs(
            eta=("real", "Muon eta"),
            pt=("real", "Muon pt [GeV]"),
            scale_factors=("string", "nominal, systup, or systdown"),
        ),
        "weight",
        _binning("eta", eta, [by_pt(row) for row in rows]),
    )


def _muon_bin(value: float, uncertainty: float) -> Node:
    up, down = value * (1 + uncertainty), value * (1 - uncertainty)
    return _category("scale_factors", {"nominal": value, "systup": up, "systdown": down})


def _tag_weights(known: truth.TagTruth, variable: str, threshold: float, shift: float) -> Node:
    """Return the weight of one jet: the factor where tagged, else that of the complement."""

    def one(factor: float, efficiency: float) -> Node:
        factor *= 1 + shift * known.uncertainty
        untagged = (1 - factor * efficiency) / (1 - efficiency)
        # The score never equals the threshold: it is above or at least 0.001 below.
        return _binning(variable, (-10.0, threshold, 10.0), [untagged, factor])

    factors, efficiencies = known.scale_factor.values[0], known.efficiency.values[0]
    content = [one(f, e) for f, e in zip(factors, efficiencies, strict=True)]
    return _binning("pt", known.scale_factor.pt, content)


def _by_class(
    classes: Mapping[int, truth.TagTruth],
    variable: str,
    threshold: float,
    shift: Callable[[str], float],
) -> Node:
    return _category(
        "hadronFlavour",
        {
            key: _tag_weights(known, variable, threshold, shift(known.source))
            for key, known in classes.items()
        },
    )


def _btag() -> dict[str, Any]:
    shifts: dict[str, dict[str, float]] = {
        "central": {},
        "up_hf": {"hf": 1.0},
        "down_hf": {"hf": -1.0},
        "up_lf": {"lf": 1.0},
        "down_lf": {"lf": -1.0},
    }
    content = {
        key: _by_class(
            truth.BTAG,
            "btagDeepB",
            truth.BTAG_THRESHOLD,
            lambda source, moved=moved: moved.get(source, 0.0),  # type: ignore[misc] # bound now
        )
        for key, moved in shifts.items()
    }
    return _correction(
        "btag",
        "Weight of one jet, tagged or not; the event's weight is the product over its jets",
        _inputs(
            systematic=("string", ", ".join(shifts)),
            hadronFlavour=("int", "5, 4 or 0"),
            pt=("real", "Calibrated pt of the jet [GeV]"),
            btagDeepB=("real", f"Tagged above {truth.BTAG_THRESHOLD}"),
        ),
        "weight",
        _category("systematic", content),
    )


def _toptag() -> dict[str, Any]:
    shifts = {"nominal": 0.0, "up": 1.0, "down": -1.0}
    content = {
        key: _by_class(
            truth.TOPTAG,
            "particleNet_TvsQCD",
            truth.TOPTAG_THRESHOLD,
            lambda _, value=value: value,  # type: ignore[misc] # bound now
        )
        for key, value in shifts.items()
    }
    return _correction(
        "toptag",
        "Weight of one fat jet, tagged or not; the event's weight is the product over its fat jets",
        _inputs(
            systematic=("string", "nominal, up, or down"),
            hadronFlavour=("int", f"{truth.WHOLE_TOP} (a whole top decay), 5, 4 or 0"),
            pt=("real", "Calibrated pt of the fat jet [GeV]"),
            particleNet_TvsQCD=("real", f"Tagged above {truth.TOPTAG_THRESHOLD}"),
        ),
        "weight",
        _category("systematic", content),
    )


def _jes() -> dict[str, Any]:
    absolute = str(truth.JES_ABSOLUTE)
    pileup = f"({truth.JES_PILEUP[0]} + {truth.JES_PILEUP[1]} / x)"
    factors = {
        "nominal": "",
        "jes_absolute_up": f" * (1 + {absolute})",
        "jes_absolute_down": f" * (1 - {absolute})",
        "jes_pileup_up": f" * (1 + {pileup})",
        "jes_pileup_down": f" * (1 - {pileup})",
    }
    eta = [-edge for edge in reversed(truth.JES_ETA[1:])] + list(truth.JES_ETA)
    rows = list(zip(truth.JES_OFFSET, truth.JES_SLOPE, strict=True))

    def formula(offset: float, slope: float, factor: str) -> Node:
        node: Node = {
            "nodetype": "formula",
            "parser": "TFormula",
            "variables": ["pt"],
            "expression": f"({offset} + {slope} * log10(x / 100)){factor}",
        }
        return _binning("pt", truth.JES_PT, [node])

    content = {
        key: _binning("eta", eta, [formula(*row, factor) for row in [*reversed(rows), *rows]])
        for key, factor in factors.items()
    }
    return _correction(
        "jes",
        "Factor on pt (and mass) of simulated jets",
        _inputs(
            systematic=("string", ", ".join(factors)),
            eta=("real", "Jet eta"),
            pt=("real", "Jet pt as in the file [GeV]"),
        ),
        "factor",
        _category("systematic", content),
    )
