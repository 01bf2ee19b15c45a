"""Overrides from the command line: ``--section.key=value`` at any depth."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hepflow.errors import ConfigurationError, OverrideError, Problem
from hepflow.schema.base import plain
from hepflow.schema.config import Config
from hepflow.schema.problems import show, unknown_key
from hepflow.schema.readings import Unreadable, read_value
from hepflow.schema.shapes import (
    Step,
    alternatives,
    annotation_at,
    below,
    field_named,
    format_path,
    holds_function,
    models_in,
    names_of,
)

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def load_config_with_restricted_cli(
    config: Mapping[str, Any], cli_args: Sequence[str]
) -> dict[str, Any]:
    """Apply command-line overrides to a plain configuration.

    Parameters
    ----------
    config
        Nested dict; it is not changed.
    cli_args
        Such as ``["--general.max_files=10", "channels[0].observables[1].binning=0,500,20"]``.
        A value is read by the type of its field; lists as JSON or with commas.

    Returns
    -------
    dict
        A new configuration with the overrides applied, not yet validated as a whole.

    Raises
    ------
    OverrideError
        If an override has no such field, a value that the field does not admit, or names
        a value that is or holds a function. All that is wrong is listed.
    ConfigurationError
        If `config` is no mapping.
    """
    if not isinstance(config, (Mapping, Config)):
        message = f"expected a mapping (dict) of sections, but got {show(config)}."
        raise ConfigurationError([Problem("configuration", message)])
    sections = config.to_dict() if isinstance(config, Config) else dict(config)
    result: dict[str, Any] = plain(copy.deepcopy(sections))
    problems: list[Problem] = []
    for argument in [cli_args] if isinstance(cli_args, str) else cli_args:
        try:
            _apply(result, argument)
        except Unreadable as refused:
            problems.extend(refused.problems)
    if problems:
        raise OverrideError(problems)
    return result


def _refused(path: str, message: str, hint: str = "") -> Unreadable:
    return Unreadable([Problem(path, message, hint)])


def _apply(config: dict[str, Any], argument: str) -> None:
    path, text = _split(argument)
    trail = _Trail(config)
    for step in path:
        trail.step(step)
    where = format_path(path)
    if holds_function(trail.annotation) or _is_or_holds_function(trail.value):
        hint = _settable_beside(path)
        raise _refused(where, "is or holds a function and cannot be set here.", hint)
    trail.put(read_value(text, trail.annotation, where))


def _split(argument: str) -> tuple[list[Step], str]:
    name, equals, text = argument.partition("=")
    name = name.strip().removeprefix("--")
    if not equals or not name:
        raise _refused(argument or "''", "expected --section.key=value.")
    path: list[Step] = []
    position = 0
    while position < len(name):
        match = _STEP.match(name, position)
        if match is None or (position == 0 and name[0] == "."):
            break
        path.append(match[1] if match[1] is not None else int(match[2]))
        position = match.end()
    if position != len(name):
        hint = "Write a path such as channels[0].observables[1].label."
        raise _refused(name, "this is no path of a configuration.", hint)
    return path, text.strip()


class _Trail:
    """The way down a plain configuration, step by step.

    Sections that the configuration does not carry are made on the way, but enter it
    only when a value is put at the end.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.annotation: Any = Config
        self.value: Any = config
        self._path: list[Step] = []
        self._links: list[tuple[Any, Any, Any]] = []  # container, key, what belongs there

    def step(self, step: Step) -> None:
        """Go one step down.

        Raises
        ------
        Unreadable
            If nothing can stand there.
        """
        container = self._container(step)
        self._path.append(step)
        where = format_path(self._path)
        annotation = below(self.annotation, step)
        if annotation is None:
            raise Unreadable([self._no_such(step, where)])
        if isinstance(step, int) and step >= len(container):
            count = f"{len(container)} {'entry' if len(container) == 1 else 'entries'}"
            raise _refused(where, f"there is no such entry; the list has {count}.")
        if self._links:
            self._links[-1] = (*self._links[-1][:2], container)
        key = step if isinstance(step, int) else self._key(container, step)
        default = _default(self.annotation, step)
        self.value = container[key] if isinstance(step, int) else container.get(key, default)
        self._links.append((container, key, self.value))
        self.annotation = annotation

    def put(self, value: Any) -> None:
        """Set the value where the way ends."""
        for container, key, child in self._links[:-1]:
            container[key] = child
        container, key, _ = self._links[-1]
        container[key] = value

    def _container(self, step: Step) -> Any:
        """What the next step goes into: what stands there, or a new one where it may."""
        kind: type = list if isinstance(step, int) else dict
        if isinstance(self.value, kind):
            return self.value
        if kind is list and isinstance(self.value, tuple):
            return list(self.value)
        # Where the path itself is wrong, that is reported next.
        wrong_path = below(self.annotation, step) is None
        if self.value is None or wrong_path or self._is_other_member():
            return kind()
        where = format_path(self._path)
        wanted = "a list" if kind is list else "a section (dict)"
        message = f"expected {wanted} here, but the configuration has {show(self.value)}."
        raise _refused(where, message)

    def _is_other_member(self) -> bool:
        """Whether the value is what the field also admits instead of a container."""
        scalars = tuple(one for one in alternatives(self.annotation) if one in {int, float, str})
        return isinstance(self.value, scalars)

    def _key(self, container: Mapping[Any, Any], step: str) -> Any:
        """Key under which the step stands here: as written, an alias, or the same number."""
        for model in models_in(self.annotation):
            name = field_named(model, step)
            same = names_of(name, model.model_fields[name]) if name else []
            return next((key for key in same if key in container), step)
        return next((key for key in container if str(key) == step), step)

    def _no_such(self, step: Step, where: str) -> Problem:
        if models_in(self.annotation) and isinstance(step, str):
            return unknown_key(self.annotation, step, where)
        if isinstance(step, int):
            return Problem(where, "this is no list, so it has no entries by number.")
        if below(self.annotation, 0) is not None:
            parent = format_path(self._path[:-1])
            return Problem(where, "this is a list.", f"Write {parent}[0] for its first entry.")
        return Problem(where, "what stands before it is a plain value and has no keys.")


def _default(annotation: Any, step: Step) -> Any:
    """Default of a field that is a list, so that its entries can be set one by one."""
    for model in models_in(annotation):
        name = field_named(model, step)
        value = model.model_fields[name].get_default(call_default_factory=True) if name else None
        return plain(list(value)) if isinstance(value, (list, tuple)) else None
    return None


def _is_or_holds_function(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_or_holds_function(one) for one in value.values())
    if isinstance(value, (list, tuple)):
        return any(_is_or_holds_function(one) for one in value)
    return callable(value)


def _settable_beside(path: list[Step]) -> str:
    """Name the plain values below (else beside) a path that may not be set."""
    for depth in range(len(path), -1, -1):
        start = list(path[:depth])
        here = annotation_at(Config, start)
        if not models_in(here) and models_in(below(here, 0)):
            start.append(0)
            here = below(here, 0)
        prefix = format_path(start)
        names = [
            f"{prefix}.{name}" if prefix else name
            for model in models_in(here)
            for name, info in model.model_fields.items()
            if not holds_function(info.annotation)
        ]
        if names:
            return f"Can be set: {', '.join(names)}."
    return ""


__all__ = ["load_config_with_restricted_cli"]
