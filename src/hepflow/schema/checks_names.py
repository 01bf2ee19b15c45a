"""Checks of names: each one unique, each one that is mentioned declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_datasets import data_processes, processes_of
from hepflow.schema.tree import Problems, Rows, Tree, entries, given, section, texts


def _repeated(where: str, rows: Rows) -> Problems:
    first: dict[str, int] = {}
    for i, one in rows:
        name = one.get("name")
        if not isinstance(name, str):
            continue
        if name in first:
            message = f"the name {name!r} stands already at {where}[{first[name]}]."
            yield Problem(f"{where}[{i}].name", message, "Names must be unique.")
        first.setdefault(name, i)


def unique_names(tree: Tree) -> Problems:
    """Names of datasets, channels, observables, cuts and corrections."""
    yield from _repeated("datasets.datasets", entries(tree, "datasets", "datasets"))
    for name in ("channels", "corrections"):
        yield from _repeated(name, entries(tree, name))
    yield from _repeated("baseline_selection.cuts", entries(tree, "baseline_selection", "cuts"))
    for i, channel in entries(tree, "channels"):
        where = f"channels[{i}]"
        yield from _repeated(f"{where}.observables", entries(channel, "observables"))
        yield from _repeated(f"{where}.selection.cuts", entries(channel, "selection", "cuts"))


def parameter_names(tree: Tree) -> Problems:
    """A nuisance parameter's or norm factor's name belongs to one source."""
    first: dict[str, str] = {}
    for path, name in _parameters(tree):
        if not isinstance(name, str):
            continue
        if name in first:
            message = f"the source {name!r} is declared already at {first[name]}."
            yield Problem(path, message, "Names of parameters must be unique.")
        first.setdefault(name, path)


def _parameters(tree: Tree) -> Iterator[tuple[str, Any]]:
    for i, one in entries(tree, "corrections"):
        if given(one.get("up_and_down_idx")):
            yield f"corrections[{i}].name", one.get("name")
        for j, source in entries(one, "uncertainty_sources"):
            yield f"corrections[{i}].uncertainty_sources[{j}].name", source.get("name")
    for i, one in entries(tree, "systematics"):
        yield f"systematics[{i}].name", one.get("name")
    for i, one in entries(tree, "statistics", "norm_factors"):
        yield f"statistics.norm_factors[{i}].name", one.get("name")


def fit_observables(tree: Tree) -> Problems:
    """The observable to fit is one of its channel's."""
    for i, channel in entries(tree, "channels"):
        names = [str(one.get("name")) for _, one in entries(channel, "observables")]
        wanted = channel.get("fit_observable")
        if isinstance(wanted, str) and names and wanted not in names:
            message = f"{wanted!r} is not an observable of this channel."
            hint = did_you_mean(wanted, names)
            yield Problem(f"channels[{i}].fit_observable", message, hint)


def _process_lists(tree: Tree) -> Iterator[tuple[str, Any, bool]]:
    """Path and names of each list of processes, and whether data may be in it."""
    yield "general.processes", section(tree, "general").get("processes"), True
    for name in ("process_order", "signal_processes"):
        yield f"plotting.{name}", section(tree, "plotting").get(name), name == "process_order"
    for i, one in entries(tree, "corrections"):
        yield f"corrections[{i}].applies_to", one.get("applies_to"), False
    for i, one in entries(tree, "systematics"):
        yield f"systematics[{i}].processes", one.get("processes"), False
    for i, one in entries(tree, "statistics", "norm_factors"):
        yield f"statistics.norm_factors[{i}].processes", one.get("processes"), False


def known_processes(tree: Tree) -> Problems:
    """Processes that other sections name exist, and are simulation where that is needed."""
    known, data = processes_of(tree), data_processes(tree)
    if not known:
        return
    for where, names, data_too in _process_lists(tree):
        for j, name in texts(names):
            if name not in known:
                hint = did_you_mean(name, known)
                yield Problem(f"{where}[{j}]", f"there is no process {name!r}.", hint)
            elif name in data and not data_too:
                message = f"{name!r} is collision data; only simulation can stand here."
                yield Problem(f"{where}[{j}]", message)
    for section_name in ("process_colors", "process_labels"):
        for name in section(tree, "plotting", section_name):
            if isinstance(name, str) and name not in known:
                path = f"plotting.{section_name}.{name}"
                hint = did_you_mean(name, known)
                yield Problem(path, f"there is no process {name!r}.", hint)


def known_channels(tree: Tree) -> Problems:
    """Channels that ``general.channels`` selects exist."""
    known = [str(one.get("name")) for _, one in entries(tree, "channels")]
    for j, name in texts(section(tree, "general").get("channels")):
        if name not in known:
            hint = did_you_mean(name, known)
            yield Problem(f"general.channels[{j}]", f"there is no channel {name!r}.", hint)


def known_columns(tree: Tree) -> Problems:
    """Objects that functions read are configured in ``preprocess`` or computed."""
    branches = section(tree, "preprocess", "branches")
    known = {str(one) for one in (*branches, *section(tree, "preprocess", "mc_branches"))}
    if not known:
        return
    known.add("event")
    for _, ghost in entries(tree, "ghost_observables"):
        known.update(name for _, name in texts(ghost.get("collections")))
    top_level = {name for _, name in texts(branches.get("event"))}
    for path, name in _columns(tree):
        if name in top_level and name not in known:
            message = f"{name!r} belongs to no object."
            yield Problem(path, message, f'Write ("event", "{name}").')
        elif name not in known:
            message = f"{name!r} is not an object of preprocess.branches."
            yield Problem(path, message, did_you_mean(name, known))


def _columns(tree: Tree) -> Iterator[tuple[str, str]]:
    """Path and object of each column that a function reads."""
    for where, one in _functors(tree):
        for field in ("use", "selection_use"):
            use = one.get(field)
            for j, column in enumerate(use if isinstance(use, (list, tuple)) else ()):
                name = _object(column)
                if name:
                    yield f"{where}.{field}[{j}]", name
        name = _object(one.get("target"))
        if name:
            yield f"{where}.target", name


def _object(column: Any) -> str:
    if isinstance(column, str):
        return column.split(".")[0]
    first = column[0] if isinstance(column, (list, tuple)) and column else None
    return first if isinstance(first, str) else ""


def _functors(tree: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and mapping of everything that may have a function with columns."""
    yield "preprocess.skimming", section(tree, "preprocess", "skimming")
    yield "baseline_selection", section(tree, "baseline_selection")
    lists: list[tuple[str, Rows]] = [
        (name, entries(tree, name)) for name in ("ghost_observables", "corrections", "systematics")
    ]
    lists.append(("good_object_masks.analysis", entries(tree, "good_object_masks", "analysis")))
    lists.append(("baseline_selection.cuts", entries(tree, "baseline_selection", "cuts")))
    for i, channel in entries(tree, "channels"):
        where = f"channels[{i}]"
        yield f"{where}.selection", section(channel, "selection")
        lists.append((f"{where}.selection.cuts", entries(channel, "selection", "cuts")))
        lists.append((f"{where}.observables", entries(channel, "observables")))
    for where, rows in lists:
        for i, one in rows:
            yield f"{where}[{i}]", one
