"""One sample of a workspace in the words of a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.card import Notes, RateParameter
from hepflow.statistics.datacards.cells import NEGATIVE
from hepflow.statistics.datacards.effects import LOG_NORMAL
from hepflow.statistics.datacards.morphing import (
    card_factor,
    largest_difference,
    smooth_step,
    workspace_factor,
)
from hepflow.statistics.datacards.naming import Names
from hepflow.statistics.histfactory import Model, Row
from hepflow.statistics.parameter_sets import ParameterSet

Floats = NDArray[np.float64]
LUMINOSITY: Final = "linear in a workspace, a power in the card: equal at 0 and +1"
ADDED: Final = (
    "a shape that changes the yield, linearly in a workspace and as a power in the card: equal at "
    "-1, 0 and +1 of one parameter at a time"
)
EACH_BIN: Final = (
    "a factor on one bin is written as a shape with a normal constraint: equal at -1, 0 and +1"
)
NOT_COUNTED: Final = "a Poisson constraint is written as a log-normal: equal at -1, 0 and +1"
WITHOUT_EVENTS: Final = "expects no events and is left out"
_NOTABLE: Final = 1e-6  # relative difference of factors that is told
_INTEGER: Final = 1e-6  # relative distance from a whole number that is rounding
_GRID: Final = np.linspace(-1.0, 1.0, 201)
_FIXED_SETTINGS: Final = ("auxdata", "sigmas", "factors")


@dataclass
class Outgoing:
    """A column of the card while it is made."""

    channel: str
    process: str
    values: Floats  # shape (n_bins,)
    errors: Floats
    relative: Floats | None = None  # error of the sum over all samples that have one
    signal: bool = False
    factors: dict[str, tuple[float, float]] = field(default_factory=dict)  # at -1 and +1
    shapes: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)  # likewise
    counted: dict[str, tuple[int, float]] = field(default_factory=dict)  # events, and for each
    rates: list[RateParameter] = field(default_factory=list)

    @property
    def parameters(self) -> set[str]:
        """Names of those that a card has a line with effects of."""
        return {*self.factors, *self.shapes, *self.counted}

    def template(self, name: str) -> tuple[Floats, Floats]:
        """Contents at -1 and +1 of a parameter."""
        if name in self.shapes:
            return self.shapes[name]
        down, up = self.factors[name]
        return self.values * down, self.values * up


@dataclass(frozen=True)
class Rows:
    """Turns rows of a model into columns of a card."""

    model: Model
    settings: Sequence[Mapping[str, Any]]  # of the measurement
    poi: str
    names: Names
    notes: Notes

    def of(self, row: Row) -> Outgoing | None:
        """Column of a row; None where it expects no events.

        Raises
        ------
        WorkspaceError
            A card has no words for it.
        """
        sets = {one.name: one for one in self.model.sets}
        self._check(row, sets)
        values = row.nominal * self._constant(row, sets)
        channel, process = self.names.channel(row.channel), self.names.process(row.sample)
        if not values.any():
            self.notes.add(WITHOUT_EVENTS, f"{channel}/{process}")
            return None
        if values.sum() <= 0:
            raise WorkspaceError(
                f"{row} expects {values.sum():g} events; a card needs a positive number."
            )
        if (values < 0).any():
            self.notes.add(NEGATIVE, f"{channel}/{process}")
        out = Outgoing(channel, process, values, np.zeros_like(values))
        for kind, name in row.modifiers:
            if not self._is_constant(name, sets[name]):
                self._add(out, row, kind, name, sets[name])
        return out

    def _check(self, row: Row, sets: Mapping[str, ParameterSet]) -> None:
        said = {one["name"]: one for one in self.settings}
        for kind, name in row.modifiers:
            if kind != "lumi" and any(key in said.get(name, {}) for key in _FIXED_SETTINGS):
                raise WorkspaceError(
                    f"the measurement sets the auxiliary measurement of {name!r}; a card cannot "
                    "say that. Take it out, and change the templates instead."
                )
            if kind == "shapefactor" and len(row.nominal) > 1:
                raise WorkspaceError(
                    f"{row}: shapefactor {name!r} scales each bin for itself, which a card cannot "
                    "say of a histogram. Give each bin a channel, or leave the channel out."
                )
            if kind not in {"normfactor", "shapefactor"}:
                _check_fixed(sets[name])

    def _is_constant(self, name: str, of: ParameterSet) -> bool:
        return all(of.fixed) and name != self.poi

    def _constant(self, row: Row, sets: Mapping[str, ParameterSet]) -> float:
        """Product of what scales the sample and never changes, and of the luminosity."""
        factor = 1.0
        for kind, name in row.modifiers:
            of = sets[name]
            if kind == "lumi":
                factor *= of.auxdata[0]
            elif kind in {"normfactor", "shapefactor"} and self._is_constant(name, of):
                factor *= of.init[0]
        return factor

    def _add(self, out: Outgoing, row: Row, kind: str, name: str, of: ParameterSet) -> None:
        new = self.names.parameter(name)
        if name == self.poi:
            out.signal = True
        elif kind in {"normfactor", "shapefactor"}:
            ends = (float(of.bounds[0][0]), float(of.bounds[0][1]))
            out.rates.append(RateParameter(new, out.channel, out.process, of.init[0], ends))
        elif kind == "lumi":
            width = of.width[0] / of.auxdata[0]
            size = np.max(np.abs((1 + width * _GRID) / (1 + width) ** _GRID - 1))
            self.notes.add(LUMINOSITY, new, float(size))
            out.factors[new] = 1 / (1 + width), 1 + width
        elif kind == "normsys" and ("histosys", name) not in row.modifiers:
            self._factor(out, new, *row.modifiers[kind, name])
        elif kind == "histosys":
            self._shape(out, row, name)
        elif kind == "staterror" and self._alone(row.channel):
            first = self._first_bin(row, kind, name)
            held = np.asarray(of.fixed[first : first + len(out.values)])
            out.errors = row.modifiers[kind, name] * out.values.sum() / row.nominal.sum()
            out.errors = np.where(held, 0.0, out.errors)
            out.relative = np.asarray(of.width[first : first + len(out.values)])
        elif kind in {"staterror", "shapesys"}:
            self._bins(out, row, kind, name, of)

    def _factor(self, out: Outgoing, new: str, down: float, up: float) -> None:
        size = largest_difference(down, up)
        if size > _NOTABLE:
            self.notes.add(LOG_NORMAL, new, size)
        out.factors[new] = down, up

    def _alone(self, channel: str) -> bool:
        """Whether the channel has one staterror only."""
        found = {
            name
            for row in self.model.rows
            if row.channel == channel
            for kind, name in row.modifiers
            if kind == "staterror"
        }
        return len(found) == 1

    def _shape(self, out: Outgoing, row: Row, name: str) -> None:
        """A histosys, together with the normsys of its name."""
        new, scale = self.names.parameter(name), out.values.sum() / row.nominal.sum()
        norm = row.modifiers.get(("normsys", name), (1.0, 1.0))
        sides = [one * scale for one in row.modifiers["histosys", name]]
        low, high = (side * factor for side, factor in zip(sides, norm, strict=True))
        total = out.values.sum()
        down, up = float(low.sum() / total), float(high.sum() / total)
        if not (down > 0 and up > 0):
            raise WorkspaceError(
                f"{row}: histosys {name!r} leaves no yield at -1 or +1; a card needs a positive "
                "one. Correct the templates."
            )
        self._told(new, (down, up), norm, [float(one.sum() / total) for one in sides])
        if min(low.min(), high.min()) < 0:
            self.notes.add(NEGATIVE, f"{out.channel}/{out.process}")
        if len(out.values) == 1:
            out.factors[new] = down, up
        else:
            out.shapes[new] = low, high

    def _told(
        self,
        new: str,
        both: tuple[float, float],
        norm: tuple[float, float],
        sums: Sequence[float],
    ) -> None:
        """Note how far the yields of workspace and card are from each other in between."""
        lower, higher = sums[0] - 1, sums[1] - 1
        bent = _GRID * smooth_step(_GRID)
        added = 1 + ((higher - lower) * _GRID + (higher + lower) * bent) / 2
        mine = added * workspace_factor(*norm, _GRID)
        size = float(np.max(np.abs(mine / card_factor(*both, _GRID) - 1)))
        if size > _NOTABLE:
            shifts = max(abs(lower), abs(higher)) > _NOTABLE
            self.notes.add(ADDED if shifts else LOG_NORMAL, new, size)

    def _bins(self, out: Outgoing, row: Row, kind: str, name: str, of: ParameterSet) -> None:
        """Factors on single bins."""
        first = self._first_bin(row, kind, name)
        for at in range(len(out.values)):
            if of.fixed[first + at] or out.values[at] == 0:
                continue
            width = of.width[first + at]
            if kind == "staterror":
                self._bin(out, f"{name}_bin{first + at}", at, width)
                continue
            events = round(width)
            exact = len(out.values) == 1 and abs(width / max(events, 1) - 1) < _INTEGER
            if exact and not out.counted:
                each = float(out.values[at]) / events
                out.counted[self.names.parameter(name)] = events, each
            else:
                self._bin(out, f"{name}_bin{first + at}", at, 1 / np.sqrt(width))

    def _first_bin(self, row: Row, kind: str, name: str) -> int:
        """Position of the channel's first bin among the parameters of this name."""
        if kind == "shapesys":
            return 0
        channels = sorted({one.channel for one in self.model.rows if (kind, name) in one.modifiers})
        sizes = {one.channel: len(one.nominal) for one in self.model.rows}
        return sum(sizes[one] for one in channels[: channels.index(row.channel)])

    def _bin(self, out: Outgoing, name: str, at: int, width: float) -> None:
        new = self.names.parameter(name)
        down, up = (1 - width if width < 1 else 1 / (1 + width)), 1 + width
        if len(out.values) == 1:
            self.notes.add(NOT_COUNTED, new)
            out.factors[new] = down, up
            return
        self.notes.add(EACH_BIN, new)
        low, high = out.values.copy(), out.values.copy()
        low[at] *= down
        high[at] *= up
        out.shapes[new] = low, high


def _check_fixed(of: ParameterSet) -> None:
    """Refuse a parameter that is fixed elsewhere than where it has no effect."""
    nominal = of.auxdata if of.scalar else (1.0,) * len(of.init)
    for held, start, centre in zip(of.fixed, of.init, nominal, strict=True):
        if held and start != centre:
            raise WorkspaceError(
                f"{of.name!r} is fixed at {start:g}, and not at its nominal value {centre:g}. "
                "Change the templates instead."
            )


def calibrate(columns: Sequence[Outgoing]) -> None:
    """Give the sum of one channel the relative error of the workspace, at the nominal yields.

    Parameters
    ----------
    columns : sequence of Outgoing
        Of one channel; their errors are changed.
    """
    having = [one for one in columns if one.relative is not None]
    if not having:
        return
    scales = [float(np.prod([rate.value for rate in one.rates])) for one in having]
    scaled = list(zip(having, scales, strict=True))
    total = np.sum([one.values * scale for one, scale in scaled], axis=0)
    error = np.sqrt(np.sum([(one.errors * scale) ** 2 for one, scale in scaled], axis=0))
    wanted = np.asarray(having[0].relative) * total
    factor = np.where(error > 0, wanted / np.where(error > 0, error, 1.0), 0.0)
    for one in having:
        one.errors = one.errors * factor
