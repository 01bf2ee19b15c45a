"""From pydantic's errors to problems with a path, what was expected, and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.shapes import (
    Location,
    alternatives,
    annotation_at,
    below,
    field_named,
    format_path,
    models_in,
    valid_keys,
)

_CHARACTERS = "letters, digits and . _ + -, beginning with a letter or digit"

# What pydantic's error types say was expected; the braces are filled from the error.
_EXPECTED: Mapping[str, str] = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "callable_type": "a function",
    "dict_type": "a mapping (dict)",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "invalid_key": "a text as key",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "mapping_type": "a mapping (dict)",
    "model_type": "a section (dict)",
    "string_pattern_mismatch": f"a name of {_CHARACTERS}",
    "string_too_short": "a text that is not empty",
    "string_type": "a text",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "tuple_type": "a list",
}


@dataclass(frozen=True)
class _Finding:
    """One of pydantic's errors, at a path of the configuration."""

    location: tuple[str | int, ...]
    in_union: bool  # one of several that stand for one value, a member of a union each
    problem: Problem
    expected: str  # "" where the problem is not about a value
    shown: str  # the value


def problems_of(error: ValidationError, root: Any, prefix: str = "") -> list[Problem]:
    """Turn all of pydantic's errors into problems, one for each path.

    Parameters
    ----------
    error
        What pydantic raised.
    root
        Model or annotation that was validated.
    prefix
        Path at which it stands.
    """
    findings = [_finding(entry, root, prefix) for entry in error.errors(include_url=False)]
    deep = {one.location[:n] for one in findings for n in range(len(one.location))}
    by_path: dict[str, list[_Finding]] = {}
    for one in findings:
        # A member of a union that got further down is the one that was meant.
        if not (one.in_union and one.location in deep):
            by_path.setdefault(one.problem.path, []).append(one)
    return [_merged(same) for same in by_path.values()]


def _merged(findings: list[_Finding]) -> Problem:
    first = findings[0]
    expected = list(dict.fromkeys(one.expected for one in findings if one.expected))
    if not expected[1:]:
        return first.problem
    message = f"expected {', or '.join(expected)}, but got {first.shown}."
    return Problem(first.problem.path, message, first.problem.hint)


def _clean(root: Any, location: Location) -> tuple[tuple[str | int, ...], bool]:
    """Drop the steps that pydantic adds for members of unions and for keys of mappings."""
    here, kept, in_union = root, [], False
    for step in location:
        members = [one for one in alternatives(here) if one is not type(None)]
        if step == "[key]":  # a key of a mapping, which is the step before
            continue
        if len(members) > 1 and not in_union:
            in_union = True  # the step names the member
            continue
        child = below(here, step)
        if child is None and isinstance(step, int):  # a number as key of a mapping
            name = str(step)
            step, child = name, below(here, name)  # noqa: PLW2901 - the same step, as text
        if child is not None or models_in(here):
            kept.append(step)
            here, in_union = child, False
    return tuple(kept), in_union


def _finding(error: Mapping[str, Any], root: Any, prefix: str) -> _Finding:
    location, in_union = _clean(root, error["loc"])
    path = format_path(location, prefix) or "configuration"
    special = _SPECIAL.get(error["type"])
    if special:
        return _Finding(location, in_union, special(error, root, location, path), "", "")
    expected, shown = _expected(error), show(error.get("input"))
    problem = Problem(path, f"expected {expected}, but got {shown}.", _nearest(error, root))
    if not _says_what(error):
        problem = Problem(path, f"{expected}, but got {shown}.")
        expected = ""
    return _Finding(location, in_union, problem, expected, shown)


def _expected(error: Mapping[str, Any]) -> str:
    text = _EXPECTED.get(error["type"])
    if text:
        return text.format(**error.get("ctx", {})).replace(
            "at least 1 entries", "at least one entry"
        )
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    message = message.removeprefix("expected ")
    return message[:1].lower() + message[1:]


def _says_what(error: Mapping[str, Any]) -> bool:
    """Whether the error is worded as what was expected."""
    return error["type"] in _EXPECTED or "Value error, expected " in error["msg"]


def _nearest(error: Mapping[str, Any], root: Any) -> str:
    """Nearest of the values that the field admits."""
    if error["type"] != "literal_error" or not isinstance(error.get("input"), str):
        return ""
    here = annotation_at(root, _clean(root, error["loc"])[0])
    hint = did_you_mean(error["input"], [v for one in alternatives(here) for v in get_args(one)])
    return hint if hint.startswith("Did") else ""


def _unknown(error: Mapping[str, Any], root: Any, location: Location, path: str) -> Problem:
    del error
    name = str(location[-1]) if location else path
    return unknown_key(annotation_at(root, location[:-1]), name, path)


def unknown_key(annotation: Any, name: str, path: str) -> Problem:
    """Problem of a key that a section does not have, or not yet, or has twice."""
    for model in models_in(annotation):
        why = getattr(model, "not_yet", {}).get(name)
        if why:
            return Problem(path, f"refused: {why}.")
        field = field_named(model, name)
        if field:
            others = [key for key in valid_keys(model) if field_named(model, key) == field]
            shown = " and ".join(f"`{key}`" for key in others)
            return Problem(path, f"given twice: {shown} are the same field.", "Keep one.")
        return Problem(path, "unknown key.", did_you_mean(name, valid_keys(model)))
    return Problem(path, "unknown key.")


def _missing(error: Mapping[str, Any], root: Any, location: Location, path: str) -> Problem:
    del error
    if location and isinstance(location[-1], int):
        return Problem(path, "missing. Expected one more entry.")
    for model in models_in(annotation_at(root, location[:-1])):
        name = field_named(model, location[-1]) if location else None
        text = model.model_fields[name].description if name else None
        if text:
            return Problem(path, f"missing. Expected: {text.rstrip('.')}.")
    return Problem(path, "missing.")


def _refused(error: Mapping[str, Any], root: Any, location: Location, path: str) -> Problem:
    del root, location
    return Problem(path, f"{show(error.get('input'))} is refused: {error['msg']}.")


_Maker = Callable[[Mapping[str, Any], Any, Location, str], Problem]
_SPECIAL: Mapping[str, _Maker] = {
    "extra_forbidden": _unknown,
    "no_such_attribute": _unknown,
    "missing": _missing,
    "not_yet": _refused,
}


def show(value: Any, limit: int = 60, entries: int = 3) -> str:
    """Write a value for a message: functions by name, long values shortened."""
    if callable(value):
        return f"the function {getattr(value, '__qualname__', type(value).__name__)}"
    if isinstance(value, Mapping) and len(value) > entries:
        return f"a mapping with {len(value)} entries"
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def by_section(problems: Iterable[Problem], model: type[BaseModel]) -> list[Problem]:
    """Problems in the order of the model's sections, unknown ones first."""
    names = list(model.model_fields)

    def position(problem: Problem) -> int:
        name = re.split(r"[.\[]", problem.path)[0]
        return names.index(name) if name in names else -1

    return sorted(problems, key=position)
