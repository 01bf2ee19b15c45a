"""The templates of a card: one for each column that expects events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.card import DATA, Card, Column, Notes, Nuisance
from hepflow.statistics.datacards.shape_files import Histogram, ShapeFiles

Floats = NDArray[np.float64]
_RATE_TOLERANCE = 0.01  # between a rate and the integral of its histogram, as in Combine
_COUNT_TOLERANCE = 0.005  # likewise of the observed events
_GAMMA_TOLERANCE = 0.05  # between a rate and what its sideband says
NEGATIVE = "has a negative content, which Combine raises to zero after all else"


@dataclass(frozen=True)
class Cell:
    """One process in one channel with its nominal template."""

    position: int  # of the column
    column: Column
    values: Floats  # expected events, shape (n_bins,)
    errors: Floats | None  # None where there is no histogram
    histogram: Histogram | None  # as in the file
    sideband: Nuisance | None = None  # events that were counted to estimate it

    @property
    def names(self) -> tuple[str, str]:
        """Channel and process."""
        return self.column.channel, self.column.process


def cells_of(card: Card, files: ShapeFiles, notes: Notes) -> list[Cell]:
    """Templates of all columns that expect events.

    Raises
    ------
    WorkspaceError
        A rate contradicts its histogram or its sideband, or is missing.
    """
    means = {one.name: one.mean for one in card.constraints}
    found = []
    for position, column in enumerate(card.columns):
        sideband = _sideband(card, position)
        if column.rate == 0 and sideband is None:
            continue
        cell = _cell(position, column, files, sideband)
        factor = 1.0
        for one in card.rates:
            if (one.channel, one.process) == cell.names:
                factor *= means.get(one.name, 1.0)
        errors = None if cell.errors is None else cell.errors * factor
        if (cell.values < 0).any():
            notes.add(NEGATIVE, "/".join(cell.names))
        found.append(replace(cell, values=cell.values * factor, errors=errors))
    _check_bins(found)
    return found


def _cell(position: int, column: Column, files: ShapeFiles, sideband: Nuisance | None) -> Cell:
    where = f"process {column.process!r} in channel {column.channel!r}"
    histogram = files.nominal(column.channel, column.process)
    rate = column.rate
    if histogram is None:
        if rate is None:
            raise WorkspaceError(f"{where} has the rate -1, but there is no histogram of it.")
        yields, errors = np.array([_of_sideband(sideband, position, rate, where)]), None
        return Cell(position, column, yields, errors, None, sideband)
    total = histogram.total
    if not np.isfinite(histogram.values).all():
        raise WorkspaceError(f"the histogram of {where} is not finite.")
    rate = total if rate is None else rate
    if total <= 0 or abs(total - rate) > _RATE_TOLERANCE * max(1.0, rate):
        raise WorkspaceError(
            f"{where} has the rate {rate:g}, but the integral of its histogram is {total:g}. "
            "Correct one of them, or write -1 as the rate."
        )
    scale = _of_sideband(sideband, position, rate, where) / total
    return Cell(
        position, column, histogram.values * scale, histogram.errors * scale, histogram, sideband
    )


def _sideband(card: Card, position: int) -> Nuisance | None:
    found = [one for one in card.nuisances if one.kind == "gmN" and position in one.effects]
    if len(found) > 1:
        column = card.columns[position]
        raise WorkspaceError(
            f"process {column.process!r} in channel {column.channel!r} comes from two sidebands, "
            f"{found[0].name} and {found[1].name}. Only one gmN can act on it."
        )
    return found[0] if found else None


def _of_sideband(sideband: Nuisance | None, position: int, rate: float, where: str) -> float:
    """Expected events: the rate, or what the sideband says; of none, those for each event."""
    if sideband is None:
        return rate
    each = sideband.effects[position].value
    expected = each * sideband.events
    if abs(expected - rate) > max(_GAMMA_TOLERANCE * max(rate, 1.0), each):
        raise WorkspaceError(
            f"{where} has the rate {rate:g}, but {sideband.name} says {sideband.events} events "
            f"times {each:g}. Correct one of them."
        )
    return expected if sideband.events else each


def _check_bins(cells: list[Cell]) -> None:
    first: dict[str, Cell] = {}
    for cell in cells:
        other = first.setdefault(cell.column.channel, cell)
        if len(other.values) != len(cell.values):
            raise WorkspaceError(
                f"channel {cell.column.channel!r} has {len(other.values)} bins of "
                f"{other.column.process!r} and {len(cell.values)} of {cell.column.process!r}."
            )


def observations(card: Card, files: ShapeFiles, bins: Mapping[str, int]) -> list[dict[str, object]]:
    """Observed events of the channels.

    Parameters
    ----------
    card : Card
    files : ShapeFiles
    bins : mapping
        Channel -> number of bins.

    Raises
    ------
    WorkspaceError
        They contradict their histogram, or are missing.
    """
    found: list[dict[str, object]] = []
    for channel, n_bins in bins.items():
        count, histogram = card.observed[channel], files.nominal(channel, DATA)
        if histogram is None and count is None:
            raise WorkspaceError(f"the observation of {channel!r} is -1, without a histogram.")
        total = count if histogram is None else histogram.total
        expected = total if count is None else count
        data = np.array([count]) if histogram is None else histogram.values
        if abs((total or 0.0) - (expected or 0.0)) > _COUNT_TOLERANCE * max(1.0, expected or 0.0):
            raise WorkspaceError(
                f"channel {channel!r} observes {expected:g} events, but its histogram has "
                f"{total:g}. Correct one of them, or write -1."
            )
        if len(data) != n_bins:
            raise WorkspaceError(
                f"channel {channel!r} has {n_bins} bins, but its observation has {len(data)}."
            )
        found.append({"name": channel, "data": data.tolist()})
    return found
