"""Estimates as pure functions of normalised histograms.

With data D and subtracted simulation M of a region, S = D - M. The estimate in a channel is
``T * S(from_channel)`` with the factor ``T = S(numerator) / S(denominator)``. Its statistical
variance is that of S of the shape, ``D + sum of w^2 of M``, times ``T^2``; the variance of T,
``(V(n) + T^2 V(d)) / S(d)^2`` with those of numerator and denominator, is a nuisance parameter
of its own, or part of the former where T has a value for each bin. A variation of the simulation
is subtracted in all regions at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hepflow.estimates.spec import EstimateSpec
from hepflow.records import Block, HistogramSet, Template, percent
from hepflow.records.histograms import BlockKey, Floats

NOMINAL = "nominal"
NOTABLE = 0.01  # of the yield: what negative bins that are set to 0 may add without a remark


@dataclass(frozen=True)
class TransferFactor:
    """Ratio of two sidebands."""

    value: Floats  # shape (1,), or (n_bins + 2,) where it has one for each bin
    variance: Floats  # statistical, of the same shape

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
        What to estimate. Without data in one of its regions there is no estimate.

    Returns
    -------
    HistogramSet
        With one more process in each observable of the channels. Negative bins are 0.
    """
    chosen = tuple(specs)
    blocks = dict(histograms.blocks)
    for spec in chosen:
        for observable in histograms.observables(spec.channel):
            if _has_data(histograms, spec, observable):
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
    """Templates of an estimate: nominal, each variation of what is subtracted, the factor's."""
    names = _variations(histograms, spec, observable)
    rows = [_clipped(_unclipped(histograms, spec, observable, name)) for name in names]
    sumw, sumw2 = (np.array(part) for part in ([r.sumw for r in rows], [r.sumw2 for r in rows]))
    block = Block(names, sumw, sumw2)
    if spec.parameter is None:
        return block
    factor = transfer_factor(histograms, spec, observable)
    if not factor.value[0] > 0:
        return block
    # Log-normal: a factor is positive however uncertain it is.
    spread = 1.0 + float(factor.uncertainty[0] / factor.value[0])
    block = block.with_row(f"{spec.parameter}_up", rows[0].scaled(spread))
    return block.with_row(f"{spec.parameter}_down", rows[0].scaled(1.0 / spread))


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
        0 where the numerator is not positive, or the denominator not (there without variance).
    """
    counted = spec.observable or observable or ""
    top, bottom = (
        remainder(histograms, region, counted, spec.subtract, variation)
        for region in (spec.numerator, spec.denominator)
    )
    if spec.observable is not None:
        top, bottom = _total(top), _total(bottom)
    there = bottom.sumw > 0
    below = np.where(there, bottom.sumw, 1.0)
    value = np.where(there, np.maximum(top.sumw, 0.0) / below, 0.0)
    variance = np.where(there, (top.sumw2 + value**2 * bottom.sumw2) / below**2, 0.0)
    return TransferFactor(value, variance)


def remainder(
    histograms: HistogramSet,
    channel: str,
    observable: str,
    subtract: Sequence[str],
    variation: str = NOMINAL,
) -> Template:
    """Data minus simulation; the variances add up."""
    there = histograms.processes(channel, observable)
    data = [name for name in there if name in histograms.data_processes]
    taken = [name for name in subtract if name in there]
    observed = histograms.total(channel, observable, data)
    simulated = histograms.total(channel, observable, taken, variation)
    return Template(observed.sumw - simulated.sumw, observed.sumw2 + simulated.sumw2)


def estimate_remarks(histograms: HistogramSet, specs: Sequence[EstimateSpec]) -> Iterator[str]:
    """What a reader of estimates must know: input that is not complete, and negative bins."""
    for process in dict.fromkeys(one.process for one in specs):
        mine = [one for one in specs if one.process == process]
        yield from _incomplete(histograms, process, {name for one in mine for name in one.subtract})
    for spec in specs:
        observables = histograms.observables(spec.channel)
        if not any(_has_data(histograms, spec, one) for one in observables):
            yield f"without {spec.process} in {spec.channel}: no data to estimate it from"
            continue
        cut = [text for one in observables for text in _negative(histograms, spec, one)]
        if cut:
            yield f"{spec.process} in {spec.channel}: negative bins set to 0 ({', '.join(cut)})"


def _incomplete(histograms: HistogramSet, process: str, subtracted: set[str]) -> Iterator[str]:
    """Data and subtracted simulation that an estimate is made without, in part or as a whole."""
    ledger, data = histograms.ledger, histograms.data_processes
    of = histograms.process_of
    dropped = set(ledger.dropped())
    gone = [key for key in of if key in dropped and of[key] in data | subtracted]
    if gone:
        names = ", ".join(key.removesuffix("__nominal") for key in gone)
        yield f"{process} estimated without {names}"
    whole = dropped | histograms.rescaled.keys()
    shares = ledger.incomplete(key for key in of if of[key] in data and key not in whole)
    if shares:
        yield f"{process} estimated from {percent(min(shares.values()))} of data"


def _negative(histograms: HistogramSet, spec: EstimateSpec, observable: str) -> Iterator[str]:
    """What setting negative bins to 0 adds to the yield, where that is worth a remark."""
    if not _has_data(histograms, spec, observable):
        return
    found = _unclipped(histograms, spec, observable, NOMINAL).sumw
    positive, negative = found[found > 0].sum(), -found[found < 0].sum()
    if negative > NOTABLE * positive:
        share = f"{percent(negative / positive)} of" if positive else "all of"
        yield f"{share} {observable}"


def _unclipped(
    histograms: HistogramSet, spec: EstimateSpec, observable: str, variation: str
) -> Template:
    shape = remainder(histograms, spec.from_channel, observable, spec.subtract, variation)
    factor = transfer_factor(histograms, spec, observable, variation)
    variance = factor.value**2 * shape.sumw2
    if spec.parameter is None:
        variance = variance + shape.sumw**2 * factor.variance
    return Template(factor.value * shape.sumw, variance)


def _clipped(template: Template) -> Template:
    """No negative expectation; how uncertain it is stays."""
    return Template(np.maximum(template.sumw, 0.0), template.sumw2)


def _total(template: Template) -> Template:
    """Sum over all bins, under- and overflow included. Shape (1,)."""
    return Template(template.sumw.sum(keepdims=True), template.sumw2.sum(keepdims=True))


def _places(spec: EstimateSpec, observable: str) -> list[tuple[str, str]]:
    """Channel and observable of each histogram that an estimate reads."""
    counted = spec.observable or observable
    return [
        (spec.from_channel, observable),
        (spec.numerator, counted),
        (spec.denominator, counted),
    ]


def _has_data(histograms: HistogramSet, spec: EstimateSpec, observable: str) -> bool:
    return all(
        histograms.data_processes.intersection(histograms.processes(*place))
        for place in _places(spec, observable)
    )


def _variations(histograms: HistogramSet, spec: EstimateSpec, observable: str) -> tuple[str, ...]:
    """Variations of what is subtracted in any of the regions, nominal first."""
    found = {NOMINAL: None}
    for place in _places(spec, observable):
        for process in spec.subtract:
            block = histograms.blocks.get((*place, process))
            found.update(dict.fromkeys(block.variations if block is not None else ()))
    return tuple(found)
