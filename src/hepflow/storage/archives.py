"""Zip files of others: looked through before anything in them is read."""

from __future__ import annotations

import io
import stat
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from hepflow.errors import UnsafeContent
from hepflow.storage.special import refuse_special

MAX_BYTES = 4 << 30  # [byte] of all entries together when decompressed
MAX_ENTRIES = 1_000_000
_ENCRYPTED = 0x1  # bit of an entry's flags
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class _Bounded(zipfile.ZipFile):
    """Decompresses no more of an entry than it says that it has.

    `zipfile` decompresses all that it is given before it cuts it to that size.
    """

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """Return the content of an entry."""
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        with super().open(info, "r", pwd) as stream:
            return stream.read(info.file_size)

    def open(
        self,
        name: str | zipfile.ZipInfo,
        mode: str = "r",  # as of `zipfile`
        pwd: bytes | None = None,
        **_: Any,
    ) -> IO[bytes]:
        """Return the content of an entry as an open file."""
        if mode != "r":
            raise ValueError(f"a zip file that was opened for reading is not written ({mode!r})")
        return io.BytesIO(self.read(name, pwd))


def open_zip(path: str | Path, *, max_bytes: int = MAX_BYTES) -> zipfile.ZipFile:
    """Open a zip file whose entries are plain files of sane sizes and names.

    What an entry says about its size holds: no more than that is decompressed.

    Parameters
    ----------
    path : str or Path
    max_bytes : int
        Of all entries together when decompressed [byte].

    Raises
    ------
    UnsafeContent
        An entry leads out of its folder, is a link, encrypted or repeated; there are too many,
        or they are too large; or it is no file.
    zipfile.BadZipFile, OSError
        It is damaged or not there.
    """
    refuse_special(path)
    archive = _Bounded(path)
    try:
        reason = _reason_against(archive.infolist(), max_bytes)
    except BaseException:
        archive.close()
        raise
    if reason:
        archive.close()
        raise UnsafeContent(f"{path}: {reason} Remove the file if it is not yours.")
    return archive


def _reason_against(entries: Sequence[zipfile.ZipInfo], max_bytes: int) -> str:
    if len(entries) > MAX_ENTRIES:
        return f"the zip file has {len(entries)} entries; at most {MAX_ENTRIES} are expected."
    for one in entries:
        what = _reason_against_one(one)
        if what:
            return f"the entry {one.filename[:100]!a} of the zip file {what}."
    name, times = Counter(one.filename for one in entries).most_common(1)[0] if entries else ("", 0)
    if times > 1:
        return f"the entry {name[:100]!a} of the zip file is there {times} times."
    total = sum(one.file_size for one in entries)
    if total > max_bytes:
        return f"the zip file holds {total} bytes; at most {max_bytes} are expected."
    return ""


def _reason_against_one(entry: zipfile.ZipInfo) -> str:
    # `filename` is cut at a NUL and has "/" for the system's separator: the name as stored tells.
    name = entry.orig_filename.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name or ":" in parts[0]:
        return "leads out of its folder"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return f"is compressed by the method {entry.compress_type}, which is not admitted"
    if entry.is_dir():
        return "is a folder"
    return ""
