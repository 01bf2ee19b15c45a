"""Estimates that cannot be made, or of which nothing is left: which region, and its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.estimates.compute import (
    NOMINAL,
    has_data,
    has_factor,
    observed_in,
    places_of,
    remainder,
    transfer_factor,
    variations_of,
)
from hepflow.estimates.spec import EstimateSpec
from hepflow.records import HistogramSet

NO_FACTOR = "factor"  # kind of problem
_ROLES = ("shape", "numerator", "denominator")
_LARGE = 100.0  # events: no digits behind the point


@dataclass(frozen=True, slots=True)
class Remainder:
    """Data minus simulation of one region of an estimate, all bins together."""

    role: str  # in the estimate
    place: str  # channel/observable
    value: float  # data minus simulation
    data: float
    variance: float  # of the value, statistical

    def __str__(self) -> str:
        """For people."""
        numbers = f"data {number(self.data)}, simulation {number(self.data - self.value)}"
        return f"the {self.role} {self.place} sums to {number(self.value)} ({numbers})"


@dataclass(frozen=True, slots=True)
class EstimateProblem:
    """Why an estimate of one observable cannot be made, or has nothing in it."""

    told: str  # without a full stop
    kind: str  # NO_FACTOR, or the role of the input that is not positive
    variation: str = NOMINAL  # of the simulation that is subtracted
    bins: tuple[int, ...] = ()  # in which there is no factor, from 0, without flow; empty: all
    excess: float = 0.0  # standard deviations by which an input is below 0


def number(value: float) -> str:
    """A yield for people.

    Examples
    --------
    >>> number(25176.0), number(-4443.7), number(0.25)
    ('25,176', '-4,444', '0.25')
    """
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.3g}"


def remainders(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, variation: str = NOMINAL
) -> dict[str, Remainder]:
    """What is left of the data in the regions of an estimate: shape, numerator, denominator."""
    found = {}
    for role, place in zip(_ROLES, places_of(spec, observable), strict=True):
        data = float(observed_in(histograms, *place).sumw.sum())
        left = remainder(histograms, *place, spec.subtract, variation)
        value, variance = float(left.sumw.sum()), float(left.sumw2.sum())
        found[role] = Remainder(role, "/".join(place), value, data, variance)
    return found


def nominal_problems(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, *, flow: bool = False
) -> Iterator[EstimateProblem]:
    """Why an estimate is not there, or has nothing in it.

    Parameters
    ----------
    histograms
        Normalised.
    spec
        The estimate; one without data has no problem of this kind.
    observable
        Of its channel.
    flow
        Whether under- and overflow count as bins without a factor.
    """
    if not has_data(histograms, spec, observable):
        return
    sums = remainders(histograms, spec, observable)
    if not has_factor(histograms, spec, observable):
        yield EstimateProblem(f"no transfer factor, as {_culprit(sums)}", NO_FACTOR)
        return
    yield from _lost(histograms, spec, observable, NOMINAL, flow=flow)
    yield from (_not_positive(one) for one in _empty(sums))


def varied_problems(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, *, flow: bool = False
) -> Iterator[EstimateProblem]:
    """What a variation of the subtracted simulation spoils.

    Parameters
    ----------
    histograms, spec, observable, flow
        As in `nominal_problems`, whose problems are not told of variations again.
    """
    if not has_data(histograms, spec, observable):
        return
    nominal = remainders(histograms, spec, observable)
    for name in variations_of(histograms, spec, observable)[1:]:
        varied = remainders(histograms, spec, observable, name)
        yield from _lost(histograms, spec, observable, name, flow=flow)
        if has_factor(histograms, spec, observable, name):
            already = {one.role for one in _empty(nominal)}
            yield from (_not_positive(o, name) for o in _empty(varied) if o.role not in already)


def lost_bins(
    histograms: HistogramSet,
    spec: EstimateSpec,
    observable: str,
    variation: str = NOMINAL,
    *,
    flow: bool = False,
) -> NDArray[np.bool_]:
    """Bins, flow included, without a factor for the events in them.

    Of a variation those that nominal has a factor for: it is taken there.
    """
    shape = remainder(histograms, spec.from_channel, observable, spec.subtract).sumw
    lost = (shape > 0) & ~transfer_factor(histograms, spec, observable, variation).exists
    if variation != NOMINAL:
        lost &= transfer_factor(histograms, spec, observable).exists
    if not flow:
        lost[[0, -1]] = False
    return lost


def _culprit(sums: Mapping[str, Remainder]) -> Remainder:
    """What makes a factor impossible; a numerator that is not a number does, too."""
    return sums["numerator"] if sums["denominator"].value > 0 else sums["denominator"]


def _empty(sums: Mapping[str, Remainder]) -> list[Remainder]:
    """What an estimate is 0 for."""
    return [sums[role] for role in ("numerator", "shape") if not sums[role].value > 0]


def _not_positive(one: Remainder, variation: str = NOMINAL) -> EstimateProblem:
    below = one.value < 0 and one.variance > 0
    excess = float(-one.value / np.sqrt(one.variance)) if below else 0.0
    told = f"{'' if variation == NOMINAL else f'with {variation} '}nothing is left of it, as {one}"
    return EstimateProblem(told, one.role, variation, excess=excess)


def _lost(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, variation: str, *, flow: bool
) -> Iterator[EstimateProblem]:
    lost = lost_bins(histograms, spec, observable, variation, flow=flow)
    if not lost.any():
        return
    told = "no transfer factor" if variation == NOMINAL else f"no transfer factor with {variation}"
    if spec.parameter is None:
        shape = remainder(histograms, spec.from_channel, observable, spec.subtract).sumw
        events = f"{number(shape[lost].sum())} of {number(shape[shape > 0].sum())} events"
        told += f" for {events} of the shape {spec.from_channel}/{observable}, as the denominator "
        told += f"{spec.denominator}/{observable} is not positive in their bins"
    else:
        told += f", as {_culprit(remainders(histograms, spec, observable, variation))}"
    if variation != NOMINAL:
        told += "; nominal is taken"
    bins = tuple(np.flatnonzero(lost[1:-1]).tolist()) if spec.parameter is None else ()
    yield EstimateProblem(told, NO_FACTOR, variation, bins)
