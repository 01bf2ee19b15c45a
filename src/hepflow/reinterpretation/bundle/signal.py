"""A workspace as background and signal: what stays, and the patch that brings the signal back."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hepflow.errors import WorkspaceError

# pyhf's format wants a record of HEPData; this is the number of none.
UNPUBLISHED: Final = "ins0000000"
_LABEL: Final = "signal"


@dataclass(frozen=True)
class Split:
    """A workspace without its signal, and how to put that in again."""

    background: Mapping[str, Any]
    operations: tuple[Mapping[str, Any], ...]  # JSON patch (RFC 6902)
    poi: str
    measurement: str
    signals: tuple[str, ...]  # samples that the parameter of interest multiplies


def split(workspace: Mapping[str, Any]) -> Split:
    """Take the samples that the parameter of interest multiplies out of a workspace.

    Parameters
    ----------
    workspace
        HistFactory JSON; its first measurement counts. It is not changed.

    Returns
    -------
    Split
        Its patch gives back the very same workspace.

    Raises
    ------
    WorkspaceError
        No sample is multiplied by the parameter of interest, or a channel has no other.
    """
    measurement = workspace["measurements"][0]
    poi = str(measurement["config"]["poi"])
    background = copy.deepcopy(dict(workspace))
    operations: list[Mapping[str, Any]] = []
    names: dict[str, None] = {}
    for i, channel in enumerate(background["channels"]):
        kept = []
        for j, sample in enumerate(channel["samples"]):
            if _is_signal(sample, poi):
                path = f"/channels/{i}/samples/{j}"
                operations.append({"op": "add", "path": path, "value": sample})
                names[str(sample["name"])] = None
            else:
                kept.append(sample)
        if not kept:
            raise WorkspaceError(
                f"the channel {channel['name']!r} has signal only: without a background there is "
                "no workspace to preserve. Add a background sample, which may be empty."
            )
        channel["samples"] = kept
    if not names:
        raise WorkspaceError(
            f"no sample of the workspace is multiplied by the parameter of interest {poi!r}, so "
            "that nobody can tell signal from background. Give the signal that norm factor."
        )
    return Split(background, tuple(operations), poi, str(measurement["name"]), tuple(names))


def _is_signal(sample: Mapping[str, Any], poi: str) -> bool:
    modifiers = sample.get("modifiers", ())
    return any(one["type"] == "normfactor" and one["name"] == poi for one in modifiers)


def patch_name(signals: Sequence[str]) -> str:
    """Name of the run's own signal in the patch set, of the characters that pyhf admits."""
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(signals))


def patch_set(found: Split, name: str) -> dict[str, Any]:
    """Patch set of pyhf (version 1.0.0) with one entry: the run's own signal.

    Parameters
    ----------
    found
        Its background is what the patch set names by its digest.
    name
        Of the analysis, for people.
    """
    from hepflow.statistics.patches import digest

    signals = ", ".join(found.signals)
    entry = {"name": patch_name(found.signals), "values": [signals]}
    return {
        "metadata": {
            "name": name,
            "description": f"{name}: the signal that the analysis was made for ({signals})",
            "labels": [_LABEL],
            "digests": {"sha256": digest(found.background)},
            "references": {"hepdata": UNPUBLISHED},
        },
        "patches": [{"metadata": entry, "patch": list(found.operations)}],
        "version": "1.0.0",
    }
