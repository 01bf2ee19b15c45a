"""Which key the files of a folder were made with, so that they are not made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from hepflow.errors import StorageError
from hepflow.keys import Key
from hepflow.storage import as_record, read_json, safe_join, sha256_file, write_json

STAMP = "key.json"
_MADE_BY = "the stage that fills this folder"


@dataclass(frozen=True, slots=True)
class StampedFile:
    """What a file was when it was stamped."""

    size: int  # [byte]
    mtime_ns: int  # [ns] time of the last change
    sha256: str  # of its bytes


@dataclass(frozen=True, slots=True)
class Stamp:
    """The key that files were made with, and what these files were then."""

    key: Key
    files: Mapping[Path, StampedFile]


def write_stamp(folder: Path, key: Key, files: Iterable[Path], name: str = STAMP) -> None:
    """Record that `files` (below `folder`) were made with `key`. Write it last."""
    known = {str(path.relative_to(folder)): asdict(_described(path)) for path in files}
    write_json(folder / name, {"key": key.to_json(), "files": known})


def _described(path: Path) -> StampedFile:
    status = path.stat()
    return StampedFile(status.st_size, status.st_mtime_ns, sha256_file(path))


def read_stamp(folder: Path, name: str = STAMP) -> Stamp | None:
    """What a stamp says, whether it is true or not; None where there is none that can be read."""
    path = folder / name
    if not path.exists():
        return None
    try:
        stored = read_json(path, _MADE_BY)
        files = {
            safe_join(folder, *PurePosixPath(file).parts): as_record(StampedFile, one, name)
            for file, one in stored["files"].items()
        }
        return Stamp(Key.from_json(stored["key"]), files)
    except (StorageError, KeyError, TypeError, AttributeError):
        return None  # a stamp that cannot be read vouches for nothing


def read_key(folder: Path, name: str = STAMP) -> Key | None:
    """Key that the folder's files were made with, if they are all there; else None."""
    stamp = read_stamp(folder, name)
    if stamp is None or not all(_is_same(file, one) for file, one in stamp.files.items()):
        return None
    return stamp.key


def is_current(folder: Path, key: Key, name: str = STAMP) -> bool:
    """Whether the folder's files were made with this key and are all there, unchanged."""
    stored = read_key(folder, name)
    return stored is not None and stored.digest == key.digest


def _is_same(file: Path, known: StampedFile) -> bool:
    """Whether a file is as it was; its bytes are looked at only where somebody touched it."""
    if not file.is_file():
        return False
    status = file.stat()
    if status.st_size != known.size:
        return False
    return status.st_mtime_ns == known.mtime_ns or is_whole(file, known)


def is_whole(file: Path, known: StampedFile) -> bool:
    """Whether the bytes of a file are those that were stamped."""
    try:
        return sha256_file(file) == known.sha256
    except StorageError:
        return False


def remove_stamp(folder: Path, name: str = STAMP) -> None:
    """Forget the key before the files are made anew."""
    (folder / name).unlink(missing_ok=True)
