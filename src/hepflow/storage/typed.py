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
    known: Any = kind  # a class can be hashed, which mypy does not see
    fields, needed = _fields(known), _needed(known)
    if not needed <= data.keys() <= fields.keys():
        unknown = sorted(str(name)[:_SHOWN] for name in data if name not in fields)
        missing = [name for name in fields if name in needed and name not in data]
        raise _wrong(where, f"fields missing: {missing}, unknown: {unknown}")
    values = {}
    for name, value in data.items():
        field = fields[name]
        if field.record is not None:
            values[name] = as_record(field.record, value, f"{where}, {name}")
        elif not field.fits(value):
            raise _wrong(where, _misfit(field.kind, name, value))
        else:
            values[name] = _as_tuples(value) if field.holds_tuples else value
    return kind(**values)


def _wrong(where: str, what: str) -> StorageError:
    return StorageError(f"{where}: {what}. Repeat the step that makes it.")


def _misfit(kind: Any, name: str, value: Any) -> str:
    shown = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
    expected = kind.__name__ if isinstance(kind, type) else str(kind)
    return f"{name} is {shown[:_SHOWN]}, {expected} expected"


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """How the value of a field is looked at; worked out once, as there may be a million records."""

    kind: Any
    fits: Callable[[Any], bool]
    record: type[Any] | None  # where it is one itself
    holds_tuples: bool


@functools.cache
def _fields(kind: type[Any]) -> dict[str, _Field]:
    hints = typing.get_type_hints(kind)
    return {one.name: _field(hints[one.name]) for one in dataclasses.fields(kind)}


def _field(kind: Any) -> _Field:
    inner = kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None
    return _Field(kind, _check_of(kind), inner, typing.get_origin(kind) is tuple)


@functools.cache
def _needed(kind: type[Any]) -> frozenset[str]:
    """Fields that must be given."""
    none = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return frozenset(
        one.name for one in fields if one.default is none and one.default_factory is none
    )


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
