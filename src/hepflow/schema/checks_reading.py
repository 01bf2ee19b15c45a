"""Checks of columns: what functions read is there, and is computed before they read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_names import lists_of
from hepflow.schema.tree import Problems, Rows, Tree, by_year, entries, section, texts

_EVENT = "event"
_GHOSTS = "ghost_observables"
# What is called before any ghost observable is computed, beside what changes objects.
_BEFORE = ("preprocess.", "datasets.", "good_object_masks", "baseline_selection")


@dataclass(frozen=True)
class _Read:
    """A column, or a whole object, that a function reads or changes."""

    path: str  # in the configuration
    object: str
    field: str | None = None  # None for the whole object

    def __str__(self) -> str:
        """Render as ``Jet.pt``."""
        return self.object if self.field is None else f"{self.object}.{self.field}"


def known_columns(tree: Tree) -> Problems:
    """Objects that functions read are configured in ``preprocess`` or computed."""
    branches = section(tree, "preprocess", "branches")
    known = {str(one) for one in (*branches, *section(tree, "preprocess", "mc_branches"))}
    if not known:
        return
    top_level = {name for _, name in texts(branches.get(_EVENT))}
    known.add(_EVENT)
    for i, ghost in entries(tree, _GHOSTS):
        for j, name in texts(ghost.get("collections")):
            if name in top_level and name not in known:
                message = f"{name!r} is a branch without an object."
                hint = 'Write "event" for a column of the event, or give another name.'
                yield Problem(f"{_GHOSTS}[{i}].collections[{j}]", message, hint)
            known.add(name)
    for where, functor in _functors(tree):
        for one in _columns(where, functor):
            name = one.object
            if name in top_level and name not in known:
                message = f"{name!r} belongs to no object."
                yield Problem(one.path, message, f'Write ("event", "{name}").')
            elif name not in known:
                message = f"{name!r} is not an object of preprocess.branches."
                yield Problem(one.path, message, did_you_mean(name, known))


def computed_in_time(tree: Tree) -> Problems:
    """Ghost observables are read only by what comes after them."""
    branches = {
        (str(name), column)
        for part in ("branches", "mc_branches")
        for name, columns in section(tree, "preprocess", part).items()
        for _, column in texts(columns)
    }
    ghosts = _ghosts(tree)
    if not branches:
        return
    for where, functor in _functors(tree):
        done = _computed_before(where, functor)
        for one in _columns(where, functor):
            i = _made_by(one, ghosts, branches)
            if i is None or done is None or i < done:
                continue
            if where.startswith(_GHOSTS):
                message = f"'{one}' is computed by {_GHOSTS}[{i}], which is not done by then."
                yield Problem(one.path, message, "Put that entry before this one.")
            else:
                yield Problem(
                    one.path,
                    f"'{one}' is a ghost observable ({_GHOSTS}[{i}]) and not there yet.",
                    "They are computed after the skim, the corrections of objects, the good "
                    "objects and the baseline selection: compute it here, from branches.",
                )


def _ghosts(tree: Tree) -> dict[tuple[str, str], int]:
    """Computed columns, with the position of the ghost observable that makes each."""
    found: dict[tuple[str, str], int] = {}
    for i, ghost in entries(tree, _GHOSTS):
        names = [name for _, name in texts(ghost.get("names"))]
        places = [name for _, name in texts(ghost.get("collections"))]
        places = places * len(names) if len(places) == 1 else places
        for column in zip(places, names, strict=False):
            found.setdefault(column, i)
    return found


def _made_by(
    one: _Read, ghosts: Mapping[tuple[str, str], int], branches: AbstractSet[tuple[str, str]]
) -> int | None:
    """Position of the ghost observable that makes a column; None where it is no computed one."""
    if one.field is not None and (one.object, one.field) in ghosts:
        column = (one.object, one.field)
        return None if column in branches else ghosts[column]
    if one.object == _EVENT or any(name == one.object for name, _ in branches):
        return None
    return min((i for (name, _), i in ghosts.items() if name == one.object), default=None)


def _computed_before(where: str, functor: Mapping[str, Any]) -> int | None:
    """How many ghost observables are there when a function is called; None for all."""
    if where.startswith(_GHOSTS):
        return int(where.removeprefix(f"{_GHOSTS}[").removesuffix("]"))
    if where.startswith(("corrections", "systematics")):
        return 0 if functor.get("type") == "object" or where.endswith(".smearing") else None
    return 0 if where.startswith(_BEFORE) and ".n_minus_1[" not in where else None


def _columns(where: str, functor: Mapping[str, Any]) -> Iterator[_Read]:
    """Columns that a function reads, and those that its value changes."""
    for field in ("use", "selection_use", "args"):
        use = functor.get(field)
        for j, column in enumerate(use if isinstance(use, (list, tuple)) else ()):
            if field == "args" and not isinstance(column, (list, tuple)):
                continue
            yield from _read(f"{where}.{field}[{j}]", column)
    moved = ("propagate_to_met",) if functor.get("type") == "object" else ()
    of_smearing = ("generated",) if where.endswith(".smearing") else ()
    masked = ("object",) if where.startswith("good_object_masks") else ()
    for field in ("target", *moved, *of_smearing, *masked):
        yield from _read(f"{where}.{field}", functor.get(field))


def _read(path: str, column: Any) -> Iterator[_Read]:
    """What a column names: ``"Jet"``, ``"Jet.pt"`` or ``("Jet", "pt")``."""
    parts = column.split(".", 1) if isinstance(column, str) else column
    if not isinstance(parts, (list, tuple)) or not parts:
        return
    name, field = parts[0], parts[1] if len(parts) > 1 else None
    if isinstance(name, str) and name:
        yield _Read(path, name, field if isinstance(field, str) else None)


def _functors(tree: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and mapping of everything that may have a function with columns."""
    yield "preprocess.skimming", section(tree, "preprocess", "skimming")
    yield "baseline_selection", section(tree, "baseline_selection")
    lists: list[tuple[str, Rows]] = [("ghost_observables", entries(tree, "ghost_observables"))]
    lists += [*lists_of(tree, "corrections"), *lists_of(tree, "systematics")]
    lists.append(("good_object_masks.analysis", entries(tree, "good_object_masks", "analysis")))
    for name in ("cuts", "n_minus_1"):
        lists.append((f"baseline_selection.{name}", entries(tree, "baseline_selection", name)))
    for i, dataset in entries(tree, "datasets", "datasets"):
        where = f"datasets.datasets[{i}]"
        yield f"{where}.keep", section(dataset, "keep")
        for j, part in entries(dataset, "slices"):
            yield f"{where}.slices[{j}].keep", section(part, "keep")
    for i, channel in entries(tree, "channels"):
        where = f"channels[{i}]"
        yield f"{where}.selection", section(channel, "selection")
        for name in ("cuts", "n_minus_1"):
            rows = entries(channel, "selection", name)
            lists.append((f"{where}.selection.{name}", rows))
        lists.append((f"{where}.observables", entries(channel, "observables")))
    for where, rows in lists:
        for i, one in rows:
            yield f"{where}[{i}]", one
    for where, _, one in by_year(tree, "corrections"):
        yield f"{where}.smearing", section(one, "smearing")
