"""The templates as the fit takes them, and what of them is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepflow.records.histograms import Block, BlockKey, HistogramSet, Template
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


def negligible(templates: Iterable[Template], threshold: float) -> NDArray[np.bool_]:
    """Bins whose total has a relative statistical uncertainty below the threshold."""
    found = list(templates)
    total = np.sum([one.values for one in found], axis=0)
    spread = np.sqrt(np.sum([one.variances for one in found], axis=0))
    return np.asarray(spread < threshold * np.abs(total), dtype=np.bool_)


def differs_from_filled(spec: StatisticsSpec) -> bool:
    """Whether the fit takes other contents than were filled."""
    return spec.fold_overflow or (spec.mc_stat and spec.mc_stat_threshold > 0)


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
        Under- and overflow are folded, and small statistical uncertainties of the nominal
        templates are zero, where the configuration asks for it.
    """
    blocks: dict[BlockKey, Block] = {}
    for channel in spec.channels:
        names = (*spec.processes, *spec.data_processes)
        own = {
            key: _folded(histograms.blocks[key]) if spec.fold_overflow else histograms.blocks[key]
            for name in names
            if (key := (channel.name, channel.observable, name)) in histograms.blocks
        }
        blocks.update(_pruned(own, channel, spec))
    axes = {key: axis for key, axis in histograms.axes.items() if any(key == k[:2] for k in blocks)}
    return replace(histograms, axes=axes, blocks=blocks)


def _folded(block: Block) -> Block:
    rows = [block.template(name).folded() for name in block.variations]
    sumw, sumw2 = (np.asarray(part) for part in ([r.sumw for r in rows], [r.sumw2 for r in rows]))
    return Block(block.variations, sumw, sumw2)


def _pruned(
    own: dict[BlockKey, Block], channel: FitChannel, spec: StatisticsSpec
) -> dict[BlockKey, Block]:
    simulated = [(channel.name, channel.observable, name) for name in spec.processes]
    used = [key for key in simulated if key in own and own[key].template().values.any()]
    if not (spec.mc_stat and spec.mc_stat_threshold > 0 and used):
        return own
    small = negligible([own[key].template() for key in used], spec.mc_stat_threshold)
    pruned = dict(own)
    for key in used:
        sumw2 = own[key].sumw2.copy()
        sumw2[0, 1:-1][small] = 0.0
        pruned[key] = Block(own[key].variations, own[key].sumw, sumw2)
    return pruned
