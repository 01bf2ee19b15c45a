"""Records from JSON of our own files, which others may have written: each field of its type."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hepflow.errors import StorageError

T = TypeVar("T")
_SHOWN = 60  # characters of a value that a message quotes


def as_record(kind: type[T], data: Any, where: str) -> T:
    """Make a record of the fields that a JSON file has for it.

    Parameters
    ----------
    kind : type
        A dataclass.
    data
        What the file has: a mapping of field to value. Lists become tuples.
    where : str
        File and place in it, for messages.

    Raises
    ------
    StorageError
        A field is missing, unknown, or of another type.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Range:
    ...     start: int
    ...     stop: int
    >>> as_record(Range, {"start": 1, "stop": "2"}, "ranges.json")
    Traceback (most recent call last):
    hepflow.errors.StorageError: ranges.json: stop is '2', int expected. Repeat the step that ...
    """
    if not isinstance(data, Mapping):
        raise _wrong(where, f"it is a {type(data).__name__} instead of a record")
    fields = _fields(kind)  # type: ignore[arg-type]  # every type can be hashed
    unknown = sorted(str(name)[:_SHOWN] for name in data if name not in fields)
    missing = [name for name, (_, needed) in fields.items() if needed and name not in data]
    if unknown or missing:
        raise _wrong(where, f"fields missing: {missing}, unknown: {unknown}")
    values = {name: _value(fields[name][0], value, where, name) for name, value in data.items()}
    return kind(**values)


def _wrong(where: str, what: str) -> StorageError:
    return StorageError(f"{where}: {what}. Repeat the step that makes it.")


@functools.cache
def _fields(kind: type[Any]) -> dict[str, tuple[Any, bool]]:
    """Type of each field, and whether it must be given."""
    hints = typing.get_type_hints(kind)
    return {
        one.name: (
            hints[one.name],
            one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING,
        )
        for one in dataclasses.fields(kind)
    }


def _value(kind: Any, value: Any, where: str, name: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return as_record(kind, value, f"{where}, {name}")
    if not _check_of(kind)(value):
        shown = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
        expected = kind.__name__ if isinstance(kind, type) else str(kind)
        raise _wrong(where, f"{name} is {shown[:_SHOWN]}, {expected} expected")
    return _as_tuples(value) if typing.get_origin(kind) is tuple else value


@functools.cache
def _check_of(kind: Any) -> Callable[[Any], bool]:  # noqa: PLR0911 - one line a kind of type
    """Test whether a value is of a type, looked up once: there may be millions of values."""
    if kind is Any:
        return lambda _: True
    if kind is float:
        return lambda value: type(value) in {int, float} and math.isfinite(value)
    if kind in {int, bool, str, types.NoneType}:
        return lambda value: type(value) is kind
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _check_of_tuple(inner)
    checks = tuple(map(_check_of, inner))
    if origin in {types.UnionType, typing.Union}:
        return lambda value: any(check(value) for check in checks)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        named, held = checks
        return lambda value: (
            isinstance(value, Mapping)
            and all(named(name) and held(one) for name, one in value.items())
        )
    return lambda _: False


def _check_of_tuple(inner: tuple[Any, ...]) -> Callable[[Any], bool]:
    if inner[1:] == (...,):
        each = _check_of(inner[0])
        return lambda value: isinstance(value, (list, tuple)) and all(map(each, value))
    checks = tuple(map(_check_of, inner))
    return lambda value: (
        isinstance(value, (list, tuple))
        and len(value) == len(checks)
        and all(check(one) for check, one in zip(checks, value, strict=True))
    )


def _as_tuples(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    return tuple(_as_tuples(one) if type(one) in {list, tuple} else one for one in value)
