"""Modifiers of HistFactory for the nuisance parameters of a card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.card import Card, Constraint, Effect, Notes, Nuisance
from hepflow.statistics.datacards.cells import NEGATIVE, Cell
from hepflow.statistics.datacards.morphing import largest_difference, morphed
from hepflow.statistics.datacards.shape_files import Histogram, ShapeFiles

Floats = NDArray[np.float64]
Modifier = dict[str, Any]
LOG_NORMAL: Final = "a factor on the yield that is equal at 0 and from -1 and +1 outwards"
LOGARITHMS: Final = (
    "Combine morphs the logarithms of the fractions, a workspace the fractions: equal at -1, 0 "
    "and +1 of one parameter at a time"
)
SCALED: Final = "its histograms are not one width away: equal at -1, 0 and +1"
PRODUCT: Final = (
    "a factor that was measured elsewhere, on a process with shapes: the product of both effects "
    "is left out"
)
TWO_WIDTHS: Final = "a measurement with two different widths: equal at -1, 0 and +1"
_EQUAL = 1e-12  # relative difference of templates that are the same
_NOTABLE = 1e-6  # relative difference of factors that is told


@dataclass(frozen=True)
class Effects:
    """Turns lines of a card into modifiers."""

    card: Card
    files: ShapeFiles
    notes: Notes

    def modifiers(self, cell: Cell) -> list[Modifier]:
        """Modifiers of one cell, but for statistics of templates and the one of interest."""
        found: list[Modifier] = []
        for nuisance in self.card.nuisances:
            effect = nuisance.effects.get(cell.position)
            if effect is None:
                continue
            if nuisance.kind in {"gmN", "lnU"}:
                found.append(_free(nuisance.name))
            elif nuisance.kind == "lnN":
                found.append(self.factor(nuisance.name, *effect.factors))
            else:
                found += self.shape(nuisance, effect, cell)
        shapes = any(one["type"] == "histosys" for one in found)
        rates = [one.name for one in self.card.rates if (one.channel, one.process) == cell.names]
        measured = {one.name: one for one in self.card.constraints if one.name in rates}
        for name in rates:
            if name not in measured:
                found.append(_free(name))
                continue
            if shapes or len(measured) > 1:
                self.notes.add(PRODUCT, name)
            found.append(self.measured(measured[name], cell))
        return found

    def factor(self, name: str, down: float, up: float) -> Modifier:
        """A factor on the yield."""
        size = largest_difference(down, up)
        if size > _NOTABLE:
            self.notes.add(LOG_NORMAL, name, size)
        return {"name": name, "type": "normsys", "data": {"hi": up, "lo": down}}

    def measured(self, constraint: Constraint, cell: Cell) -> Modifier:
        """A factor with a measured value: linear, as a shift of the template."""
        name, mean = constraint.name, constraint.mean
        if mean <= 0:
            raise WorkspaceError(f"param {name!r} has the mean {mean:g}; expected a positive one.")
        if constraint.up != constraint.down:
            self.notes.add(TWO_WIDTHS, name)
        low = cell.values * (1 - constraint.down / mean)
        high = cell.values * (1 + constraint.up / mean)
        return _shift(name, low, high)

    def shape(self, nuisance: Nuisance, effect: Effect, cell: Cell) -> Iterator[Modifier]:
        """Change of the yield, and of the fractions of events in the bins."""
        name, kind = nuisance.name, nuisance.kind.removesuffix("?")
        varied = self.files.varied(*cell.names, name)
        if varied is None or cell.histogram is None:
            if kind == nuisance.kind:
                raise WorkspaceError(
                    f"{kind} {name!r} of process {cell.column.process!r} in channel "
                    f"{cell.column.channel!r} has no histograms. Look at the lines `shapes`, or "
                    "write lnN."
                )
            if effect.factors != (1.0, 1.0):
                yield self.factor(name, *effect.factors)
            return
        if effect.down is not None:
            raise WorkspaceError(f"{name!r} has histograms and two factors. Write one number.")
        low, high = (self._fits(one, cell, name) for one in varied)
        if kind != "shape":
            self.notes.add(LOGARITHMS, name)
        if effect.value != 1:
            self.notes.add(SCALED, name)
        statistics = self.card.statistics.get(cell.column.channel)
        linear = statistics is not None and statistics.mode != 1
        yield from self._templates(name, cell, low, high, effect.value, linear=linear)

    def _templates(
        self, name: str, cell: Cell, low: Floats, high: Floats, widths: float, *, linear: bool
    ) -> Iterator[Modifier]:
        nominal, total = cell.histogram.values if cell.histogram else cell.values, cell.values.sum()
        sums = [float(one.sum()) for one in (nominal, low, high)]
        norms = [sums[0]] * 3 if linear else sums
        factors = [(one / sums[0]) ** widths for one in norms[1:]]
        if max(abs(one - 1) for one in factors) > _EQUAL:
            yield self.factor(name, *factors)
        parts = [one / norm for one, norm in zip((nominal, low, high), norms, strict=True)]
        down, up = (
            total * morphed(parts[0], parts[1], parts[2], side * widths) for side in (-1, 1)
        )
        if max(np.abs(down - cell.values).max(), np.abs(up - cell.values).max()) > _EQUAL * total:
            if min(down.min(), up.min()) < 0:
                self.notes.add(NEGATIVE, "/".join(cell.names))
            yield _shift(name, down, up)

    def _fits(self, histogram: Histogram, cell: Cell, name: str) -> Floats:
        where = f"{name!r} of process {cell.column.process!r} in channel {cell.column.channel!r}"
        if len(histogram.values) != len(cell.values):
            raise WorkspaceError(
                f"the histograms of {where} have {len(histogram.values)} bins, and nominal has "
                f"{len(cell.values)}."
            )
        if not (np.isfinite(histogram.values).all() and histogram.total > 0):
            raise WorkspaceError(f"a histogram of {where} has no yield, or one that is not finite.")
        return histogram.values


def _free(name: str) -> Modifier:
    return {"name": name, "type": "normfactor", "data": None}


def _shift(name: str, low: Floats, high: Floats) -> Modifier:
    data = {"hi_data": high.tolist(), "lo_data": low.tolist()}
    return {"name": name, "type": "histosys", "data": data}
