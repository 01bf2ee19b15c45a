"""Checks of the columns that corrections and sources of objects read beside their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.tree import Problems, Tree, by_year, section, texts

Kept = Mapping[str, set[str]]  # branches by object, of data and simulation
_WITHOUT_EM = (
    "Add it; without `met_em_columns` (cms.Jets(em_columns=())) jets that are electrons or photons "
    "move the missing momentum, too."
)


def columns_of_changes(tree: Tree) -> Problems:
    """What a change of an object needs of it, and of the missing momentum, is kept."""
    kept = _kept(tree)
    for name in ("corrections", "systematics"):
        for where, _, one in by_year(tree, name):
            if one.get("type") == "object":
                yield from _momenta(one, where, kept)
                yield from _of_target(one, where, kept)


def _kept(tree: Tree) -> Kept:
    found: dict[str, set[str]] = {}
    for name in ("branches", "mc_branches"):
        for collection, fields in section(tree, "preprocess", name).items():
            found.setdefault(str(collection), set()).update(one for _, one in texts(fields))
    return found


def _target(one: Mapping[str, Any]) -> tuple[str, str | None]:
    target = one.get("target")
    parts = target.split(".") if isinstance(target, str) else target
    match parts:
        case [str(name), str(field)]:
            return name, field
    return "", None


def _momenta(one: Mapping[str, Any], where: str, kept: Kept) -> Problems:
    """A change of a momentum has its angle."""
    name, field = _target(one)
    if field != "pt":
        return
    wanted: dict[str, list[tuple[str, str]]] = {
        "propagate_to_met": [
            column
            for _, met in texts(one.get("propagate_to_met"))
            for column in ((name, "phi"), (met, "pt"), (met, "phi"))
        ],
        "target": [(name, "phi")] if one.get("op") == "add_vector" else [],
    }
    for path, columns in wanted.items():
        missing = [(of, part) for of, part in columns if of in kept and part not in kept[of]]
        if missing:
            told = " and ".join(f"{of}.{part}" for of, part in missing)
            hint = " ".join(f"Add {part!r} to preprocess.branches.{of}." for of, part in missing)
            message = f"needs {told}, which preprocess.branches lacks."
            yield Problem(f"{where}.{path}", message, hint)


def _of_target(one: Mapping[str, Any], where: str, kept: Kept) -> Problems:
    """Columns of the target's object that a correction names."""
    name, _ = _target(one)
    if name not in kept:
        return
    named = list(_named(one))
    others = kept[name].difference(field for _, field in named)
    for path, field in named:
        if field not in kept[name]:
            hint = did_you_mean(field, others)
            if "met_em_columns" in path:
                hint = f"{hint} {_WITHOUT_EM}"
            message = f"{field!r} is not a branch of {name!r} in preprocess.branches."
            yield Problem(f"{where}.{path}", message, hint)


def _named(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path in ("raw_factor", "met_excluded"):
        yield from ((path, field) for _, field in texts(one.get(path)))
    yield from ((f"met_em_columns[{i}]", field) for i, field in texts(one.get("met_em_columns")))
