"""Checks of datasets and luminosity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.datasets import named_data
from hepflow.schema.tree import (
    Problems,
    Rows,
    Tree,
    by_year,
    entries,
    given,
    no_effect,
    section,
)

_ONLY_SIMULATION: Mapping[str, Any] = {
    "k_factor": 1.0,
    "filter_efficiency": 1.0,
    "weight_branch": None,
    "sumw_source": "auto",
}
_OWN = ("year", "k_factor", "filter_efficiency", "keep")  # a slice may have its own
_ONLY_DATA: Mapping[str, Any] = {"lumi_mask": None, "duplicates": None}


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


def dataset_names(tree: Tree, *, data_only: bool = False) -> set[str]:
    """Names of all datasets, or of those of collision data."""
    rows = (one for _, one in entries(tree, "datasets", "datasets"))
    return {str(one.get("name")) for one in rows if is_data(one) or not data_only}


def datasets_complete(tree: Tree) -> Problems:
    """A dataset has files, simulation a cross-section, data none."""
    for i, one in entries(tree, "datasets", "datasets"):
        where = f"datasets.datasets[{i}]"
        yield from _files_given(one, where, ("directory", "files", "slices"))
        yield from _cross_sections(one, where, given(one.get("slices")))
        yield from _lengths(one, where)
        for j, part in entries(one, "slices"):
            path = f"{where}.slices[{j}]"
            yield from _files_given(part, path, ("directory", "files"))
            yield from _cross_sections({**part, "is_data": is_data(one)}, path, sliced=False)
            if is_data(one):
                unused = dict.fromkeys(_OWN[1:3])
                yield from no_effect(part, path, unused, "for data, whose weight is 1")
        yield from _said_by_all(one, where)
        if is_data(one):
            yield from no_effect(one, where, _ONLY_SIMULATION, "for data, whose weight is 1")
        else:
            yield from no_effect(one, where, _ONLY_DATA, "for simulation: it is about data")


def _first(one: Mapping[str, Any], *names: str) -> Any:
    """Value of a field that has two names."""
    return next((one[name] for name in names if one.get(name) is not None), None)


def _files_given(one: Mapping[str, Any], where: str, ways: tuple[str, ...]) -> Problems:
    """Files come from one place."""
    found = {
        "directory": _first(one, "directory", "directories"),
        "files": one.get("files"),
        "slices": one.get("slices"),
    }
    names = [name for name in ways if found[name] is not None]
    if len(names) != 1:
        shown = [f"`{name}`" for name in ways]
        wanted = f"either {', '.join(shown[:-1])} or {shown[-1]}"
        got = " and ".join(names) if names[2:] else ("both" if names else "neither")
        yield Problem(where, f"expected {wanted}, but got {got}.")
    if given(one.get("files")) or found["slices"] is not None:
        beside = "`files`" if given(one.get("files")) else "`slices`"
        if not any(part.get("directory") for _, part in entries(one, "slices")):
            yield from no_effect(one, where, {"file_pattern": "*.root"}, f"beside {beside}")


def _cross_sections(one: Mapping[str, Any], where: str, sliced: bool) -> Problems:
    sections = _first(one, "cross_section", "cross_sections")
    path = f"{where}.cross_section"
    if sections is None:
        if not is_data(one) and not sliced:
            message = "missing. Simulation needs one [pb]."
            yield Problem(path, message, "For data set is_data: True.")
    elif sliced:
        yield Problem(path, "has no effect beside `slices`.", "Give one in each slice.")
    elif is_data(one):
        yield Problem(path, "data has no cross-section.", "Remove it.")


def _said_by_all(one: Mapping[str, Any], where: str) -> Problems:
    """What each slice says for itself has no effect in the dataset."""
    parts = [part for _, part in entries(one, "slices")]
    for name, default in zip(_OWN, (None, 1.0, 1.0, None), strict=True):
        if parts and all(given(part.get(name)) for part in parts):
            for key in (name, f"{name}s"):
                yield from no_effect(one, where, {key: default}, "where each slice has its own")


def _lengths(one: Mapping[str, Any], where: str) -> Problems:
    """Lists that go side by side have one length."""
    directories = _first(one, "directory", "directories")
    slices = one.get("slices")
    of = ("slices", slices) if given(slices) else ("directory", directories)
    length = len(of[1]) if isinstance(of[1], (list, tuple)) else 1
    for name in ("cross_section", "year"):
        values = _first(one, name, f"{name}s")
        if not isinstance(values, (list, tuple)) or len(values) in {1, length}:
            continue
        message = f"{len(values)} values for {length} entries of `{of[0]}`."
        hint = "Give one for all, or one for each."
        if length == 1:
            hint = "Give as many in `directories`, or use `slices`."
        yield Problem(f"{where}.{name}", message, hint)


def slices_sensible(tree: Tree) -> Problems:
    """Slices of one year have different names."""
    for i, one in entries(tree, "datasets", "datasets"):
        first: dict[tuple[Any, Any], int] = {}
        years = _first(one, "year", "years")
        for j, part in entries(one, "slices"):
            own = years[j : j + 1] if isinstance(years, (list, tuple)) and years[1:] else [years]
            place = (part.get("name"), str(part.get("year") or next(iter(own), None)))
            if place in first and isinstance(place[0], str):
                path = f"datasets.datasets[{i}].slices[{j}].name"
                yield Problem(
                    path,
                    f"the name {place[0]!r} stands already at "
                    f"datasets.datasets[{i}].slices[{first[place]}].",
                    "Slices of one year need different names.",
                )
            first.setdefault(place, j)


def keys_unique(tree: Tree) -> Problems:
    """No two normalisation groups end up with the same key."""
    rows = entries(tree, "datasets", "datasets")
    names = {i: one.get("name") for i, one in rows}
    first: dict[str, int] = {}
    for i, one in rows:
        known = {key: first[key] for key in sorted(_stems(one)) if key in first}
        for key in _stems(one):
            first.setdefault(key, i)
        clash = next((key for key, at in known.items() if names[at] != names[i]), None)
        if clash is not None:  # the same name twice is told by the check of names
            yield Problem(
                f"datasets.datasets[{i}].name",
                f"its part {clash!r} has the name of a part of datasets.datasets[{known[clash]}].",
                "Choose another name.",
            )


def _stems(one: Mapping[str, Any]) -> set[str]:
    """Names of the groups of an entry: with slice and year where it has several."""
    parts = _parts(one)
    several = len({year for _, year in parts}) > 1
    return {
        "_".join([str(one.get("name")), *([part] if part else []), *([year] if several else [])])
        for part, year in parts
    }


def _parts(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Slice ("" for none) and year of each group of an entry."""
    years = _first(one, "year", "years")
    rows = entries(one, "slices")
    if rows:
        return [(str(part.get("name")), _year(part.get("year"), years, i)) for i, part in rows]
    lists = [_first(one, f"{name}s", name) for name in ("cross_section", "year")]
    lists.append(_first(one, "directory", "directories"))
    length = max(len(found) if isinstance(found, (list, tuple)) else 1 for found in lists)
    of_each = [_year(None, years, i) for i in range(length)]
    sliced = isinstance(lists[0], (list, tuple)) and len(lists[0]) > 1
    return [
        (str(of_each[:i].count(year)) if sliced and of_each.count(year) > 1 else "", year)
        for i, year in enumerate(of_each)
    ]


def _year(own: Any, of_dataset: Any, i: int) -> str:
    """Year of the part at a position: its own, else that of its dataset there."""
    listed = of_dataset if isinstance(of_dataset, (list, tuple)) else [of_dataset]
    there = listed[0] if len(listed) == 1 else next(iter(listed[i : i + 1]), None)
    return str(own or there or "")


def years_of_dataset(one: Mapping[str, Any]) -> list[str]:
    """Years of a dataset, each once."""
    years = _first(one, "year", "years")
    listed = list(years) if isinstance(years, (list, tuple)) else [years]
    parts = entries(one, "slices")
    found = [part["year"] for _, part in parts if part.get("year") is not None]
    if not parts or len(found) < len(parts):
        found = [*listed, *found]
    return list(dict.fromkeys(str(year) for year in found if year is not None))


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


def years_of(tree: Tree) -> list[str]:
    """Years of all datasets, each once."""
    rows = entries(tree, "datasets", "datasets")
    return list(dict.fromkeys(year for _, one in rows for year in years_of_dataset(one)))


def luminosity_by_year(tree: Tree) -> Problems:
    """Several years need a luminosity each, because data-taking years differ."""
    lumi = section(tree, "general").get("lumi")
    rows = entries(tree, "datasets", "datasets")
    years = {year for _, one in rows for year in years_of_dataset(one)}
    if isinstance(lumi, Mapping):
        known = [str(key) for key in lumi]
        for i, one in rows:
            where = f"datasets.datasets[{i}].year"
            if not years_of_dataset(one):
                message = "missing. general.lumi is given by year, so each dataset needs one."
                yield Problem(where, message, did_you_mean("", known))
            for year in years_of_dataset(one):
                if year not in known:
                    hint = did_you_mean(year, known)
                    yield Problem(where, f"general.lumi has no year {year!r}.", hint)
        for year in known:
            if years and year not in years:  # plots would show its luminosity
                hint = did_you_mean(year, years)
                yield Problem(f"general.lumi.{year}", f"no dataset has the year {year!r}.", hint)
    elif len(years) > 1 and lumi is not None:
        shown = ", ".join(sorted(years))
        message = f"one number, but the datasets have several years ({shown})."
        yield Problem("general.lumi", message, "Give a mapping year -> 1/pb.")


def sections_by_year(tree: Tree) -> Problems:
    """A section that is given by year has every year of the datasets, and no other."""
    rows = entries(tree, "datasets", "datasets")
    needed = years_of(tree)
    for name in ("corrections", "systematics"):
        content = tree.get(name)
        if not isinstance(content, Mapping):
            continue
        known = [str(year) for year in content]
        for i, one in rows:
            if not years_of_dataset(one) and (name == "systematics" or not is_data(one)):
                message = f"missing. `{name}` is given by year, so each dataset needs one."
                yield Problem(f"datasets.datasets[{i}].year", message, did_you_mean("", known))
        for year in needed:
            if year not in known:
                message = f"nothing for the year {year!r}, which datasets have."
                yield Problem(name, message, f"Write {year!r}: [] if there is none.")
        for year in known:
            if needed and year not in needed:
                hint = did_you_mean(year, needed)
                yield Problem(f"{name}.{year}", f"no dataset has the year {year!r}.", hint)
    yield from _uncorrelated(tree, rows)


def _uncorrelated(tree: Tree, rows: Rows) -> Problems:
    """What differs between years needs the year of each dataset."""
    if all(years_of_dataset(one) or is_data(one) for _, one in rows):
        return
    for path, _, one in [*by_year(tree, "corrections"), *by_year(tree, "systematics")]:
        sources = [
            (f"{path}.uncertainty_sources[{j}]", s) for j, s in entries(one, "uncertainty_sources")
        ]
        for where, source in [(path, one), *sources]:
            if source.get("correlation") == "uncorrelated":
                message = "'uncorrelated' needs the year of each dataset."
                yield Problem(f"{where}.correlation", message, "Give `year` in datasets.datasets.")
