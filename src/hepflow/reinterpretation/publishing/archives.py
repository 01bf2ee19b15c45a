"""Archives that are the same for the same content, on every machine and day."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hepflow.errors import InputError
from hepflow.storage import atomic_write

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
_MODE: Final = 0o644


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files into ``.tar.gz`` or ``.zip``, by the ending of the path.

    Raises
    ------
    InputError
        It is neither.
    StorageError
        It cannot be written.
    """
    kind = archive_kind(path)
    if not kind:
        raise InputError(f"{path}: expected a name that ends in .tar.gz or .zip.")
    atomic_write(path, _tar(files) if kind == "tar" else _zip(files))


def archive_kind(path: Path) -> str:
    """``"tar"``, ``"zip"``, or "" for what is no archive by its name."""
    name = path.name.lower()
    if name.endswith((".tar.gz", ".tgz")):
        return "tar"
    return "zip" if name.endswith(".zip") else ""


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    # The header of gzip has a time and a name: they would differ from day to day.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _MODE
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _zip(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
