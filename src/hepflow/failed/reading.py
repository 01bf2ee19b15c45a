"""Records as JSON. What is read may come from anywhere: whatever does not fit is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError, StorageError
from hepflow.failed.record import STAGES, FailedError, FailedItem, Invocation, printable
from hepflow.storage import read_json

FORMAT: Final = 1
_LARGEST: Final = 1_000_000  # [byte] of a record
_LAST_ENTRY: Final = 2**63 - 1
_NAME: Final = re.compile(rf"({'|'.join(STAGES)})-[A-Za-z0-9_]*-[0-9a-f]{{16}}\.json")
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "str | None": (str, type(None)),
    "tuple[str, ...]": (list,),
    "Mapping[str, Any]": (dict,),
    "FailedError": (dict,),
    "Invocation | None": (dict, type(None)),
}


def to_json(failed: FailedItem) -> dict[str, Any]:
    """Plain containers for JSON; `from_json` reads them back."""
    return {"format": FORMAT, **asdict(failed)}


def from_json(data: Any) -> FailedItem:
    """Inverse of `to_json`, for data that need not come from there.

    Raises
    ------
    InputError
        If something is missing, superfluous or of another type; the message names it.
    """
    known = _checked(data, FailedItem, "", {"format": (int,)})
    if known.pop("format") != FORMAT:
        raise InputError(f"its format is not {FORMAT}, it was made by another version of hepflow")
    if known["stage"] not in STAGES:
        raise InputError(f"there is no stage {known['stage']!r}")
    if not 0 <= known["entrystart"] <= known["entrystop"] <= _LAST_ENTRY:
        raise InputError("entrystart and entrystop are no range of entries")
    known["error"] = FailedError(**_checked(known["error"], FailedError, "error."))
    if known["invocation"] is not None:
        checked = _checked(known["invocation"], Invocation, "invocation.")
        known["invocation"] = Invocation(**checked)
    return FailedItem(**known)


def _checked(
    data: Any, record: type[Any], where: str, more: Mapping[str, tuple[type, ...]] | None = None
) -> dict[str, Any]:
    """Fields of a record that are all there, and of their types; a list becomes a tuple."""
    if not isinstance(data, dict):
        raise InputError(f"{where.rstrip('.') or 'it'} is no JSON object")
    kinds = {one.name: _KINDS[str(one.type)] for one in fields(record)} | dict(more or {})
    for name in sorted(kinds.keys() ^ data.keys()):
        raise InputError(f"{where}{name} is {'missing' if name in kinds else 'not known'}")
    found = {}
    for name, value in data.items():
        if isinstance(value, bool) or not isinstance(value, kinds[name]):
            raise InputError(f"{where}{name} is a {type(value).__name__}")
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        if not all(isinstance(one, str) and printable(one) == one for one in texts):
            raise InputError(f"{where}{name} holds something else than plain text")
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def read_failed(path: str | Path) -> FailedItem:
    """Read a record that a run left in ``logs/failed``.

    Raises
    ------
    InputError
        If it is not there, or is no such record.
    """
    path = Path(path)
    try:
        return from_json(_content(path))
    except (StorageError, InputError, RecursionError) as error:
        why = error if isinstance(error, InputError) else "it cannot be read as JSON"
        raise InputError(
            f"{path} is no record of something that failed: {why}. Records lie in logs/failed of "
            "an output folder, as long as no other run is made there; `hepflow replay FOLDER` "
            "lists them."
        ) from error


def _content(path: Path) -> Any:
    if not path.is_file():
        raise InputError("there is no such file")
    if path.stat().st_size > _LARGEST:
        raise InputError(f"it has more than {_LARGEST:,} bytes")
    return read_json(path, "a run in which something failed")


def records_in(folder: Path) -> list[Path]:
    """Records in a folder, sorted by name; none where there is no such folder."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name))
