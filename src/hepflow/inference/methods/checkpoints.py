"""Weights on disk: npz without pickle, written whole or not at all, with what they belong to."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import ChecksumError, MissingArtifact, StorageError
from hepflow.storage.atomic import atomic_writer, storage_errors
from hepflow.storage.digests import sha256_file
from hepflow.storage.jsonfile import read_json, write_json

Arrays = dict[str, NDArray[Any]]

_RECORD: Final = "checkpoint.json"


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Write arrays to an npz file; returns the digest of its bytes."""
    with (
        atomic_writer(path) as temporary,
        storage_errors(path, "write"),
        temporary.open("xb") as file,
    ):
        np.savez(file, **arrays)  # type: ignore[arg-type] # numpy names its own keyword as well
    return sha256_file(path)


def read_arrays(path: Path, digest: str) -> Arrays:
    """Read arrays that `write_arrays` wrote.

    Raises
    ------
    MissingArtifact
        The file is not there.
    ChecksumError
        It is not the one that was written.
    StorageError
        It holds something else than plain arrays.
    """
    if not path.exists():
        raise MissingArtifact(f"{path} does not exist. It is made by the training: run it first.")
    if sha256_file(path) != digest:
        raise ChecksumError(
            f"{path} is not the file that was written with its record. Remove the folder "
            f"{path.parent} and train again."
        )
    try:
        with storage_errors(path, "read"), np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise StorageError(
            f"{path} does not hold arrays ({error}). Remove the folder {path.parent} and train "
            "again."
        ) from error


def leaves_to_arrays(leaves: Sequence[Any]) -> Arrays:
    """Name the leaves of a tree by their order."""
    return {f"{number:04d}": np.asarray(leaf) for number, leaf in enumerate(leaves)}


def fit_leaves(arrays: Mapping[str, NDArray[Any]], like: Sequence[Any], path: Path) -> list[Any]:
    """Arrays as the leaves of a tree like another.

    Raises
    ------
    StorageError
        Another number of arrays, or other shapes or types.
    """
    found = [arrays.get(f"{number:04d}") for number in range(len(like))]
    for array, wanted in zip(found, like, strict=True):
        if array is None or array.shape != wanted.shape or array.dtype != wanted.dtype:
            raise StorageError(
                f"{path} has weights of another network than its record says. Remove the folder "
                f"{path.parent} and train again."
            )
    return found


class Checkpoints:
    """The newest state of a training in a folder, for a training that was killed.

    The arrays are written first, under a name of their epoch; then the record that names them.
    So whenever the process is killed, the record fits its arrays.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key

    def write(self, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replace the checkpoint."""
        path = self.folder / f"checkpoint-{record['epoch']:05d}.npz"
        digest = write_arrays(path, arrays)
        whole = {**record, "key": self.key, "arrays": path.name, "sha256": digest}
        write_json(self.folder / _RECORD, whole)
        self._remove(keep=path.name)

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """The checkpoint, or None where there is none of this training.

        Raises
        ------
        StorageError
            The record or its arrays are damaged.
        """
        path = self.folder / _RECORD
        if not path.exists():
            return None
        record: dict[str, Any] = read_json(path, "the training")
        if record.get("key") != self.key:
            return None
        name = Path(str(record.get("arrays"))).name  # of this folder only
        return record, read_arrays(self.folder / name, str(record.get("sha256")))

    def clear(self) -> None:
        """Remove it: the training is done."""
        (self.folder / _RECORD).unlink(missing_ok=True)
        self._remove(keep="")

    def _remove(self, keep: str) -> None:
        for path in self.folder.glob("checkpoint-*.npz"):
            if path.name != keep:
                with contextlib.suppress(OSError):  # best effort: it is in nobody's way
                    path.unlink()
