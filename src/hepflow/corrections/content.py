"""What correctionlib takes from a file without looking, and what would end the program there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LONGEST = 5_000  # characters of a formula: the time to read one rises with the square
_DEEPEST = 100  # brackets in brackets of a formula: each takes room on the stack
_DEEPEST_NODE = 500  # nodes and lists in each other: what looks at them calls itself
_FEWEST_EDGES = 2


def check_content(content: Mapping[str, Any]) -> None:
    """Look through the content of a correction file.

    Raises
    ------
    ValueError
        It is nested too deep, a formula is too long or too deep, or a binning has no bin.
    """
    todo: list[tuple[Any, int]] = [(content, 0)]
    while todo:
        node, depth = todo.pop()
        if depth > _DEEPEST_NODE:
            raise ValueError("it is nested too deep")
        if isinstance(node, Mapping):
            _check_node(node)
        inner = node.values() if isinstance(node, Mapping) else node
        todo += [(one, depth + 1) for one in inner if isinstance(one, (Mapping, list))]


def _check_node(node: Mapping[str, Any]) -> None:
    formula = node.get("expression")
    if isinstance(formula, str):
        _check_formula(formula)
    edges = node.get("edges")
    if node.get("nodetype") == "binning" and isinstance(edges, list):
        _check_edges(edges)
    if node.get("nodetype") == "multibinning" and isinstance(edges, list):
        for one in edges:
            if isinstance(one, list):
                _check_edges(one)


def _check_edges(edges: list[Any]) -> None:
    if len(edges) < _FEWEST_EDGES:
        raise ValueError("a binning has no bin")
    if any(edge != edge for edge in edges):  # noqa: PLR0124 - only NaN differs from itself
        raise ValueError("an edge of a binning is NaN")


def _check_formula(text: str) -> None:
    if len(text) > _LONGEST:
        raise ValueError(f"a formula has {len(text)} characters, at most {_LONGEST} are read")
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth > _DEEPEST:
            raise ValueError(f"a formula has more than {_DEEPEST} brackets in each other")
