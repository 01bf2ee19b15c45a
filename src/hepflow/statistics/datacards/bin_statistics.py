"""``autoMCStats``: statistical uncertainties of templates by Combine's rules.

Per bin: background ``n``, its uncertainty ``e``, effective events ``n^2/e^2`` (rounded). Above the
threshold one factor scales all processes; up to it each process has its own, with a Poisson
constraint where it has few effective events itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.card import Notes, Statistics
from hepflow.statistics.datacards.cells import Cell

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RELATIVE: Final = (
    "the statistical uncertainty of the sum of templates is relative to it in a workspace; in "
    "Combine it follows the processes as they are scaled. Equal at the nominal yields"
)
WITHOUT_YIELD: Final = "statistical uncertainty in bins without yield is left out"
POSITIVE: Final = "statistical uncertainty above 100 %: the factor stays positive in a workspace"
_ROUNDING = 0.999  # a content that is its error but for rounding is one event


@dataclass(frozen=True)
class _Bins:
    """Which uncertainty acts in which bin."""

    together: Bools  # shape (n_bins,)
    poisson: Bools  # shape (n_cells, n_bins)
    normal: Bools  # likewise


def statistics_of(
    channel: str,
    cells: Sequence[Cell],
    setting: Statistics,
    factors: Sequence[float],
    notes: Notes,
) -> Mapping[int, list[dict[str, Any]]]:
    """Modifiers of one channel by the position of the column.

    Parameters
    ----------
    channel : str
    cells : sequence of Cell
        Of this channel.
    setting : Statistics
    factors : sequence of float
        Nominal values of the parameters that scale the cells.
    notes : Notes

    Raises
    ------
    WorkspaceError
        The channel has no histograms.
    """
    if setting.threshold < 0:
        return {}
    if any(cell.errors is None for cell in cells):
        raise WorkspaceError(
            f"autoMCStats needs histograms, and channel {channel!r} is one count. Name the "
            "channels that have histograms."
        )
    scale = np.asarray(factors)[:, np.newaxis]
    values = np.stack([cell.values for cell in cells])
    errors = np.stack([np.zeros(0) if cell.errors is None else cell.errors for cell in cells])
    tested = np.array([setting.with_signal or not cell.column.signal for cell in cells])
    bins = _judged(values, errors, scale, tested, setting.threshold)
    return _modifiers(channel, cells, (values, errors, scale), bins, notes)


def _effective(values: Floats, errors: Floats) -> Floats:
    """Effective events, rounded; zero where there is no error."""
    safe = np.where(errors > 0, errors, 1.0)
    return np.where(errors > 0, np.floor(0.5 + (values / safe) ** 2), 0.0)


def _judged(
    values: Floats, errors: Floats, scale: Floats, tested: Bools, threshold: float
) -> _Bins:
    total = (values * scale)[tested].sum(axis=0)
    error = np.sqrt(((errors * scale)[tested] ** 2).sum(axis=0))
    few = _effective(total, error) <= threshold
    apart = (error > 0) & few
    single = apart & (errors > 0) & (values >= 0)
    counted = (values > 0) & (values >= _ROUNDING * errors)
    poisson = single & counted & (_effective(values, errors) <= threshold)
    return _Bins((error > 0) & ~few, poisson, single & ~poisson)


def _modifiers(
    channel: str,
    cells: Sequence[Cell],
    templates: tuple[Floats, Floats, Floats],
    bins: _Bins,
    notes: Notes,
) -> dict[int, list[dict[str, Any]]]:
    values, errors, scale = templates
    name = f"prop_bin{channel}"
    found: dict[int, list[dict[str, Any]]] = {cell.position: [] for cell in cells}
    used = bins.together & (values.sum(axis=0) > 0)
    if used.any():
        notes.add(RELATIVE, name)
        together = errors * np.where(used, _at_nominal(values, errors, scale), 0.0)
        for cell, data in zip(cells, together, strict=True):
            found[cell.position].append(_modifier(name, "staterror", data))
    for cell, content, error, poisson, normal in zip(
        cells, values, errors, bins.poisson, bins.normal, strict=True
    ):
        own = f"{name}_{cell.column.process}"
        if poisson.any():
            counts = np.maximum(_effective(content, error), 1.0)
            data = np.where(poisson, content / np.sqrt(counts), 0.0)
            found[cell.position].append(_modifier(own, "shapesys", data))
        if (normal & (content > 0)).any():
            data = np.where(normal & (content > 0), error, 0.0)
            found[cell.position].append(_modifier(f"{own}_normal", "staterror", data))
        if (normal & (error > content) & (content > 0)).any():
            notes.add(POSITIVE, own)
        if (normal & (content == 0)).any():
            notes.add(WITHOUT_YIELD, own)
    if (bins.together & ~used).any():
        notes.add(WITHOUT_YIELD, name)
    return found


def _at_nominal(values: Floats, errors: Floats, scale: Floats) -> Floats:
    """Factor on the errors by which the relative error is right at nominal scales."""

    def relative(content: Floats, error: Floats) -> Floats:
        total = content.sum(axis=0)
        summed = np.sqrt((error**2).sum(axis=0))
        return np.asarray(summed / np.where(total > 0, total, 1.0))

    plain, scaled = relative(values, errors), relative(values * scale, errors * scale)
    return np.where(plain > 0, scaled / np.where(plain > 0, plain, 1.0), 0.0)


def _modifier(name: str, kind: str, data: Floats) -> dict[str, Any]:
    return {"name": name, "type": kind, "data": data.tolist()}
