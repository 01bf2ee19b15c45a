"""A workspace with a patch applied: a JSON patch, or one entry of a pyhf patch set."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hepflow.errors import WorkspaceError, did_you_mean
from hepflow.storage import read_json

_HASHES = ("sha256", "md5")  # that pyhf writes


def split_reference(reference: str | Path) -> tuple[Path, str]:
    """File and entry of a reference ``FILE`` or ``FILE:ENTRY``; the entry may be empty."""
    text = str(reference)
    if Path(text).exists():
        return Path(text), ""
    file, _, name = text.rpartition(":")
    return (Path(file), name) if file and Path(file).exists() else (Path(text), "")


def patched(workspace: Mapping[str, Any], reference: str | Path) -> dict[str, Any]:
    """A workspace with a patch applied.

    Parameters
    ----------
    workspace : mapping
        HistFactory JSON; it is not changed.
    reference : str or Path
        File of a JSON patch (RFC 6902), or of a pyhf patch set, ``FILE:NAME`` with the name of
        its entry; a set of one entry needs none.

    Returns
    -------
    dict

    Raises
    ------
    WorkspaceError
        The file is neither, has no such entry, was made for another workspace, or does not
        apply.
    """
    import jsonpatch

    file, name = split_reference(reference)
    content = read_json(file, "the author of the patch")
    operations = _operations(content, file, name, workspace)
    try:
        return dict(jsonpatch.apply_patch(copy.deepcopy(dict(workspace)), operations))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        raise WorkspaceError(
            f"the patch {reference} cannot be applied: {error}. Was it made for this workspace?"
        ) from error


def _operations(
    content: Any, file: Path, name: str, workspace: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    if isinstance(content, list):
        if name:
            raise WorkspaceError(
                f"{file} is one JSON patch: it has no entry {name!r}. Leave it out."
            )
        return content
    if not isinstance(content, dict) or not isinstance(content.get("patches"), list):
        raise WorkspaceError(
            f"{file} is no patch: expected a JSON patch (a list of operations) or a pyhf patch "
            "set (with `metadata` and `patches`)."
        )
    entries = _entries(content, file)
    _check_digest(content, file, workspace)
    if not name and len(entries) == 1:
        name = next(iter(entries))
    if name not in entries:
        hint = did_you_mean(name, entries) if name else ""
        shown = ", ".join(list(entries)[:20]) + (", ..." if len(entries) > 20 else "")  # noqa: PLR2004 - as many as fit
        what = f"has no entry {name!r}. {hint}" if name else "holds several patches."
        raise WorkspaceError(f"the patch set {file} {what} Choose one as {file}:NAME: {shown}.")
    return entries[name]


def _entries(content: Mapping[str, Any], file: Path) -> dict[str, Sequence[Mapping[str, Any]]]:
    try:
        return {str(one["metadata"]["name"]): one["patch"] for one in content["patches"]}
    except (KeyError, TypeError) as error:
        raise WorkspaceError(
            f"the patch set {file} is not whole: each of its patches needs `metadata.name` and "
            f"`patch` ({type(error).__name__}: {error})."
        ) from error


def _check_digest(content: Mapping[str, Any], file: Path, workspace: Mapping[str, Any]) -> None:
    """Refuse a patch set that names another workspace by its digest."""
    metadata = content.get("metadata", {})
    stated = metadata.get("digests", {}) if isinstance(metadata, dict) else {}
    for kind in _HASHES:
        if kind in stated:
            found = digest(workspace, kind)
            if found != stated[kind]:
                raise WorkspaceError(
                    f"the patch set {file} is for a workspace of {kind} {stated[kind]}, but this "
                    f"one has {found}. Take the workspace that it was published with."
                )


def digest(workspace: Mapping[str, Any], kind: str = "sha256") -> str:
    """Digest of a workspace as pyhf computes it (``pyhf.utils.digest``)."""
    text = json.dumps(workspace, sort_keys=True, ensure_ascii=False)
    return hashlib.new(kind, text.encode("utf8"), usedforsecurity=False).hexdigest()
