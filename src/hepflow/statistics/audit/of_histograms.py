"""Templates for the audit from histograms: those of a run, or of any file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hepflow.records.histograms import Block, HistogramSet
from hepflow.statistics.audit.record import (
    AuditTemplates,
    RegionTemplates,
    SampleTemplates,
    Sides,
)
from hepflow.statistics.histogram_files import chosen_observables
from hepflow.statistics.histogram_reading import (
    observables_of,
    read_histogram_file,
    sources_of_block,
)
from hepflow.statistics.spec import FitChannel, StatisticsSpec
from hepflow.statistics.templates import fit_templates, takes_part


def of_histograms(histograms: HistogramSet, spec: StatisticsSpec) -> AuditTemplates:
    """Templates as the fit of a run takes them, with the sources that are declared.

    Parameters
    ----------
    histograms : HistogramSet
        As filled.
    spec : StatisticsSpec
        Data of regions that are blind in it are not looked at.
    """
    # a statistical uncertainty that the fit neglects is looked at all the same
    taken = fit_templates(histograms, replace(spec, mc_stat_threshold=0.0))
    poi = {name for one in spec.norm_factors if one.name == spec.poi for name in one.processes}
    regions = {one.name: _of_channel(taken, spec, one) for one in spec.channels}
    return AuditTemplates(regions, frozenset(poi), declared=True)


def _of_channel(
    histograms: HistogramSet, spec: StatisticsSpec, channel: FitChannel
) -> RegionTemplates:
    place = (channel.name, channel.observable)
    samples = {}
    for process in spec.processes:
        block = histograms.blocks.get((*place, process))
        if block is not None and takes_part(block, process, spec):
            expected = block.template().values.any()  # else no source acts on it in the fit
            sources = dict(_declared(spec, channel, process, block)) if expected else {}
            samples[process] = _sample(block, sources)
    seen = () if channel.name in spec.blind else spec.data_processes
    observed = [
        histograms.blocks[*place, one] for one in seen if (*place, one) in histograms.blocks
    ]
    data = [one.template().values for one in observed]
    return RegionTemplates(samples, np.sum(data, axis=0) if data else None)


def _declared(
    spec: StatisticsSpec, channel: FitChannel, process: str, block: Block
) -> Iterator[tuple[str, Sides]]:
    """Sources that act on a process, as configured."""
    nominal = block.template().values
    for one in spec.normalisations:
        if process in one.processes and (one.channels is None or channel.name in one.channels):
            up, down = nominal * (1 + one.size), nominal * (1 - one.size)
            yield one.name, Sides(up, down, stated=True)
    names = [
        one.name
        for one in spec.shapes
        if process in one.processes and (one.channels is None or channel.name in one.channels)
    ]
    names += [
        one.name
        for one in spec.transfers
        if process in one.processes and channel.name in one.channels
    ]
    for name in names:
        yield name, _sides(block, name)


def _sides(block: Block, source: str) -> Sides:
    up, down = (
        block.template(name).values if name in block.variations else None
        for name in (f"{source}_up", f"{source}_down")
    )
    return Sides(up, down)


def _sample(block: Block, sources: Mapping[str, Sides]) -> SampleTemplates:
    nominal = block.template()
    # NaN means here that squared weights are not known: one in the histogram is infinite
    squares = np.where(np.isnan(nominal.variances), np.inf, nominal.variances)
    return SampleTemplates(nominal.values, squares, sources)


def of_file(
    path: str | Path, *, data: str = "data", observables: Mapping[str, str] | None = None
) -> AuditTemplates:
    """Templates of a file of histograms, made here or elsewhere.

    Parameters
    ----------
    path : str or Path
        As `read_histogram_file` takes it.
    data : str
        Process of the data; there need not be any.
    observables : mapping, optional
        Observable by channel, where not all are to be looked at. A region is called
        ``channel__observable`` where several of its channel are.

    Raises
    ------
    InputError
        It cannot be read, or has no such channel or observable.
    """
    known = observables_of(path)
    wanted = chosen_observables(known, observables, path) if observables else None
    histograms = read_histogram_file(path, data=data, observables=wanted)
    regions = {}
    for channel, observable in histograms.axes:
        alone = len(histograms.observables(channel)) == 1
        name = channel if alone else f"{channel}__{observable}"
        regions[name] = _of_observable(histograms, channel, observable, data)
    return AuditTemplates(regions)


def _of_observable(
    histograms: HistogramSet, channel: str, observable: str, data: str
) -> RegionTemplates:
    samples = {}
    for process in histograms.processes(channel, observable):
        block = histograms.blocks[channel, observable, process]
        if process != data and block.template().values.any():
            sources = {name: _sides(block, name) for name in sources_of_block(block)}
            samples[process] = _sample(block, sources)
    found = histograms.blocks.get((channel, observable, data))
    return RegionTemplates(samples, None if found is None else found.template().values)
