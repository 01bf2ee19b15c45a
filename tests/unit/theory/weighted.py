"""Events of the small project with lists of theory weights that are known functions of `x`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from tests.builders import write_nano
from tests.fields.project import SIMULATION, columns, make_config, simulation

X = np.asarray(SIMULATION["x"], dtype=np.float64)
BINS = [[0, 1, 2], [3, 4], [5], [6, 7]]  # events in each bin of `x`


def lists(values: Any) -> ak.Array:
    """Lists of weights as in NanoAOD, from an array of (n_events, n_weights)."""
    return ak.values_astype(ak.from_regular(ak.Array(np.asarray(values))), np.float32)


def tilted(slopes: Sequence[float], offset: float = 1.0) -> np.ndarray:
    """Weights ``offset + slope * x``, exact in single precision for simple slopes."""
    return offset + np.outer(X, slopes)


def entry(**fields: Any) -> dict[str, Any]:
    """Source of two weights by their position."""
    return {"name": "t", "type": "theory", "weights": "Some", "members": [0, 1],
            "combine": "pair", **fields}  # fmt: skip


def xsec(**fields: Any) -> dict[str, Any]:
    """Uncertainty of the cross-section."""
    return {"name": "xsec", "type": "normalisation", "size": 0.1, "processes": ["mc"], **fields}


def project(
    folder: Path,
    branches: Mapping[str, Any],
    *systematics: Mapping[str, Any],
    dataset: Mapping[str, Any] | None = None,
    **sections: Any,
) -> dict[str, Any]:
    """Configuration of one file with these branches besides the others."""
    config = make_config(folder, **sections)
    path = write_nano(folder / "in" / "weighted.root", columns(**branches))
    files = simulation(folder / "in", files=[str(path)], **(dataset or {}))
    config["datasets"] = {"datasets": [files]}
    return {**config, "systematics": list(systematics)}


def keep_above(x: Any, threshold: float = 1.0) -> Any:
    """Skim: events above a value."""
    return x > threshold


def skimmed(**fields: Any) -> dict[str, Any]:
    """Section ``preprocess`` with a skim that keeps the last three bins."""
    skimming = {"function": keep_above, "use": [("event", "x")], **fields}
    return {"skimming": skimming}


def in_bins(weights: Any) -> list[float]:
    """Sums of weights of all events in the bins of `x`."""
    return [float(np.asarray(weights, dtype=np.float64)[events].sum()) for events in BINS]
