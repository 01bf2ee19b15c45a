"""Checks of alternative samples and the sources that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_datasets import is_data, process_of, years_of_dataset
from hepflow.schema.tree import Problems, Rows, Tree, by_year, entries, no_effect, texts

NOMINAL = "nominal"
NO_YEAR = ""


def alternatives_sensible(tree: Tree) -> Problems:
    """An alternative sample belongs to a source, and replaces something."""
    rows = entries(tree, "datasets", "datasets")
    sources = {
        str(one.get("name"))
        for _, _, one in by_year(tree, "systematics")
        if one.get("type") == "sample"
    }
    nominal = {
        str(one.get("name")): process_of(one)
        for _, one in rows
        if one.get("variation", NOMINAL) == NOMINAL
    }
    for i, one in rows:
        variation, where = one.get("variation", NOMINAL), f"datasets.datasets[{i}]"
        if variation == NOMINAL:
            yield from no_effect(one, where, {"replaces": None}, "for a nominal sample")
            continue
        yield from _alternative(one, where, sources, nominal)
        yield from _years_replaced(one, where, rows)


def _alternative(
    one: Mapping[str, Any], where: str, sources: set[str], nominal: Mapping[str, str]
) -> Problems:
    variation = str(one.get("variation"))
    source = variation.removesuffix("_up").removesuffix("_down")
    if is_data(one):
        yield Problem(f"{where}.variation", "data has no variations.", "Remove it.")
    elif source == variation or source not in sources:
        message = (
            f"expected <source>_up or <source>_down of a source of type 'sample' in "
            f"`systematics`, but got {variation!r}."
        )
        yield Problem(f"{where}.variation", message, did_you_mean(source, sources))
    for j, name in texts(one.get("replaces")):
        if name not in nominal:
            hint = did_you_mean(name, nominal)
            yield Problem(f"{where}.replaces[{j}]", f"there is no nominal dataset {name!r}.", hint)
        elif nominal[name] != process_of(one):
            message = f"{name!r} is of the process {nominal[name]!r}, not {process_of(one)!r}."
            yield Problem(f"{where}.replaces[{j}]", message)
    if one.get("replaces") is None and process_of(one) not in nominal.values():
        message = f"the process {process_of(one)!r} has no nominal dataset that it could replace."
        hint = did_you_mean(process_of(one), set(nominal.values()))
        yield Problem(f"{where}.process", message, hint)


def _years_replaced(one: Mapping[str, Any], where: str, rows: Rows) -> Problems:
    """An alternative sample replaces samples of its own year: it would be added otherwise."""
    only = [name for _, name in texts(one.get("replaces"))]
    years: set[str] = set()
    for _, other in rows:
        wanted = not only or other.get("name") in only
        nominal = other.get("variation", NOMINAL) == NOMINAL
        if nominal and wanted and process_of(other) == process_of(one):
            years |= set(years_of_dataset(other) or [NO_YEAR])
    for year in years_of_dataset(one) or [NO_YEAR]:
        if years and year not in years:
            what = f"of the year {year!r}" if year != NO_YEAR else "without a year"
            message = f"no nominal dataset {what} is there that it could replace."
            yield Problem(f"{where}.year", message, "Give both the same year.")


def samples_complete(tree: Tree) -> Problems:
    """A source of type sample has a sample for at least one side, and reflects one at most."""
    variations = {str(one.get("variation")) for _, one in entries(tree, "datasets", "datasets")}
    for where, _, one in by_year(tree, "systematics"):
        name = one.get("name")
        if one.get("type") != "sample" or not isinstance(name, str):
            continue
        sides = {f"{name}_up", f"{name}_down"} & variations
        if not sides:
            message = f"no dataset has the variation {name}_up or {name}_down."
            yield Problem(f"{where}.name", message, "Add it to datasets.datasets.")
        if len(sides) > 1:
            yield from no_effect(
                one, where, {"symmetrise": False}, "for two samples: it reflects one"
            )
