"""Checks that a part has what it needs, and nothing that would have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.execution import MISSING_LIMIT
from hepflow.schema.tree import (
    Problems,
    Tree,
    entries,
    given,
    needs,
    no_effect,
    section,
    texts,
)


def selections_complete(tree: Tree) -> Problems:
    """A selection is one function with its columns, or cuts."""
    if tree.get("baseline_selection") is not None:
        yield from _selection(tree.get("baseline_selection"), "baseline_selection")
    for i, channel in entries(tree, "channels"):
        if channel.get("selection") is not None:
            yield from _selection(channel["selection"], f"channels[{i}].selection")
    skim, where = section(tree, "preprocess", "skimming"), "preprocess.skimming"
    if given(skim.get("function", skim.get("selection_function"))):
        if not (given(skim.get("use")) or given(skim.get("selection_use"))):
            yield from needs(skim, where, ("use",), "for the columns of the function")
    else:
        unused = {"use": None, "selection_use": None, "static_kwargs": None}
        yield from no_effect(skim, where, unused, "without a function")


def _selection(one: Any, where: str) -> Problems:
    if not isinstance(one, Mapping):
        return
    function, cuts = given(one.get("function")), given(one.get("cuts"))
    if function == cuts:
        found = "both" if function else "neither"
        message = f"expected either `function` with `use`, or `cuts`, but got {found}."
        yield Problem(where, message)
    elif function:
        yield from needs(one, where, ("use",), "for the columns of the function")
    else:
        yield from no_effect(one, where, {"use": None}, "without a function")


def ghosts_sensible(tree: Tree) -> Problems:
    """Computed columns have one place each, and one function makes each."""
    first: dict[tuple[str, str], str] = {}
    weights = _weight_branches(tree)
    for i, one in entries(tree, "ghost_observables"):
        names = [name for _, name in texts(one.get("names"))]
        places = [name for _, name in texts(one.get("collections"))]
        if not names or not places:
            continue
        if len(places) not in {1, len(names)}:
            message = f"{len(places)} collections for {len(names)} names."
            hint = "Give one for all, or one for each."
            yield Problem(f"ghost_observables[{i}].collections", message, hint)
            continue
        places = places * len(names) if len(places) == 1 else places
        for j, column in enumerate(zip(places, names, strict=True)):
            path = f"ghost_observables[{i}].names[{j}]"
            if column in first:
                yield Problem(path, f"{'.'.join(column)} is computed already at {first[column]}.")
            if column[0] == "event" and column[1] in weights:
                message = f"{column[1]!r} is the generator weight, which is not computed."
                yield Problem(path, message, "Give another name, or make it a correction.")
            first.setdefault(column, path)


def _weight_branches(tree: Tree) -> set[str]:
    """Branches of the generator weight of all datasets."""
    rows = [one for _, one in entries(tree, "datasets", "datasets")]
    given = [one.get("weight_branch") for one in (section(tree, "general"), *rows)]
    named = {one for one in given if isinstance(one, str)}
    return named if given[0] is not None else {*named, "genWeight"}


def norm_factors_sensible(tree: Tree) -> Problems:
    """A norm factor starts within its bounds; the parameter of interest is one of them."""
    rows = entries(tree, "statistics", "norm_factors")
    for i, one in rows:
        nominal, bounds = one.get("nominal", 1.0), one.get("bounds", (0.0, 10.0))
        if _between(nominal, bounds) is False:
            within = f"from {bounds[0]} to {bounds[1]} (its bounds)"
            message = f"expected a value {within}, but got {nominal}."
            yield Problem(f"statistics.norm_factors[{i}].nominal", message)
        yield from _in_the_fit(one, f"statistics.norm_factors[{i}]", tree)
    statistics = section(tree, "statistics")
    poi = statistics.get("poi")
    names = [str(one.get("name")) for _, one in rows]
    for i, one in rows:
        if one.get("fixed") is True and one.get("name") == (poi or names[0]):
            message = "the parameter of interest cannot be fixed."
            yield Problem(f"statistics.norm_factors[{i}].fixed", message, "Fix another one.")
    # Without norm factors that is what is missing, unless there is a model of the user's own.
    if isinstance(poi, str) and names and poi not in names:
        hint = did_you_mean(poi, names)
        yield Problem("statistics.poi", f"{poi!r} is not a norm factor.", hint)


def _in_the_fit(one: Mapping[str, Any], where: str, tree: Tree) -> Problems:
    """A norm factor acts in a region that enters the fit."""
    kinds = {str(c.get("name")): c.get("kind", "signal") for _, c in entries(tree, "channels")}
    found = [kinds[name] for _, name in texts(one.get("channels")) if name in kinds]
    if found and all(kind == "validation" for kind in found):
        message = "all of these are validation regions, which do not enter the fit."
        yield Problem(f"{where}.channels", message, "Name a signal or control region.")


def _between(value: Any, bounds: Any) -> bool | None:
    """Whether a number is within bounds; None where either is malformed."""
    match bounds:
        case [int() | float() as low, int() | float() as high] if low < high:
            return low <= value <= high if isinstance(value, (int, float)) else None
    return None


def executors_sensible(tree: Tree) -> Problems:
    """An executor has what it needs."""
    execution = section(tree, "execution")
    backend = execution.get("backend", "loky")
    if backend == "dask":
        why = "for the backend 'dask': the address of the cluster's scheduler"
        yield from needs(execution, "execution", ("scheduler",), why)
    else:
        yield from no_effect(execution, "execution", {"scheduler": None}, "without backend 'dask'")
    if execution.get("on_missing", "fail") != "rescale":
        why = "without execution.on_missing 'rescale'"
        yield from no_effect(section(tree, "general"), "general", {"lumi_table": None}, why)
        yield from no_effect(execution, "execution", {"missing_limit": MISSING_LIMIT}, why)


def switches_sensible(tree: Tree) -> Problems:
    """What is switched on has what it needs, and something is switched on."""
    general, statistics = section(tree, "general"), section(tree, "statistics")
    on = {name: general.get(f"run_{name}", True) is not False for name in _STAGES}
    draws = section(tree, "plotting").get("enabled", True) is not False
    skips = general.get("analysis", "nondiff") == "skip"
    yield from _one_pass(tree, fills=on["histogramming"] and not skips, skims=on["skimming"])
    if general.get("run_plots_only") is True:
        if skips:
            message = "nothing is drawn where general.analysis is 'skip'."
            yield Problem("general.run_plots_only", message)
        if not draws:
            message = "nothing is drawn where plotting.enabled is False."
            yield Problem("general.run_plots_only", message)
        return
    wanted = (on["metadata_generation"], on["skimming"])
    if not any(wanted) and (skips or not (on["histogramming"] or on["statistics"] or draws)):
        message = "every stage is switched off: there is nothing to do."
        yield Problem("general", message, "Switch on one of run_metadata_generation, ...")
    if skips:
        return
    if on["histogramming"] and not given(tree.get("channels")):
        message = "missing. Histograms need at least one channel."
        yield Problem("channels", message, "Set general.analysis to 'skip' to end after the skim.")
    if not on["statistics"]:
        return
    factors = given(statistics.get("norm_factors")) or given(statistics.get("cabinetry_config"))
    if not factors:
        message = "missing. A fit needs at least one norm factor."
        yield Problem("statistics.norm_factors", message, "Or set general.run_statistics to False.")
    yield from _fit_regions(tree)


_STAGES = ("metadata_generation", "skimming", "histogramming", "statistics")


def _one_pass(tree: Tree, *, fills: bool, skims: bool) -> Problems:
    """Filling while reading leaves no skim, and needs something to fill."""
    if section(tree, "execution").get("one_pass") is not True:
        return
    if not skims:
        message = "general.run_skimming is off, which reads a stored skim: there is none."
        yield Problem("execution.one_pass", message, "Switch one of them.")
    if not fills:
        message = "no histograms are filled, and nothing would be left of a single pass."
        yield Problem("execution.one_pass", message, "Set it to False to make a skim.")
    output = section(tree, "preprocess", "skimming", "output")
    why = "with execution.one_pass: no skim is written"
    yield from no_effect(
        output, "preprocess.skimming.output", {"format": "pickle", "output_dir": None}, why
    )
    yield from no_effect(section(tree, "general"), "general", {"skimmed_dir": None}, why)


def _fit_regions(tree: Tree) -> Problems:
    """A fit has a region that is no validation region."""
    wanted = [name for _, name in texts(section(tree, "general").get("channels"))]
    rows = [one for _, one in entries(tree, "channels") if not wanted or one.get("name") in wanted]
    if rows and all(one.get("kind") == "validation" for one in rows):
        message = "a fit needs a signal or control region, but all channels are for validation."
        yield Problem("channels", message, "Or set general.run_statistics to False.")
