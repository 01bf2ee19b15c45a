"""A study that takes seconds: few events, tiny networks."""

from __future__ import annotations

from typing import Any

from hepflow.schema import Study

INFERENCE: dict[str, Any] = {
    "events": 400,
    "seed": 3,
    "sampling": {"events": 600},
    "training": {"hidden": [6], "epochs": 2, "batch_size": 200},
    "methods": [{"method": "sally"}, {"method": "alice"}],
    "evaluation": {"events": 200, "points": 7, "calibration": False},
    "plots": ["losses", "contours"],
}


def study(output: Any, changes: dict[str, Any] | None = None, **inference: Any) -> Study:
    """The study with other settings of its section; `changes` are of other sections."""
    sections = {
        "general": {"output_dir": str(output), "cache_dir": str(output / "cache")},
        "execution": {"backend": "inprocess"},
        "plotting": {"formats": ["png"], "dpi": 50},
        "inference": merged(_base(inference), inference),
    }
    return Study(**merged(sections, changes or {}))


def _base(inference: dict[str, Any]) -> dict[str, Any]:
    """How many events are made is told only where events are made."""
    source = inference.get("process", {}).get("source", "drell_yan")
    left_out = () if source in {"drell_yan", "madgraph"} else ("events",)
    return {name: value for name, value in INFERENCE.items() if name not in left_out}


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One mapping with the entries of the other, at any depth."""
    found = dict(one)
    for name, value in other.items():
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = merged(found[name], value) if both else value
    return found
