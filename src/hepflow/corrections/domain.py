"""Where a correction is defined, input by input and object by object.

The edges in the file count, not the exceptions that evaluating raises: a file with flow
``clamp`` silently gives an edge's value anywhere beyond it, and one with a number as flow gives
that number to all (files of jets have 1 for a resolution, and -999 for an uncertainty).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
Values = Mapping[str, Any]  # input -> array of shape (n,), or a string
Rule = Callable[[Any, Values, Positions], Floats]  # evaluates the rule of a transform
_BINNINGS = {"binning", "multibinning"}


@dataclass
class Limits:
    """Domain of one quantity for each object: lower edge inclusive, upper edge exclusive."""

    name: str  # input of the correction
    values: Floats  # shape (n,)
    transformed: bool = False  # the file checks a function of the input, such as abs(eta)
    low: Floats = field(init=False)  # shape (n,)
    high: Floats = field(init=False)
    keys: tuple[int, ...] = ()  # values that a category knows, where there are gaps
    unknown: NDArray[np.bool_] = field(init=False)  # not among `keys`, shape (n,)
    fillers: set[float] = field(default_factory=set)  # what the file has beyond, as numbers

    def __post_init__(self) -> None:
        self.low = np.full(self.values.shape, -np.inf)
        self.high = np.full(self.values.shape, np.inf)
        self.unknown = np.zeros(self.values.shape, dtype=np.bool_)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Objects outside the domain; not a number is outside any."""
        return self.unknown | ~((self.values >= self.low) & (self.values < self.high))

    def inside(self) -> Floats:
        """Values moved to the nearest one in the domain."""
        numbers = np.where(np.isnan(self.values), self.low, self.values)
        numbers = np.clip(numbers, self.low, np.nextafter(self.high, -np.inf))
        return np.where(self.unknown, self.keys[0], numbers) if self.keys else numbers

    def describe(self, total: int) -> str:
        """Say which value is outside of what, for a message; of `total` objects in all."""
        beyond = self.beyond
        first = int(np.flatnonzero(beyond)[0])
        what = f"{self.name!r}{' (transformed as the file says)' if self.transformed else ''}"
        domain = (
            f"which is none of {', '.join(map(str, self.keys))}"
            if self.unknown[first]
            else f"outside its domain [{self.low[first]:g}, {self.high[first]:g})"
        )
        if self.fillers:
            domain += f", where the file has {', '.join(f'{x:g}' for x in sorted(self.fillers))}"
            domain += " for everything"
        return (
            f"input {what} is {self.values[first]:g} in {int(beyond.sum())} of {total} "
            f"places, {domain}"
        )


def nodes_with_limits(content: Any, inputs: Mapping[str, str]) -> frozenset[int]:
    """Identities of the nodes that limit a numeric input themselves or further down.

    Parameters
    ----------
    inputs
        Type of each input (``real``, ``int``, ``string``) by name.
    """
    found: set[int] = set()

    def look(node: Any) -> bool:
        if not isinstance(node, Mapping):
            return False
        below = [look(one) for one in _children(node)]
        kind = node.get("nodetype")
        numeric = kind == "category" and inputs.get(node["input"]) != "string"
        if any(below) or numeric or kind in _BINNINGS:
            found.add(id(node))
        return id(node) in found

    look(content)
    return frozenset(found)


def _children(node: Mapping[str, Any]) -> list[Any]:
    content = node.get("content")
    inner: list[Any] = content if isinstance(content, list) else [content]
    if node.get("nodetype") == "category":
        inner = [one["value"] for one in inner]
    return [*inner, node.get("default"), node.get("rule"), node.get("flow")]


def limits_of(
    content: Any, values: Values, length: int, rule: Rule, relevant: frozenset[int]
) -> list[Limits]:
    """Domain of each numeric input, and of each transformed one, for each object.

    Parameters
    ----------
    content
        Root node of the correction (correctionlib schema version 2).
    values
        Inputs by name: arrays of shape (length,), and strings, which choose the branch.
    rule
        Evaluates the rule of a transform.
    relevant
        Result of `nodes_with_limits`: what need not be visited is left out.
    """
    walk = _Walk(rule, length, relevant)
    own = {name: Limits(name, v) for name, v in values.items() if not isinstance(v, str)}
    walk.found.extend(own.values())
    walk.visit(content, values, own, np.arange(length))
    return walk.found


class _Walk:
    """Follow each object down the tree of nodes, and note the edges that it meets."""

    def __init__(self, rule: Rule, length: int, relevant: frozenset[int]) -> None:
        self.rule = rule
        self.length = length
        self.relevant = relevant
        self.found: list[Limits] = []

    def visit(self, node: Any, values: Values, own: Mapping[str, Limits], at: Positions) -> None:
        """Note what a node says about the objects at the positions `at`."""
        if id(node) not in self.relevant or not len(at):
            return
        kind = node.get("nodetype")
        if kind == "category":
            self._category(node, values, own, at)
        elif kind == "binning":
            self._binning(node, [node["input"]], [node["edges"]], (values, own), at)
        elif kind == "multibinning":
            self._binning(node, node["inputs"], node["edges"], (values, own), at)
        elif kind == "transform":
            self._transform(node, values, own, at)

    def _category(
        self, node: Mapping[str, Any], values: Values, own: Mapping[str, Limits], at: Positions
    ) -> None:
        name, default = node["input"], node.get("default")
        branches = {one["key"]: one["value"] for one in node["content"]}
        if isinstance(values[name], str):
            self.visit(branches.get(values[name], default), values, own, at)
            return
        numbers = values[name][at]
        for key, branch in branches.items():
            self.visit(branch, values, own, at[numbers == key])
        rest = at[~np.isin(numbers, list(branches))]
        if default is not None:
            self.visit(default, values, own, rest)
        elif len(rest):
            own[name].keys = tuple(sorted(branches))
            own[name].unknown[rest] = True

    def _transform(
        self, node: Mapping[str, Any], values: Values, own: Mapping[str, Limits], at: Positions
    ) -> None:
        name = node["input"]
        self.visit(node["rule"], values, own, at)
        # Objects on other branches stay at 0, which no limit is set for.
        changed = np.zeros(self.length)
        changed[at] = self.rule(node["rule"], values, at)
        mine = Limits(name, changed, transformed=True)
        self.found.append(mine)
        self.visit(node["content"], {**values, name: changed}, {**own, name: mine}, at)

    def _binning(
        self,
        node: Mapping[str, Any],
        names: Sequence[str],
        all_edges: Sequence[Any],
        known: tuple[Values, Mapping[str, Limits]],
        at: Positions,
    ) -> None:
        values, own = known
        flow = node["flow"]
        cells, sizes = [], []
        gone = np.zeros(len(at), dtype=np.bool_)
        for name, raw in zip(names, all_edges, strict=True):
            edges = edges_of(raw)
            cell = _cells(edges, values[name][at], flow)
            beyond = (cell < 0) | (cell >= len(edges) - 1)
            gone |= beyond
            if ends_at_edges(flow):
                limits = own[name]
                limits.low[at] = np.maximum(limits.low[at], edges[0])
                limits.high[at] = np.minimum(limits.high[at], edges[-1])
                if not isinstance(flow, str) and beyond.any():
                    limits.fillers.add(float(flow))
            cells.append(np.clip(cell, 0, len(edges) - 2))
            sizes.append(len(edges) - 1)
        if isinstance(flow, Mapping):
            self.visit(flow, values, own, at[gone])
            at, cells = at[~gone], [cell[~gone] for cell in cells]
        if not any(id(one) in self.relevant for one in node["content"]):
            return
        place = np.ravel_multi_index(tuple(cells), tuple(sizes))
        for index in np.unique(place):
            self.visit(node["content"][index], values, own, at[place == index])


def ends_at_edges(flow: Any) -> bool:
    """Whether the domain ends at the edges of a binning, by its flow.

    It goes on where the flow is a node, and is endless where bins repeat. A number is none that
    somebody measured there.
    """
    return not isinstance(flow, Mapping) and flow != "wrap"


def _cells(edges: Floats, numbers: Floats, flow: Any) -> Positions:
    """Bin of each number; -1 or the number of bins beyond the edges."""
    if flow == "wrap":
        with np.errstate(invalid="ignore"):  # infinity has no bin, and is beyond anyway
            numbers = edges[0] + np.mod(numbers - edges[0], edges[-1] - edges[0])
    return np.searchsorted(edges, numbers, side="right") - 1


def edges_of(raw: Any) -> Floats:
    """Edges of a binning, shape (n_bins + 1,)."""
    if isinstance(raw, Mapping):  # uniform binning
        return np.linspace(float(raw["low"]), float(raw["high"]), int(raw["n"]) + 1)
    return np.array([float(one) for one in raw])  # infinity is written as a text


def with_clamped_flow(node: Any) -> Any:
    """The same content, but what lies beyond the domain has the value at its edge."""
    if isinstance(node, Mapping):
        changed = {name: with_clamped_flow(value) for name, value in node.items()}
        ends = "flow" in node and ends_at_edges(node["flow"])
        return {**changed, "flow": "clamp"} if ends else changed
    return [with_clamped_flow(one) for one in node] if isinstance(node, list) else node
