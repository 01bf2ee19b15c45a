"""From the text of an override to a value of its field's type."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from hepflow.errors import Problem
from hepflow.schema.base import STRICT, plain
from hepflow.schema.fields import TextForm
from hepflow.schema.problems import problems_of
from hepflow.schema.shapes import alternatives, below, is_model, models_in

_NONE = {"none", "null", ""}
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class Unreadable(Exception):
    """A text that is no value of the field; carries what is wrong."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(problems)


def read_value(text: str, annotation: Any, path: str) -> Any:
    """Read a text by the type of its field.

    Parameters
    ----------
    text
        What stands behind the equals sign.
    annotation
        Type of the field, with its constraints.
    path
        Where the field stands, for messages.

    Returns
    -------
    object
        Plain value that the field admits.

    Raises
    ------
    Unreadable
        If no reading of the text is admitted.
    """
    adapter = _adapter(annotation)
    first: list[Problem] = []
    for candidate in _candidates(text, annotation):
        try:
            value = adapter.validate_python(candidate)
        except ValidationError as error:
            first = first or problems_of(error, annotation, path)
            continue
        return candidate if models_in(annotation) else plain(value)
    raise Unreadable(first)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    if is_model(annotation):  # has a configuration of its own
        return TypeAdapter(annotation)
    return TypeAdapter(annotation, config=STRICT)


def _candidates(text: str, annotation: Any) -> list[Any]:
    """What a text may mean, most likely first; the text itself last."""
    found: list[Any] = []
    members = alternatives(annotation)
    if type(None) in members and text.strip().lower() in _NONE:
        found.append(None)
    decoded = _decoded(text)
    for one in members:
        origin = get_origin(one)
        if one is bool and text.strip().lower() in _WORDS:
            found.append(_WORDS[text.strip().lower()])
        elif one is str and "," not in text and not isinstance(decoded, list):
            found.append(text)  # before the list of one that may stand here too
        elif one is Any and decoded is not _NOTHING:
            found.append(decoded)
        elif one in {int, float}:
            found.extend(_numbers(text))
        elif origin in {list, tuple}:
            found.extend(_lists(text, decoded, one, whole=_has_text_form(annotation)))
        elif (is_model(one) or origin in {dict, Mapping}) and isinstance(decoded, dict):
            found.append(decoded)
    return [*found, text]


def _lists(text: str, decoded: Any, annotation: Any, *, whole: bool) -> list[Any]:
    if isinstance(decoded, list):
        return [decoded]
    parts = [part.strip() for part in text.split(",")]
    split = [_candidates(part, below(annotation, i))[0] for i, part in enumerate(parts)]
    return [text, split] if whole else [split]


_NOTHING = object()  # what JSON cannot give


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return _NOTHING


def _numbers(text: str) -> list[int | float]:
    for kind in (int, float):
        try:
            return [kind(text)]
        except ValueError:
            continue
    return []


def _has_text_form(annotation: Any) -> bool:
    """Whether commas belong to the written form of the value."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return any(_has_text_form(one) for one in get_args(annotation))
    if get_origin(annotation) is not Annotated:
        return False
    inner, *metadata = get_args(annotation)
    return any(isinstance(one, TextForm) for one in metadata) or _has_text_form(inner)
