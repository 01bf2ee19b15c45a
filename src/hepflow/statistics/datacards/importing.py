"""From a datacard to a workspace of HistFactory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.bin_statistics import statistics_of
from hepflow.statistics.datacards.card import Approximation, Card, Notes, Nuisance
from hepflow.statistics.datacards.cells import Cell, cells_of, observations
from hepflow.statistics.datacards.effects import Effects
from hepflow.statistics.datacards.reading import read_card
from hepflow.statistics.datacards.shape_files import ShapeFiles
from hepflow.statistics.histfactory import read_model

NO_RANGE: Final = "a free parameter without a range in the card has one in a workspace"
_WIDTHS = 10  # of its own statistics, that the range of a sideband reaches up
_TIMES = 10.0  # its start, that the range of a free parameter reaches up


@dataclass(frozen=True)
class Imported:
    """A workspace, and what it does not say in the way of the card."""

    workspace: dict[str, Any]
    groups: Mapping[str, tuple[str, ...]]
    approximations: tuple[Approximation, ...]

    def to_json(self) -> dict[str, Any]:
        """Summary, without the workspace."""
        return {
            "groups": {name: list(members) for name, members in self.groups.items()},
            "approximations": [asdict(one) for one in self.approximations],
        }


def import_card(
    path: str | Path,
    *,
    poi: str = "r",
    bounds: tuple[float, float] = (0.0, 20.0),
    mass: float = 125.0,
) -> Imported:
    """Read a datacard and its histograms as a workspace.

    Parameters
    ----------
    path : str or Path
        The text of the card; histograms are looked for in its folder only.
    poi : str
        Name for the parameter that multiplies the signals.
    bounds : tuple of float
        Its range.
    mass : float
        Takes the place of ``$MASS`` in names of files and histograms [GeV].

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        The card or a histogram cannot be read, or says what HistFactory cannot.
    UnsafeContent
        It names a file outside of its folder.
    """
    path, card, notes = Path(path), read_card(path), Notes()
    with ShapeFiles(path.parent, card.rules, _mass(mass)) as files:
        cells = cells_of(card, files, notes)
        by_channel = {
            name: [cell for cell in cells if cell.column.channel == name] for name in card.observed
        }
        empty = [name for name, found in by_channel.items() if not found]
        if empty:
            raise WorkspaceError(f"channel {empty[0]!r} of the card expects no events at all.")
        effects = Effects(card, files, notes)
        channels = [_channel(name, found, effects, poi) for name, found in by_channel.items()]
        bins = {name: len(found[0].values) for name, found in by_channel.items()}
        observed = observations(card, files, bins)
    sidebands = [one for one in card.nuisances if one.kind == "gmN" and one.effects]
    settings = [
        {"name": poi, "inits": [1.0], "bounds": [list(bounds)]},
        *_settings(card, notes),
    ]
    workspace = {
        "channels": [*channels, *map(_sideband, sidebands)],
        "measurements": [{"name": path.stem, "config": {"poi": poi, "parameters": settings}}],
        "observations": [
            *observed,
            *({"name": _side(one), "data": [float(one.events)]} for one in sidebands),
        ],
        "version": "1.0.0",
    }
    read_model([*channels, *map(_sideband, sidebands)], settings)
    return Imported(workspace, card.groups, notes.told())


def _mass(mass: float) -> str:
    """Text for ``$MASS``, without decimals where there are none."""
    return str(int(mass)) if float(mass).is_integer() else repr(float(mass))


def _channel(name: str, cells: list[Cell], effects: Effects, poi: str) -> dict[str, Any]:
    card = effects.card
    modifiers = {cell.position: effects.modifiers(cell) for cell in cells}
    setting = card.statistics.get(name)
    if setting is not None:
        factors = [_nominal_factor(card, cell) for cell in cells]
        statistics = statistics_of(name, cells, setting, factors, effects.notes)
        for position, more in statistics.items():
            modifiers[position] += more
    signal = {"name": poi, "type": "normfactor", "data": None}
    return {
        "name": name,
        "samples": [
            {
                "name": cell.column.process,
                "data": cell.values.tolist(),
                "modifiers": [
                    *([signal] if cell.column.signal else []),
                    *modifiers[cell.position],
                ],
            }
            for cell in cells
        ],
    }


def _nominal_factor(card: Card, cell: Cell) -> float:
    """Product of the starting values that scale a cell; measured ones are in its template."""
    measured = {one.name for one in card.constraints}
    return math.prod(
        one.value
        for one in card.rates
        if (one.channel, one.process) == cell.names and one.name not in measured
    )


def _side(sideband: Nuisance) -> str:
    return f"{sideband.name}_sideband"


def _sideband(sideband: Nuisance) -> dict[str, Any]:
    """Channel in which the events of a gmN are counted: its Poisson constraint, exactly."""
    factor = {"name": sideband.name, "type": "normfactor", "data": None}
    events = {"name": "events", "data": [float(sideband.events or 1)], "modifiers": [factor]}
    return {"name": _side(sideband), "samples": [events]}


def _settings(card: Card, notes: Notes) -> list[dict[str, Any]]:
    """Starts and ranges of free parameters."""
    found: dict[str, dict[str, Any]] = {}
    for one in card.nuisances:
        if one.kind == "lnU" and one.effects:
            found[one.name] = _free(one.name, 1.0, _uniform(one))
        elif one.kind == "gmN" and one.effects:
            events = one.events or 1
            top = 1 + _WIDTHS * (math.sqrt(one.events) + 1) / events
            found[one.name] = _free(one.name, 1.0 if one.events else 0.0, (0.0, top))
    measured = {one.name for one in card.constraints}
    for rate in card.rates:
        if rate.name in measured:
            continue
        ends = rate.bounds
        if ends is None:
            notes.add(NO_RANGE, rate.name)
            top = _TIMES * rate.value if rate.value else _TIMES
            ends = (min(0.0, top), max(0.0, top))
        found[rate.name] = _free(rate.name, rate.value, ends)
    return list(found.values())


def _free(name: str, start: float, bounds: tuple[float, float]) -> dict[str, Any]:
    return {"name": name, "inits": [start], "bounds": [list(bounds)]}


def _uniform(nuisance: Nuisance) -> tuple[float, float]:
    """Range of a factor that is equally likely everywhere in it."""
    sizes = {one.value for one in nuisance.effects.values()}
    if len(sizes) > 1:
        raise WorkspaceError(
            f"lnU {nuisance.name!r} has different sizes ({', '.join(map(str, sorted(sizes)))}); "
            "HistFactory has one factor for all. Give each size a name of its own."
        )
    size = sizes.pop()
    return min(size, 1 / size), max(size, 1 / size)
