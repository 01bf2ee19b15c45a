"""Reading from and writing to the groups of an HDF5 file, with errors that name file and key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import InputError, UnreadableFile
from hepflow.inference.needs import need
from hepflow.inference.records import Floats

_WIDTH = 256  # bytes of a name in a file; MadMiner's


@contextlib.contextmanager
def opened(path: str | Path, mode: str = "r") -> Iterator[Any]:
    """Open an HDF5 file.

    Raises
    ------
    UnreadableFile
        It is missing, truncated or not HDF5, or breaks off while it is read.
    """
    h5py = need("h5py")
    if mode == "r" and not Path(path).is_file():
        raise UnreadableFile(f"there is no event file {path}; make it with `hepflow sbi physics`.")
    # Where bytes have rotted, HDF5 raises almost anything; on writing only the system is to blame.
    broken: tuple[type[Exception], ...] = (OSError,)
    if mode == "r":
        broken = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
    try:
        with h5py.File(path, mode) as file:
            yield file
    except broken as error:
        raise UnreadableFile(
            f"{path} cannot be used as an HDF5 event file: {error}. "
            "It may be truncated or of another format; make or fetch it again."
        ) from error


def dataset(file: Any, key: str) -> Any:
    """A data set of an open file.

    Raises
    ------
    InputError
        It is not there.
    """
    found = file.get(key)
    if found is None or not hasattr(found, "shape"):
        raise InputError(
            f"{file.filename}: {key!r} is not there, so this is not a complete event file in "
            "MadMiner's layout; make it again, or export it from MadMiner with its events."
        )
    return found


def numbers(file: Any, key: str, *shape: int | None) -> Floats:
    """A data set of numbers; of `shape`, in which None stands for any length.

    Raises
    ------
    InputError
        It is not there, holds something else, or has another shape.
    """
    found = dataset(file, key)
    fits = len(found.shape) == len(shape) and all(
        want in {None, have} for want, have in zip(shape, found.shape, strict=False)
    )
    if not fits or found.dtype.kind not in "iufb":
        wanted = " x ".join("n" if length is None else str(length) for length in shape) or "one"
        raise InputError(
            f"{file.filename}: {key!r} has shape {found.shape} and type {found.dtype}; "
            f"expected {wanted} numbers, as the other parts of the file have it."
        )
    return np.asarray(found[()], dtype=np.float64)


def words(file: Any, key: str) -> list[str]:
    """A data set of names.

    Raises
    ------
    InputError
        It is not there or does not hold text.
    """
    found = dataset(file, key)
    if found.dtype.kind not in "SO" or len(found.shape) != 1:
        raise InputError(
            f"{file.filename}: {key!r} has shape {found.shape} and type {found.dtype}; "
            "expected a list of names."
        )
    raw = [item if isinstance(item, bytes) else str(item).encode() for item in found[()]]
    return [item.decode("utf-8", "replace") for item in raw]


def put_words(file: Any, key: str, values: Sequence[str]) -> None:
    """Write names as MadMiner does: 256 bytes each.

    Raises
    ------
    InputError
        A name that is too long or not ASCII.
    """
    for value in values:
        if not value.isascii() or len(value) > _WIDTH:
            raise InputError(
                f"the name {value!r} cannot stand in an event file under {key!r}; "
                f"use at most {_WIDTH} ASCII characters."
            )
    file.create_dataset(key, data=np.array([v.encode() for v in values], dtype=f"S{_WIDTH}"))
