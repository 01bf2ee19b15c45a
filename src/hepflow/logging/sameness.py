"""Are two configuration values the same? Functions count by what they do, not by their name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from numbers import Number
from os import fspath
from pathlib import PurePath
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

_Pairs = frozenset[tuple[int, int]]  # functions whose comparison is under way


def plain(value: Any) -> Any:
    """Reduce models, records, arrays and tuples to dicts, lists and scalars, at every depth."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    return value if isinstance(value, type) else _plain_object(value)


def same(left: Any, right: Any) -> bool:
    """Tell whether two values mean the same.

    Tuples, lists and arrays of equal content are the same, so are NaN and NaN, 1 and 1.0,
    a path and its text. True and 1 differ. Functions are the same only if their names, code,
    constants, defaults and closures are.

    Examples
    --------
    >>> same({"bins": (1, 2)}, {"bins": [1, 2.0]})
    True
    >>> same(lambda pt: pt > 30, lambda pt: pt > 40)
    False
    """
    return _same(plain(left), plain(right), frozenset())


def _plain_object(value: Any) -> Any:
    if isinstance(value, Enum):
        return plain(value.value)
    if callable(getattr(value, "model_dump", None)):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not callable(value):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if hasattr(value, "dtype") and callable(getattr(value, "tolist", None)):
        return plain(value.tolist())  # numpy arrays and scalars, without importing numpy
    return value


def _same(left: Any, right: Any, under_way: _Pairs) -> bool:
    if left is right:
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            _same(item, right[key], under_way) for key, item in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _same(a, b, under_way) for a, b in zip(left, right, strict=True)
        )
    of_scalars = _same_scalar(left, right)
    if of_scalars is not None:
        return of_scalars
    pair = (id(left), id(right))
    if pair in under_way:  # a function that reaches itself through its closure
        return True
    return _same_object(left, right, under_way | {pair})


def _same_scalar(left: Any, right: Any) -> bool | None:
    """Compare numbers and text; None where both are objects of one other type."""
    if isinstance(left, bool) or isinstance(right, bool):
        return False  # True and True are one object
    if isinstance(left, Number) and isinstance(right, Number):
        both_nan = left != left and right != right  # noqa: PLR0124 - how NaN is found in any type
        return both_nan or left == right
    if isinstance(left, str | PurePath) and isinstance(right, str | PurePath):
        return fspath(left) == fspath(right)
    if type(left) is not type(right) or isinstance(left, type):
        return False
    return None


def _same_object(left: Any, right: Any, under_way: _Pairs) -> bool:
    parts: Callable[[Any], Any] = _PARTS.get(type(left), _state)
    mine, other = parts(left), parts(right)
    if mine is None or other is None:
        return (left == right) is True
    return (parts is _state and (left == right) is True) or _same(
        plain(mine), plain(other), under_way
    )


def _function_parts(function: FunctionType) -> dict[str, Any]:
    return {
        "name": (function.__module__, function.__qualname__),
        "code": function.__code__,
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "closure": [_cell_content(cell) for cell in function.__closure__ or ()],
    }


def _cell_content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return CellType


def _code_parts(code: CodeType) -> list[Any]:
    return [
        code.co_code,
        code.co_exceptiontable,
        [_typed(constant) for constant in code.co_consts],
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags],
    ]


def _typed(constant: Any) -> Any:
    """Keep 1, 1.0 and True apart: they compare equal, yet a function returns one of them."""
    if isinstance(constant, CodeType):
        return constant
    if isinstance(constant, tuple):
        return [_typed(item) for item in constant]
    if isinstance(constant, frozenset):
        return sorted(repr(item) for item in constant)
    return [type(constant).__name__, repr(constant)]


def _state(value: Any) -> dict[str, Any] | None:
    """Return what an instance of any class holds, None where that cannot be seen."""
    if callable(getattr(value, "py_func", None)):  # compiled by numba
        return {"py_func": value.py_func}
    if type(value).__module__ == "builtins":
        return None
    slots = [
        name
        for base in type(value).__mro__
        for name in _names(getattr(base, "__slots__", ()))
        if hasattr(value, name) and not name.startswith("__")
    ]
    if not slots and not hasattr(value, "__dict__"):
        return None
    return {name: getattr(value, name) for name in slots} | getattr(value, "__dict__", {})


def _names(slots: str | tuple[str, ...]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


_PARTS: dict[type, Callable[[Any], Any]] = {
    FunctionType: _function_parts,
    CodeType: _code_parts,
    MethodType: lambda method: [method.__func__, method.__self__],
    partial: lambda part: [part.func, part.args, part.keywords],
}
