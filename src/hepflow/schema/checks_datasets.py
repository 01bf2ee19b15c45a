"""Checks of datasets and luminosity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.datasets import named_data
from hepflow.schema.tree import Problems, Tree, entries, given, no_effect, section

_ONLY_SIMULATION: Mapping[str, Any] = {
    "k_factor": 1.0,
    "filter_efficiency": 1.0,
    "weight_branch": None,
    "sumw_source": "auto",
}


def is_data(entry: Mapping[str, Any]) -> bool:
    """Whether a dataset is collision data."""
    said = entry.get("is_data")
    return named_data(entry) if said is None else said is True


def process_of(entry: Mapping[str, Any]) -> str:
    """Process of a dataset: by default its name."""
    return str(entry.get("process") or entry.get("name"))


def processes_of(tree: Tree) -> set[str]:
    """Names of all processes."""
    return {process_of(one) for _, one in entries(tree, "datasets", "datasets")}


def data_processes(tree: Tree) -> set[str]:
    """Names of the processes that are collision data."""
    return {process_of(one) for _, one in entries(tree, "datasets", "datasets") if is_data(one)}


def datasets_complete(tree: Tree) -> Problems:
    """A dataset has files, simulation a cross-section, data none."""
    for i, one in entries(tree, "datasets", "datasets"):
        where = f"datasets.datasets[{i}]"
        ways = [name for name in ("directory", "files") if one.get(name) is not None]
        if len(ways) != 1:
            found = "both" if ways else "neither"
            yield Problem(where, f"expected either `directory` or `files`, but got {found}.")
        if given(one.get("files")):
            yield from no_effect(one, where, {"file_pattern": "*.root"}, "beside `files`")
        if is_data(one):
            if one.get("cross_section") is not None:
                yield Problem(f"{where}.cross_section", "data has no cross-section.", "Remove it.")
            yield from no_effect(one, where, _ONLY_SIMULATION, "for data, whose weight is 1")
            continue
        if one.get("cross_section") is None:
            message = "missing. Simulation needs one [pb]."
            yield Problem(f"{where}.cross_section", message, "For data set is_data: True.")
        yield from no_effect(
            one, where, {"lumi_mask": None}, "for simulation: only data is certified"
        )


def one_kind_a_process(tree: Tree) -> Problems:
    """A process is data or simulation, not both."""
    first: dict[str, tuple[bool, int]] = {}
    for i, one in entries(tree, "datasets", "datasets"):
        kind, where = first.setdefault(process_of(one), (is_data(one), i))
        if kind != is_data(one):
            words = ("simulation", "data")
            yield Problem(
                f"datasets.datasets[{i}].process",
                f"{process_of(one)!r} is {words[kind]} at datasets.datasets[{where}] "
                f"and {words[not kind]} here.",
                "Give data a process of its own.",
            )


def luminosity_by_year(tree: Tree) -> Problems:
    """Several years need a luminosity each, because data-taking years differ."""
    lumi = section(tree, "general").get("lumi")
    rows = entries(tree, "datasets", "datasets")
    years = {str(one["year"]) for _, one in rows if one.get("year") is not None}
    if isinstance(lumi, Mapping):
        known = [str(key) for key in lumi]
        for i, one in rows:
            year, where = one.get("year"), f"datasets.datasets[{i}].year"
            if year is None:
                message = "missing. general.lumi is given by year, so each dataset needs one."
                yield Problem(where, message, did_you_mean("", known))
            elif str(year) not in known:
                hint = did_you_mean(str(year), known)
                yield Problem(where, f"general.lumi has no year {str(year)!r}.", hint)
    elif len(years) > 1 and lumi is not None:
        shown = ", ".join(sorted(years))
        message = f"one number, but the datasets have several years ({shown})."
        yield Problem("general.lumi", message, "Give a mapping year -> 1/pb.")
