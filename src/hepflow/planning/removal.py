"""Remove what runs keep, file by file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from hepflow.planning.inventory import Kept, Kind, Places, kept_files
from hepflow.storage import remove_stale_temporaries
from hepflow.storage.atomic import storage_errors

_DAY = 86_400.0  # [s]


def to_remove(
    places: Places, kinds: Sequence[Kind], *, now: float, older_than: float | None
) -> list[Kept]:
    """Files of some kinds that were not used for so many days."""
    found = kept_files(places, kinds)
    if older_than is None:
        return list(found)
    return [one for one in found if now - one.used > older_than * _DAY]


def remove(files: Iterable[Kept]) -> None:
    """Remove files, temporaries that killed processes left beside them, and empty folders.

    Raises
    ------
    StorageError
        If one cannot be removed.
    """
    folders: dict[Path, None] = {}
    for one in files:
        with storage_errors(one.path, "remove"):
            one.path.unlink(missing_ok=True)
        folders[one.path.parent] = None
    for folder in folders:
        remove_stale_temporaries(folder)
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not empty
        folder.rmdir()
