"""Write ``reference/configuration.md`` from the configuration models: ``make docs``.

As a script it also writes the other generated pages, each of which has a module of its own.
"""

from __future__ import annotations

import json
import runpy
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from hepflow.schema import Config, Section
from hepflow.schema.fields import Column
from hepflow.schema.shapes import field_annotation, names_of

PAGE = Path(__file__).resolve().parent / "reference" / "configuration.md"
HEAD = """\
# Configuration

This page is generated from the models in `hepflow.schema` by `make docs`.

The configuration is a nested `dict`; functions are values. Unknown keys, wrong types and
impossible values are errors, reported all at once, each with its path. `[]` in a path stands
for each entry of a list. Every plain value can be set from the command line as
`--section.key=value`, entries of lists by their number: `--channels[0].fit_observable=met`.

A *column* is `("Muon", "pt")` or `"Muon.pt"`; `("Muon", None)` or `"Muon"` is the whole object.
A field with two names can be written under either."""
BY_YEAR = "One list holds for all years; `{2016: [...], 2017: [...]}` gives each year its own."
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
        parts.append(f"## {name}")
        if "mapping" in _kind(info.annotation):
            parts.append(BY_YEAR)
        for model in _models(info.annotation):
            parts += _pages(model, name + _many(info))
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
        for below in _models(info.annotation):
            yield f"### `{where}.{name}{_many(info)}`"
            yield from _pages(below, f"{where}.{name}{_many(info)}")


def _many(info: FieldInfo) -> str:
    return "[]" if "list" in _kind(info.annotation) else ""


def _row(name: str, info: FieldInfo) -> str:
    names = " or ".join(f"`{one}`" for one in names_of(name, info))
    kind = _kind(field_annotation(info))
    return f"| {names} | {kind} | {_default(info)} | {_text(info.description)} |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is None or isinstance(value, Section):
        return ""
    return f"`{json.dumps(value, default=_told)}`"


def _told(section: Section) -> dict[str, Any]:
    """What an entry of a default says."""
    return {name: one for name, one in section.to_dict().items() if one is not None}


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
        return f"{_kind(args[0])} {' and '.join(_limits(args[1:]))}".strip()
    if origin is not None:
        return CONTAINERS[origin](args)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    return PLAIN[annotation]


def _limits(metadata: Iterable[Any]) -> Iterator[str]:
    for one in metadata:
        yield from _limits(getattr(one, "metadata", ()))
        for key, words in LIMITS.items():
            if isinstance(getattr(one, key, None), (int, float)):
                yield f"{words} {getattr(one, key):g}"


def _part(annotation: Any) -> str:
    """Type of an entry of a tuple, which may have to be None."""
    none = " or None" if type(None) in get_args(annotation) else ""
    return _kind(annotation) + none


def _either(args: tuple[Any, ...]) -> str:
    return " or ".join(dict.fromkeys(_kind(one) for one in args if one is not type(None)))


CONTAINERS: dict[Any, Callable[[tuple[Any, ...]], str]] = {
    Union: _either,
    types.UnionType: _either,
    Literal: lambda args: ", ".join(f"`{one}`" for one in args),
    Callable: lambda _: "function",
    list: lambda args: f"list of {_kind(args[0])}",
    dict: lambda args: f"mapping of {_kind(args[0])} to {_kind(args[1])}",
    tuple: lambda args: f"({', '.join(map(_part, args))})",
}


def _models(annotation: Any) -> list[type[Section]]:
    """Models of a field, each once."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    parts = () if get_origin(annotation) is Callable else get_args(annotation)
    return list(dict.fromkeys(model for one in parts for model in _models(one)))


def _text(text: str | None) -> str:
    one_line = " ".join((text or "").split()).rstrip(".").replace("|", "\\|")
    plain = one_line.split("`")
    plain[::2] = [one.replace("<", "&lt;") for one in plain[::2]]  # code stays as it is
    return "`".join(plain)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    for other in sorted(Path(__file__).parent.glob("reference_*.py")):
        runpy.run_path(str(other), run_name="__main__")
