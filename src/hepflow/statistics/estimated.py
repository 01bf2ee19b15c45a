"""What the fit knows of processes that are estimated from data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from hepflow.records.histograms import Block, HistogramSet
from hepflow.statistics.spec import StatisticsSpec, TransferSpec


def transfer_entries(
    histograms: HistogramSet, spec: StatisticsSpec, used: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Uncertainties of the factors of estimates, as entries of a cabinetry configuration.

    Parameters
    ----------
    histograms
        The templates of the estimates hold the size.
    spec
        Regions of the fit, and the factors.
    used
        Processes that have events in them.
    """
    observables = {one.name: one.observable for one in spec.channels}
    for one in spec.transfers:
        found = {
            (channel, process): block
            for channel in one.channels
            for process in one.processes
            if process in used and channel in observables
            if (block := _block(histograms, one, (channel, observables[channel], process)))
        }
        if found:
            block = next(iter(found.values()))  # the factor is the same in all
            yield {
                "Name": one.name,
                "Type": "Normalization",
                "Up": {"Normalization": _change(block, f"{one.name}_up")},
                "Down": {"Normalization": _change(block, f"{one.name}_down")},
                "Samples": list(dict.fromkeys(process for _, process in found)),
                "Regions": list(dict.fromkeys(channel for channel, _ in found)),
            }


def _block(
    histograms: HistogramSet, transfer: TransferSpec, key: tuple[str, str, str]
) -> Block | None:
    """Templates of an estimate; None where nothing is expected, or there is no uncertainty."""
    block = histograms.blocks.get(key)
    if block is None or f"{transfer.name}_up" not in block.variations:
        return None
    return block if block.template().sumw.sum() > 0 else None


def _change(block: Block, variation: str) -> float:
    """Relative change of the yield, which is the same in each bin."""
    return float(block.template(variation).sumw.sum() / block.template().sumw.sum() - 1.0)
