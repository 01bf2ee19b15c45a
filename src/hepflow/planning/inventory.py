"""What runs keep in the cache and in the output folder: only files of known names, no links."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hepflow.errors import StorageError
from hepflow.output_manager import OutputDirectoryManager
from hepflow.skimming.losses import LOST
from hepflow.skimming.manifest import _PART as SKIM_PART  # names of parts, as the skim clears them
from hepflow.skimming.manifest import MANIFEST

Where = Literal["cache", "output"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of files that runs keep."""

    name: str
    what: str  # for people
    where: Where
    folders: tuple[str, ...]  # below the cache or the output folder; * is one level
    files: re.Pattern[str]  # names
    in_all: bool = True  # whether a run makes it again by itself, at the price of CPU time only
    removable: bool = True
    deep: bool = False  # folders below as well


_FILES = re.compile(r"files\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}(-(\d+|all))?\.pkl")
_ANY = re.compile(r"[^.].*")
_STAMPED = re.compile(r"[^.].*|\..*key\.json")
KINDS: tuple[Kind, ...] = (
    Kind("merged", "filled histograms of a channel", "cache", ("histograms/merged",), _DIGEST),
    Kind("parts", "filled parts of an interrupted run", "cache", ("histograms/parts",), _DIGEST),
    Kind("prepared", "events ready for the channels", "cache", ("histograms/prepared",), _DIGEST),
    Kind("duplicates", "repeated events of data", "cache", ("duplicates",), _DIGEST),
    Kind("luminosity", "luminosity blocks of files", "cache", ("luminosity",), _DIGEST),
    Kind(
        "isolated",
        "entry ranges that failed",
        "cache",
        ("isolated", "histograms/isolated"),
        _DIGEST,
    ),
    Kind("bundles", "unpacked analyses", "cache", ("bundles/*",), _ANY, deep=True),
    Kind("samples", "the built-in sample", "cache", ("samples/*",), _ANY, in_all=False, deep=True),
    Kind(
        "opendata",
        "downloaded lists and files",
        "cache",
        ("opendata/lists", "opendata/files"),
        _ANY,
        in_all=False,
    ),
    Kind(
        "metadata",
        "what is known of input files",
        "output",
        ("metadata",),
        re.compile(r"files\.json"),
    ),
    Kind(
        "skims",
        "selected events",
        "output",
        ("skimmed/*",),
        re.compile(rf"{SKIM_PART.pattern}|{re.escape(MANIFEST)}|{re.escape(LOST)}"),
    ),
    Kind("histograms", "results", "output", ("histograms",), _STAMPED, removable=False),
    Kind("statistics", "results", "output", ("statistics",), _STAMPED, removable=False),
    Kind("plots", "results", "output", ("plots",), _STAMPED, removable=False, deep=True),
)
ALL = "all"


@dataclass(frozen=True, slots=True)
class Kept:
    """One file."""

    kind: str
    path: Path
    size: int  # [byte]
    used: float  # when it was used last, or made [s since 1970]


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look."""

    cache: Path
    output: Path
    metadata: Path
    skimmed: Path

    @classmethod
    def of(cls, folders: OutputDirectoryManager) -> Places:
        """Folders of a run; they need not be there."""
        found = {name: Path(path) for name, path in folders.list_structure().items()}
        return cls(found["cache"], found["root"], found["metadata"], found["skimmed"])

    def top(self, kind: Kind) -> tuple[Path, tuple[str, ...]]:
        """Folder that is given, and the folders of a kind below it.

        Results may be given as a link; a run refuses a cache that is one.
        """
        if kind.name == "metadata":
            return self.metadata.resolve(), ("",)
        if kind.name == "skims":
            return self.skimmed.resolve(), ("*",)
        if kind.where == "output":
            return self.output.resolve(), kind.folders
        return self.cache, kind.folders


def kept_files(places: Places, kinds: Sequence[Kind] = KINDS) -> Iterator[Kept]:
    """Files of some kinds. Links are neither followed nor named."""
    for kind in kinds:
        top, below = places.top(kind)
        for folder in (one for pattern in below for one in _folders(top, pattern)):
            yield from _files(kind, folder)


def _folders(top: Path, pattern: str) -> list[Path]:
    """Folders of a pattern such as ``samples/*``; none of them is a link."""
    found = [top] if _is_folder(top) else []
    for name in pattern.split("/") if pattern else ():
        if name == "*":
            found = [one for folder in found for one in _below(folder) if _is_folder(one)]
        else:
            found = [one for folder in found if _is_folder(one := folder / name)]
    return found


def _below(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries)
    except OSError as error:
        raise StorageError(
            f"cannot look into {folder}: {error.strerror}. Check its permissions."
        ) from error


def _is_folder(path: Path) -> bool:
    return not path.is_symlink() and path.is_dir()


def _files(kind: Kind, folder: Path) -> Iterator[Kept]:
    for path in _below(folder):
        if kind.deep and _is_folder(path):
            yield from _files(kind, path)
            continue
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and kind.files.fullmatch(path.name):
            yield Kept(kind.name, path, status.st_size, status.st_mtime)


def chosen(names: Sequence[str]) -> list[Kind]:
    """Kinds of these names, which are known; ``all`` is what a run makes again by itself."""
    return [
        kind
        for kind in KINDS
        if kind.removable and (kind.name in names or (ALL in names and kind.in_all))
    ]
