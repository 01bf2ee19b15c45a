"""The configuration as a list of values, and what is another value than in the run before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepflow.storage import atomic_write

RESOLVED = "resolved.json"
PREVIOUS = "previous.json"
_FUNCTION = {"function", "fingerprint"}  # among what stands for a function


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of the configuration that is another one than in the run before."""

    path: str  # "channels[0].observables[0].binning"
    before: str
    now: str


def keep_previous(config_dir: Path) -> None:
    """Keep the configuration of the last run, before that of this one is written.

    Parameters
    ----------
    config_dir
        Folder of ``resolved.json``; ``previous.json`` becomes a copy of it, or goes away where
        there is none.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    last, kept = config_dir / RESOLVED, config_dir / PREVIOUS
    if last.is_file():
        atomic_write(kept, last.read_bytes())
    else:
        kept.unlink(missing_ok=True)


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Values of a resolved configuration with their paths; a function is one value."""
    if isinstance(tree, Mapping) and tree and not set(tree) >= _FUNCTION:
        for name, value in tree.items():
            yield from leaves(value, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, list) and any(isinstance(one, (Mapping, list)) for one in tree):
        for position, value in enumerate(tree):
            yield from leaves(value, f"{path}[{position}]")
    else:
        yield path, tree


def text_of(value: Any) -> str:
    """A value of the configuration for people."""
    if isinstance(value, Mapping):
        return str(value["function"]) if set(value) >= _FUNCTION else "none"
    if isinstance(value, list):
        return ", ".join(map(text_of, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None else str(value)


def differences(before: Any, now: Any) -> tuple[Difference, ...]:
    """Values that differ between two resolved configurations, in the order of the second."""
    old, new = dict(leaves(before)), dict(leaves(now))
    names = [name for name in {**new, **old} if _differ(name, old, new)]
    return tuple(_difference(name, old, new) for name in names)


def _differ(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return (name in old) != (name in new) or old[name] != new[name]


def _difference(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    texts = [text_of(one[name]) if name in one else "not there" for one in (old, new)]
    if texts[0] != texts[1]:
        return Difference(name, texts[0], texts[1])
    values = (old[name], new[name])
    if not all(isinstance(one, Mapping) for one in values):
        return Difference(name, texts[0], f"{texts[1]}, of another type")
    then, today = (one.get("reads", {}) for one in values)
    read = [key for key in then if key in today and then[key] != today[key]]
    if not read:
        return Difference(name, texts[0], "the same name, but its code or what it reads changed")
    shown = [f"{texts[0]} ({_listed(one, read)})" for one in (then, today)]
    return Difference(name, shown[0], shown[1])


def _listed(numbers: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]} = {numbers[name]}" for name in names)
