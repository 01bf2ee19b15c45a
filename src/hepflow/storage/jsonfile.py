"""JSON files: atomic, strict, and with errors that name the key and the step."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import MissingArtifact, StorageError
from hepflow.storage.atomic import atomic_writer, storage_errors
from hepflow.storage.special import refuse_special
from hepflow.storage.strictjson import parse_json

_ENCODE = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
_ENCODE_SORTED = json.JSONEncoder(allow_nan=False, ensure_ascii=False, sort_keys=True).encode
_AS_IT_IS = {str, int, bool, type(None)}
_LONG = 100  # entries of a list, of which each takes one line then


class _Unfit(Exception):
    """A value that JSON can't hold; the way to it grows from the inside out."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.way = what, ""

    def inside(self, step: str) -> _Unfit:
        self.way = step + self.way
        return self


def _plain(value: Any) -> Any:
    """`value` where it is plain, else plain containers with the same contents.

    There may be millions of values: nothing is copied, and no text is made, without need.
    """
    return _way(type(value))(value)  # type: ignore[arg-type]  # every class can be hashed


@functools.cache
def _way(kind: type[Any]) -> Callable[[Any], Any]:
    """What makes values of a type plain."""
    if issubclass(kind, np.generic | np.ndarray):
        return lambda value: _plain(value.tolist())
    if issubclass(kind, Mapping):
        return _plain_mapping
    if _is_list(kind):
        return _plain_list
    if dataclasses.is_dataclass(kind):
        fields = tuple(one.name for one in dataclasses.fields(kind))
        return lambda value: _plain_mapping({name: getattr(value, name) for name in fields})
    return _plain_number if issubclass(kind, float) else _plain_other


def _is_list(kind: type[Any]) -> bool:
    return issubclass(kind, Sequence) and not issubclass(kind, str | bytes | bytearray | memoryview)


def _plain_number(value: float) -> float:
    if not math.isfinite(value):
        raise _Unfit(f" is {value}: JSON has finite numbers only. Write null.")
    return value


def _plain_other(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    raise _Unfit(f" is a {type(value).__name__}, which JSON can't hold. Convert it before writing.")


def _plain_mapping(value: Mapping[Any, Any]) -> Mapping[str, Any]:
    changed = {}
    for key, one in value.items():
        if not isinstance(key, str):
            raise _Unfit(f": key {key!r} is not a string. JSON has string keys only.")
        if type(one) not in _AS_IT_IS:
            try:
                plain = _plain(one)
            except _Unfit as error:
                raise error.inside(f".{key}") from None
            if plain is not one:
                changed[key] = plain
    return value if type(value) is dict and not changed else {**value, **changed}


def _plain_list(value: Sequence[Any]) -> Sequence[Any]:
    changed = {}
    for index, one in enumerate(value):
        if type(one) not in _AS_IT_IS:
            try:
                plain = _plain(one)
            except _Unfit as error:
                raise error.inside(f"[{index}]") from None
            if plain is not one:
                changed[index] = plain
    if isinstance(value, list | tuple) and not changed:
        return value
    return [changed.get(index, one) for index, one in enumerate(value)]


def _pieces(value: Any, indent: str, *, sort: bool) -> Iterator[str]:
    """Text of a value, piece by piece: the whole of it may be larger than the memory."""
    if isinstance(value, Mapping) and value:
        keys = sorted(value, key=str) if sort else value  # one that is no text is told below
        named = ((f".{key}", f"{_named(key)}: ", value[key]) for key in keys)
        yield from _inside(named, "{}", indent, sort=sort)
    elif _is_list(type(value)) and len(value) and not isinstance(value[0], int | float | str):
        entries = _lines if len(value) >= _LONG else _inside
        numbered = ((f"[{index}]", "", one) for index, one in enumerate(value))
        yield from entries(numbered, "[]", indent, sort=sort)
    else:
        yield (_ENCODE_SORTED if sort else _ENCODE)(_plain(value))


def _named(key: Any) -> str:
    _plain_mapping({key: None})
    return _ENCODE(key)


_Entries = Iterable[tuple[str, str, Any]]  # step of the way to it, name in the text, value


def _inside(entries: _Entries, ends: str, indent: str, *, sort: bool) -> Iterator[str]:
    """Text of a container."""
    within = f"{indent} "
    start = ends[0]
    for step, name, one in entries:
        yield f"{start}{within}{name}"
        try:
            yield from _pieces(one, within, sort=sort)
        except _Unfit as error:
            raise error.inside(step) from None
        start = ","
    yield f"{indent}{ends[1]}"


def _lines(entries: _Entries, ends: str, indent: str, *, sort: bool) -> Iterator[str]:
    """Text of a long container, of which each entry takes one line."""
    encode = _ENCODE_SORTED if sort else _ENCODE
    start = f"{ends[0]}{indent} "
    for step, name, one in entries:
        try:
            yield f"{start}{name}{encode(_plain(one))}"
        except _Unfit as error:
            raise error.inside(step) from None
        start = f",{indent} "
    yield f"{indent}{ends[1]}"


def write_json(path: str | Path, obj: Any, *, sort_keys: bool = True) -> None:
    """Write `obj` to a JSON file, atomically.

    Parameters
    ----------
    path : str or Path
    obj : mapping, sequence, dataclass or plain value
        numpy scalars and arrays are converted; a dataclass becomes a mapping of its fields.
    sort_keys : bool, default True
        Sorted keys make two runs comparable; False keeps the order of insertion.

    Raises
    ------
    StorageError
        A value that JSON can't hold, with its path such as ``limit.json.expected[2]``.
    """
    path = Path(path)
    try:
        with (
            atomic_writer(path) as temporary,
            storage_errors(path, "write"),
            temporary.open("x", encoding="utf-8") as file,
        ):
            file.writelines(_pieces(obj, "\n", sort=sort_keys))
            file.write("\n")
    except _Unfit as error:
        raise StorageError(f"{path.name}{error.way}{error.what}") from None


def read_json(path: str | Path, made_by: str) -> Any:
    """Read a JSON file that an earlier step made.

    Parameters
    ----------
    path : str or Path
    made_by : str
        The step that makes the file, for the message: ``"metadata extraction"``.

    Raises
    ------
    MissingArtifact
        The file is not there.
    UnsafeContent
        It is a named pipe or a device.
    StorageError
        The file is not JSON, has a key twice, or is nested too deep.
    """
    path = Path(path)
    refuse_special(path)
    try:
        with storage_errors(path, "read"):
            text = path.read_text(encoding="utf-8")
        return parse_json(text)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise MissingArtifact(
                f"{path} does not exist. It is made by {made_by}: run that step first."
            ) from error
        raise
    except ValueError as error:
        raise StorageError(
            f"{path} is not valid JSON ({error}). Remove it and repeat {made_by}."
        ) from error
