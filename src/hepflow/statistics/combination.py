"""Several workspaces as one, with the parameters that they share.

A parameter is the same in all analyses that call it the same, unless it is kept apart. All that
makes it what it is must then agree: what constrains it, its auxiliary measurement, its range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from hepflow.errors import WorkspaceError, did_you_mean
from hepflow.statistics.combination_parts import (
    LUMINOSITY,
    OF_ONE_ANALYSIS,
    Naming,
    Part,
    Use,
    Workspace,
    check_analyses,
    check_parameters,
    part_of,
)
from hepflow.statistics.histfactory import read_model
from hepflow.statistics.parameter_sets import ParameterSet

_VERSION: Final = "1.0.0"
_RANGE: Final = ("inits", "bounds", "fixed")  # what a preferred analysis decides
_SETTINGS: Final[Mapping[str, Callable[[ParameterSet], Any]]] = {
    "inits": lambda one: list(one.init),
    "bounds": lambda one: [list(pair) for pair in one.bounds],
    "fixed": lambda one: all(one.fixed),
    "auxdata": lambda one: list(one.auxdata),
    "sigmas": lambda one: list(one.width),
    "factors": lambda one: list(one.width),
}


@dataclass(frozen=True)
class CombinedParameter:
    """A parameter of the combination, and where it comes from."""

    name: str
    constraint: str  # "normal", "free", ...
    sources: Mapping[str, str]  # analysis -> name there
    channels: Mapping[str, int]  # analysis -> channels that it acts in

    @property
    def shared(self) -> bool:
        """Whether several analyses have it."""
        return len(self.sources) > 1


@dataclass(frozen=True)
class Combination:
    """The combined workspace, and what is shared in it."""

    workspace: dict[str, Any]
    poi: str
    parameters: tuple[CombinedParameter, ...]  # by name
    channels: Mapping[str, tuple[str, ...]]  # analysis -> names in the combination

    def to_json(self) -> dict[str, Any]:
        """Summary, without the workspace."""
        return {
            "poi": self.poi,
            "channels": {name: list(channels) for name, channels in self.channels.items()},
            "parameters": [{**asdict(one), "shared": one.shared} for one in self.parameters],
        }


def combine(
    analyses: Mapping[str, Workspace],
    *,
    naming: Naming | None = None,
    poi: str | None = None,
    measurements: Mapping[str, str] | None = None,
    prefer: str | None = None,
    name: str = "combined",
) -> Combination:
    """Combine workspaces of analyses that have no event in common.

    Parameters
    ----------
    analyses : mapping
        HistFactory JSON by the name of the analysis; none is changed.
    naming : Naming, optional
        Default: no channel is renamed, parameters of one name are one.
    poi : str, optional
        Parameter of interest, by its name in the combination; default that of the measurements.
    measurements : mapping, optional
        Analysis -> name of its measurement; default the first.
    prefer : str, optional
        Analysis whose starting values and ranges count where they differ.
    name : str
        Name of the measurement of the combination.

    Returns
    -------
    Combination

    Raises
    ------
    WorkspaceError
        Channels have the same name, a parameter is not the same thing in two analyses, or there
        is not exactly one parameter of interest.
    """
    naming, measurements = naming or Naming(), measurements or {}
    members = [label for one in naming.joined.values() for label in one]
    preferred = () if prefer is None else (prefer,)
    check_analyses(analyses, (*naming.prefixes, *measurements, *members, *preferred))
    parts = [
        part_of(label, one, naming, measurements.get(label)) for label, one in analyses.items()
    ]
    check_parameters(parts, naming)
    _check_channels(parts)
    _check_luminosity(parts, naming)
    names = sorted({name for part in parts for name in part.uses})
    merged = tuple(_merged(parts, one) for one in names)
    settings = [one for one in (_settings(parts, it, prefer) for it in names) if one]
    interest = _poi(parts, poi)
    config = {"poi": interest, "parameters": settings}
    workspace: dict[str, Any] = {
        "channels": [one for part in parts for one in part.channels],
        "measurements": [{"name": name, "config": config}],
        "observations": [one for part in parts for one in part.observations],
        "version": _VERSION,
    }
    read_model(workspace["channels"], settings)
    channels = {part.name: tuple(one["name"] for one in part.channels) for part in parts}
    return Combination(workspace, interest, merged, channels)


def _check_channels(parts: Sequence[Part]) -> None:
    where: dict[str, str] = {}
    for part in parts:
        for channel in part.channels:
            name = channel["name"]
            if name in where:
                raise WorkspaceError(
                    f"the analyses {where[name]!r} and {part.name!r} both have a channel {name!r}. "
                    f"Where these are different events, give one of them a prefix: --prefix "
                    f"{part.name}={part.name}. Where they are the same, leave one out."
                )
            where[name] = part.name


def _check_luminosity(parts: Sequence[Part], naming: Naming) -> None:
    having = [
        part.name
        for part in parts
        if any(one.constraint == LUMINOSITY for one in part.uses.values())
    ]
    if len(having) > 1 and naming.keeps_apart("lumi"):
        raise WorkspaceError(
            f"lumi of {' and '.join(having)} cannot be kept apart: the format has one luminosity "
            "only. Replace it by a normsys of the same size in all but one of the workspaces."
        )


def _merged(parts: Sequence[Part], name: str) -> CombinedParameter:
    """A parameter with all its sources, after a look at whether they are one thing."""
    having = {part.name: part.uses[name] for part in parts if name in part.uses}
    (first, one), *others = having.items()
    for label, other in others:
        why = _not_the_same(one, other)
        if why:
            raise WorkspaceError(
                f"parameter {name!r} is in the analyses {first!r} and {label!r}, {why}. Keep it "
                f"apart with --uncorrelate {one.old}, or rename it."
            )
    return CombinedParameter(
        name,
        one.constraint,
        {label: use.old for label, use in having.items()},
        {label: use.channels for label, use in having.items()},
    )


def _not_the_same(one: Use, other: Use) -> str:
    """Why two uses of a name are not one parameter; empty where they can be."""
    if one.constraint != other.constraint:
        return f"and is {one.constraint} in the one and {other.constraint} in the other"
    if one.constraint in OF_ONE_ANALYSIS:
        return f"and is {one.constraint}: it belongs to the templates of one analysis"
    if one.apart != other.apart:
        return "in one of them because it is kept apart under this name"
    if len(one.parameters.init) != len(other.parameters.init):
        sizes = (len(one.parameters.init), len(other.parameters.init))
        return f"with {sizes[0]} bins in the one and {sizes[1]} in the other"
    return ""


def _poi(parts: Sequence[Part], wanted: str | None) -> str:
    known = {name for part in parts for name in part.uses}
    if wanted is not None:
        if wanted not in known:
            hint = did_you_mean(wanted, known)
            raise WorkspaceError(f"the combination has no parameter {wanted!r}. {hint}")
        return wanted
    named = {part.poi: part for part in reversed(parts) if part.poi}
    if len(named) == 1:
        return next(iter(named))
    if not named:
        raise WorkspaceError("no analysis names a parameter of interest. Choose one with --poi.")
    told = ", ".join(f"{poi!r} of {part.name}" for poi, part in sorted(named.items()))
    join = ",".join(f"{part.name}:{part.uses[poi].old}" for poi, part in sorted(named.items()))
    raise WorkspaceError(
        f"the analyses have different parameters of interest: {told}. Choose one with --poi, or "
        f"make them one with --correlate mu={join}."
    )


def _settings(parts: Sequence[Part], name: str, prefer: str | None) -> dict[str, Any] | None:
    """What the measurement of the combination says of a parameter; None for nothing."""
    having = {part.name: part.uses[name] for part in parts if name in part.uses}
    said = {key for one in having.values() for key in one.settings}
    found = {
        key: _agreed(
            name, key, {label: value(one.parameters) for label, one in having.items()}, prefer
        )
        for key, value in _SETTINGS.items()
        if key in said
    }
    return {"name": name, **found} if found else None


def _agreed(name: str, key: str, values: Mapping[str, Any], prefer: str | None) -> Any:
    if prefer is not None and prefer in values and key in _RANGE:
        return values[prefer]
    (first, value), *others = values.items()
    for label, other in others:
        if value != other:
            advice = (
                f"Say whose count with --prefer {first}, or change one of the files."
                if key in _RANGE
                else f"Keep it apart with --uncorrelate {name}, or change one of the files."
            )
            raise WorkspaceError(
                f"{key} of parameter {name!r} are {value} in the analysis {first!r} and {other} "
                f"in {label!r}. {advice}"
            )
    return value
