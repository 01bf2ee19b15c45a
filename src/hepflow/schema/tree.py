"""Reading a configuration as plain containers, passing over what is malformed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hepflow.errors import Problem

Tree = Mapping[str, Any]
Rows = list[tuple[int, Mapping[str, Any]]]
Problems = Iterator[Problem]
Check = Callable[[Tree], Problems]


def entries(tree: Any, *path: str) -> Rows:
    """Mappings of the list at `path` with their positions; empty where malformed."""
    for step in path:
        tree = tree.get(step) if isinstance(tree, Mapping) else None
    if not isinstance(tree, (list, tuple)):
        return []
    return [(i, one) for i, one in enumerate(tree) if isinstance(one, Mapping)]


def section(tree: Tree, *path: str) -> Mapping[str, Any]:
    """A section, empty where absent or malformed."""
    found: Any = tree
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def texts(value: Any) -> list[tuple[int, str]]:
    """Texts of a list (or of one text) with their positions."""
    if isinstance(value, str):
        return [(0, value)]
    if not isinstance(value, (list, tuple)):
        return []
    return [(i, one) for i, one in enumerate(value) if isinstance(one, str)]


def given(value: Any) -> bool:
    """Whether there is a value; an empty text or container is none."""
    return value is not None and not (
        isinstance(value, (str, list, tuple, Mapping)) and len(value) == 0
    )


def differs(value: Any, default: Any) -> bool:
    """Whether a plain value was given that is not the default."""
    return isinstance(value, (str, int, float)) and value != default


def no_effect(
    one: Mapping[str, Any], where: str, defaults: Mapping[str, Any], why: str
) -> Problems:
    """Fields that say something although nothing would listen."""
    for name, default in defaults.items():
        value = one.get(name)
        if differs(value, default) if default is not None else given(value):
            yield Problem(f"{where}.{name}", f"has no effect {why}.", "Remove it.")


def needs(one: Mapping[str, Any], where: str, names: tuple[str, ...], why: str) -> Problems:
    """Fields that have to be there."""
    for name in names:
        if not given(one.get(name)):
            yield Problem(f"{where}.{name}", f"missing. It is needed {why}.")


def by_year(tree: Tree, name: str) -> list[tuple[str, str | None, Mapping[str, Any]]]:
    """Path, year (None for all) and mapping of the entries of a section that may be by year."""
    content = tree.get(name)
    if isinstance(content, Mapping):
        return [
            (f"{name}.{year}[{i}]", str(year), one)
            for year in content
            for i, one in entries(content, year)
        ]
    return [(f"{name}[{i}]", None, one) for i, one in entries(tree, name)]
