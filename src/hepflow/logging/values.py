"""How a configuration value reads in a table cell."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from types import CodeType, ModuleType
from typing import Any, Final

MASK: Final = "***"
LONG_LIST: Final = 6  # longer lists are summarised unless expanded
_SHOWN_OF_LONG: Final = 4

# Entries of these fields are columns: ("Muon", "pt") reads Muon.pt, ("Muon", None) reads Muon.
_COLUMN_LISTS: Final = frozenset({"use", "args", "target"})
_SECRET_KEY: Final = re.compile(r"(?i)passw|token|secret|credential|api_?key|private_?key")
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]+):[^/\s@]+@")
_URL_SECRET: Final = re.compile(
    r"(?i)([?&;][^=&\s]*(?:passw|token|secret|credential|signature|authz)[^=&\s]*=)[^&\s]+"
)
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
# Text that would read as something else without quotes.
_AMBIGUOUS: Final = re.compile(
    r"|None|True|False|nan|-?inf|[-+]?[\d.][\d._]*(e[-+]?\d+)?|\s.*|.*\s|\[.*|\{.*"
)


def is_secret(key: str) -> bool:
    """Tell whether the values under a key must not be shown."""
    return bool(_SECRET_KEY.search(key))


def value_text(value: Any, key: str = "", *, expand: bool = True) -> str:
    """Return the text of a plain value (see `sameness.plain`).

    Parameters
    ----------
    value : Any
        Scalar, function, list or dict.
    key : str
        The field it stands in: decides about secrets and columns.
    expand : bool
        Show every entry of long lists and dicts; else the first ones and how many there are.

    Examples
    --------
    >>> value_text([["Muon", "pt"], ["Jet", None]], "use")
    '[Muon.pt, Jet]'
    >>> value_text(list(range(9)), expand=False)
    '[0, 1, 2, 3, ... 9 in all]'
    """
    if is_secret(key) and value is not None:
        return MASK
    if key == "target" and (column := _column(value)):
        return column
    if isinstance(value, dict):
        items = [f"{name}: {value_text(v, str(name), expand=expand)}" for name, v in value.items()]
        return f"{{{_join(items, expand=expand)}}}"
    if isinstance(value, list):
        if key == "binning" and not expand and (bins := _bins_text(value)):
            return bins
        items = [_item_text(item, key, expand=expand) for item in value]
        return f"[{_join(items, expand=expand)}]"
    return _scalar_text(value)


def summary(value: Any, key: str = "") -> str:
    """Return the gist of a value for a narrow cell: names of entries, the function of a rule."""
    if is_secret(key):
        return value_text(value, key)
    if isinstance(value, dict):
        if callable(value.get("function")):
            return function_text(value["function"])
        if list(value) == ["cuts"]:
            return summary(value["cuts"])
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = [item.get("name") or item.get("object") for item in value]
        if all(isinstance(name, str) for name in names):
            return _join([str(name) for name in names], expand=False)
        return "1 entry" if len(value) == 1 else f"{len(value)} entries"
    return value_text(value, key, expand=False)


def function_text(function: Callable[..., Any]) -> str:
    """Return ``module:qualname`` of a callable, with the line where the name says nothing."""
    if isinstance(function, partial):
        given = [value_text(argument) for argument in function.args]
        given += [f"{name}={value_text(v, name)}" for name, v in function.keywords.items()]
        return f"partial({', '.join([function_text(function.func), *given])})"
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if not isinstance(name, str):
        return _instance_text(function)
    module = getattr(function, "__module__", None)
    where = f"{module}:{name}" if module else name
    line = function_line(function)
    return f"{where} (line {line})" if name.endswith("<lambda>") and line else where


def function_line(function: Any) -> int | None:
    """Return the line where a function begins, None for what is not written in Python."""
    code = getattr(function, "__code__", None)
    return code.co_firstlineno if isinstance(code, CodeType) else None


def printable(text: str) -> str:
    """Return a text on one line, with escapes for what a terminal would act on."""
    return text if text.isprintable() else repr(text)[1:-1]


def _item_text(item: Any, key: str, *, expand: bool) -> str:
    if key in _COLUMN_LISTS and (column := _column(item)):
        return column
    return value_text(item, expand=expand)


def _bins_text(edges: list[Any]) -> str:
    """Return the gist of many bin edges, nothing for few or for what are no edges."""
    if len(edges) <= LONG_LIST or not all(isinstance(edge, int | float) for edge in edges):
        return ""
    steps = [high - low for low, high in itertools.pairwise(edges)]
    equal = all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)
    kind = "equal " if equal else ""
    return f"{len(steps)} {kind}bins from {edges[0]:g} to {edges[-1]:g}"


def _column(item: Any) -> str:
    match item:
        case [str(collection), None]:
            return collection
        case [str(collection), str(field)]:
            return f"{collection}.{field}"
    return ""


def _instance_text(function: Any) -> str:
    """Return the text of an instance that can be called."""
    kind = type(function)
    if any("__repr__" in vars(base) for base in kind.__mro__[:-1]):
        return printable(_ADDRESS.sub("", repr(function)))
    return f"{kind.__module__}:{kind.__qualname__}(...)"


def _join(items: list[str], *, expand: bool) -> str:
    if expand or len(items) <= LONG_LIST:
        return ", ".join(items)
    return f"{', '.join(items[:_SHOWN_OF_LONG])}, ... {len(items)} in all"


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return _string_text(value)
    if isinstance(value, PurePath):
        return _string_text(str(value))
    if isinstance(value, ModuleType):
        return value.__name__
    if callable(value):
        return function_text(value)
    return printable(_ADDRESS.sub("", repr(value)))


def _string_text(text: str) -> str:
    masked = _URL_SECRET.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}@", text))
    shown = printable(masked)
    return f"'{shown}'" if _AMBIGUOUS.fullmatch(text) else shown
