"""What tells one content of a file from another: checksums, and a stamp that costs nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hepflow.errors import ChecksumError
from hepflow.storage.atomic import storage_errors
from hepflow.storage.special import refuse_special

_DIGITS = 64  # of a SHA-256


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
    UnsafeContent
        It is a named pipe or a device, which may never end.
    StorageError
        The file can't be read.
    """
    path = Path(path)
    refuse_special(path)
    with storage_errors(path, "read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_unchanged(content: bytes, digest: str, file: str) -> None:
    """Make sure that what was read is what a run knows by its digest.

    Parameters
    ----------
    content : bytes
        All of the file.
    digest : str
        SHA-256. A text of another length is the caller's own, and tells nothing.
    file : str
        For the message.

    Raises
    ------
    ChecksumError
        The file changed while the run went on: its results would be kept under a wrong key.
    """
    if len(digest) == _DIGITS and sha256_bytes(content) != digest:
        raise ChecksumError(
            f"{file}: it changed while the run went on: its contents are not those that the run "
            "began with. Run again."
        )


def file_stamp(path: str | Path) -> str:
    """Size and time of the last change of a local file; "" for a URL or a missing file."""
    path = Path(path)
    if not path.exists():
        return ""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"
