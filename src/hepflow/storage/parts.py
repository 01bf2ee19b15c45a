"""Parts: pickles of plain containers with a checksum, read by an unpickler that admits no code.

Layout of a file: the pickle, then the 8 bytes ``HEPFLOW1`` and the 32 bytes of the SHA-256 of
the pickle. `pickle.load` stops at the end of the pickle, so other tools read the file as well.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hepflow.errors import ChecksumError, MissingArtifact, StorageError, UnsafeContent
from hepflow.storage.atomic import atomic_writer, storage_errors
from hepflow.storage.pickles import BadPickle, check_pickle
from hepflow.storage.special import refuse_special

_MAGIC = b"HEPFLOW1"
_TRAILER = len(_MAGIC) + hashlib.sha256().digest_size
_BLOCK = 1 << 20  # [byte]

_NUMBERS = re.compile(r"[biufcSU?][0-9]*")  # types of elements that hold no reference
_LONGEST_NAME = 40  # characters of the name of a type
# What a pickle that nobody of good will wrote can raise while it is loaded.
_BROKEN = (
    *(pickle.UnpicklingError, BadPickle, EOFError, ValueError, TypeError, AttributeError),
    *(IndexError, KeyError, OverflowError, MemoryError, RecursionError, SystemError),
)


class _Dtype:
    """Stands for a numpy type while a pickle is read: numpy's own believes what it is told.

    A crafted type can make numpy take bytes for object references.
    """

    def __init__(self, text: Any = "", *_: Any) -> None:
        self.text = text[:_LONGEST_NAME] if isinstance(text, str) else type(text).__name__
        self.order = ""

    def __setstate__(self, state: Any) -> None:
        """Keep the byte order only."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise ValueError("it has the type of an array without a byte order")
        self.order = order if order in {"<", ">"} else ""

    def resolve(self) -> np.dtype[Any]:
        """Return the type, which must be one of numbers or text."""
        if not _NUMBERS.fullmatch(self.text):
            raise UnsafeContent(
                f"the pickle has an array of {self.text!r}, which is not admitted: only numbers "
                "and texts are. Remove the file if not yours."
            )
        return np.dtype(f"{self.order}{self.text}")


def _array(data: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> np.ndarray[Any, Any]:
    """Make an array of the bytes that the pickle holds."""
    flat: np.ndarray[Any, Any] = np.frombuffer(data, dtype=dtype.resolve())
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    """Make a number of the bytes that the pickle holds."""
    found: np.generic = np.frombuffer(data, dtype=dtype.resolve())[0]
    return found


# Modules have moved between numpy 1 and 2; both names lead to the same functions.
_ADMITTED: Mapping[tuple[str, str], Any] = {("numpy", "dtype"): _Dtype} | {
    (f"numpy.{core}.{module}", name): function
    for core in ("core", "_core")
    for module, name, function in (
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _array),
    )
}


class _PlainPickler(pickle.Pickler):
    """Refuses at writing what reading would refuse: the error comes where it can be mended."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is np.ndarray and not (obj.flags.c_contiguous or obj.flags.f_contiguous):
            return np.ascontiguousarray(obj).__reduce_ex__(5)
        plain = kind is np.ndarray or isinstance(obj, np.generic)
        if plain and _NUMBERS.fullmatch(obj.dtype.str[1:]):
            return NotImplemented
        if isinstance(obj, np.dtype) and _NUMBERS.fullmatch(obj.str[1:]):
            return NotImplemented  # of an array
        name = (getattr(obj, "__module__", ""), getattr(obj, "__qualname__", ""))
        if callable(obj) and name in _ADMITTED:
            return NotImplemented
        raise StorageError(
            f"a part can't hold a {kind.__module__}.{kind.__qualname__}: plain containers, "
            "numbers, strings and numpy arrays of these only. Convert it first (awkward: "
            "pack_array)."
        )


class _PlainUnpickler(pickle.Unpickler):
    """Makes numpy arrays of numbers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise UnsafeContent(
                f"the pickle asks for {module}.{name}, which is not admitted. "
                "Only plain containers and numpy arrays are read; remove the file if not yours."
            )
        return _ADMITTED[module, name]


class _HashingFile:
    """Digest while writing, so that the pickle never stands in memory as a whole."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)


def write_part(path: str | Path, payload: Mapping[str, Any]) -> None:
    """Write a part atomically, with its checksum.

    Parameters
    ----------
    path : str or Path
    payload : mapping
        dict, list, tuple, set, str, int, float, bool, None, bytes, numpy arrays, numpy scalars.

    Raises
    ------
    StorageError
        The payload holds something else, or the file can't be written.
    """
    path = Path(path)
    with (
        atomic_writer(path) as temporary,
        storage_errors(path, "write"),
        temporary.open("x+b") as file,
    ):
        hashing = _HashingFile(file)
        _PlainPickler(hashing, protocol=5).dump(dict(payload))
        size = file.tell()
        _look_at_own(file, size, path)
        file.write(_MAGIC + hashing.digest.digest())


def _digest(file: BinaryIO, size: int) -> bytes:
    digest = hashlib.sha256()
    while size > 0:
        block = file.read(min(size, _BLOCK))
        if not block:
            break
        digest.update(block)
        size -= len(block)
    return digest.digest()


def _verify(file: BinaryIO, path: Path) -> int:
    """Compare the bytes with their checksum; return how many belong to the pickle."""
    size = os.fstat(file.fileno()).st_size - _TRAILER
    if size > 0:
        found = _digest(file, size)
        trailer = file.read(_TRAILER)
        if trailer == _MAGIC + found:
            return size
    raise ChecksumError(
        f"{path} is damaged: its bytes are not those that were written. Remove it; "
        "the step that makes it writes it again."
    )


def _look_at_own(file: BinaryIO, size: int, path: Path) -> None:
    """Refuse at writing what reading would refuse."""
    try:
        _look_through(file, size)
    except BadPickle as error:
        raise StorageError(f"{path} would not be read back: {error}. Copy it first.") from error
    file.seek(size)


def _look_through(file: BinaryIO, size: int) -> None:
    """Make sure that loading does no harm: a checksum is made by whoever makes the file."""
    file.seek(0)
    end = check_pickle(file, size, tree_only=True)
    if end != size:
        raise BadPickle(f"{size - end} bytes follow its end")
    file.seek(0)


def read_part(path: str | Path) -> dict[str, Any]:
    """Read a part after its checksum has been verified.

    Returns
    -------
    dict
        The payload of `write_part`.

    Raises
    ------
    MissingArtifact
        The file is not there.
    ChecksumError
        The file is truncated or changed.
    UnsafeContent
        The pickle asks for a class or function that is not admitted, or it is no file.
    StorageError
        The file can't be read, or loading it would crash, hang or fill the memory.
    """
    path = Path(path)
    refuse_special(path)
    if not path.exists():
        raise MissingArtifact(f"part {path} does not exist. Repeat the step that makes it.")
    with storage_errors(path, "read"), path.open("rb") as file:
        size = _verify(file, path)
        try:
            _look_through(file, size)
            # From the open file: buffers are read straight into their arrays.
            payload = _PlainUnpickler(file).load()
        except UnsafeContent as error:
            error.add_note(f"file: {path}")
            raise
        except _BROKEN as error:
            why = str(error) or type(error).__name__
            raise StorageError(f"{path} does not hold a part: {why}. Remove it.") from error
    if not isinstance(payload, dict):
        raise StorageError(f"{path} holds a {type(payload).__name__}, not a part. Remove it.")
    return payload
