"""Estimates as pure functions of normalised histograms.

With data D and subtracted simulation M of a region, S = D - M. The estimate in a channel is
``T * S(from_channel)`` with the factor ``T = S(numerator) / S(denominator)``. Its statistical
variance is that of S of the shape, ``D + sum of w^2 of M``, times ``T^2``; the variance of T,
``(V(n) + T^2 V(d)) / S(d)^2`` with those of numerator and denominator, is a nuisance parameter
of its own, or part of the former where T has a value for each bin. A variation of the simulation
is subtracted in all regions at once.

Where S(denominator) is not positive there is no factor, and nothing is estimated; a variation
reads as nominal there. Where S(numerator) is not positive T is 0, and what is known of the estimate
is its variance, ``V(T) (S^2 + V(S))``. No event at all is as uncertain as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepflow.estimates.spec import EstimateSpec
from hepflow.records import Block, HistogramSet, Template
from hepflow.records.histograms import BlockKey, Floats

NOMINAL = "nominal"


@dataclass(frozen=True)
class TransferFactor:
    """Ratio of two sidebands."""

    value: Floats  # shape (1,), or (n_bins + 2,) where it has one for each bin; NaN: there is none
    variance: Floats  # statistical, of the same shape

    @property
    def exists(self) -> NDArray[np.bool_]:
        """Whether there is one, in each bin."""
        return np.isfinite(self.value)

    @property
    def uncertainty(self) -> Floats:
        """One standard deviation, statistical."""
        return np.sqrt(self.variance)


def with_estimates(histograms: HistogramSet, specs: Iterable[EstimateSpec]) -> HistogramSet:
    """Add the processes that are estimated from data.

    Parameters
    ----------
    histograms
        Normalised, all years together.
    specs
        What to estimate. Without data in one of its regions there is no estimate, and none
        without a factor.

    Returns
    -------
    HistogramSet
        With one more process in each observable of the channels. Negative bins are 0.
    """
    chosen = tuple(specs)
    blocks = dict(histograms.blocks)
    for spec in chosen:
        for observable in histograms.observables(spec.channel):
            if has_data(histograms, spec, observable) and has_factor(histograms, spec, observable):
                block = estimated(histograms, spec, observable)
                blocks[spec.channel, observable, spec.process] = block
    return replace(histograms, blocks=_with_nominal_rows(blocks, chosen))


def _with_nominal_rows(
    blocks: Mapping[BlockKey, Block], specs: Sequence[EstimateSpec]
) -> dict[BlockKey, Block]:
    """The same, with templates of each source for all of its processes where any has them.

    A source may act in a sideband and not in the channel, or on the estimate of one channel only.
    Cabinetry, which looks for each sample in each region of a source, finds nominal there.
    """
    found = dict(blocks)
    factors = {f"{one.parameter}_{side}" for one in specs for side in ("up", "down")}
    acting: dict[str, set[str]] = {}  # by process, in all channels that have to do with estimates
    for (channel, _, process), block in blocks.items():
        if any(channel in {one.channel, *one.regions} for one in specs):
            acting.setdefault(process, set()).update(set(block.variations) - factors)
    for key, block in blocks.items():
        made = {one.process for one in specs if one.channel == key[0]}
        beside = [blocks[one] for name in made if (one := (*key[:2], name)) in blocks]
        if beside:
            brought = {name for one in beside for name in one.variations}
            known = acting[key[2]]
            missing = (known if key[2] in made else known & brought) - set(block.variations)
            found[key] = block.aligned((*block.variations, *sorted(missing)))
    return found


def estimated(histograms: HistogramSet, spec: EstimateSpec, observable: str) -> Block:
    """Templates of an estimate: nominal, each variation of what is subtracted, the factor's.

    Where a variation has no factor, or nominal has none, it reads as nominal.
    """
    names = variations_of(histograms, spec, observable)
    factors = [transfer_factor(histograms, spec, observable, name) for name in names]
    rows = [
        _clipped(_scaled(histograms, spec, observable, name, one))
        for name, one in zip(names, factors, strict=True)
    ]
    factor, first = factors[0], rows[0]
    both = [(one.exists & factor.exists, row) for one, row in zip(factors, rows, strict=True)]
    sumw = np.array([np.where(there, row.sumw, first.sumw) for there, row in both])
    sumw2 = np.array([np.where(there, row.sumw2, first.sumw2) for there, row in both])
    block = Block(names, sumw, sumw2)
    if spec.parameter is None or not factor.value[0] > 0:
        return block
    # Log-normal: a factor is positive however uncertain it is.
    spread = 1.0 + float(factor.uncertainty[0] / factor.value[0])
    block = block.with_row(f"{spec.parameter}_up", first.scaled(spread))
    return block.with_row(f"{spec.parameter}_down", first.scaled(1.0 / spread))


def transfer_factor(
    histograms: HistogramSet,
    spec: EstimateSpec,
    observable: str | None = None,
    variation: str = NOMINAL,
) -> TransferFactor:
    """Factor between the sidebands of an estimate.

    Parameters
    ----------
    observable
        Which one is estimated; it matters where there is a factor for each bin of it.
    variation
        Of the simulation that is subtracted.

    Returns
    -------
    TransferFactor
        0 where the numerator is not positive, with the variance that it has then. NaN where the
        denominator is not positive: there is no factor.
    """
    counted = spec.observable or observable or ""
    top, bottom = (
        remainder(histograms, region, counted, spec.subtract, variation)
        for region in (spec.numerator, spec.denominator)
    )
    if spec.observable is not None:
        top, bottom = _total(top), _total(bottom)
    below = np.where(bottom.sumw > 0, bottom.sumw, np.nan)
    value = np.maximum(top.sumw, 0.0) / below
    known = top.sumw2
    if not (top.sumw > 0).all():
        least = _of_one_event(histograms, spec.numerator, counted)
        known = np.where(top.sumw > 0, known, np.maximum(known, least))
    return TransferFactor(value, (known + value**2 * bottom.sumw2) / below**2)


def has_factor(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, variation: str = NOMINAL
) -> bool:
    """Whether there is a factor, in any bin."""
    return bool(transfer_factor(histograms, spec, observable, variation).exists.any())


def remainder(
    histograms: HistogramSet,
    channel: str,
    observable: str,
    subtract: Sequence[str],
    variation: str = NOMINAL,
) -> Template:
    """Data minus simulation; the variances add up."""
    there = histograms.processes(channel, observable)
    taken = [name for name in subtract if name in there]
    observed = observed_in(histograms, channel, observable)
    simulated = histograms.total(channel, observable, taken, variation)
    return Template(observed.sumw - simulated.sumw, observed.sumw2 + simulated.sumw2)


def unclipped(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, variation: str = NOMINAL
) -> Template:
    """Template of an estimate with its negative bins; nothing where there is no factor."""
    factor = transfer_factor(histograms, spec, observable, variation)
    return _scaled(histograms, spec, observable, variation, factor)


def _scaled(
    histograms: HistogramSet,
    spec: EstimateSpec,
    observable: str,
    variation: str,
    factor: TransferFactor,
) -> Template:
    shape = remainder(histograms, spec.from_channel, observable, spec.subtract, variation)
    squares = shape.sumw2.copy()
    if shape.sumw.sum() <= 0:
        least = _of_one_event(histograms, spec.from_channel, observable)
        squares[1:-1] = np.maximum(squares[1:-1], least)
    variance = factor.value**2 * squares
    if spec.parameter is None:
        variance = variance + shape.sumw**2 * factor.variance
    # Without an expectation no nuisance parameter can carry how uncertain the factor is.
    alone = factor.variance * (shape.sumw**2 + squares)
    variance = np.where(factor.value > 0, variance, alone)
    return Template(
        np.where(factor.exists, factor.value * shape.sumw, 0.0),
        np.where(factor.exists, variance, 0.0),
    )


def observed_in(histograms: HistogramSet, channel: str, observable: str) -> Template:
    """All data of a histogram."""
    there = histograms.processes(channel, observable)
    data = [name for name in there if name in histograms.data_processes]
    return histograms.total(channel, observable, data)


def _of_one_event(histograms: HistogramSet, channel: str, observable: str) -> float:
    """Squared weight of an event of data: what no event at all is uncertain by."""
    data = _total(observed_in(histograms, channel, observable))
    weight = float(data.sumw2[0] / data.sumw[0]) if data.sumw[0] > 0 else 1.0
    return weight**2


def _clipped(template: Template) -> Template:
    """No negative expectation; how uncertain it is stays."""
    return Template(np.maximum(template.sumw, 0.0), template.sumw2)


def _total(template: Template) -> Template:
    """Sum over all bins, under- and overflow included. Shape (1,)."""
    return Template(template.sumw.sum(keepdims=True), template.sumw2.sum(keepdims=True))


def places_of(spec: EstimateSpec, observable: str) -> list[tuple[str, str]]:
    """Channel and observable of each histogram that an estimate reads."""
    counted = spec.observable or observable
    return [
        (spec.from_channel, observable),
        (spec.numerator, counted),
        (spec.denominator, counted),
    ]


def has_data(histograms: HistogramSet, spec: EstimateSpec, observable: str) -> bool:
    """Whether data were processed for all of its regions; no event is data, too."""
    return all(
        histograms.data_processes.intersection(histograms.processes(*place))
        for place in places_of(spec, observable)
    )


def variations_of(histograms: HistogramSet, spec: EstimateSpec, observable: str) -> tuple[str, ...]:
    """Variations of what is subtracted in any of the regions, nominal first."""
    found = {NOMINAL: None}
    for place in places_of(spec, observable):
        for process in spec.subtract:
            block = histograms.blocks.get((*place, process))
            found.update(dict.fromkeys(block.variations if block is not None else ()))
    return tuple(found)
