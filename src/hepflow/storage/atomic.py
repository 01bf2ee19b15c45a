"""Write a file so that a reader sees the old one or the new one, never a piece."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from hepflow.errors import StorageError

# The host stands in the name because a process id means nothing on another machine.
_TEMPORARY = re.compile(r"^\..+\.(?P<host>[^./]*)-(?P<pid>\d+)-\d+\.tmp$")
_ABANDONED_AFTER = 86_400.0  # [s] age at which a temporary that can't be judged by pid goes


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", socket.gethostname())


@contextlib.contextmanager
def storage_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn an operating system error into a `StorageError` that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"cannot {doing} {path}: {reason}. "
            "Check the folder, its permissions and the free space."
        ) from error


def _sync(path: Path) -> None:
    # Some file systems order the rename before the data; a crash would leave an empty file.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_writer(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; it becomes `path` if the block succeeds.

    For libraries that want a path (ROOT files, figures). The temporary's name ends in
    ``.tmp``, so a library that reads the format from the suffix must be told the format.

    Parameters
    ----------
    path : str or Path
        The file to be made or replaced. Missing parent folders are made.

    Yields
    ------
    Path
        Where to write. On an error in the block it is removed and `path` stays as it was.

    Raises
    ------
    StorageError
        The folder can't be written, or the block wrote nothing.
    """
    path = Path(path)
    # Not to be foreseen: who may write the folder could put a link there, to be written through.
    secret = secrets.randbits(63)
    temporary = path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{secret}.tmp")
    with storage_errors(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        if not temporary.exists():
            raise StorageError(
                f"nothing was written for {path}. Write to the path that atomic_writer gives."
            )
        with storage_errors(path, "write"):
            _sync(temporary)
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # gone after the rename; else best effort
            temporary.unlink(missing_ok=True)


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to `path`, whole or not at all.

    Raises
    ------
    StorageError
        The file can't be written.
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    with atomic_writer(path) as temporary, storage_errors(path, "write"):
        temporary.write_bytes(content)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _has_ended(pid: int) -> bool:
    """Whether a process has ended and only waits for its parent to take note (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return False
    return state[:1] == ["Z"]


def _is_stale(path: Path) -> bool:
    match = _TEMPORARY.match(path.name)
    if match is None:
        return False
    pid = int(match["pid"])
    if match["host"] == _host() and (not _is_alive(pid) or _has_ended(pid)):
        return True
    return time.time() - path.stat().st_mtime > _ABANDONED_AFTER


def remove_stale_temporaries(folder: str | Path) -> list[Path]:
    """Remove temporaries that killed processes left in `folder` (not in its subfolders).

    A temporary of a living process of this machine stays for a day, one of another machine
    as well: it may be in use.

    Returns
    -------
    list of Path
        What was removed, sorted. A missing folder has nothing to remove.
    """
    folder = Path(folder)
    removed = []
    for path in sorted(folder.glob(".*.tmp")):
        # Another process may clean the same folder: gone is as good as removed.
        with storage_errors(path, "remove"), contextlib.suppress(FileNotFoundError):
            if _is_stale(path):
                path.unlink(missing_ok=True)
                removed.append(path)
    return removed
