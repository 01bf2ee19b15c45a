"""Corrections of the small project, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hepflow.records import HistogramSet
from tests.builders import observable, scale_node
from tests.fields.project import fill, itself, make_config, of_x

EDGES = [0.0, 2.0, 4.0]
CONTENT = {"nominal": [1.0, 2.0], "up": [1.1, 2.2], "down": [0.9, 1.8], "size": [0.5, 0.25]}
OTHER = {"nominal": [3.0, 3.0], "up": [4.0, 4.0], "down": [2.0, 2.0]}

NODES = (
    scale_node("sf", "x", EDGES, CONTENT, "error"),
    scale_node("other", "x", EDGES, OTHER, "error"),
    scale_node("short", "x", [0.0, 2.0, 3.0], {"nominal": [1.0, 2.0]}, "error"),
)
NOMINAL = [3.0, 2.0, 2.0, 4.0]  # of `x` with the correction `sf`
UP, DOWN = [3.3, 2.2, 2.2, 4.4], [2.7, 1.8, 1.8, 3.6]


def weight(file: str, **fields: Any) -> dict[str, Any]:
    """Event correction from the file."""
    return {"name": "sf", "type": "event", "file": file, "key": "sf", "use": [("event", "x")],
            "nominal_idx": "nominal", **fields}  # fmt: skip


def by_function(function: Any, **fields: Any) -> dict[str, Any]:
    """Event correction by a function of `x`."""
    return {"name": "sf", "type": "event", "use_correctionlib": False, "use": [("event", "x")],
            "nominal_function": function, **fields}  # fmt: skip


def jets(function: Any, **fields: Any) -> dict[str, Any]:
    """Object correction of the jets' pt."""
    return {"name": "jes", "type": "object", "use_correctionlib": False,
            "use": [("Jet", "pt")], "target": ("Jet", "pt"), "nominal_function": function,
            **fields}  # fmt: skip


def run_of(tmp_path: Path) -> Callable[..., HistogramSet]:
    """Fill with given corrections: `x`, jets' pt and mass, and missing momentum."""
    config = make_config(tmp_path)
    more = [
        observable("pt", "0,120,4", itself, [("Jet", "pt")]),
        observable("mass", "0,12,4", itself, [("Jet", "mass")]),
        observable("met", "0,80,2", itself, [("MET", "pt")]),
    ]
    config["channels"][0]["observables"] = [of_x(), *more]

    def filled(*corrections: Any, **sections: Any) -> HistogramSet:
        return fill({**config, "corrections": list(corrections), **sections})

    return filled
