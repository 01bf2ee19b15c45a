"""Histograms of the events that pass all named cuts of a channel but one.

Such a histogram is the sum of two: of the events of the channel, and of those that fail exactly
this cut. The latter are looked for in the channel, and in what the baseline left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.members import member_weights
from hepflow.analysis.own_weights import checked_weights
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.stack import Near, Prepared, Stack
from hepflow.errors import HepflowError, MaskError, did_you_mean
from hepflow.functors import Passed, as_mask, call, check_passed, naming
from hepflow.histograms import (
    Owners,
    Rows,
    empty_rows,
    fill_block,
    join_rows,
    observable_values,
)
from hepflow.records import NOMINAL, Axis, Dataset, Variation
from hepflow.records.histograms import AxisKey
from hepflow.schema import Channel, NMinusOne, Selection
from hepflow.sources import links_of

if TYPE_CHECKING:
    from hepflow.analysis.event_loop import EventLoop
    from hepflow.analysis.event_steps import EventSteps

Shifts = tuple[Variation, ...]
Floats = NDArray[np.float64]
_NONE = -1  # no cut failed


@dataclass(frozen=True)
class _Wanted:
    """One histogram."""

    where: str  # in the configuration
    config: NMinusOne
    cut: int  # position among the cuts that have one
    axis: Axis

    def shifts(self, shifts: Shifts) -> Shifts:
        """Those of some object variations that are filled."""
        return shifts if self.config.variations else tuple(o for o in shifts if o == NOMINAL)


@dataclass(frozen=True)
class _Filling:
    """The histograms of one channel, for one dataset and some object variations."""

    loop: EventLoop
    channel: Channel
    dataset: Dataset
    shifts: Shifts
    acting: Shifts  # weight variations that move the channel; and `shifts` that do
    wanted: tuple[_Wanted, ...]

    def weights(self, stack: Stack, rows: slice, shift: Variation) -> dict[str, Floats]:
        """Weights by name of the variation; nominal brings those of weight variations with it."""
        others: Shifts = ()
        all_of_nominal = shift == NOMINAL and any(one.config.variations for one in self.wanted)
        if all_of_nominal:
            others = tuple(one for one in self.acting if one.kind == "weight")
        names = (shift.name, *(one.name for one in others))
        events, spec = stack.events[rows], self.loop.spec
        found = dict.fromkeys(names, np.zeros(0))
        if len(events):
            linked = links_of(spec.corrections_of(self.dataset), self.dataset).values()
            moved = (shift,) if shift.source in linked else ()  # a subclass's step may take none
            label = f"channel {self.channel.name!r}, dataset {self.dataset.key!r}"
            checked = checked_weights(self.loop, events, self.dataset, others, label, *moved)
            found = {shift.name: checked[NOMINAL.name]}
            found |= {one.name: checked[one.name] for one in others}
        if all_of_nominal:
            name = self.channel.name
            found |= member_weights(spec, stack.members, found, self.dataset, name)
        return found

    def empty(self, n_parts: int) -> dict[AxisKey, Rows]:
        """Rows without an entry."""
        return {
            (self.channel.name, one.axis.name): empty_rows(names, one.axis, n_parts)
            for one in self.wanted
            if (names := self._names(one))
        }

    def _names(self, one: _Wanted) -> tuple[str, ...]:
        found = [shift.name for shift in one.shifts(self.shifts) if self._moves(shift)]
        if found[:1] == [NOMINAL.name] and one.config.variations:
            found[1:1] = [other.name for other in self.acting if other.kind == "weight"]
        return tuple(found)

    def _moves(self, shift: Variation) -> bool:
        return shift == NOMINAL or shift in self.acting

    def fill(self, near: Near) -> dict[AxisKey, Rows]:
        """Fill events that pass the channel, or all of it but one cut."""
        found: dict[AxisKey, list[Rows]] = {}
        stack = near.stack
        for i, shift in enumerate(self.shifts):
            mine = [one for one in self.wanted if shift in one.shifts(self.shifts)]
            if mine and self._moves(shift):
                rows = slice(*np.searchsorted(stack.shift, [i, i + 1]))
                events, owners = stack.events[rows], stack.owners.select(rows)
                weights = self.weights(stack, rows, shift)
                for one in mine:
                    chosen = np.isin(near.failed[rows], (_NONE, one.cut))
                    key = (self.channel.name, one.axis.name)
                    filled = self._one(one, events[chosen], owners.select(chosen), {
                        name: weight[chosen]
                        for name, weight in weights.items()
                        if one.config.variations or name == NOMINAL.name
                    })  # fmt: skip
                    found.setdefault(key, []).append(filled)
        return {key: join_rows(*rows) for key, rows in found.items()}

    def _one(
        self, one: _Wanted, events: Any, owners: Owners, weights: Mapping[str, Floats]
    ) -> Rows:
        if not len(events):
            return empty_rows(tuple(weights), one.axis, owners.count)
        with naming(one.config.function):
            result = call(one.config.function, one.config.use, events, one.where)
            values = observable_values(result, len(events), one.where)
        return fill_block(values, weights, one.axis, owners)


def fill_n_minus_1(
    loop: EventLoop,
    prepared: Prepared,
    channel: Channel,
    dataset: Dataset,
    weights: Shifts,
    passed: Passed | None,
) -> dict[AxisKey, Rows]:
    """Fill the N-1 histograms of one channel.

    Parameters
    ----------
    loop
        Whose steps are done.
    prepared
        Events that pass the baseline, and those that fail one cut of it.
    weights
        Weight variations, filled with nominal.
    passed
        Which events are in the channel; None where there are no events.

    Raises
    ------
    MaskError
        If it is not known which events fail a cut.
    HepflowError
        If a function or correction does not take events that fail a cut; a note says so.
    """
    spec, stack = loop.spec, prepared.stack
    listed = () if _hidden(spec, dataset) else _wanted(spec, channel)
    wanted = tuple(one for one in listed if one.shifts(prepared.shifts))
    if not wanted:
        return {}
    acting = spec.acting_in(channel.name, (*prepared.shifts, *weights))
    job = _Filling(loop, channel, dataset, prepared.shifts, acting, wanted)
    if stack is None or passed is None:
        return job.empty(prepared.n_parts)
    inside = stack.select(passed.mask)
    found = job.fill(Near(inside, np.full(len(inside.base), _NONE)))
    beside = _near_channel(spec, channel, stack, passed)
    with _noting(f"channel {channel.name!r}"):
        for near in (*beside, *_through(loop, channel, prepared.near)):
            filled = job.fill(near)
            found = {key: _sum(rows, filled[key]) for key, rows in found.items()}
    return found


def near_baseline(loop: EventSteps, stack: Stack, passed: Passed, dataset: Dataset) -> Near | None:
    """Events that fail one cut of the baseline, ready for the channels.

    Parameters
    ----------
    stack
        Events before the baseline.
    passed
        Which of them pass it.

    Returns
    -------
    Near or None
        None where no cut of the baseline has an N-1 histogram that is filled, or nothing is left.
    """
    cuts = _cuts(loop.spec.baseline)
    if not cuts or _hidden(loop.spec, dataset) or not len(passed.mask):
        return None
    near = _near(stack, passed, cuts, "baseline_selection", 0)
    if len(near.failed):
        with _noting("a channel"):
            events, where = near.stack.events, "certified_events"
            valid = check_passed(loop.certified_events(events, dataset), len(events), where)
            near = near.select(valid.mask)
    if len(near.failed):
        with _noting("a channel"):
            events = loop.add_ghost_observables(near.stack.events)
            near = replace(near, stack=replace(near.stack, events=events))
    return near


def _hidden(spec: AnalysisSpec, dataset: Dataset) -> bool:
    """Of data none is filled while anything is blind.

    Events that fail a cut of one region may belong to a blind one.
    """
    return dataset.is_data and bool(spec.blind)


@contextlib.contextmanager
def _noting(where: str) -> Iterator[None]:
    """Say in an error that events which fail a cut are the reason."""
    try:
        yield
    except HepflowError as error:
        error.add_note(
            f"This is done for events that fail one cut of {where} or of the baseline, as their "
            "N-1 histograms (n_minus_1) need. Where an object may be missing, take ak.firsts and "
            "fill with ak.fill_none; a correction may need out_of_range."
        )
        raise


def _cuts(selection: Selection | None) -> tuple[str, ...]:
    """Cuts that have an N-1 histogram."""
    found = selection.n_minus_1 if selection else ()
    return tuple(dict.fromkeys(one.cut for one in found))


def _wanted(spec: AnalysisSpec, channel: Channel) -> tuple[_Wanted, ...]:
    listed = spec.n_minus_1(channel)
    if not listed:
        return ()
    axes = spec.axes()
    common, own = _cuts(spec.baseline), _cuts(channel.selection)
    return tuple(
        _Wanted(
            where,
            one,
            common.index(one.cut)
            if where.startswith("baseline_selection")
            else len(common) + own.index(one.cut),
            axes[channel.name, one.observable],
        )
        for where, one in listed
    )


def _near_channel(spec: AnalysisSpec, channel: Channel, stack: Stack, passed: Passed) -> list[Near]:
    """Events that fail one cut of the channel."""
    cuts = _cuts(channel.selection) if len(stack.base) else ()
    where = f"the selection of channel {channel.name!r}"
    return [_near(stack, passed, cuts, where, len(_cuts(spec.baseline)))] if cuts else []


def _near(stack: Stack, passed: Passed, cuts: Sequence[str], where: str, first: int) -> Near:
    """Events that fail one of `cuts`, counted from `first`, and nothing else of a selection."""
    alone = _alone(passed, cuts, where)
    failures = np.sum([~mask for mask in alone.values()], axis=0)
    failed = np.full(len(stack.base), _NONE)
    for i, cut in enumerate(cuts):
        failed[~alone[cut] & (failures == 1)] = first + i
    return Near(stack, failed).select(failed != _NONE)


def _alone(passed: Passed, cuts: Sequence[str], where: str) -> Mapping[str, NDArray[np.bool_]]:
    if passed.alone is None:
        raise MaskError(
            f"{where}: its step returned a Passed without `alone`, from which N-1 histograms are "
            "made. Give it the mask of each requirement, or return a PackedSelection."
        )
    length = len(passed.mask)
    alone = {name: as_mask(one, length, where) for name, one in passed.alone.items()}
    for cut in cuts:
        if cut not in alone:
            hint = did_you_mean(cut, alone)
            raise MaskError(f"{where}: there is no requirement {cut!r} to leave out. {hint}")
    together = np.logical_and.reduce(list(alone.values()))
    if not np.array_equal(together, passed.mask):
        raise MaskError(
            f"{where}: its last name is not just all others together ({', '.join(alone)}), so "
            f"that nothing can be left out. Give each requirement a name of its own before it."
        )
    return alone


def _through(loop: EventLoop, channel: Channel, near: Near | None) -> list[Near]:
    """Those of the events that fail a cut of the baseline which pass the channel."""
    if near is None:
        return []
    if len(near.failed):
        found = loop.select_channel(near.stack.events, channel)
        passed = check_passed(found, len(near.failed), f"select_channel ({channel.name})")
        near = near.select(passed.mask)
    return [near]


def _sum(left: Rows, right: Rows) -> Rows:
    right = right.only(left.names)
    return Rows(left.names, left.sumw + right.sumw, left.sumw2 + right.sumw2)
