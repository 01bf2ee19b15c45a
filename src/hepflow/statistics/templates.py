"""The templates as the fit takes them, and what of them is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepflow.records.histograms import (
    Axis,
    AxisKey,
    Block,
    BlockKey,
    HistogramSet,
    Template,
    fold_flow,
)
from hepflow.statistics.binning import fit_channels, merged_block
from hepflow.statistics.smoothing import smoothed
from hepflow.statistics.spec import FitChannel, StatisticsSpec

TEMPLATE_FILE = "templates.root"


def regions_without_data(histograms: HistogramSet, spec: StatisticsSpec) -> tuple[str, ...]:
    """Regions of the fit for which no data were processed; no observed event is data, too."""
    return tuple(
        channel.name
        for channel in spec.channels
        if not any(
            (channel.name, channel.observable, process) in histograms.blocks
            for process in spec.data_processes
        )
    )


def takes_part(block: Block, process: str, spec: StatisticsSpec) -> bool:
    """Whether a process is in the model of a region.

    An estimate from data also is where it is 0, but uncertain: other processes in the same bins
    carry that, as the statistical uncertainty is that of their sum.
    """
    nominal = block.template()
    uncertain = spec.mc_stat and process in spec.estimated and (nominal.variances > 0).any()
    return bool(nominal.values.any() or uncertain)


def negligible(templates: Iterable[Template], threshold: float) -> NDArray[np.bool_]:
    """Bins whose total has a relative statistical uncertainty below the threshold."""
    found = list(templates)
    total = np.sum([one.values for one in found], axis=0)
    spread = np.sqrt(np.sum([one.variances for one in found], axis=0))
    return np.asarray(spread < threshold * np.abs(total), dtype=np.bool_)


def differs_from_filled(spec: StatisticsSpec) -> bool:
    """Whether the fit takes other contents than were filled."""
    return (
        spec.fold_overflow
        or (spec.mc_stat and spec.mc_stat_threshold > 0)
        or spec.min_expectation > 0
        or any(one.rebinned for one in spec.channels)
        or any(one.smooth for one in spec.shapes)
    )


def template_file(
    spec: StatisticsSpec, statistics_dir: str | Path, histogram_file: str | Path
) -> Path:
    """ROOT file that the generated cabinetry configuration names."""
    if differs_from_filled(spec):
        return Path(statistics_dir) / TEMPLATE_FILE
    return Path(histogram_file)


def fit_templates(histograms: HistogramSet, spec: StatisticsSpec) -> HistogramSet:
    """Histograms of the fit with what cabinetry has no setting for already done.

    Parameters
    ----------
    histograms : HistogramSet
        As filled; other observables than those of the fit are left out.
    spec : StatisticsSpec

    Returns
    -------
    HistogramSet
        Where the configuration asks for it, bins are merged, under- and overflow are folded,
        variations are smoothed, and small statistical uncertainties of the nominal templates are
        zero.
    """
    blocks: dict[BlockKey, Block] = {}
    axes: dict[AxisKey, Axis] = {}
    for channel in fit_channels(histograms, spec):
        where = (channel.name, channel.observable)
        if where not in histograms.axes:
            continue
        names = (*spec.processes, *spec.data_processes)
        own = {
            key: _taken(histograms, key, channel, spec)
            for name in names
            if (key := (*where, name)) in histograms.blocks
        }
        blocks.update(_pruned(own, channel, spec))
        axes[where] = replace(histograms.axes[where], edges=channel.edges)
    return replace(histograms, axes=axes, blocks=blocks)


def _taken(
    histograms: HistogramSet, key: BlockKey, channel: FitChannel, spec: StatisticsSpec
) -> Block:
    """Templates of a process: merged, folded, smoothed."""
    block = merged_block(histograms.blocks[key], histograms.axes[key[:2]].edges, channel.edges)
    if spec.fold_overflow:
        block = Block(block.variations, fold_flow(block.sumw), fold_flow(block.sumw2))
    smooth = [
        f"{one.name}_{side}"
        for one in spec.shapes
        if one.smooths(channel.name, key[2])
        for side in ("up", "down")
    ]
    rows = [row for row, name in enumerate(block.variations) if name in smooth]
    if not rows:
        return block
    sumw = block.sumw.copy()
    sumw[rows, 1:-1] = smoothed(sumw[rows, 1:-1], block.template().values)
    return Block(block.variations, sumw, block.sumw2)


def _pruned(
    own: dict[BlockKey, Block], channel: FitChannel, spec: StatisticsSpec
) -> dict[BlockKey, Block]:
    simulated = [(channel.name, channel.observable, name) for name in spec.processes]
    used = [key for key in simulated if key in own and takes_part(own[key], key[2], spec)]
    if not (spec.mc_stat and spec.mc_stat_threshold > 0 and used):
        return own
    small = negligible([own[key].template() for key in used], spec.mc_stat_threshold)
    pruned = dict(own)
    for key in used:
        sumw2 = own[key].sumw2.copy()
        sumw2[0, 1:-1][small] = 0.0
        pruned[key] = Block(own[key].variations, own[key].sumw, sumw2)
    return pruned
