"""Read what runs keep, and find what is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hepflow.errors import HepflowError, StorageError
from hepflow.planning.inventory import KINDS, Kept, Places, kept_files
from hepflow.skimming.formats import format_of
from hepflow.skimming.losses import LOST
from hepflow.skimming.making import PartRecord

# What a manifest holds, whatever key it was written with.
from hepflow.skimming.manifest import MANIFEST, _read
from hepflow.stamps import is_whole, read_stamp
from hepflow.storage import read_json, read_part, sha256_file
from hepflow.storage.atomic import storage_errors

_AGAIN = "the next run makes it again"
_FETCHED = {"bundles", "samples", "opendata"}  # what made them verifies them


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not as it was written."""

    kind: str
    path: Path
    what: str  # "its bytes are not those that were written"
    remedy: str
    removable: bool = True  # False: it is gone already


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read, and what is wrong with it."""

    files: int
    size: int  # [byte]
    damaged: tuple[Damage, ...]


def verify(places: Places) -> Verified:
    """Read all files that carry a checksum, or that another file knows one of."""
    groups: dict[str, list[Kept]] = {kind.name: [] for kind in KINDS if kind.name not in _FETCHED}
    for one in kept_files(places, [kind for kind in KINDS if kind.name in groups]):
        groups[one.kind].append(one)
    damaged: list[Damage] = []
    for kind, files in groups.items():
        if kind == "skims":
            damaged += _skims(files)
        elif kind == "metadata":
            damaged += _json(files)
        elif kind in {"histograms", "statistics", "plots"}:
            damaged += _stamped(files)
        else:
            damaged += _parts(files)
    everything = [one for files in groups.values() for one in files]
    return Verified(len(everything), sum(one.size for one in everything), tuple(damaged))


def _parts(files: Sequence[Kept]) -> Iterator[Damage]:
    for one in files:
        try:
            read_part(one.path)
        except StorageError as error:
            yield Damage(one.kind, one.path, _what(error, one.path), _AGAIN)


def _what(error: HepflowError, path: Path) -> str:
    """First sentence of a message, without the path that stands beside it."""
    return str(error).replace(f"{path}: ", "").replace(f"{path} ", "").partition(". ")[0]


def _json(files: Sequence[Kept]) -> Iterator[Damage]:
    for one in files:
        try:
            read_json(one.path, "the metadata stage")
        except StorageError as error:
            yield Damage(one.kind, one.path, _what(error, one.path), _AGAIN)


def _skims(files: Sequence[Kept]) -> Iterator[Damage]:
    folders: dict[Path, list[Kept]] = {}
    for one in files:
        folders.setdefault(one.path.parent, []).append(one)
    for folder, mine in folders.items():
        manifest = folder / MANIFEST
        there = manifest.is_file() and not manifest.is_symlink()
        found = _read(folder) if there else None
        if there and found is None:
            what = "it cannot be read"
            yield Damage("skims", manifest, what, "the next run verifies all parts beside it")
        records = {record.name: record for record in found[1]} if found else {}
        present = {one.path.name for one in mine}
        yield from _gone(folder, records, present)
        yield from _json([one for one in mine if one.path.name == LOST])
        for one in mine:
            if one.path.name not in {MANIFEST, LOST}:
                yield from _skim_part(one, records.get(one.path.name))


def _gone(folder: Path, records: Mapping[str, PartRecord], present: set[str]) -> Iterator[Damage]:
    for name in records.keys() - present:
        yield Damage("skims", folder / name, "it is not there", _AGAIN, removable=False)


def _skim_part(one: Kept, record: PartRecord | None) -> Iterator[Damage]:
    """Compare a part with its manifest; one that an interrupted run left is read."""
    try:
        if record is None:
            format_of(one.path).read(one.path, None)
        elif one.size != record.size or sha256_file(one.path) != record.sha256:
            what = "its bytes are not those that were written"
            yield Damage("skims", one.path, what, _AGAIN)
    except StorageError as error:
        yield Damage("skims", one.path, _what(error, one.path), _AGAIN)


def _stamped(files: Sequence[Kept]) -> Iterator[Damage]:
    """Compare files with the stamps beside them; what a stamp names elsewhere is no concern."""
    present = {one.path for one in files}
    for one in files:
        if not one.path.name.endswith("key.json"):
            continue
        stamp = read_stamp(one.path.parent, one.path.name)
        if stamp is None:
            yield Damage(one.kind, one.path, "it cannot be read", _AGAIN)
            continue
        for path, known in stamp.files.items():
            if path not in present:
                yield Damage(one.kind, path, "it is not there", _AGAIN, removable=False)
            elif path.stat().st_size != known.size or not is_whole(path, known):
                what = "its bytes are not those that were written"
                yield Damage(one.kind, path, what, _AGAIN)


def remove_damaged(damaged: Sequence[Damage]) -> int:
    """Remove damaged files, so that the next run makes them again; how many there were.

    Raises
    ------
    StorageError
        If one cannot be removed.
    """
    there = [one for one in damaged if one.removable]
    for one in there:
        with storage_errors(one.path, "remove"):
            one.path.unlink(missing_ok=True)
    return len(there)
