"""Unpack what came from elsewhere: plain files of sane names and sizes, or nothing."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from hepflow.errors import UnreadableFile, UnsafeContent
from hepflow.storage import atomic_writer, safe_join

MAX_BYTES: Final = 4 << 30  # [byte] of all files together when unpacked
MAX_ENTRIES: Final = 10_000
_BLOCK: Final = 1 << 20  # [byte]
_LINK: Final = 0o120000
_KIND: Final = 0o170000
_PLAIN: Final = 0o100000
_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others are unpacked in one go
_MAGIC: Final = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_BROKEN: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)


class _Bounded:
    """Stream that ends with an error after so many bytes: of a bomb, no more is unpacked."""

    def __init__(self, stream: IO[bytes], name: str, most: int) -> None:
        self._stream, self._name, self._left = stream, name, most

    def read(self, size: int = _BLOCK) -> bytes:
        """Next bytes."""
        block = self._stream.read(min(size, _BLOCK) if size >= 0 else _BLOCK)
        self._left -= len(block)
        if self._left < 0:
            raise UnsafeContent(
                f"{self._name} unpacks to more than is expected of a likelihood. Look at it with "
                "other means if you trust it."
            )
        return block


def unpack(path: Path, folder: Path, name: str, *, max_bytes: int = MAX_BYTES) -> tuple[Path, ...]:
    """Unpack a tar or zip file, or copy what is a single JSON file.

    Parameters
    ----------
    path : Path
        What was fetched; its kind is told by its content.
    folder : Path
        Where the files are put.
    name : str
        Of it, for messages, and for a single file.
    max_bytes : int
        Of all files together [byte].

    Returns
    -------
    tuple of Path
        The files, sorted.

    Raises
    ------
    UnsafeContent
        An entry leads out of the folder, is a link or device, or there is too much.
    UnreadableFile
        It is damaged, or of another kind.
    """
    with path.open("rb") as file:
        head = file.read(512)
    try:
        if zipfile.is_zipfile(path) and head[:2] == b"PK":
            found = list(_of_zip(path, folder, name, max_bytes))
        elif head.lstrip()[:1] in {b"{", b"["}:
            found = [_copy(path.open("rb"), folder / "content.json", max_bytes, name)]
        else:
            found = list(_of_tar(path, head, folder, name, max_bytes))
    except (*_BROKEN, OSError) as error:
        raise UnreadableFile(
            f"{name} cannot be unpacked ({type(error).__name__}: {error}): it is damaged, or "
            "neither a tar file, a zip file nor JSON. Check what its author published."
        ) from error
    return tuple(sorted(found))


def _of_tar(path: Path, head: bytes, folder: Path, name: str, most: int) -> Iterator[Path]:
    opener = next((one for magic, one in _MAGIC if head.startswith(magic)), None)
    with path.open("rb") as raw:
        plain: IO[bytes] = opener(raw) if opener else raw  # type: ignore[assignment]  # the three are alike
        bounded = _Bounded(plain, name, most + MAX_ENTRIES * 1024)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:  # type: ignore[call-overload]  # reads only
            for number, entry in enumerate(archive):
                _check_count(number, name)
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():  # the latter grows when it is unpacked
                    raise UnsafeContent(_strange(entry.name, name, "a link or device"))
                content = archive.extractfile(entry)
                target = _place(folder, entry.name, name)
                if content is not None and target is not None:
                    yield _copy(content, target, most, name)
        while bounded.read():  # to the end, where the checksum of the compression stands
            pass


def _of_zip(path: Path, folder: Path, name: str, most: int) -> Iterator[Path]:
    with zipfile.ZipFile(path) as archive:
        left = most
        for number, entry in enumerate(archive.infolist()):
            _check_count(number, name)
            kind = (entry.external_attr >> 16) & _KIND
            if entry.is_dir():
                continue
            strange = entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS
            if kind not in {0, _PLAIN} or strange:
                what = "a link" if kind == _LINK else "encrypted or packed in a rare way"
                raise UnsafeContent(_strange(entry.filename, name, what))
            target = _place(folder, entry.orig_filename, name)
            if target is None:
                continue
            with archive.open(entry) as content:
                yield _copy(content, target, left, name)
            left -= entry.file_size


def _check_count(number: int, name: str) -> None:
    if number >= MAX_ENTRIES:
        raise UnsafeContent(
            f"{name} has more than {MAX_ENTRIES} entries, which is no likelihood. Look at it with "
            "other means if you trust it."
        )


def _place(folder: Path, entry: str, name: str) -> Path | None:
    """Where an entry goes; None for what macOS adds."""
    parts = [one for one in entry.replace("\\", "/").split("/") if one != "."]
    if parts and (parts[0] == "__MACOSX" or parts[-1].startswith("._")):
        return None
    if not parts or ".." in parts or "" in parts or ":" in parts[0]:
        raise UnsafeContent(_strange(entry, name, "a way out of the folder"))
    target = safe_join(folder, *parts)
    if target.exists():
        raise UnsafeContent(_strange(entry, name, "there twice"))
    return target


def _strange(entry: str, name: str, what: str) -> str:
    return (
        f"{name}: its entry {entry[:100]!a} is {what}, so nothing of it was unpacked. Tell its "
        "author; published likelihoods are plain files."
    )


def _copy(content: IO[bytes], target: Path, most: int, name: str) -> Path:
    bounded = _Bounded(content, name, most)
    with content, atomic_writer(target) as temporary, temporary.open("xb") as file:
        while block := bounded.read():
            file.write(block)
    return target
