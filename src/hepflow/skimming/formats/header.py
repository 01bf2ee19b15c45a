"""What a part says about itself, sealed so that a change of it is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hepflow.errors import ChecksumError, StorageError
from hepflow.storage import parse_json

FORMAT = 2  # of parts: what the header holds and how columns are laid out
NAME = "hepflow"  # of the header in files that others can open
_SEAL = "sha256"

Header = dict[str, Any]


def with_format(header: Mapping[str, Any]) -> Header:
    """Add the format's version."""
    return {"format": FORMAT, **header}


def check_format(header: Mapping[str, Any], where: object) -> None:
    """Refuse the header of another version.

    Raises
    ------
    StorageError
        If the part has another version of the format.
    """
    if header.get("format") != FORMAT:
        raise StorageError(
            f"{where} has the format {header.get('format')!r:.60}, {FORMAT} is expected. "
            "Delete it and run the skim again."
        )


def to_text(header: Mapping[str, Any]) -> str:
    """Header as JSON with a digest of itself."""
    text = json.dumps(dict(header), sort_keys=True)
    return json.dumps({"header": text, _SEAL: hashlib.sha256(text.encode()).hexdigest()})


def from_text(text: str, where: object) -> Header:
    """Inverse of `to_text`.

    Raises
    ------
    ChecksumError
        If the text is not as it was written.
    StorageError
        If the part has another version of the format.
    """
    try:
        sealed = parse_json(text)
        inner, seal = str(sealed["header"]), sealed[_SEAL]
    except (ValueError, KeyError, TypeError) as error:
        raise ChecksumError(f"{where} has no whole header: {error!r}. Delete it.") from error
    if hashlib.sha256(inner.encode()).hexdigest() != seal:
        raise ChecksumError(f"{where} is damaged: its header is not as written. Delete it.")
    try:
        header: Header = dict(parse_json(inner, finite=False))
    except (ValueError, TypeError) as error:
        raise StorageError(f"{where} has a header that is none: {error}. Delete it.") from error
    check_format(header, where)
    return header
