"""The range of each input in which a correction has a value whatever the others are.

Most objects are in it, and need not be followed through the nodes of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.domain import Values, edges_of, ends_at_edges


@dataclass
class Box:
    """Ranges and values of inputs that are in the domain of all branches."""

    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    keys: dict[str, frozenset[int]] = field(default_factory=dict)
    known: bool = True  # whether the inputs themselves are what the file checks

    def outside(self, values: Values, length: int) -> NDArray[np.intp]:
        """Positions of the objects that may be outside of the domain; not a number is."""
        if not self.known:
            return np.arange(length)
        inside = np.ones(length, dtype=np.bool_)
        for name, edge in self.low.items():
            inside &= (values[name] >= edge) & (values[name] < self.high[name])
        for name, keys in self.keys.items():
            inside &= np.isin(values[name], list(keys))
        # A number that limits nothing is only looked at for being one.
        for name, numbers in values.items():
            if not isinstance(numbers, str) and name not in self.low:
                inside &= np.isfinite(numbers)
        return np.flatnonzero(~inside)

    def limit(self, name: str, low: float, high: float) -> None:
        """Narrow the range of an input."""
        self.low[name] = max(self.low.get(name, -np.inf), low)
        self.high[name] = min(self.high.get(name, np.inf), high)


def box_of(content: Any, texts: Mapping[str, str]) -> Box:
    """Box of a correction.

    Parameters
    ----------
    content
        Root node of the correction (correctionlib schema version 2).
    texts
        Values of the inputs that are strings: other branches do not count.
    """
    box = Box()
    todo = [content]
    while todo and box.known:
        node = todo.pop()
        if isinstance(node, Mapping):
            todo += _narrowed(box, node, texts)
    return box


def _narrowed(box: Box, node: Mapping[str, Any], texts: Mapping[str, str]) -> list[Any]:
    """Narrow a box by one node; what is below it."""
    kind = node.get("nodetype")
    if kind == "transform":
        box.known = False
        return []
    if kind == "category":
        name, default = node["input"], node.get("default")
        branches = {one["key"]: one["value"] for one in node["content"]}
        if name in texts:
            return [branches.get(texts[name], default)]
        if default is None:
            keys = frozenset(branches)
            box.keys[name] = box.keys.get(name, keys) & keys
        return [*branches.values(), default]
    if kind not in {"binning", "multibinning"}:
        return []
    names = [node["input"]] if kind == "binning" else node["inputs"]
    edges = [node["edges"]] if kind == "binning" else node["edges"]
    if ends_at_edges(node["flow"]):
        for name, raw in zip(names, edges, strict=True):
            ends = edges_of(raw)
            box.limit(name, float(ends[0]), float(ends[-1]))
    return [*node["content"], node["flow"]]
