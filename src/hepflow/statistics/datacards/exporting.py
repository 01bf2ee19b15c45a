"""From a workspace of HistFactory to a datacard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError, did_you_mean
from hepflow.statistics.datacards.bin_statistics import RELATIVE
from hepflow.statistics.datacards.card import (
    DATA,
    Approximation,
    Card,
    Column,
    Effect,
    Notes,
    Nuisance,
    ShapeRule,
    Statistics,
)
from hepflow.statistics.datacards.naming import Names
from hepflow.statistics.datacards.outgoing import Outgoing, Rows, calibrate
from hepflow.statistics.histfactory import Model, read_model

Floats = NDArray[np.float64]
SHAPES_FILE: Final = "shapes.root"
CARD_FILE: Final = "datacard.txt"
_EACH_BIN: Final = Statistics(0.0, with_signal=True)  # one parameter for each bin


@dataclass(frozen=True)
class Exported:
    """A card with its histograms, and what it does not say in the way of the workspace."""

    card: Card
    histograms: Mapping[str, tuple[Floats, Floats]]  # key in the file -> contents, errors
    poi: str  # called r in Combine
    bounds: tuple[float, float]  # of the parameter of interest
    renamed: Mapping[str, str]  # as in the card -> as in the workspace, where they differ
    approximations: tuple[Approximation, ...]

    def to_json(self) -> dict[str, Any]:
        """Summary, without the card."""
        return {
            "poi": self.poi,
            "bounds": list(self.bounds),
            "renamed": dict(self.renamed),
            "approximations": [asdict(one) for one in self.approximations],
        }


def export_card(
    workspace: Mapping[str, Any],
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    measurement: str | None = None,
) -> Exported:
    """Say a workspace as a datacard.

    Parameters
    ----------
    workspace : mapping
        HistFactory JSON.
    groups : mapping, optional
        Group -> names of parameters.
    measurement : str, optional
        Name of the measurement; default the first.

    Returns
    -------
    Exported
        Of counts alone, without histograms, where each channel has one bin and no statistical
        uncertainty of templates.

    Raises
    ------
    WorkspaceError
        It is no workspace, or a card has no words for something in it.
    """
    config = _measurement(workspace, measurement)
    model = read_model(workspace["channels"], config["parameters"])
    poi, bounds = _interest(model, config)
    names, notes = Names(), Notes()
    outgoing, columns = _columns(Rows(model, config["parameters"], poi, names, notes))
    with_errors = {one.channel for one in outgoing if one.errors.any()}
    counts = not with_errors and all(len(one.values) == 1 for one in outgoing)
    nuisances, templates = _nuisances(outgoing)
    observed = _observed(workspace, model, names)
    for channel in sorted(with_errors):
        notes.add(RELATIVE, channel)
    card = Card(
        {name: float(data[0]) if counts else None for name, data in observed.items()},
        tuple(columns if counts else (_from_histogram(one) for one in columns)),
        nuisances,
        () if counts else (_RULE,),
        tuple(rate for one in outgoing for rate in one.rates),
        (),
        {name: _EACH_BIN for name in observed if name in with_errors},
        _groups(groups or {}, nuisances, names),
    )
    histograms = {} if counts else _histograms(outgoing, templates, observed)
    return Exported(card, histograms, poi, bounds, names.changed(), notes.told())


_RULE: Final = ShapeRule(
    "*", "*", SHAPES_FILE, "$CHANNEL/$PROCESS", "$CHANNEL/$PROCESS_$SYSTEMATIC"
)


def _measurement(workspace: Mapping[str, Any], wanted: str | None) -> Mapping[str, Any]:
    found = {one["name"]: one["config"] for one in workspace["measurements"]}
    if not found:
        raise WorkspaceError("the workspace has no measurement, so no parameter of interest.")
    name = next(iter(found)) if wanted is None else wanted
    if name not in found:
        raise WorkspaceError(
            f"the workspace has no measurement {name!r}. {did_you_mean(name, found)}"
        )
    config: Mapping[str, Any] = found[name]
    return config


def _interest(model: Model, config: Mapping[str, Any]) -> tuple[str, tuple[float, float]]:
    poi = config["poi"]
    kinds = {kind for row in model.rows for kind, name in row.modifiers if name == poi}
    if kinds != {"normfactor"}:
        raise WorkspaceError(
            f"the parameter of interest {poi!r} is no normfactor, as the signal strength of a card "
            "is. Name another one in the measurement."
        )
    return poi, next(one.bounds[0] for one in model.sets if one.name == poi)


def _columns(rows: Rows) -> tuple[list[Outgoing], list[Column]]:
    """Columns in the order of channels and of the numbers of processes."""
    outgoing = [one for row in rows.model.rows if (one := rows.of(row)) is not None]
    if not outgoing:
        raise WorkspaceError("the workspace expects no events in any channel.")
    for channel in {one.channel for one in outgoing}:
        calibrate([one for one in outgoing if one.channel == channel])
    index = _indices(_signals(outgoing))
    outgoing.sort(key=lambda one: (one.channel, index[one.process]))
    return outgoing, [
        Column(one.channel, one.process, index[one.process], float(one.values.sum()))
        for one in outgoing
    ]


def _signals(outgoing: Sequence[Outgoing]) -> dict[str, bool]:
    """Process -> whether it is a signal."""
    found: dict[str, bool] = {}
    for one in outgoing:
        if found.setdefault(one.process, one.signal) != one.signal:
            raise WorkspaceError(
                f"the parameter of interest scales {one.process!r} in one channel and not in "
                "another; a card has one kind for each process. Rename the sample in one of them."
            )
    return found


def _indices(signal: Mapping[str, bool]) -> dict[str, int]:
    """Number of each process: 0 and below for signals, from 1 for the others."""
    signals = [name for name, is_signal in signal.items() if is_signal]
    others = [name for name, is_signal in signal.items() if not is_signal]
    found = {name: -at for at, name in enumerate(reversed(signals))}
    return found | {name: at for at, name in enumerate(others, start=1)}


def _from_histogram(column: Column) -> Column:
    return Column(column.channel, column.process, column.index, None)


Templates = Mapping[tuple[int, str], tuple[Floats, Floats]]  # column, parameter -> at -1 and +1


def _nuisances(
    outgoing: Sequence[Outgoing],
) -> tuple[tuple[Nuisance, ...], Templates]:
    """Lines of the card, and the histograms of those that are shapes."""
    found: list[Nuisance] = []
    templates: dict[tuple[int, str], tuple[Floats, Floats]] = {}
    for name in sorted({name for one in outgoing for name in one.parameters}):
        having = {at: one for at, one in enumerate(outgoing) if name in one.parameters}
        if any(name in one.shapes for one in having.values()):
            effects = {at: Effect(1.0) for at in having}
            templates |= {(at, name): one.template(name) for at, one in having.items()}
            found.append(Nuisance(name, "shape", effects))
            continue
        counted = {at: one.counted[name] for at, one in having.items() if name in one.counted}
        if counted:
            effects = {at: Effect(each) for at, (_, each) in counted.items()}
            events = next(iter(counted.values()))[0]
            found.append(Nuisance(name, "gmN", effects, events))
            continue
        effects = {at: _log_normal(*one.factors[name]) for at, one in having.items()}
        found.append(Nuisance(name, "lnN", effects))
    return tuple(found), templates


def _log_normal(down: float, up: float) -> Effect:
    return Effect(up) if abs(down * up - 1) < _EQUAL else Effect(up, down)


_EQUAL: Final = 1e-12


def _observed(workspace: Mapping[str, Any], model: Model, names: Names) -> dict[str, Floats]:
    given = {one["name"]: np.asarray(one["data"], float) for one in workspace["observations"]}
    missing = sorted(model.channels.keys() - given.keys())
    if missing:
        raise WorkspaceError(f"channel {missing[0]!r} has no observation. Add one.")
    return {names.channel(one): given[one] for one in model.channels}


def _groups(
    groups: Mapping[str, Sequence[str]], nuisances: Sequence[Nuisance], names: Names
) -> dict[str, tuple[str, ...]]:
    """Groups of those parameters that the card has lines of."""
    known = {one.name for one in nuisances}
    found = {}
    for group, members in groups.items():
        there = tuple(name for name in map(names.known, members) if name in known)
        if there:
            found[names.group(group)] = there
    return found


def _histograms(
    outgoing: Sequence[Outgoing], templates: Templates, observed: Mapping[str, Floats]
) -> dict[str, tuple[Floats, Floats]]:
    """Contents and errors by the key in the file."""
    found: dict[str, tuple[Floats, Floats]] = {}
    for channel, data in observed.items():
        found[f"{channel}/{DATA}"] = data, np.sqrt(np.abs(data))
    entries = [(f"{one.channel}/{one.process}", (one.values, one.errors)) for one in outgoing]
    for (at, name), sides in templates.items():
        key = f"{outgoing[at].channel}/{outgoing[at].process}_{name}"
        entries += [
            (f"{key}{side}", (values, np.zeros_like(values)))
            for side, values in zip(("Down", "Up"), sides, strict=True)
        ]
    for key, content in entries:
        if key in found:
            raise WorkspaceError(
                f"two histograms would be called {key}. Rename the sample or the parameter."
            )
        found[key] = content
    return found
