"""Write ``reference/configuration.md`` from the configuration models: ``make docs``."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from hepflow.schema import Config, Section
from hepflow.schema.fields import Column

PAGE = Path(__file__).resolve().parent / "reference" / "configuration.md"
HEAD = """\
# Configuration

This page is generated from the models in `hepflow.schema` by `make docs`.

The configuration is a nested `dict`; functions are values. Unknown keys, wrong types and
impossible values are errors, reported all at once, each with its path. `[]` in a path stands
for each entry of a list. Every plain value can be set from the command line as
`--section.key=value`, entries of lists by their number: `--channels[0].fit_observable=met`.

A *column* is `("Muon", "pt")` or `"Muon.pt"`; `("Muon", None)` or `"Muon"` is the whole object."""
PLAIN = {bool: "bool", int: "int", float: "number", str: "text", type(None): "None", Any: "any"}
LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def reference() -> str:
    """Return the whole page."""
    overview = ["| section | what it holds |", "|---|---|"]
    overview += [
        f"| [`{name}`](#{name}) | {_text(info.description)} |"
        for name, info in Config.model_fields.items()
    ]
    refused = _refused(Config)
    parts = [HEAD, "\n".join(overview), *([refused] if refused else [])]
    for name, info in Config.model_fields.items():
        for model in _models(info.annotation):
            where = f"{name}[]" if get_origin(info.annotation) is list else name
            parts += [f"## {name}", *_pages(model, where)]
    return "\n\n".join(parts) + "\n"


def _pages(model: type[Section], where: str) -> Iterator[str]:
    """Table of one model, then those of the models in its fields."""
    rows = [f"{_text(model.__doc__).split('. ')[0]}", ""]
    rows += ["| field | type | default | meaning |", "|---|---|---|---|"]
    rows += [_row(name, info) for name, info in model.model_fields.items()]
    yield "\n".join(rows)
    if _refused(model):
        yield _refused(model)
    for name, info in model.model_fields.items():
        many = "[]" if "list" in _kind(info.annotation) else ""
        for below in _models(info.annotation):
            yield f"### `{where}.{name}{many}`"
            yield from _pages(below, f"{where}.{name}{many}")


def _row(name: str, info: FieldInfo) -> str:
    limits = [
        f"{words} {getattr(one, key):g}"
        for one in info.metadata
        for key, words in LIMITS.items()
        if isinstance(getattr(one, key, None), (int, float))
    ]
    kind = ", ".join([_kind(info.annotation), *limits])
    return f"| `{name}` | {kind} | {_default(info)} | {_text(info.description)} |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is None or isinstance(value, Section):
        return ""
    return f"`{json.dumps(value)}`"


def _refused(model: type[Section]) -> str:
    if not model.not_yet:
        return ""
    lines = [f"- `{name}`: {reason}" for name, reason in model.not_yet.items()]
    return "Refused for now:\n\n" + "\n".join(lines)


def _kind(annotation: Any) -> str:
    """Type of a field, for people."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation == get_args(Column)[0]:
        return "column"
    if origin is Annotated:
        return _kind(args[0])
    if origin is not None:
        return CONTAINERS[origin](args)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    return PLAIN[annotation]


def _either(args: tuple[Any, ...]) -> str:
    return " or ".join(dict.fromkeys(_kind(one) for one in args if one is not type(None)))


CONTAINERS: dict[Any, Callable[[tuple[Any, ...]], str]] = {
    Union: _either,
    types.UnionType: _either,
    Literal: lambda args: ", ".join(f"`{one}`" for one in args),
    Callable: lambda _: "function",
    list: lambda args: f"list of {_kind(args[0])}",
    dict: lambda args: f"mapping of {_kind(args[0])} to {_kind(args[1])}",
    tuple: lambda args: f"({', '.join(map(_kind, args))})",
}


def _models(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    if get_origin(annotation) is not Callable:
        for one in get_args(annotation):
            yield from _models(one)


def _text(text: str | None) -> str:
    one_line = " ".join((text or "").split()).rstrip(".")
    return one_line.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
