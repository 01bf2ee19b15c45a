"""Checks of what is asked of the inference beyond the fit."""

from __future__ import annotations

from hepflow.errors import Problem
from hepflow.schema.tree import Problems, Tree, no_effect, section, texts


def toys_sensible(tree: Tree) -> Problems:
    """Pseudo-experiments are described where some are made, and made for something."""
    some = section(tree, "statistics")
    tests = some.get("calculator", "asymptotic") == "toys"
    if not tests and some.get("goodness_of_fit", "asymptotic") != "toys":
        why = "without calculator 'toys' or goodness_of_fit 'toys'"
        yield from no_effect(some, "statistics", {"toys": 2000, "seed": 1}, why)
    if tests:
        why = "with calculator 'toys': the scan has the values at which toys were made"
        yield from no_effect(some, "statistics", {"scan_points": 21}, why)
    if tests and some.get("limit", True) is False and some.get("significance", True) is False:
        message = "has no effect without limit and without significance."
        yield Problem("statistics.calculator", message, "Remove it, or ask for one of them.")


def scans_sensible(tree: Tree) -> Problems:
    """A scan in two parameters has two different ones, and is asked for once."""
    scans = section(tree, "statistics").get("scans")
    seen: dict[frozenset[str], int] = {}
    for i, one in enumerate(scans if isinstance(scans, (list, tuple)) else ()):
        names = [name for _, name in texts(one)]
        where, key = f"statistics.scans[{i}]", frozenset(names)
        if len(key) < len(names):
            yield Problem(where, f"names {names[0]!r} twice.", "Expected two different parameters.")
        elif key in seen:
            message = f"stands already at statistics.scans[{seen[key]}]."
            yield Problem(where, message, "Remove one of them.")
        seen.setdefault(key, i)
