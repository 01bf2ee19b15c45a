"""The bins of the fit: merged from those that are filled, as configured and to an expectation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hepflow.records.histograms import Block, HistogramSet
from hepflow.schema.checks_binning import position
from hepflow.statistics.model_parts import FitChannel
from hepflow.statistics.spec import StatisticsSpec

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # relative: merged bins reach what their parts have reached


def fit_channels(
    histograms: HistogramSet, spec: StatisticsSpec, channels: Sequence[FitChannel] | None = None
) -> tuple[FitChannel, ...]:
    """Regions with the edges that the fit has: merged where too little is expected.

    Parameters
    ----------
    histograms : HistogramSet
        As filled.
    spec : StatisticsSpec
    channels : sequence of FitChannel, optional
        Default those of the fit.
    """
    return tuple(_merged(histograms, spec, one) for one in channels or spec.channels)


def _merged(histograms: HistogramSet, spec: StatisticsSpec, channel: FitChannel) -> FitChannel:
    if spec.min_expectation <= 0 or (channel.name, channel.observable) not in histograms.axes:
        return channel
    expected = _background(histograms, spec, channel)
    kept = starts_of_bins(expected, spec.min_expectation)
    if len(kept) == len(channel.edges):
        return channel
    return replace(channel, edges=tuple(channel.edges[k] for k in kept), rebinned=True)


def starts_of_bins(expected: Floats, least: float) -> list[int]:
    """Positions of the edges that stay when bins are merged until each expects enough.

    Parameters
    ----------
    expected : array, shape (n_bins,)
    least : float
        Expectation that a bin needs [events].

    Returns
    -------
    list of int
        Increasing, from 0 to n_bins.

    Notes
    -----
    Bins are collected from the last one down, as spectra fall. What is left over at the low end
    goes to the last bin that was completed.

    Examples
    --------
    >>> starts_of_bins(np.array([1.0, 9.0, 4.0, 2.0, 1.0]), 3.0)
    [0, 2, 3, 5]
    >>> starts_of_bins(np.array([1.0, 1.0]), 5.0)
    [0, 2]
    """
    edges, total = [len(expected)], 0.0
    for k in reversed(range(len(expected))):
        total += expected[k]
        if total >= least * (1 - _ROUNDING):
            edges.append(k)
            total = 0.0
    if edges[-1] != 0:
        edges[1:] = [*edges[1:-1], 0]
    return edges[::-1]


def _background(histograms: HistogramSet, spec: StatisticsSpec, channel: FitChannel) -> Floats:
    """Nominal expectation without the signal, shape (n_bins,); all of it where there is no other.

    Signal is what the parameter of interest multiplies.
    """
    signal = {name for one in spec.norm_factors if one.name == spec.poi for name in one.processes}
    background = [name for name in spec.processes if name not in signal]
    total = np.zeros(len(channel.edges) - 1)
    for process in background or spec.processes:
        block = histograms.blocks.get((channel.name, channel.observable, process))
        if block is not None:
            nominal = Block(("nominal",), block.sumw[:1], block.sumw2[:1])
            filled = histograms.axes[channel.name, channel.observable].edges
            one = merged_block(nominal, filled, channel.edges).template()
            one = one.folded() if spec.fold_overflow else one
            total = total + one.values * nominal_factor(spec, channel.name, process)
    return total


def nominal_factor(spec: StatisticsSpec, channel: str, process: str) -> float:
    """Product of the norm factors of a process in a channel, at their nominal values."""
    factor = 1.0
    for one in spec.norm_factors:
        if process in one.processes and (one.channels is None or channel in one.channels):
            factor *= one.nominal
    return factor


def merged_block(block: Block, filled: Sequence[float], edges: Sequence[float]) -> Block:
    """Block with fewer bins; what is outside of them is under- and overflow.

    Parameters
    ----------
    block : Block
    filled : sequence of float
        Its edges.
    edges : sequence of float
        Those of them that stay.

    Raises
    ------
    ValueError
        One of `edges` is none of the block's.
    """
    if tuple(edges) == tuple(filled):
        return block
    places = [position(edge, filled) for edge in edges]
    kept = [place for place in places if place is not None]
    if len(kept) < len(places):
        raise ValueError(f"bins with the edges {list(filled)} cannot be merged to {list(edges)}")
    starts = [0, *(place + 1 for place in kept)]
    sumw, sumw2 = (np.add.reduceat(part, starts, axis=1) for part in (block.sumw, block.sumw2))
    return Block(block.variations, sumw, sumw2)
