"""JSON files: atomic, strict, and with errors that name the key and the step."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from hepflow.errors import MissingArtifact, StorageError
from hepflow.storage.atomic import atomic_write, storage_errors


def _plain_mapping(value: Mapping[Any, Any], where: str) -> dict[str, Any]:
    wrong = [key for key in value if not isinstance(key, str)]
    if wrong:
        raise StorageError(f"{where}: key {wrong[0]!r} is not a string. JSON has string keys only.")
    return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}


def _plain(value: Any, where: str) -> Any:
    """Plain containers of `value`, or an error that says where it holds something else."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StorageError(f"{where} is {value}: JSON has finite numbers only. Write null.")
        return value
    if isinstance(value, Mapping):
        return _plain_mapping(value, where)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise StorageError(
        f"{where} is a {type(value).__name__}, which JSON can't hold. Convert it before writing."
    )


def write_json(path: str | Path, obj: Any, *, sort_keys: bool = True) -> None:
    """Write `obj` to a JSON file, atomically.

    Parameters
    ----------
    path : str or Path
    obj : mapping, sequence or plain value
        numpy scalars and arrays are converted.
    sort_keys : bool, default True
        Sorted keys make two runs comparable; False keeps the order of insertion.

    Raises
    ------
    StorageError
        A value that JSON can't hold, with its path such as ``limit.json.expected[2]``.
    """
    path = Path(path)
    plain = _plain(obj, path.name)
    text = json.dumps(plain, indent=1, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    atomic_write(path, text + "\n")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


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
    StorageError
        The file is not JSON.
    """
    path = Path(path)
    try:
        with storage_errors(path, "read"):
            text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse_constant)
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
