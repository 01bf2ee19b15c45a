"""Templates for the audit from a HistFactory workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hepflow.errors import WorkspaceError
from hepflow.statistics.audit.record import (
    AuditTemplates,
    Floats,
    RegionTemplates,
    SampleTemplates,
    Sides,
)

_STATISTICAL = {"staterror", "shapesys"}
_MOVING = {"histosys", "normsys"}
Modifier = Mapping[str, Any]


def of_workspace(workspace: Mapping[str, Any], *, data: bool = True) -> AuditTemplates:
    """Templates of a workspace: what its sources do to the samples at one standard deviation.

    Parameters
    ----------
    workspace : mapping
        HistFactory JSON. The effects of ``histosys`` and ``normsys`` of one name are combined;
        statistical uncertainties are those of ``staterror`` and ``shapesys``.
    data : bool
        Look at the observations, too.

    Returns
    -------
    AuditTemplates
        Where a source acts is read off where it has modifiers.

    Raises
    ------
    WorkspaceError
        It is not what HistFactory JSON is; the message names the place.
    """
    place = "the workspace"
    try:
        observed = {one["name"]: _numbers(one["data"]) for one in workspace["observations"]}
        regions = {}
        for channel in workspace["channels"]:
            place = f"channel {channel['name']!r} of the workspace"
            samples = {one["name"]: _sample(one) for one in channel["samples"]}
            seen = observed.get(channel["name"]) if data else None
            regions[channel["name"]] = RegionTemplates(samples, seen)
            _require_one_size(regions[channel["name"]], place)
        return AuditTemplates(regions, _signal(workspace), published=True)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise WorkspaceError(
            f"{place} is not HistFactory JSON ({type(error).__name__}: {error}). Expected "
            "channels with samples of `name`, `data` and `modifiers`; pyhf can validate it."
        ) from error


def _numbers(values: Sequence[float]) -> Floats:
    return np.asarray([float(one) for one in values], dtype=np.float64)


def _require_one_size(found: RegionTemplates, place: str) -> None:
    arrays = [one.nominal for one in found.samples.values()]
    arrays += [one.variances for one in found.samples.values()]
    for one in found.samples.values():
        for sides in one.sources.values():
            arrays += [*sides.both(one.nominal)]
    arrays += [] if found.data is None else [found.data]
    sizes = sorted({len(one) for one in arrays})
    if len(sizes) > 1:
        raise WorkspaceError(
            f"{place} has templates of {' and '.join(map(str, sizes))} bins. All samples, "
            "modifiers and observations of a channel need the same number."
        )


def _sample(sample: Mapping[str, Any]) -> SampleTemplates:
    nominal = _numbers(sample["data"])
    named: dict[str, list[Modifier]] = {}
    variances = np.zeros(len(nominal))
    for one in sample["modifiers"]:
        if one["type"] in _STATISTICAL:
            variances = variances + _numbers(one["data"]) ** 2
        elif one["type"] in _MOVING:
            named.setdefault(one["name"], []).append(one)
    # a statistical uncertainty may be left out where it is small: zero says nothing
    variances[variances == 0] = np.nan
    sources = {name: _sides(nominal, modifiers) for name, modifiers in named.items()}
    return SampleTemplates(nominal, variances, sources)


def _sides(nominal: Floats, modifiers: Sequence[Modifier]) -> Sides:
    """Templates at plus and minus one: shapes add, and factors multiply their sum."""
    up, down = nominal, nominal
    for one in modifiers:
        if one["type"] == "histosys":
            up = up + (_numbers(one["data"]["hi_data"]) - nominal)
            down = down + (_numbers(one["data"]["lo_data"]) - nominal)
    for one in modifiers:
        if one["type"] == "normsys":
            up, down = up * float(one["data"]["hi"]), down * float(one["data"]["lo"])
    return Sides(up, down)


def _signal(workspace: Mapping[str, Any]) -> frozenset[str]:
    """Samples that the parameter of interest of the first measurement multiplies."""
    measurements = workspace.get("measurements") or [{}]
    poi = measurements[0].get("config", {}).get("poi", "")
    return frozenset(
        sample["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for one in sample["modifiers"]
        if one["type"] == "normfactor" and one["name"] == poi
    )
