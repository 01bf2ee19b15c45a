"""Checks of the section ``inference``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_sbi_process import detector_sensible, source_complete, source_of
from hepflow.schema.tree import (
    Check,
    Problems,
    Tree,
    differs,
    entries,
    given,
    needs,
    no_effect,
    section,
    texts,
)

BUILT_IN: Final = ("C_LL", "C_RR")
BUILT_IN_OBSERVABLES: Final = ("mass", "rapidity", "cos_theta")
_TAKEN: Final = {"histogram", "exact"}  # names of results without a network
_PLANE: Final = 2  # parameters
_LEVELS: Final = (0.68, 0.95)  # of regions, where none are given
_ROUNDING: Final = 1e-6  # of a number of toys
_SCALES: Final = ("mu", "mur", "muf")
_DENSITIES: Final = {"nde", "scandal"}
_RATIOS: Final = {"alice", "alices", "carl", "rolr", "rascal", "cascal"}
# Setting of a method -> methods that listen to it, and what the others are without
_ONLY_OF: Final[Mapping[str, tuple[set[str], str]]] = {
    "alpha": ({"alices", "rascal", "cascal", "scandal"}, "score beside something else in its loss"),
    "network": (_RATIOS, "ratio as its output"),
    "flows": (_DENSITIES, "density as its output"),
    "mixture": (_DENSITIES, "density as its output"),
}


def _part(tree: Tree, *path: str) -> Mapping[str, Any]:
    return section(tree, "inference", *path)


def parameters_of(tree: Tree) -> list[str] | None:
    """Names of the parameters; None where only the event file knows them."""
    named = [
        str(one["name"]) for _, one in entries(tree, "inference", "parameters") if "name" in one
    ]
    if named:
        return named
    return list(BUILT_IN) if source_of(tree) == "drell_yan" else None


def observables_of(tree: Tree) -> list[str] | None:
    """Names of the observables; None where only the event file knows them."""
    rows = entries(tree, "inference", "observables")
    if rows:
        return [str(one.get("name")) for _, one in rows]
    return list(BUILT_IN_OBSERVABLES) if source_of(tree) == "drell_yan" else None


def unique_names(tree: Tree) -> Problems:
    """Nothing has the name of another of its kind."""
    for kind in ("parameters", "observables", "cuts", "nuisances", "methods"):
        seen: dict[str, int] = {}
        for i, one in entries(tree, "inference", kind):
            name = one.get("name") or one.get("method")
            if not isinstance(name, str):
                continue
            if kind == "methods" and name in _TAKEN:
                where = f"inference.methods[{i}].name"
                yield Problem(where, f"{name!r} is taken by what methods are compared with.")
            if name in seen:
                where = f"inference.{kind}[{i}].name"
                message = f"{name!r} stands already at inference.{kind}[{seen[name]}]."
                yield Problem(where, message, "Give each a name of its own.")
            seen.setdefault(name, i)
    for i, one in entries(tree, "inference", "nuisances"):
        if one.get("name") in (parameters_of(tree) or ()):
            where = f"inference.nuisances[{i}].name"
            message = f"{one['name']!r} is a parameter of the theory."
            yield Problem(where, message, "Give the nuisance parameter a name of its own.")


def parameters_known(tree: Tree) -> Problems:
    """Points, priors and ranges are about parameters that exist."""
    known = parameters_of(tree)
    if known is None:
        return
    for where, point in _points(tree):
        for name in point:
            if name not in known:
                hint = did_you_mean(str(name), known)
                yield Problem(f"{where}.{name}", f"{name!r} is no parameter.", hint)


def _points(tree: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Mappings by parameter, with their paths."""
    for name, point in _part(tree, "benchmarks").items():
        if isinstance(point, Mapping):
            yield f"inference.benchmarks.{name}", point
    for path in (
        ("sampling", "reference"),
        ("sampling", "prior"),
        ("evaluation", "truth"),
        ("evaluation", "ranges"),
    ):
        yield f"inference.{'.'.join(path)}", _part(tree, *path)


def built_in_parameters(tree: Tree) -> Problems:
    """The built-in process has two parameters, and no other."""
    rows = entries(tree, "inference", "parameters")
    if source_of(tree) != "drell_yan" or not rows:
        return
    names = [str(one.get("name")) for _, one in rows]
    if set(names) != set(BUILT_IN):
        message = f"the built-in process has C_LL and C_RR, but these are {', '.join(names)}."
        yield Problem("inference.parameters", message, "Leave them out, or set process.source.")


def events_by_benchmark(tree: Tree) -> Problems:
    """Numbers of events are of benchmarks that exist."""
    events, known = _part(tree, "events"), list(_part(tree, "benchmarks"))
    if not events or source_of(tree) not in {"drell_yan", "madgraph"}:
        return
    if not known:
        message = "names benchmarks, but they are chosen and have no names yet."
        yield Problem("inference.events", message, "Give inference.benchmarks, or one number.")
        return
    for name in events:
        if name not in known:
            hint = did_you_mean(str(name), known)
            yield Problem(f"inference.events.{name}", "no such benchmark.", hint)


def functions_or_expressions(tree: Tree) -> Problems:
    """An observable or a cut is an expression or a function; columns are for skims."""
    skims = source_of(tree) == "skim"
    for kind in ("observables", "cuts"):
        for i, one in entries(tree, "inference", kind):
            where = f"inference.{kind}[{i}]"
            told = [name for name in ("expression", "function") if given(one.get(name))]
            if len(told) > 1:
                message = "given beside an expression."
                yield Problem(f"{where}.function", message, "Keep one of the two.")
            elif skims:
                yield from needs(one, where, ("function", "use"), "for events of a skim")
            elif not told:
                yield Problem(
                    f"{where}.expression", "missing. Expected an expression or a function."
                )
            if not skims:
                yield from no_effect(one, where, {"use": None}, "for events that are no skim")


def sampling_sensible(tree: Tree) -> Problems:
    """Events are left for tests, and priors are of a kind."""
    own, where = _part(tree, "sampling"), "inference.sampling"
    train, validation = own.get("train", 0.6), own.get("validation", 0.2)
    if (
        isinstance(train, (int, float))
        and isinstance(validation, (int, float))
        and (train + validation >= 1)
    ):
        message = f"train and validation are {train + validation:g} of the events: none for tests."
        yield Problem(f"{where}.validation", message, "Expected less than 1 together.")
    for name, one in section(own, "prior").items():
        if not isinstance(one, Mapping):
            continue
        flat = one.get("kind", "normal") == "uniform"
        unused = {"mean": None, "width": None} if flat else {"range": None}
        why = f"for kind {'uniform' if flat else 'normal'!r}"
        yield from no_effect(one, f"{where}.prior.{name}", unused, why)
    methods = {one.get("method") for _, one in entries(tree, "inference", "methods")}
    if methods and not methods & (_RATIOS | _DENSITIES):
        idle = {"numerators": "prior", "points": None, "prior": None}
        yield from no_effect(own, where, idle, "for methods that estimate scores only")
        return
    if own.get("numerators", "prior") != "prior":
        yield from no_effect(own, where, {"prior": None}, "without numerators 'prior'")
    if own.get("numerators", "prior") == "benchmarks":
        yield from no_effect(own, where, {"points": None}, "with numerators 'benchmarks'")


def methods_sensible(tree: Tree) -> Problems:
    """Settings of a method are those that it listens to."""
    for i, one in entries(tree, "inference", "methods"):
        method, where = one.get("method"), f"inference.methods[{i}]"
        for name, (methods, what) in _ONLY_OF.items():
            if method not in methods:
                yield from no_effect(one, where, {name: None}, f"for {method}, which has no {what}")


def evaluation_sensible(tree: Tree) -> Problems:
    """Data are observed or expected, and what is compared exists."""
    own, where = _part(tree, "evaluation"), "inference.evaluation"
    if own.get("data", "asimov") == "observed":
        yield from needs(own, where, ("observed",), "with data 'observed'")
        yield from no_effect(own, where, {"truth": None}, "with data 'observed'")
    else:
        yield from no_effect(own, where, {"observed": None}, "with data 'asimov'")
    yield from _toys_sensible(own, where)
    known_parameters = parameters_of(tree)
    if known_parameters is not None and len(known_parameters) > _PLANE and not own.get("points"):
        message = f"missing. It is needed for {len(known_parameters)} parameters."
        yield Problem(f"{where}.points", message, "Grids are refined for one or two only.")
    methods = [one.get("method") for _, one in entries(tree, "inference", "methods")]
    if own.get("calibrate") is True and methods and not (_RATIOS | _DENSITIES) & set(methods):
        message = "has no effect without a method that estimates a ratio."
        hint = f"Remove it, or add one of {', '.join(sorted(_RATIOS | _DENSITIES))}."
        yield Problem(f"{where}.calibrate", message, hint)
    levels = own.get("levels")
    if isinstance(levels, (list, tuple)) and len(set(map(str, levels))) < len(levels):
        yield Problem(f"{where}.levels", "the same level twice.", "Remove one of them.")
    yield from _histogram_sensible(tree, section(own, "histogram"), f"{where}.histogram")


def _toys_sensible(own: Mapping[str, Any], where: str) -> Problems:
    """There are toys for the levels, and points for toys."""
    neyman, levels = section(own, "neyman"), own.get("levels", _LEVELS)
    toys = neyman.get("toys", 0)
    if toys == 0 and differs(neyman.get("points", 9), 9):
        yield Problem(f"{where}.neyman.points", "has no effect without toys.", "Remove it.")
    if not isinstance(toys, int) or not isinstance(levels, (list, tuple)):
        return
    highest = max((one for one in levels if isinstance(one, float) and one < 1), default=0.0)
    if toys and toys * (1.0 - highest) < 1.0 - _ROUNDING:
        message = f"{toys} toys cannot tell a level of {100 * highest:g} %."
        hint = f"Use {math.ceil(10 / (1.0 - highest) - _ROUNDING)} or more, or 0 for none."
        yield Problem(f"{where}.neyman.toys", message, hint)


def _histogram_sensible(tree: Tree, own: Mapping[str, Any], where: str) -> Problems:
    """What is compared with exists, once."""
    if own.get("enabled", True) is False:
        unused = {"observables": None, "bins": 10}
        yield from no_effect(own, where, unused, "where histograms are not fitted")
    known, seen = observables_of(tree), set[str]()
    for i, name in texts(own.get("observables")):
        path = f"{where}.observables[{i}]"
        if known is not None and name not in known:
            yield Problem(path, f"{name!r} is no observable.", did_you_mean(name, known))
        elif name in seen:
            yield Problem(path, f"{name!r} stands there twice.", "Remove one of them.")
        seen.add(name)


def nuisances_sensible(tree: Tree) -> Problems:
    """A nuisance parameter has weights, or a size."""
    for i, one in entries(tree, "inference", "nuisances"):
        where = f"inference.nuisances[{i}]"
        if one.get("kind") == "normalisation":
            if not one.get("size"):
                yield Problem(f"{where}.size", "missing. It is needed for a normalisation.")
            weights = {"up": "", "down": "", "group": ""}
            yield from no_effect(one, where, weights, "for a normalisation, which has no weights")
        else:
            yield from no_effect(one, where, {"size": 0.0}, "for a source with weights")
            yield from _weights_named(tree, one, where)


def _weights_named(tree: Tree, one: Mapping[str, Any], where: str) -> Problems:
    """Weights of a nuisance parameter are named, where the events have some."""
    source = source_of(tree)
    if source in {"drell_yan", "event_file"}:
        message = f"with process.source {source!r} only kind 'normalisation' can be added."
        yield Problem(f"{where}.kind", message, "Set kind to 'normalisation', or remove it.")
    elif not one.get("group"):
        yield from needs(one, where, ("up",), "for a source with weights")
    elif source == "skim":
        message = "has no effect with process.source 'skim'."
        yield Problem(f"{where}.group", message, "Name the weights, up and down.")
    else:
        why = "where the group is given"
        yield from no_effect(one, where, {"up": "", "down": ""}, why)
        if one.get("kind", "scale") == "scale" and one["group"] not in _SCALES:
            hint = did_you_mean(str(one["group"]), _SCALES)
            yield Problem(f"{where}.group", f"{one['group']!r} is no scale.", hint)


SBI_CHECKS: Final[Iterable[Check]] = (
    unique_names,
    parameters_known,
    built_in_parameters,
    source_complete,
    events_by_benchmark,
    functions_or_expressions,
    detector_sensible,
    sampling_sensible,
    methods_sensible,
    evaluation_sensible,
    nuisances_sensible,
)
