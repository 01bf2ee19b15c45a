"""Checks that a part has what its kind needs, and nothing that would have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.tree import Problems, Tree, entries, given, needs, no_effect, section, texts

_FROM_FILE: Mapping[str, Any] = {
    "file": None,
    "key": None,
    "nominal_idx": None,
    "up_and_down_idx": None,
    "out_of_range": "error",
}
_ONLY_OBJECT: Mapping[str, Any] = {
    "target": None,
    "op": "mult",
    "propagate_to_met": None,
    "scale_mass": True,
}
_FUNCTIONS: Mapping[str, Any] = {"up_function": None, "down_function": None}


def corrections_complete(tree: Tree) -> Problems:
    """A correction has what its kind needs."""
    for i, one in entries(tree, "corrections"):
        where = f"corrections[{i}]"
        yield from _correction_target(one, where)
        from_file = one.get("use_correctionlib", True) is not False
        word = f"{'with' if from_file else 'without'} use_correctionlib"
        if from_file:
            yield from needs(one, where, ("file", "key"), word)
            yield from no_effect(one, where, {"nominal_function": None}, word)
        else:
            yield from needs(one, where, ("nominal_function",), word)
            yield from no_effect(one, where, _FROM_FILE, word)
        for j, source in entries(one, "uncertainty_sources"):
            path = f"{where}.uncertainty_sources[{j}]"
            if from_file:
                yield from needs(source, path, ("up_and_down_idx",), word)
                yield from no_effect(source, path, _FUNCTIONS, word)
            else:
                yield from needs(source, path, tuple(_FUNCTIONS), word)
                yield from no_effect(source, path, {"up_and_down_idx": None}, word)


def _only_for_pt(one: Mapping[str, Any], where: str) -> Problems:
    """What follows from a new pt has no effect for another column."""
    target = one.get("target")
    parts = target.split(".") if isinstance(target, str) else target
    column = parts[-1] if isinstance(parts, (list, tuple)) and parts else "pt"
    if column != "pt":
        word = f"for the column {column!r}: it is for 'pt'"
        yield from no_effect(one, where, {"propagate_to_met": None, "scale_mass": True}, word)


def _correction_target(one: Mapping[str, Any], where: str) -> Problems:
    if one.get("type") == "object":
        if not given(one.get("target")):
            yield Problem(
                f"{where}.target",
                "missing. A correction of type 'object' needs the column that it changes.",
                'Write for example target: ("Jet", "pt").',
            )
        yield from no_effect(one, where, {"reduce": "prod"}, "for type 'object'")
        yield from _only_for_pt(one, where)
    if one.get("type") == "event":
        yield from no_effect(one, where, _ONLY_OBJECT, "for type 'event'")


def systematics_complete(tree: Tree) -> Problems:
    """A source has what its kind needs, and nothing that would have no effect."""
    needed: dict[Any, tuple[str, ...]] = {
        "normalisation": ("size",),
        "event": ("up_function", "down_function"),
        "object": ("up_function", "down_function", "target"),
    }
    unused: dict[Any, Mapping[str, Any]] = {
        "normalisation": {**_FUNCTIONS, **_ONLY_OBJECT, "use": None},
        "event": {**_ONLY_OBJECT, "size": None},
        "object": {"size": None},
    }
    for i, one in entries(tree, "systematics"):
        kind = one.get("type")
        if isinstance(kind, str) and kind in needed:
            yield from needs(one, f"systematics[{i}]", needed[kind], f"for type {kind!r}")
            yield from no_effect(one, f"systematics[{i}]", unused[kind], f"for type {kind!r}")
        if kind == "object":
            yield from _only_for_pt(one, f"systematics[{i}]")


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
            first.setdefault(column, path)


def norm_factors_sensible(tree: Tree) -> Problems:
    """A norm factor starts within its bounds; the parameter of interest is one of them."""
    rows = entries(tree, "statistics", "norm_factors")
    for i, one in rows:
        nominal, bounds = one.get("nominal", 1.0), one.get("bounds", (0.0, 10.0))
        if _between(nominal, bounds) is False:
            within = f"from {bounds[0]} to {bounds[1]} (its bounds)"
            message = f"expected a value {within}, but got {nominal}."
            yield Problem(f"statistics.norm_factors[{i}].nominal", message)
    statistics = section(tree, "statistics")
    poi = statistics.get("poi")
    names = [str(one.get("name")) for _, one in rows]
    # Without norm factors that is what is missing, unless there is a model of the user's own.
    if isinstance(poi, str) and names and poi not in names:
        hint = did_you_mean(poi, names)
        yield Problem("statistics.poi", f"{poi!r} is not a norm factor.", hint)


def _between(value: Any, bounds: Any) -> bool | None:
    """Whether a number is within bounds; None where either is malformed."""
    match bounds:
        case [int() | float() as low, int() | float() as high] if low < high:
            return low <= value <= high if isinstance(value, (int, float)) else None
    return None


def switches_sensible(tree: Tree) -> Problems:
    """What is switched on has what it needs."""
    execution = section(tree, "execution")
    backend = execution.get("backend", "loky")
    if backend == "dask":
        why = "for the backend 'dask': the address of the cluster's scheduler"
        yield from needs(execution, "execution", ("scheduler",), why)
    else:
        yield from no_effect(execution, "execution", {"scheduler": None}, "without backend 'dask'")
    general, statistics = section(tree, "general"), section(tree, "statistics")
    if general.get("analysis", "nondiff") == "skip":
        return
    if general.get("run_histogramming", True) is True and not given(tree.get("channels")):
        message = "missing. Histograms need at least one channel."
        yield Problem("channels", message, "Set general.analysis to 'skip' to end after the skim.")
    factors = given(statistics.get("norm_factors")) or given(statistics.get("cabinetry_config"))
    if general.get("run_statistics", True) is True and not factors:
        message = "missing. A fit needs at least one norm factor."
        yield Problem("statistics.norm_factors", message, "Or set general.run_statistics to False.")
