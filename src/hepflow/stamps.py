"""Which key the files of a folder were made with, so that they are not made again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hepflow.errors import StorageError
from hepflow.keys import Key
from hepflow.storage import read_json, write_json

STAMP = "key.json"
_MADE_BY = "the stage that fills this folder"


def write_stamp(folder: Path, key: Key, files: Iterable[Path], name: str = STAMP) -> None:
    """Record that `files` (below `folder`) were made with `key`. Write it last."""
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    write_json(folder / name, {"key": key.to_json(), "files": sizes})


def read_key(folder: Path, name: str = STAMP) -> Key | None:
    """Key that the folder's files were made with, if they are all there; else None."""
    path = folder / name
    if not path.exists():
        return None
    try:
        stored = read_json(path, _MADE_BY)
        key = Key.from_json(stored["key"])
        files = {folder / file: size for file, size in stored["files"].items()}
    except (StorageError, KeyError, TypeError, AttributeError):
        return None  # a stamp that cannot be read vouches for nothing
    return key if all(_has_size(file, size) for file, size in files.items()) else None


def is_current(folder: Path, key: Key, name: str = STAMP) -> bool:
    """Whether the folder's files were made with this key and are all there."""
    stored = read_key(folder, name)
    return stored is not None and stored.digest == key.digest


def _has_size(file: Path, size: int) -> bool:
    return file.exists() and file.stat().st_size == size


def remove_stamp(folder: Path, name: str = STAMP) -> None:
    """Forget the key before the files are made anew."""
    (folder / name).unlink(missing_ok=True)
