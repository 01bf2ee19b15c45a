"""Checks of the section ``inference`` about where events come from, and detectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.inference_process import DrellYan, MadGraph, SkimColumns
from hepflow.schema.tree import Problems, Tree, entries, given, needs, no_effect, section

_FROM_FILES: Final = {"lhe", "delphes_trees", "event_file"}
_WANTED: Final[Mapping[str, tuple[str, ...]]] = {
    "madgraph": ("parameters", "observables"),
    "lhe": ("observables",),
    "delphes_trees": ("observables",),
    "skim": ("parameters", "observables", "benchmarks"),
}
_PARTS: Final[Mapping[str, tuple[str, Any]]] = {  # source -> its section, where it has one
    "drell_yan": ("drell_yan", DrellYan),
    "madgraph": ("madgraph", MadGraph),
    "skim": ("skim", SkimColumns),
}


def _part(tree: Tree, *path: str) -> Mapping[str, Any]:
    return section(tree, "inference", *path)


def source_of(tree: Tree) -> str:
    """Where events come from."""
    return str(_part(tree, "process").get("source", "drell_yan"))


def source_complete(tree: Tree) -> Problems:
    """A source has what it needs, and is told nothing that it does not listen to."""
    if not _part(tree) and "inference" not in tree:
        return
    source, process = source_of(tree), _part(tree, "process")
    why = f"with process.source {source!r}"
    if source in _FROM_FILES:
        yield from needs(process, "inference.process", ("files",), why)
    else:
        yield from no_effect(process, "inference.process", {"files": None}, why)
    for name, (part, model) in _PARTS.items():
        if name != source:
            own = section(process, part)
            yield from _unheard(own, f"inference.process.{part}", model, why)
    if source == "madgraph":
        own, where = section(process, "madgraph"), "inference.process.madgraph"
        yield from needs(own, where, ("process",), why)
    yield from needs(_part(tree), "inference", _WANTED.get(source, ()), why)
    yield from _own_points(tree, source)
    if source == "skim":
        yield from _skim_complete(tree, section(process, "skim"))


def _own_points(tree: Tree, source: str) -> Problems:
    """Files have benchmarks of their own, and event files observables as well."""
    process, why = _part(tree, "process"), f"with process.source {source!r}"
    if source == "delphes_trees":
        yield from needs(process, "inference.process", ("weights_files",), why)
    else:
        yield from no_effect(process, "inference.process", {"weights_files": None}, why)
    if source not in {"drell_yan", "madgraph"}:
        made = {"events": 40_000, "jobs": 1}
        yield from no_effect(_part(tree), "inference", made, f"{why}: events are there already")
    if given(_part(tree).get("benchmarks")):
        trials = {"benchmark_trials": 100}
        yield from no_effect(_part(tree), "inference", trials, "with benchmarks by hand")
    if source in {"lhe", "delphes_trees"}:
        told = f"{why}: the files have weights at points of their own"
        yield from no_effect(_part(tree), "inference", {"benchmarks": None}, told)
    if source == "event_file":
        for name in ("parameters", "benchmarks", "observables", "cuts"):
            yield from no_effect(
                _part(tree), "inference", {name: None}, f"{why}: the file has them"
            )


def _unheard(own: Mapping[str, Any], where: str, model: Any, why: str) -> Problems:
    defaults = model().to_dict()
    for name, value in own.items():
        if name in defaults and value != defaults[name] and list_of(value) != defaults[name]:
            yield Problem(f"{where}.{name}", f"has no effect {why}.", "Remove it.")


def list_of(value: Any) -> Any:
    """A text as a list of one, a list as a tuple: what a default is compared with."""
    return tuple(value) if isinstance(value, list) else value


def _skim_complete(tree: Tree, own: Mapping[str, Any]) -> Problems:
    """Skims need a weight for each benchmark."""
    weights = section(own, "weights")
    for name in _part(tree, "benchmarks"):
        if name not in weights:
            where = "inference.process.skim.weights"
            yield Problem(where, f"no column for the benchmark {name!r}.", "Expected one for each.")
    for i, one in entries(tree, "inference", "nuisances"):
        for side in ("up", "down"):
            column = one.get(side)
            if column and column not in weights:
                told = f"{column!r} is none of process.skim.weights."
                hint = did_you_mean(str(column), weights)
                yield Problem(f"inference.nuisances[{i}].{side}", told, hint)


def detector_sensible(tree: Tree) -> Problems:
    """A detector is applied to particles, and described where there is one."""
    own, source, where = _part(tree, "detector"), source_of(tree), "inference.detector"
    kind = own.get("kind", "none")
    if kind != "none" and source in {"delphes_trees", "event_file", "skim"}:
        message = f"events of {source!r} have been through a detector already."
        yield Problem(f"{where}.kind", message, "Remove it.")
    if kind != "delphes":
        nothing = {"card": None, "executable": None}
        yield from no_effect(own, where, nothing, "without kind 'delphes'")
    if kind != "parametrised":
        yield from no_effect(own, where, {"regions": None}, "without kind 'parametrised'")
    if kind == "delphes":
        yield from needs(own, where, ("card",), "with kind 'delphes'")
        if source == "drell_yan":
            message = "Delphes needs files of showered events, which the built-in process has not."
            yield Problem(
                f"{where}.kind", message, "Take parametrised, or process.source madgraph."
            )
        elif source == "lhe" or (source == "madgraph" and not _showers(tree)):
            message = "Delphes needs showered events."
            yield Problem(f"{where}.kind", message, "Set process.madgraph.shower.")
    for i, one in entries(own, "regions"):
        for name in ("pt", "eta"):
            low, high = one.get(f"min_{name}", 0.0), one.get(f"max_{name}")
            if isinstance(low, (int, float)) and isinstance(high, (int, float)) and high <= low:
                path = f"{where}.regions[{i}].max_{name}"
                yield Problem(path, f"expected more than min_{name}, {low:g}, but got {high:g}.")


def _showers(tree: Tree) -> bool:
    return _part(tree, "process", "madgraph").get("shower", False) is True
