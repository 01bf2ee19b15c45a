"""Checks of the bins that enter the fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hepflow.errors import Problem
from hepflow.schema.fields import parse_binning
from hepflow.schema.tree import Problems, Tree, entries, given


def fit_binnings(tree: Tree) -> Problems:
    """Edges of the fit are edges of the observable: bins can be merged, not cut."""
    for i, channel in entries(tree, "channels"):
        wanted, there = _numbers(channel.get("fit_binning")), _filled(channel)
        if not wanted or not there:
            continue
        path = f"channels[{i}].fit_binning"
        strange = [edge for edge in wanted if position(edge, there) is None]
        if strange:
            message = f"{strange[0]:g} is not a bin edge of {channel.get('fit_observable')!r}."
            near = min(there, key=lambda edge: abs(edge - strange[0]))
            yield Problem(path, message, f"Bins are merged, not cut: the nearest is {near:g}.")


def position(edge: float, edges: Sequence[float]) -> int | None:
    """Which of the edges one is, up to rounding; None where it is none of them.

    Examples
    --------
    >>> position(0.3, [0.0, 0.1 + 0.2, 1.0]), position(0.5, [0.0, 0.3, 1.0])
    (1, None)
    """
    near = 1e-9 * (edges[-1] - edges[0])
    found = (k for k, one in enumerate(edges) if math.isclose(one, edge, abs_tol=near))
    return next(found, None)


def _filled(channel: Mapping[str, Any]) -> list[float]:
    """Edges of the fit observable; empty where malformed."""
    for _, one in entries(channel, "observables"):
        if one.get("name") == channel.get("fit_observable"):
            return _numbers(one.get("binning"))
    return []


def _numbers(binning: Any) -> list[float]:
    """Edges as they are written; empty where malformed."""
    if not given(binning):
        return []
    try:
        edges = parse_binning(binning)
    except ValueError:
        return []
    if not isinstance(edges, (list, tuple)) or not all(isinstance(e, (int, float)) for e in edges):
        return []
    return [float(edge) for edge in edges]
