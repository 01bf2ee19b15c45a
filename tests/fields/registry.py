"""Which fields the configuration has, and which of them a marked test changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from hepflow.schema import Config
from hepflow.schema.base import Section
from hepflow.schema.shapes import alternatives, is_model

TESTS = Path(__file__).parents[1]
MARK = "field"


def fields_of(model: type[Section], prefix: str = "") -> Iterator[str]:
    """Dotted paths of all fields that hold a value, those of sections below included.

    ``[]`` stands for an entry of a list of sections, or for a list where something else can stand
    too; ``{}`` for a mapping where something else can stand too.
    """
    for name, info in model.model_fields.items():
        path = f"{prefix}.{name}" if prefix else name
        members = [one for one in alternatives(info.annotation) if one is not type(None)]
        for one in members:
            yield from _paths(one, path, several=len(members) > 1)


def _paths(member: Any, path: str, *, several: bool) -> Iterator[str]:
    inner = [one for arg in get_args(member) for one in alternatives(arg)]
    if is_model(member):
        yield from fields_of(member, path)
    elif get_origin(member) is list and any(is_model(one) for one in inner):
        for one in inner:
            yield from fields_of(one, f"{path}[]")
    else:
        suffix = {list: "[]", dict: "{}"}.get(get_origin(member), "") if several else ""
        yield path + suffix


def all_fields() -> list[str]:
    """Paths of all fields of the configuration."""
    return list(dict.fromkeys(fields_of(Config)))


def marked_fields(folder: Path = TESTS) -> dict[str, list[str]]:
    """Paths that marked tests name, and where.

    The source is read, not the tests that were collected: a worker of a parallel run, or a run
    of some files, knows only a part of these.
    """
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                where = f"{file.relative_to(folder)}::{node.name}"
                for path in _named(node.decorator_list):
                    found.setdefault(path, []).append(where)
    return found


def _named(decorators: list[ast.expr]) -> Iterator[str]:
    """Texts of the marks ``@pytest.mark.field("...")``."""
    for one in decorators:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == f"pytest.mark.{MARK}":
            yield from (ast.literal_eval(argument) for argument in one.args)
