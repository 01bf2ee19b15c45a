"""What a signal adds to a background-only workspace, as a JSON patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hepflow.errors import WorkspaceError

Operation = dict[str, Any]
Workspace = Mapping[str, Any]


def signal_patch(
    background: Workspace, workspace: Workspace, name: str
) -> tuple[list[Operation], tuple[str, ...]]:
    """Operations that turn a background-only workspace into one with signal.

    Parameters
    ----------
    background : mapping
        HistFactory workspace without the signal.
    workspace : mapping
        The same with the signal: further samples, parameters of measurements, and the parameter
        of interest may differ, nothing else.
    name : str
        Of the signal, for messages.

    Returns
    -------
    tuple of (list of dict, tuple of str)
        The patch, and the names of the samples that it adds.

    Raises
    ------
    WorkspaceError
        The backgrounds are not the same; the message names what differs. Or nothing is added.
    """
    told = f"{name}: its background is not the background-only workspace"
    _same_names(background["channels"], workspace["channels"], f"{told}: channels")
    patch: list[Operation] = []
    samples: dict[str, None] = {}
    pairs = zip(background["channels"], workspace["channels"], strict=True)
    for number, (before, after) in enumerate(pairs):
        where = f"{told}: channel {before['name']}"
        way = f"/channels/{number}/samples"
        added = _additions(before["samples"], after["samples"], way, f"{where}, sample")
        samples |= dict.fromkeys(str(one["value"]["name"]) for one in added)
        patch += added
    if not samples:
        raise WorkspaceError(
            f"{name}: it has no sample that the background-only workspace lacks, so there is no "
            "signal to publish. Name the workspace with the signal, and one without it first."
        )
    _same(background["observations"], workspace["observations"], f"{told}: observations")
    _same(background.get("version"), workspace.get("version"), f"{told}: version")
    return [*patch, *_measurements(background, workspace, told)], tuple(samples)


def _additions(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], way: str, where: str
) -> list[Operation]:
    """Operations for entries that only the second list has, each at its place."""
    kept = {str(one["name"]) for one in before}
    _same_names(before, [one for one in after if one["name"] in kept], f"{where}s")
    found = {str(one["name"]): one for one in after}
    for one in before:
        _same(one, found[str(one["name"])], f"{where} {one['name']}")
    return [
        {"op": "add", "path": f"{way}/{place}", "value": one}
        for place, one in enumerate(after)
        if one["name"] not in kept
    ]


def _measurements(background: Workspace, workspace: Workspace, told: str) -> Iterator[Operation]:
    before, after = background["measurements"], workspace["measurements"]
    _same_names(before, after, f"{told}: measurements")
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        where, way = f"{told}: measurement {old['name']}", f"/measurements/{number}/config"
        yield from _additions(
            old["config"].get("parameters", []),
            new["config"].get("parameters", []),
            f"{way}/parameters",
            f"{where}, parameter",
        )
        if old["config"].get("poi") != new["config"].get("poi"):
            yield {"op": "replace", "path": f"{way}/poi", "value": new["config"].get("poi")}


def _same_names(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], where: str
) -> None:
    old, new = ([str(one["name"]) for one in some] for some in (before, after))
    if old == new:
        return
    if sorted(old) == sorted(new):
        raise WorkspaceError(
            f"{where} are in another order ({', '.join(new)} instead of {', '.join(old)}). Bring "
            "all workspaces in one order with `pyhf sort`, the background-only one too."
        )
    missing, extra = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    parts = [f"{', '.join(missing)} missing"] * bool(missing)
    parts += [f"{', '.join(extra)} in excess"] * bool(extra)
    raise WorkspaceError(
        f"{where}: {' and '.join(parts) or 'one is there twice'}. "
        "Take runs of one configuration that differ in the signal only."
    )


def _same(before: Any, after: Any, where: str) -> None:
    place = first_difference(before, after)
    if place is None:
        return
    way, old, new = place
    raise WorkspaceError(
        f"{where}: {way or 'the whole'} is {_shown(new)}, not {_shown(old)}. "
        "Take runs of one configuration that differ in the signal only."
    )


def first_difference(before: Any, after: Any, way: str = "") -> tuple[str, Any, Any] | None:
    """Path of the first difference of two JSON values, and both sides; None where there is none.

    Examples
    --------
    >>> first_difference({"data": [1.0, 2.0]}, {"data": [1.0, 3.0]})
    ('data[1]', 2.0, 3.0)
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{way}.{key}".removeprefix(".")
            if key not in before or key not in after:
                return inner, before.get(key, "absent"), after.get(key, "absent")
            found = first_difference(before[key], after[key], inner)
            if found:
                return found
        return None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        steps = (first_difference(a, b, f"{way}[{i}]") for i, (a, b) in pairs)
        return next((one for one in steps if one), None)
    return None if before == after else (way, before, after)


def _shown(value: Any) -> str:
    text = repr(value)
    longest = 60  # signs of a line that is still read
    return text if len(text) <= longest else f"{text[:longest]}..."
