"""Files of a bundle, in a folder or a zip: looked through before anything is read."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from hepflow.errors import ChecksumError, InputError, UnsafeContent
from hepflow.storage import open_zip, safe_join
from hepflow.storage.atomic import storage_errors

MANIFEST: Final = "bundle.json"
MAX_BYTES: Final = 4 << 30  # [byte] of all files together
MAX_FILES: Final = 65_535
_NOWHERE: Final = Path("/nonexistent")  # a root for names that are only looked at


class Contents(Protocol):
    """Files by name."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Size of each file [byte]."""
        ...

    def read(self, name: str) -> bytes:
        """Content of a file."""
        ...


@dataclass(frozen=True)
class InFolder:
    """A folder without links and devices."""

    root: Path
    sizes: Mapping[str, int] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """Content of a file; no more than it had when it was looked at."""
        path = self.root / name
        with storage_errors(path, "read"):
            # Not through a link that was put there in the meantime.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(self.sizes[name] + 1)


@dataclass(frozen=True)
class InZip:
    """A zip file."""

    path: Path
    archive: zipfile.ZipFile
    sizes: Mapping[str, int] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises
        ------
        ChecksumError
            It is not what was written.
        """
        try:
            return self.archive.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as error:
            raise ChecksumError(f"{self.path}: {name} was changed or is cut off ({error}).") from (
                error
            )


@contextlib.contextmanager
def opened(bundle: Path) -> Iterator[InFolder | InZip]:
    """Look through a bundle.

    Raises
    ------
    InputError
        There is no bundle.
    UnsafeContent
        A name leads out of the bundle, or something in it is no plain file.
    ChecksumError
        It is a damaged zip file.
    """
    if not bundle.exists():
        raise InputError(f"{bundle} does not exist. Expected a bundle: a folder, or a zip of one.")
    if bundle.is_dir():
        sizes = dict(_files(bundle, ""))
        _check(bundle, sizes)
        yield InFolder(bundle, sizes)
        return
    try:
        archive = open_zip(bundle, max_bytes=MAX_BYTES)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        if bundle.suffix.lower() != ".zip":
            raise InputError(f"{bundle} is no bundle: expected a folder, or a zip of one.") from (
                error
            )
        raise ChecksumError(f"{bundle} was changed or is cut off: no zip file ({error}).") from (
            error
        )
    with archive:
        sizes = {one.orig_filename: one.file_size for one in archive.infolist()}
        _check(bundle, sizes)
        yield InZip(bundle, archive, sizes)


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
    """Name and size of every file below a folder."""
    with storage_errors(folder, "read"), os.scandir(folder) as entries:
        for one in entries:
            name = f"{prefix}{one.name}"
            status = one.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                yield from _files(folder / one.name, f"{name}/")
            elif stat.S_ISREG(status.st_mode):
                yield name, status.st_size
            else:
                kind = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
                raise UnsafeContent(f"{folder / one.name} is {kind}; a bundle has none. Remove it.")


def _check(bundle: Path, sizes: Mapping[str, int]) -> None:
    if MANIFEST not in sizes:
        raise InputError(
            f"{bundle} is no bundle: there is no {MANIFEST} in it. `hepflow preserve` makes one "
            "of the output folder of a run."
        )
    total = sum(sizes.values())
    if total > MAX_BYTES or len(sizes) > MAX_FILES:
        raise UnsafeContent(
            f"{bundle} has {len(sizes)} files of {total} bytes; at most {MAX_FILES} of {MAX_BYTES} "
            "are expected."
        )
    for name in sizes:
        check_name(name)
    folded = [name.casefold() for name in sizes]
    if len(set(folded)) < len(folded):
        raise UnsafeContent(f"{bundle} has two files whose names differ in case only.")


def check_name(name: str) -> None:
    """Refuse a name that is no plain path below the bundle.

    Raises
    ------
    UnsafeContent
        It leads elsewhere, or shows something else than it is.
    """
    safe_join(_NOWHERE, *name.split("/"))
