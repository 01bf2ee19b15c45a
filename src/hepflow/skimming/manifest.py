"""Manifests: which parts lie in the folder of a dataset, and what they were made with."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.keys import Key
from hepflow.skimming.formats import FORMATS
from hepflow.skimming.making import PartRecord
from hepflow.storage import as_record, read_json, write_json

_log = logging.getLogger(__name__)
MADE_BY = "the skim (general.run_skimming)"
MANIFEST = "manifest.json"
FORMAT = 2  # of the manifest; one without the field is of the first
_SUFFIXES = "|".join(re.escape(one.suffix) for one in FORMATS.values())
_PART = re.compile(rf".*_\d+-\d+_[0-9a-f]{{16}}({_SUFFIXES})$")


def write_manifest(folder: Path, key: Key, records: Sequence[PartRecord]) -> None:
    """Write the manifest, unless it says the same already."""
    parts = [replace(one, reused=False) if one.reused else one for one in records]
    if _read(folder) != (key, parts):  # one that is not there, or broken, is written anew
        content = {"format": FORMAT, "key": key.to_json(), "parts": parts}
        write_json(folder / MANIFEST, content)


def read_manifest(folder: Path, key: Key) -> list[PartRecord]:
    """Records of a manifest that was written with this key; none where it cannot be read."""
    stored = _read(folder)
    if stored is None or stored[0].digest != key.digest:
        return []
    return stored[1]


def stored_key(folder: Path) -> Key | None:
    """Key that the parts of a folder were made with; None without a manifest."""
    stored = _read(folder, records=False)  # of a million parts, these take longest
    return None if stored is None else stored[0]


def _read(folder: Path, *, records: bool = True) -> tuple[Key, list[PartRecord]] | None:
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        stored = read_json(path, MADE_BY)
        if stored["format"] == FORMAT:
            found = stored["parts"] if records else ()
            return Key.from_json(stored["key"]), [_record_from_json(one) for one in found]
        why: object = f"its format is {stored['format']!r}, {FORMAT} is expected"
    except (StorageError, KeyError, TypeError, ValueError) as error:
        why = error
    _log.warning("skim: %s is not used: %s", path, why)
    return None


def _record_from_json(data: Mapping[str, Any]) -> PartRecord:
    record = as_record(PartRecord, data, MANIFEST)
    if "/" in record.name or record.name in {"", ".", ".."}:
        raise StorageError(f"{MANIFEST}: {record.name!r} is not the name of a file beside it.")
    return record


def known_parts(keys: Mapping[str, Key], folders: Mapping[str, Path]) -> dict[str, PartRecord]:
    """Parts by path that manifests hold under the same key and that lie there in full size."""
    found = {}
    for name, folder in folders.items():
        records = read_manifest(folder, keys[name])
        sizes = _sizes(folder) if records else {}
        for record in records:
            if sizes.get(record.name) == record.size:
                found[part_path(folder, record.name)] = record
    return found


def part_path(folder: Path, name: str) -> str:
    """Path of a part; there may be a million, for which `Path` takes long."""
    return f"{folder}{os.sep}{name}"


def _sizes(folder: Path) -> dict[str, int]:
    """Sizes of the files of a folder [byte]."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another run may clean as well
                found[entry.name] = entry.stat().st_size
    return found


def is_untouched(path: str, record: PartRecord) -> bool:
    """Whether nobody wrote the part since; else a worker verifies it."""
    return Path(path).stat().st_mtime_ns == record.mtime_ns


def of_other_files(known: Iterable[PartRecord], files: set[str], suffix: str) -> list[PartRecord]:
    """Parts of files that are not processed now, as with a smaller max_files."""
    return [one for one in known if one.counts.file not in files and one.name.endswith(suffix)]


def remove_outdated(folder: Path, records: Sequence[PartRecord]) -> None:
    """Delete parts of another key, of another format, or of other entry ranges of a file."""
    current = {record.name for record in records}
    for path in folder.iterdir():
        if _PART.match(path.name) and path.name not in current:
            path.unlink()
