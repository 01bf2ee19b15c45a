"""Manifests: which parts lie in the folder of a dataset, and what they were made with."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.keys import Key
from hepflow.records import PartCounts
from hepflow.skimming.formats import FORMATS
from hepflow.skimming.making import PartRecord
from hepflow.storage import read_json, write_json

_log = logging.getLogger(__name__)
MADE_BY = "the skim (general.run_skimming)"
MANIFEST = "manifest.json"
FORMAT = 2  # of the manifest; one without the field is of the first
_SUFFIXES = "|".join(re.escape(one.suffix) for one in FORMATS.values())
_PART = re.compile(rf".*_\d+-\d+_[0-9a-f]{{16}}({_SUFFIXES})$")


def write_manifest(folder: Path, key: Key, records: Sequence[PartRecord]) -> None:
    """Write the manifest, unless it says the same already."""
    parts = [{**asdict(record), "reused": False} for record in records]
    content = {"format": FORMAT, "key": key.to_json(), "parts": parts}
    path = folder / MANIFEST
    with contextlib.suppress(StorageError):  # one that is not there, or broken, is written anew
        if read_json(path, MADE_BY) == content:
            return
    write_json(path, content)


def read_manifest(folder: Path, key: Key) -> list[PartRecord]:
    """Records of a manifest that was written with this key; none where it cannot be read."""
    stored = _read(folder)
    if stored is None or stored[0].digest != key.digest:
        return []
    return stored[1]


def stored_key(folder: Path) -> Key | None:
    """Key that the parts of a folder were made with; None without a manifest."""
    stored = _read(folder)
    return None if stored is None else stored[0]


def _read(folder: Path) -> tuple[Key, list[PartRecord]] | None:
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        stored = read_json(path, MADE_BY)
        if stored["format"] == FORMAT:
            records = [_record_from_json(one) for one in stored["parts"]]
            return Key.from_json(stored["key"]), records
        why: object = f"its format is {stored['format']!r}, {FORMAT} is expected"
    except (StorageError, KeyError, TypeError) as error:
        why = error
    _log.warning("skim: %s is not used: %s", path, why)
    return None


def _record_from_json(data: Mapping[str, Any]) -> PartRecord:
    return PartRecord(**{**data, "counts": PartCounts(**data["counts"])})


def known_parts(keys: Mapping[str, Key], folders: Mapping[str, Path]) -> dict[str, PartRecord]:
    """Parts by path that manifests hold under the same key and that lie there in full size."""
    return {
        str(folder / record.name): record
        for name, folder in folders.items()
        for record in read_manifest(folder, keys[name])
        if (folder / record.name).exists() and (folder / record.name).stat().st_size == record.size
    }


def is_untouched(path: str, record: PartRecord) -> bool:
    """Whether nobody wrote the part since; else a worker verifies it."""
    return Path(path).stat().st_mtime_ns == record.mtime_ns


def of_other_files(folder: Path, key: Key, files: set[str], suffix: str) -> list[PartRecord]:
    """Parts with this key of files that are not processed now, as with a smaller max_files."""
    return [
        one
        for one in read_manifest(folder, key)
        if one.counts.file not in files
        and one.name.endswith(suffix)
        and (folder / one.name).exists()
    ]


def remove_outdated(folder: Path, records: Sequence[PartRecord]) -> None:
    """Delete parts of another key, of another format, or of other entry ranges of a file."""
    current = {record.name for record in records}
    for path in sorted(folder.iterdir()):
        if _PART.match(path.name) and path.name not in current:
            path.unlink()
