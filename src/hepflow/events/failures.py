"""What can go wrong with a file, and what is said about it."""

from __future__ import annotations

import sys
from pathlib import Path

from hepflow import remote
from hepflow.errors import UnreadableFile
from hepflow.remote import is_remote, reason, shown, transport_errors
from hepflow.storage import special_file

FETCH_AGAIN = "Fetch it again or take it off the list."
ROOT, PARQUET = "ROOT", "Parquet"
_MAGIC = {b"root": ROOT, b"PAR1": PARQUET}
_HEAD = 20  # bytes of a ROOT file up to and with its size
_TAIL = 4  # bytes of the magic number at the end of a Parquet file
_LARGE_FILES = 1_000_000  # added to the version of files whose size has 8 bytes


def format_of(magic: bytes) -> str | None:
    """Format of a file that begins with these bytes; None for one that is not read."""
    return _MAGIC.get(magic[:4])


def check_whole(filename: str) -> str:
    """Make sure that a local file is of a known format and has all of its bytes.

    A ROOT file that lacks its last bytes can be read up to there: its loss would go unnoticed.

    Returns
    -------
    str
        The format, from what the file begins with.

    Raises
    ------
    UnreadableFile
        If the file is missing, empty, truncated or of another format.
    """
    path = Path(filename)
    if not path.exists():
        raise UnreadableFile(f"{filename}: there is no such file. Check the list of the dataset.")
    kind = special_file(path)
    if kind:
        raise UnreadableFile(f"{filename}: is {kind}, no file. Take it off the list.")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            size = path.stat().st_size
            file.seek(max(size - _TAIL, 0))
            tail = file.read(_TAIL)
    except OSError as error:
        raise UnreadableFile(f"{filename}: cannot be read: {error.strerror}.") from error
    if size == 0:
        raise UnreadableFile(f"{filename}: cannot be read: it is empty. {FETCH_AGAIN}")
    found = format_of(head)
    if found is None:
        raise UnreadableFile(
            f"{filename}: cannot be read as ROOT or Parquet: it begins with {head[:4]!r}, not "
            "b'root' or b'PAR1'. Take it off the list."
        )
    whole = _size_in_header(head) if found == ROOT else None
    if (found == PARQUET and tail != head[:4]) or (
        found == ROOT and (whole is None or size < whole)
    ):
        known = f" of {whole:,}" if whole else ""
        raise UnreadableFile(
            f"{filename}: cannot be read as {found}: it is truncated, {size:,}{known} bytes. "
            f"{FETCH_AGAIN}"
        )
    return found


def _size_in_header(head: bytes) -> int | None:
    """Size of a ROOT file [byte] as its header has it; None where the header is cut."""
    if len(head) < _HEAD:
        return None
    version = int.from_bytes(head[4:8], "big")
    stop = 20 if version >= _LARGE_FILES else 16
    return int.from_bytes(head[12:stop], "big")


def named(filename: str) -> str:
    """A file in a message: a URL without what must not be shown."""
    return shown(filename) if is_remote(filename) else filename


def unreadable(filename: str, error: BaseException, kind: str, part: str = "") -> UnreadableFile:
    """Error that names the file, what of it was read, and what the library said.

    Parameters
    ----------
    part
        What was read, such as ``", entries 0 to 100"``.
    """
    where = f"{named(filename)}{part}"
    if is_remote(filename) and isinstance(error, transport_errors()):
        return UnreadableFile(f"{where}: {reason(filename, error)}.")
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    told = shown(first) if is_remote(filename) else first
    return UnreadableFile(
        f"{where}: cannot be read as {kind} ({type(error).__name__}: {told}). "
        f"It is corrupted or of another format. {FETCH_AGAIN}"
    )


def read_errors() -> tuple[type[BaseException], ...]:
    """What uproot, pyarrow and fsspec raise for missing, truncated or corrupted files."""
    import struct
    import zlib

    import uproot

    return (
        OSError,
        ValueError,
        IndexError,
        AssertionError,
        NotImplementedError,
        TypeError,
        AttributeError,
        KeyError,
        RuntimeError,
        struct.error,
        zlib.error,
        uproot.deserialization.DeserializationError,
        *remote.errors(),
        *([sys.modules["pyarrow"].ArrowException] if "pyarrow" in sys.modules else []),
    )


def open_errors() -> tuple[type[BaseException], ...]:
    """What the libraries raise while a file is opened: of absurd sizes that it claims, too."""
    return (*read_errors(), MemoryError)
