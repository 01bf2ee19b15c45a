"""Signals that come as patches of a published background-only workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hepflow.errors import WorkspaceError
from hepflow.reinterpretation.signal_models import SignalModel
from hepflow.reinterpretation.signals import Signal
from hepflow.storage import read_json


def patched_models(
    workspace: Mapping[str, Any], references: Sequence[str | Path]
) -> list[SignalModel]:
    """Models of patches.

    Parameters
    ----------
    workspace
        Background-only, as it was published.
    references
        Files of JSON patches, or of patch sets with all their entries; ``FILE:NAME`` is one entry.

    Raises
    ------
    WorkspaceError
        A patch does not fit: another digest, an entry that does not exist, a broken file.
    """
    return [model for one in references for model in _models(workspace, one)]


def _models(workspace: Mapping[str, Any], reference: str | Path) -> Iterator[SignalModel]:
    from hepflow.statistics.patches import patched, split_reference

    file, name = split_reference(reference)
    content = read_json(file, "the author of the patch")
    if isinstance(content, list):
        whole = patched(workspace, reference)
        yield SignalModel(Signal(_name(file.stem), {}), whole, tuple(content))
        return
    entries = content.get("patches", []) if isinstance(content, dict) else []
    known = [_entry_name(one) for one in entries]
    for wanted in [name] if name or not known else known:
        whole = patched(workspace, f"{file}:{wanted}" if wanted else file)
        entry = entries[known.index(wanted)]
        values = _values(content["metadata"].get("labels", []), entry["metadata"].get("values", []))
        yield SignalModel(Signal(_name(wanted), {}, values=values), whole, tuple(entry["patch"]))


def _entry_name(entry: Any) -> str:
    try:
        return str(entry["metadata"]["name"])
    except (KeyError, TypeError) as error:
        raise WorkspaceError("an entry of the patch set has no `metadata.name`.") from error


def _values(labels: Sequence[Any], values: Sequence[Any]) -> dict[str, float]:
    """Parameters of an entry, where all of them are numbers."""
    pairs = zip(labels, values, strict=False)
    found = {str(label): value for label, value in pairs if isinstance(value, int | float)}
    return {name: float(one) for name, one in found.items()} if len(found) == len(values) else {}


def _name(text: str) -> str:
    """The same in the characters that a patch set admits."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text) or "signal"
