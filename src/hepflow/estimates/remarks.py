"""What a reader of estimates must know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hepflow.estimates.compute import NOMINAL, has_data, has_factor, unclipped, variations_of
from hepflow.estimates.problems import lost_bins, nominal_problems
from hepflow.estimates.spec import EstimateSpec
from hepflow.records import HistogramSet, percent

NOTABLE = 0.01  # of the yield: what negative bins that are set to 0 may add without a remark


def estimate_remarks(histograms: HistogramSet, specs: Sequence[EstimateSpec]) -> Iterator[str]:
    """Input that is not complete, regions without what is needed, and negative bins.

    Parameters
    ----------
    histograms
        Normalised.
    specs
        What is estimated.

    Yields
    ------
    str
        In few words, as every plot and table says it.
    """
    for process in dict.fromkeys(one.process for one in specs):
        mine = [one for one in specs if one.process == process]
        yield from _incomplete(histograms, process, {name for one in mine for name in one.subtract})
    yield from sideband_remarks(histograms, specs)
    for spec in specs:
        observables = [
            one for one in histograms.observables(spec.channel) if has_data(histograms, spec, one)
        ]
        cut = [text for one in observables for text in _negative(histograms, spec, one)]
        if cut:
            yield f"{spec.process} in {spec.channel}: negative bins set to 0 ({', '.join(cut)})"


def sideband_remarks(histograms: HistogramSet, specs: Sequence[EstimateSpec]) -> Iterator[str]:
    """Estimates that are not there, or of which nothing is left, with the region and numbers.

    Parameters
    ----------
    histograms
        Normalised.
    specs
        What is estimated.

    Yields
    ------
    str
        At most one for each way in which an estimate fails.
    """
    for spec in specs:
        mine = f"{spec.process} in {spec.channel}"
        observables = histograms.observables(spec.channel)
        there = [one for one in observables if has_data(histograms, spec, one)]
        if not there:
            yield f"without {mine}: no data to estimate it from"
        told: dict[str, str] = {}  # what is wrong with a region is so for all observables
        for observable in there:
            gone = "" if has_factor(histograms, spec, observable) else "without "
            for one in nominal_problems(histograms, spec, observable):
                told.setdefault(one.kind, f"{gone}{mine}: {one.told}")
        yield from told.values()
        nominal = dict.fromkeys(
            name
            for observable in there
            for name in variations_of(histograms, spec, observable)[1:]
            if lost_bins(histograms, spec, observable, name).any()
        )
        if nominal:
            yield f"{mine}: nominal for {', '.join(nominal)}, without a transfer factor"


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
    found = unclipped(histograms, spec, observable, NOMINAL).sumw
    positive, negative = found[found > 0].sum(), -found[found < 0].sum()
    if negative > NOTABLE * positive:
        share = f"{percent(negative / positive)} of" if positive else "all of"
        yield f"{share} {observable}"
