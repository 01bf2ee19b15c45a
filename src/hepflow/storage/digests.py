"""What tells one content of a file from another: checksums, and a stamp that costs nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hepflow.storage.atomic import storage_errors


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`.

    Examples
    --------
    >>> sha256_bytes(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises
    ------
    StorageError
        The file can't be read.
    """
    path = Path(path)
    with storage_errors(path, "read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: str | Path) -> str:
    """Size and time of the last change of a local file; "" for a URL or a missing file."""
    path = Path(path)
    if not path.exists():
        return ""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"
