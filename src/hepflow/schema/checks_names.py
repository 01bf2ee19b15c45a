"""Checks of names: each one unique, each one that is mentioned declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_datasets import (
    data_processes,
    dataset_names,
    processes_of,
    years_of,
)
from hepflow.schema.checks_estimates import estimated_processes, transfer_name
from hepflow.schema.tree import Problems, Rows, Tree, by_year, entries, given, section, texts


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
    yield from _repeated("channels", entries(tree, "channels"))
    for where, rows in lists_of(tree, "corrections"):
        yield from _repeated(where, rows)
    yield from _repeated("baseline_selection.cuts", entries(tree, "baseline_selection", "cuts"))
    for i, channel in entries(tree, "channels"):
        where = f"channels[{i}]"
        yield from _repeated(f"{where}.observables", entries(channel, "observables"))
        yield from _repeated(f"{where}.selection.cuts", entries(channel, "selection", "cuts"))


def lists_of(tree: Tree, name: str) -> list[tuple[str, Rows]]:
    """Path and entries of each list of a section that may be by year."""
    content = tree.get(name)
    if isinstance(content, Mapping):
        return [(f"{name}.{year}", entries(content, year)) for year in content]
    return [(name, entries(tree, name))]


def parameter_names(tree: Tree) -> Problems:
    """A nuisance parameter's or norm factor's name belongs to one source, in each year."""
    first: dict[str, dict[str | None, str]] = {}  # name -> year (None: all) -> where
    rows = list(_parameters(tree))
    for path, year, name in [*rows, *_of_years(tree, rows)]:
        if not isinstance(name, str):
            continue
        places = first.setdefault(name, {})
        known = next(iter(places.values()), None) if year is None else None
        known = known or places.get(year) or places.get(None)
        if known:
            message = f"the source {name!r} is declared already at {known}."
            yield Problem(path, message, "Names of parameters must be unique.")
        places.setdefault(year, path)


def _parameters(tree: Tree) -> Iterator[tuple[str, str | None, Any]]:
    for path, year, one in _sources(tree):
        yield f"{path}.name", year, one.get("name")
    for i, one in entries(tree, "statistics", "norm_factors"):
        yield f"statistics.norm_factors[{i}].name", None, one.get("name")
    factors: set[str] = set()
    for i, one in entries(tree, "estimates"):
        name = transfer_name(one)
        if name is not None and name not in factors:  # channels may share one
            factors.add(name)
            yield f"estimates[{i}].transfer.name", None, name


def parameters_of(tree: Tree) -> set[str]:
    """Names of all parameters of the fit, those of single years included."""
    names = {name for _, _, name in _parameters(tree) if isinstance(name, str)}
    for _, year, one in _sources(tree):
        if one.get("correlation") == "uncorrelated":
            years = years_of(tree) if year is None else [year]
            names |= {f"{one.get('name')}_{each}" for each in years}
    return names


def _sources(tree: Tree) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
    """Path, year (None for all) and mapping of everything that makes a source."""
    for path, year, one in by_year(tree, "corrections"):
        if given(one.get("up_and_down_idx")):
            yield path, year, one
        for j, source in entries(one, "uncertainty_sources"):
            yield f"{path}.uncertainty_sources[{j}]", year, source
    for path, year, one in by_year(tree, "systematics"):
        yield path, year, one


def _of_years(
    tree: Tree, rows: list[tuple[str, str | None, Any]]
) -> Iterator[tuple[str, str | None, str]]:
    """Names with the year, of sources that have a parameter in each, that others have too."""
    plain = {name for _, _, name in rows if isinstance(name, str)}
    for path, year, one in _sources(tree):
        if one.get("correlation") == "uncorrelated":
            for each in years_of(tree) if year is None else [year]:
                name = f"{one.get('name')}_{each}"
                if name in plain:
                    yield f"{path}.name", None, name


_ALIKE = (
    *("type", "channels", "symmetrise", "correlation"),
    *("members", "combine", "normalisation_only", "smooth", "group"),
)
_ALIKE_SOURCE = ("symmetrise", "correlation", "varies_with", "smooth", "group")
_ALIKE_ANY = ("type", "channels", *_ALIKE_SOURCE)  # of a source of a correction and another one
_UNSAID = {
    "symmetrise": False,
    "correlation": "correlated",
    "normalisation_only": False,
    "smooth": False,
}  # what a field says by default


def same_in_all_years(tree: Tree) -> Problems:
    """What has one name in several years is one source: it says the same about itself."""
    first: dict[str, tuple[str, Mapping[str, Any]]] = {}
    types = {path: one.get("type") for path, _, one in by_year(tree, "corrections")}
    for path, year, source in _sources(tree):
        name, own = source.get("name"), path.startswith("systematics")
        if not isinstance(name, str) or year is None:
            continue
        one = source if own else {**source, "type": types[path.split(".uncertainty_sources")[0]]}
        where, other = first.setdefault(name, (path, one))
        mixed = own != where.startswith("systematics")
        for field in _ALIKE_ANY if mixed else _ALIKE if own else _ALIKE_SOURCE:
            if _says_the_same(field, one, other):
                continue
            if mixed:
                place = "name" if field == "varies_with" else field
                yield Problem(
                    f"{path}.{place}",
                    f"{where}, a source of the same name, has another `{field}`.",
                    "Sources of one name are one nuisance, in whichever section: say the same (a "
                    "source of a correction acts in all channels), or give another name.",
                )
            else:
                message = f"differs from {where}.{field}, a source of the same name."
                yield Problem(f"{path}.{field}", message, "Say the same, or give another name.")


def _says_the_same(field: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two entries agree; positions may differ, as lists do between years."""
    mine, its = (each.get(field, _UNSAID.get(field)) for each in (one, other))
    if field == "members" and isinstance(mine, list) and isinstance(its, list):
        return len(mine) == len(its)
    return bool(mine == its)


def linked_sources(tree: Tree) -> Problems:
    """A source that moves with another names an object source of its year."""
    objects: dict[str | None, set[str]] = {}
    for _, year, one in by_year(tree, "corrections"):
        if one.get("type") == "object":
            names = [source.get("name") for _, source in entries(one, "uncertainty_sources")]
            own = [one.get("name")] if given(one.get("up_and_down_idx")) else []
            objects.setdefault(year, set()).update(str(name) for name in [*names, *own])
    for _, year, one in by_year(tree, "systematics"):
        if one.get("type") == "object":
            objects.setdefault(year, set()).add(str(one.get("name")))
    for path, year, one in by_year(tree, "corrections"):
        known = objects.get(year, set()) | objects.get(None, set())
        if year is None:
            known = set().union(*objects.values()) if objects else set()
        yield from _linked(one, path, known)


def _linked(one: Mapping[str, Any], path: str, known: set[str]) -> Problems:
    """Links of one correction to object sources, each of which moves its value once."""
    first: dict[str, int] = {}
    for j, source in entries(one, "uncertainty_sources"):
        linked = source.get("varies_with")
        where = f"{path}.uncertainty_sources[{j}].varies_with"
        if not isinstance(linked, str):
            continue
        if one.get("type") == "object":
            yield Problem(where, "only a source of an event correction moves with another.")
        elif linked not in known:
            hint = did_you_mean(linked, known)
            yield Problem(where, f"there is no object source {linked!r}.", hint)
        elif linked in first:
            message = f"uncertainty_sources[{first[linked]}] moves with {linked!r} already."
            yield Problem(where, message, "The correction has one value then: keep one source.")
        first.setdefault(linked, j)


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
    for path, _, one in by_year(tree, "corrections"):
        yield f"{path}.applies_to", one.get("applies_to"), one.get("type") == "object"
    for path, _, one in by_year(tree, "systematics"):
        yield f"{path}.processes", one.get("processes"), False
    for i, one in entries(tree, "statistics", "norm_factors"):
        yield f"statistics.norm_factors[{i}].processes", one.get("processes"), False


def known_processes(tree: Tree) -> Problems:
    """Processes that other sections name exist, and are simulation where that is needed."""
    of_datasets, data = processes_of(tree), data_processes(tree)
    known = of_datasets | estimated_processes(tree)
    if not of_datasets:
        return
    for where, names, data_too in _process_lists(tree):
        corrected = where.endswith("applies_to")
        here = of_datasets | dataset_names(tree) if corrected else known
        collisions = data | dataset_names(tree, data_only=True) if corrected else data
        for j, name in texts(names):
            if name not in here:
                hint = did_you_mean(name, here)
                yield Problem(f"{where}[{j}]", f"there is no process {name!r}.", hint)
            elif name in collisions and not data_too:
                message = f"{name!r} is collision data; only simulation can stand here."
                yield Problem(f"{where}[{j}]", message)
    for section_name in ("process_colors", "process_labels"):
        for name in section(tree, "plotting", section_name):
            if isinstance(name, str) and name not in known:
                path = f"plotting.{section_name}.{name}"
                hint = did_you_mean(name, known)
                yield Problem(path, f"there is no process {name!r}.", hint)


def known_channels(tree: Tree) -> Problems:
    """Channels that other sections name exist, and their observables."""
    rows = {str(one.get("name")): one for _, one in entries(tree, "channels")}
    for where, name in _channel_names(tree):
        if name not in rows:
            hint = did_you_mean(name, rows)
            yield Problem(where, f"there is no channel {name!r}.", hint)
    for i, one in entries(tree, "general", "blind"):
        yield from _blind(one, f"general.blind[{i}]", rows)


def _channel_names(tree: Tree) -> Iterator[tuple[str, str]]:
    general = section(tree, "general")
    for j, name in texts(general.get("channels")):
        yield f"general.channels[{j}]", name
    blind = general.get("blind")
    for i, one in enumerate(blind if isinstance(blind, (list, tuple)) else ()):
        if isinstance(one, str):
            yield f"general.blind[{i}]", one
        elif isinstance(one, Mapping) and isinstance(one.get("channel"), str):
            yield f"general.blind[{i}].channel", one["channel"]
    rows = [(path, one) for path, _, one in by_year(tree, "systematics")]
    factors = entries(tree, "statistics", "norm_factors")
    rows += [(f"statistics.norm_factors[{i}]", one) for i, one in factors]
    for path, one in rows:
        for j, name in texts(one.get("channels")):
            yield f"{path}.channels[{j}]", name


def _blind(one: Mapping[str, Any], where: str, channels: Mapping[str, Any]) -> Problems:
    observable, bounds = one.get("observable"), one.get("range")
    if given(observable) != given(bounds):
        field = "range" if given(observable) else "observable"
        message = "missing. A blind range is one of an observable."
        yield Problem(f"{where}.{field}", message, "Give both, or only the channel.")
    channel = channels.get(str(one.get("channel")))
    if channel is not None and isinstance(observable, str):
        names = [str(other.get("name")) for _, other in entries(channel, "observables")]
        if observable not in names:
            message = f"{observable!r} is not an observable of this channel."
            yield Problem(f"{where}.observable", message, did_you_mean(observable, names))
