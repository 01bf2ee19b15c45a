"""One analysis of a combination, with the names that it has there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from hepflow.errors import WorkspaceError, did_you_mean
from hepflow.statistics.histfactory import Floats, Model, array, entry, read_model
from hepflow.statistics.parameter_sets import ParameterSet

Workspace = Mapping[str, Any]
LUMINOSITY: Final = "luminosity"
CONSTRAINTS: Final = {
    "normsys": "normal",
    "histosys": "normal",
    "lumi": LUMINOSITY,
    "normfactor": "free",
    "shapefactor": "free in each bin",
    "staterror": "normal in each bin",
    "shapesys": "Poisson in each bin",
}
OF_ONE_ANALYSIS: Final = ("normal in each bin", "Poisson in each bin")


@dataclass(frozen=True)
class Naming:
    """What is called how in the combination."""

    prefixes: Mapping[str, str] = field(default_factory=dict)  # analysis -> of its channels
    apart: Sequence[str] = ()  # patterns of parameters of which each analysis has its own
    joined: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # new name -> analysis -> name there

    def keeps_apart(self, name: str) -> bool:
        """Whether a pattern fits this parameter."""
        return any(fnmatchcase(name, pattern) for pattern in self.apart)

    def channel(self, analysis: str, name: str) -> str:
        """A channel, or a parameter of its templates, in the combination."""
        prefix = self.prefixes.get(analysis, "")
        return f"{prefix}_{name}" if prefix else name


@dataclass(frozen=True)
class Use:
    """A parameter of one analysis."""

    old: str  # name in the analysis
    constraint: str  # a value of `CONSTRAINTS`
    channels: int  # that it acts in
    parameters: ParameterSet  # start, range and auxiliary measurement
    settings: tuple[str, ...]  # what the measurement says, such as "inits"
    apart: bool = False  # has its name because it is kept apart


@dataclass(frozen=True)
class Part:
    """One analysis with the names of the combination."""

    name: str
    channels: tuple[dict[str, Any], ...]
    observations: tuple[dict[str, Any], ...]
    uses: Mapping[str, Use]  # by name in the combination
    poi: str  # empty where it has none


def part_of(label: str, workspace: Workspace, naming: Naming, measurement: str | None) -> Part:
    """Read one analysis and give it the names of the combination.

    Raises
    ------
    WorkspaceError
        The workspace is none, has no such measurement, or two of its parameters would have one
        name.
    """
    try:
        config = _measurement(workspace, measurement)
        model = read_model(workspace["channels"], config["parameters"])
        observed = _observed(workspace, model)
    except WorkspaceError as error:
        error.add_note(f"This is analysis {label!r}.")
        raise
    new = _new_names(label, model, naming)
    return Part(
        label,
        tuple(_renamed(one, label, naming, new) for one in workspace["channels"]),
        tuple(
            {"name": naming.channel(label, name), "data": data.tolist()}
            for name, data in observed.items()
        ),
        _uses(model, config, new, naming),
        new.get(config["poi"], ""),
    )


def check_analyses(analyses: Mapping[str, Workspace], named: Iterable[str]) -> None:
    """Refuse a name that no analysis has.

    Raises
    ------
    WorkspaceError
    """
    for one in sorted(set(named) - analyses.keys()):
        raise WorkspaceError(f"no analysis is called {one!r}. {did_you_mean(one, analyses)}")


def check_parameters(parts: Sequence[Part], naming: Naming) -> None:
    """Refuse names of parameters that do not exist.

    Raises
    ------
    WorkspaceError
    """
    known = {part.name: {one.old for one in part.uses.values()} for part in parts}
    for new, members in naming.joined.items():
        for label, old in members.items():
            if old not in known[label]:
                hint = did_you_mean(old, known[label])
                raise WorkspaceError(f"{new}: analysis {label!r} has no parameter {old!r}. {hint}")
    everywhere = set().union(*known.values())
    for pattern in naming.apart:
        if not any(fnmatchcase(one, pattern) for one in everywhere):
            hint = did_you_mean(pattern, everywhere)
            raise WorkspaceError(f"no parameter fits {pattern!r}, to be kept apart. {hint}")


def _measurement(workspace: Workspace, wanted: str | None) -> Mapping[str, Any]:
    found = {
        str(one["name"]): one["config"]
        for one in (
            entry(it, ("name", "config"), "a measurement") for it in workspace["measurements"]
        )
    }
    if not found:
        raise WorkspaceError("there is no measurement, which would name the parameter of interest.")
    if wanted is not None and wanted not in found:
        raise WorkspaceError(f"there is no measurement {wanted!r}. {did_you_mean(wanted, found)}")
    name = next(iter(found)) if wanted is None else wanted
    return entry(found[name], ("poi", "parameters"), f"`config` of measurement {name!r}")


def _observed(workspace: Workspace, model: Model) -> dict[str, Floats]:
    """Observed events by channel, in the order of the channels."""
    given = {}
    for one in workspace["observations"]:
        name = entry(one, ("name", "data"), "an observation")["name"]
        if name not in model.channels:
            raise WorkspaceError(
                f"there is an observation of {name!r}, which is no channel. "
                f"{did_you_mean(str(name), model.channels)}"
            )
        bins = model.channels[name]
        given[name] = array(one["data"], bins.stop - bins.start, f"the observation of {name!r}")
    names = [channel["name"] for channel in workspace["channels"]]
    missing = [name for name in names if name not in given]
    if missing:
        raise WorkspaceError(f"channel {missing[0]!r} has no observation. Add one.")
    return {name: given[name] for name in names}


def _kinds(model: Model) -> Iterator[tuple[str, str, str]]:
    """Name and constraint of each modifier, and the channel."""
    for row in model.rows:
        for kind, name in row.modifiers:
            yield name, CONSTRAINTS[kind], row.channel


def _new_names(label: str, model: Model, naming: Naming) -> dict[str, str]:
    """Name in the combination by the name in the analysis."""
    joined = {members[label]: new for new, members in naming.joined.items() if label in members}
    names: dict[str, str] = {}
    for old, constraint, _ in _kinds(model):
        if old in joined:
            names[old] = joined[old]
        elif constraint != LUMINOSITY and naming.keeps_apart(old):
            names[old] = f"{old}_{label}"
        else:
            names[old] = naming.channel(label, old) if constraint in OF_ONE_ANALYSIS else old
    for name, many in Counter(names.values()).items():
        if many > 1:
            both = " and ".join(repr(old) for old, new in names.items() if new == name)
            raise WorkspaceError(
                f"analysis {label!r}: its parameters {both} would both be called {name!r}. Choose "
                "another name."
            )
    return names


def _renamed(
    channel: Mapping[str, Any], label: str, naming: Naming, new: Mapping[str, str]
) -> dict[str, Any]:
    samples = [
        {**sample, "modifiers": [{**one, "name": new[one["name"]]} for one in sample["modifiers"]]}
        for sample in channel["samples"]
    ]
    return {**channel, "name": naming.channel(label, channel["name"]), "samples": samples}


def _uses(
    model: Model, config: Mapping[str, Any], new: Mapping[str, str], naming: Naming
) -> dict[str, Use]:
    said = {one["name"]: tuple(key for key in one if key != "name") for one in config["parameters"]}
    kinds: dict[str, str] = {}
    places: dict[str, set[str]] = {}
    for old, constraint, channel in _kinds(model):
        kinds[old] = constraint
        places.setdefault(old, set()).add(channel)
    return {
        new[one.name]: Use(
            one.name,
            kinds[one.name],
            len(places[one.name]),
            one,
            said.get(one.name, ()),
            apart=kinds[one.name] != LUMINOSITY and naming.keeps_apart(one.name),
        )
        for one in model.sets
    }
