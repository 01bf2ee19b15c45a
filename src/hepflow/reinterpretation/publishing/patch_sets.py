"""Patch sets of pyhf for a grid of signals on one background."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hepflow.errors import InputError, WorkspaceError
from hepflow.reinterpretation.bundle.signal import UNPUBLISHED
from hepflow.reinterpretation.publishing.differences import first_difference, signal_patch
from hepflow.reinterpretation.publishing.points import Point

VERSION: Final = "1.0.0"  # of pyhf's schema
_RECORD: Final = re.compile(r"ins[0-9]{7}")
_HASHES: Final = ("sha256", "md5")


@dataclass(frozen=True)
class SignalPatch:
    """One entry of a patch set, as made."""

    point: Point
    samples: tuple[str, ...]  # that it adds
    operations: int


def make_patch_set(
    background: Mapping[str, Any],
    signals: Sequence[tuple[Point, Mapping[str, Any]]],
    *,
    labels: Sequence[str],
    description: str,
    record: str = UNPUBLISHED,
) -> tuple[dict[str, Any], tuple[SignalPatch, ...]]:
    """Patch set that turns a background-only workspace into that of each signal.

    Parameters
    ----------
    background : mapping
        HistFactory workspace without signal.
    signals : sequence of (Point, mapping)
        Points of the grid, each with its workspace.
    labels : sequence of str
        Names of the values of the points, such as ``mass``.
    description : str
        What the patches are, for a reader.
    record : str
        Inspire record on HEPData, as ``ins1234567``; the schema wants one, and the default is the
        number of none.

    Returns
    -------
    tuple of (dict, tuple of SignalPatch)
        The set, accepted and verified by `pyhf.PatchSet`, the same for the same input; and what
        each of its patches adds.

    Raises
    ------
    WorkspaceError
        The backgrounds differ, or pyhf refuses the set.
    InputError
        There is no label, no signal, or the record is none.
    """
    from hepflow.statistics.patches import digest

    if not labels or not signals:
        raise InputError("a patch set needs a label (such as mass) and at least one signal.")
    if not _RECORD.fullmatch(record):
        raise InputError(f"record {record!r}: expected that of Inspire, such as ins1234567.")
    patches, made = [], []
    for point, workspace in signals:
        operations, samples = signal_patch(background, workspace, point.name)
        _check_applied(background, operations, workspace, point.name)
        metadata = {"name": point.name, "values": list(point.values)}
        patches.append({"metadata": metadata, "patch": operations})
        made.append(SignalPatch(point, samples, len(operations)))
    content = {
        "metadata": {
            "description": description,
            "digests": {kind: digest(background, kind) for kind in _HASHES},
            "labels": list(labels),
            "references": {"hepdata": record},
        },
        "patches": patches,
        "version": VERSION,
    }
    _check_by_pyhf(content, background)
    return content, tuple(made)


def _check_applied(
    background: Mapping[str, Any],
    operations: Sequence[Mapping[str, Any]],
    workspace: Mapping[str, Any],
    name: str,
) -> None:
    import jsonpatch

    found = jsonpatch.apply_patch(copy.deepcopy(dict(background)), operations)
    place = first_difference(dict(workspace), found)
    if place:
        raise WorkspaceError(
            f"{name}: its workspace has more than signal beside the background ({place[0]} is "
            f"{place[1]!r}, and {place[2]!r} after the patch), which a patch of signal samples "
            "does not carry. Put the same into the background-only workspace."
        )


def _check_by_pyhf(content: Mapping[str, Any], background: Mapping[str, Any]) -> None:
    import pyhf

    try:
        found = pyhf.PatchSet(content)
        found.verify(background)
        for patch in found:
            pyhf.Workspace(found.apply(background, patch.name))
    except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidPatchSet) as error:
        reason = str(error).splitlines()[0]
        raise WorkspaceError(
            f"pyhf does not accept the patch set or a workspace of it: {reason}. Check the "
            "workspaces with `pyhf inspect`."
        ) from error
