"""From raw sums to expected events: cross-section times luminosity over sum of weights, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.combination import with_sides
from hepflow.corrections.row_factors import RowFactors, row_factors
from hepflow.errors import NormalisationError
from hepflow.records import Cutflow, Dataset, HistogramSet, Ledger, RawHistograms, Source, Template
from hepflow.records.cutflow import completed
from hepflow.records.histograms import Block, BlockKey, CutflowKey

RUNS_TOLERANCE = 1e-3  # relative difference that means that somebody skimmed the file


def generator_weights(raw: NDArray[np.generic] | None, length: int) -> NDArray[np.float64]:
    """Generator weights as float64; ones for data, which has none."""
    return np.ones(length) if raw is None else np.asarray(raw, dtype=np.float64)


def event_weights(weights: NDArray[np.float64], weight_mode: str) -> NDArray[np.float64]:
    """Weight of each event before corrections: the generator weight or its sign (0 for 0)."""
    return np.sign(weights) if weight_mode == "sign" else weights


def check_runs(
    dataset: str, sum_events: float, sum_runs: float, *, tolerance: float = RUNS_TOLERANCE
) -> None:
    """Compare the sum of weights over events with that of the Runs tree.

    Raises
    ------
    NormalisationError
        If they differ by more than `tolerance`: somebody skimmed the files.
    """
    scale = max(abs(sum_events), abs(sum_runs))
    if scale and abs(sum_events - sum_runs) > tolerance * scale:
        raise NormalisationError(
            f"dataset {dataset!r}: the generator weights of its events add up to {sum_events:.6g}, "
            f"but its Runs trees say {sum_runs:.6g}. The files were skimmed before. Set "
            "sumw_source of this dataset to 'runs' (all events that were generated) or 'events' "
            "(only those in the files)."
        )


def denominator(dataset: Dataset, ledger: Ledger, weight_mode: str) -> float:
    """Sum of generator weights that a dataset is normalised to.

    Raises
    ------
    NormalisationError
        If the sum is zero, or the Runs trees are wanted but cannot be used.
    """
    if dataset.sumw_source == "runs":
        return _sum_of_runs(dataset, ledger, weight_mode)
    total = ledger.totals(dataset.key).sum_for(weight_mode)
    if not math.isfinite(total):
        raise NormalisationError(
            f"dataset {dataset.key!r}: the sum for weight_mode {weight_mode!r} is {total}. Its "
            "parts need finite generator weights, and part_sum_signs in their metadata for 'sign'."
        )
    if total == 0 and ledger.totals(dataset.key).nevts:
        raise NormalisationError(f"dataset {dataset.key!r}: its generator weights add up to zero.")
    return total


def _sum_of_runs(dataset: Dataset, ledger: Ledger, weight_mode: str) -> float:
    if weight_mode == "sign":
        raise NormalisationError(
            f"dataset {dataset.key!r}: Runs trees have no sum of signs. Use sumw_source 'events' "
            "or weight_mode 'generator'."
        )
    sums, sizes = ledger.runs_sums.get(dataset.key, {}), ledger.file_events.get(dataset.key, {})
    read: dict[str, int] = {}
    for part in ledger.parts_of(dataset.key):
        read[part.file] = read.get(part.file, 0) + part.nevts
    for file, events in read.items():
        if file not in sums:
            raise NormalisationError(f"dataset {dataset.key!r}: {file} has no Runs tree.")
        if events != sizes.get(file):
            raise NormalisationError(
                f"dataset {dataset.key!r}: sumw_source 'runs' needs complete files, but of {file} "
                f"{events} of {sizes.get(file)} events were processed."
            )
    return sum(sums[file] for file in sorted(read))


def scale_of(dataset: Dataset, ledger: Ledger, weight_mode: str) -> float:
    """Factor that turns raw weights of a dataset into expected events; 1 for data.

    Raises
    ------
    NormalisationError
        If the cross-section, the luminosity or the sum of weights is missing.
    """
    if dataset.is_data:
        return 1.0
    if dataset.cross_section is None or dataset.luminosity is None:
        what = "cross-section" if dataset.cross_section is None else "luminosity"
        raise NormalisationError(f"dataset {dataset.key!r} is simulation and has no {what}.")
    total = denominator(dataset, ledger, weight_mode)
    if total == 0:
        return 0.0  # no event was generated: nothing to scale
    numerator = dataset.cross_section * dataset.k_factor * dataset.filter_efficiency
    return numerator * dataset.luminosity / total


def normalise(
    raw: RawHistograms,
    datasets: Sequence[Dataset],
    weight_mode: str,
    luminosity: Mapping[str, float],
    sources: Sequence[Source] = (),
) -> HistogramSet:
    """Scale each dataset to its expected events and add the datasets of a process.

    Parameters
    ----------
    raw
        Merged raw histograms; its ledger holds the parts that were really processed.
    datasets
        One record per normalisation group.
    luminosity
        Integrated luminosity [1/pb] by year, for plots.
    sources
        Sources of uncertainty. Those of normalisation that move some datasets of a process
        only, alternative samples, reflected sides and theory weights become templates here.

    Returns
    -------
    HistogramSet
        Sums of weights scaled by the factor, sums of squared weights by its square.
    """
    scales = {one.key: scale_of(one, raw.ledger, weight_mode) for one in datasets}
    factors = {one.key: _row_factors(one, raw, sources, weight_mode) for one in datasets}
    nominal = [one for one in datasets if one.variation == "nominal"]
    by_key = {one.key: one for one in nominal}
    process_of = {one.key: one.process for one in nominal}
    blocks: dict[BlockKey, Block] = {}
    for channel, observable in raw.axes:
        acting = [one for one in sources if one.acts_in(channel)]
        scaled = {
            one.key: factors[one.key]
            .apply(raw.blocks[channel, observable, one.key], acting)
            .scaled(scales[one.key])
            for one in datasets
            if (channel, observable, one.key) in raw.blocks
        }
        for process, block in _by_process(scaled, datasets, acting).items():
            blocks[channel, observable, process] = with_sides(block, process, acting)
    flows = {
        key: factors[key[1]].apply_last(flow).scaled(scales[key[1]])
        for key, flow in raw.cutflows.items()
        if key[1] in scales
    }
    flows = completed(flows, {one.key: one for one in datasets})
    cutflows: dict[CutflowKey, Cutflow] = {
        (channel, key): _with_sources(flows, channel, by_key[key], datasets, sources)
        for channel, key in flows
        if key in by_key
    }
    return HistogramSet(
        axes=raw.axes,
        blocks=blocks,
        cutflows=cutflows,
        data_processes=frozenset(one.process for one in datasets if one.is_data),
        luminosity=luminosity,
        ledger=raw.ledger,
        process_of=process_of,
    )


def _row_factors(
    dataset: Dataset, raw: RawHistograms, sources: Sequence[Source], weight_mode: str
) -> RowFactors:
    """Factors of single variations of a dataset."""
    total = 0.0 if dataset.is_data else denominator(dataset, raw.ledger, weight_mode)
    kept = raw.yields.get(dataset.key)
    return row_factors(dataset, raw.ledger, kept, sources, weight_mode, total)


def _by_process(
    scaled: Mapping[str, Block], datasets: Sequence[Dataset], sources: Sequence[Source]
) -> dict[str, Block]:
    """Sum of the nominal datasets of each process, with the templates that sources add."""
    found: dict[str, Block] = {}
    for one in datasets:
        if one.key in scaled and one.variation == "nominal":
            block = _with_sizes(scaled[one.key], one.key, sources)
            known = found.get(one.process)
            found[one.process] = block if known is None else known + block
    names = {one.name for one in sources if one.kind == "sample"}
    for variation in dict.fromkeys(one.variation for one in datasets):
        if variation.removesuffix("_up").removesuffix("_down") in names:
            for process in dict.fromkeys(o.process for o in datasets if o.variation == variation):
                if process in found:
                    row = _alternative(scaled, datasets, process, variation)
                    found[process] = found[process].with_row(variation, row)
    for source in (one for one in sources if one.symmetrise):
        for process in source.processes:
            if process in found:
                found[process] = found[process].reflected(source.name)
    return found


def _with_sizes(block: Block, dataset: str, sources: Sequence[Source]) -> Block:
    """Rows of normalisation sources that do not move the whole process alike."""
    for source in sources:
        if source.size is None and dataset in source.sizes:
            for name, factor in source.factors(dataset):
                varied = block.template().scaled(factor)
                block = block.with_row(f"{source.name}_{name}", varied)
    return block


def _alternative(
    scaled: Mapping[str, Block], datasets: Sequence[Dataset], process: str, variation: str
) -> Template:
    """Sum of a process with alternative samples in the place of those that they replace."""
    samples = [o for o in datasets if o.process == process and o.variation == variation]
    replaced = {key for one in samples for key in one.replaces}
    kept = [
        one.key
        for one in datasets
        if one.process == process and one.variation == "nominal" and one.key not in replaced
    ]
    keys = [key for key in (*kept, *(one.key for one in samples)) if key in scaled]
    templates = [scaled[key].template() for key in keys]
    sumw = np.sum([one.sumw for one in templates], axis=0)
    return Template(sumw, np.sum([one.sumw2 for one in templates], axis=0))


def _with_sources(
    flows: Mapping[CutflowKey, Cutflow],
    channel: str,
    dataset: Dataset,
    datasets: Sequence[Dataset],
    sources: Sequence[Source],
) -> Cutflow:
    """Cutflow of a dataset with the variations that sources add, where any are counted."""
    flow = flows[channel, dataset.key]
    if flow.varied is None:
        return flow
    acting = [one for one in sources if one.acts_in(channel)]
    for source in acting:
        if source.size is None and dataset.key in source.sizes:
            for name, factor in source.factors(dataset.key):
                varied = flow.scaled(factor)
                flow = flow.with_variation(f"{source.name}_{name}", varied)
    names = {one.name for one in acting if one.kind == "sample"}
    others = [one for one in datasets if dataset.key in one.replaces]
    for variation in dict.fromkeys(one.variation for one in others):
        if variation.removesuffix("_up").removesuffix("_down") in names:
            samples = [one for one in others if one.variation == variation]
            found = _in_its_place(flows, channel, dataset, samples)
            flow = flow.with_variation(variation, found)
    for source in acting:
        if source.symmetrise and dataset.process in source.processes:
            flow = flow.reflected(source.name)
    return flow


def _in_its_place(
    flows: Mapping[CutflowKey, Cutflow],
    channel: str,
    dataset: Dataset,
    samples: Sequence[Dataset],
) -> Cutflow:
    """Cutflow of alternative samples, each in the place of the first dataset it replaces."""
    found = flows[channel, dataset.key].nothing()
    for one in samples:
        first = next(key for key in one.replaces if (channel, key) in flows)
        if first == dataset.key and (channel, one.key) in flows:
            found = found + flows[channel, one.key].of("nominal")
    return found
