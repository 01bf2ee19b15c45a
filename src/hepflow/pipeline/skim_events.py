"""Events of this configuration's skims, for simulation-based inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from hepflow.analysis.steps import base_weights, files_known, ledger_of
from hepflow.datasets import ConfigurableDatasetManager, expand_datasets
from hepflow.errors import InputError, UserFunctionError, did_you_mean
from hepflow.execution import configured_executor
from hepflow.functors import as_mask, call, column
from hepflow.inference.from_skims import SkimColumns, SkimPart, table_from_skims
from hepflow.inference.records import Nuisance
from hepflow.inference.workflow.specs import benchmarks_of, parameters_of
from hepflow.inference.workflow.supplied import Supply
from hepflow.keys import Key, make_key
from hepflow.normalisation import denominator
from hepflow.pipeline.stages import make_output_manager, make_skims
from hepflow.records import Dataset, Ledger
from hepflow.schema import Config
from hepflow.schema.inference import Inference
from hepflow.skimming import Skim

_NOMINAL: Final = "nominal"


def skim_events(config: Config) -> Supply:
    """Make the skims, or read them back, and take observables and weights of their events.

    Parameters
    ----------
    config
        With the section ``inference``, whose source is ``skim``.

    Raises
    ------
    InputError
        There is no such process, or events cannot be used.
    UserFunctionError
        A function raises, or returns something else than one value for each event.
    """
    valid = Config.of(config)
    own = valid.inference or Inference()
    manager = make_output_manager(valid)
    datasets = ConfigurableDatasetManager(valid.datasets)
    if valid.general.run_metadata_generation:
        datasets.prepare()
    with configured_executor(valid.datasets.execution_args) as executor:
        skims = make_skims(valid, manager, executor, datasets)
    chosen = _chosen(valid, own, skims)
    datasets_of = {one.key: one for one in expand_datasets(valid)}
    parameters = parameters_of(own)
    benchmarks = benchmarks_of(own, parameters)
    columns = SkimColumns(
        parameters,
        benchmarks,
        tuple(one.name for one in own.observables),
        _nuisances(own),
        provenance={"generator": "skims", "datasets": sorted(chosen)},
    )
    parts = [
        part
        for name, skim in chosen.items()
        for part in _parts(skim, datasets_of[name], own, valid.general.weight_mode)
    ]
    return Supply(table_from_skims(columns, parts), events_key(valid, skims))


def events_key(config: Config, skims: Mapping[str, Skim] | None, *, counted: bool = True) -> Key:
    """What the events depend on; the parts of the skims are not read for it.

    Parameters
    ----------
    config
        With the section ``inference``, whose source is ``skim``.
    skims
        All of them; None where they are not known, and their part of the key says nothing.
    counted
        Whether each part has its counts; without, cross-sections say nothing.

    Raises
    ------
    InputError
        There is no such process.
    NormalisationError
        A dataset cannot be normalised.
    """
    own, mode = config.inference or Inference(), config.general.weight_mode
    chosen = {} if skims is None else _chosen(config, own, skims)
    datasets = {one.key: one for one in expand_datasets(config)}
    return make_key(
        "inference skims",
        parts={name: [part.identity for part in skim.parts] for name, skim in chosen.items()},
        observables=[(one.name, one.function, one.use, one.default) for one in own.observables],
        cuts=[(one.name, one.function, one.use) for one in own.cuts],
        weights=dict(own.process.skim.weights),
        benchmarks=benchmarks_of(own, parameters_of(own)),
        nuisances=_nuisances(own),
        weight_mode=mode,
        cross_sections={
            name: _normalisation(datasets[name], skim, mode)
            for name, skim in chosen.items()
            if counted
        },
    )


def _normalisation(dataset: Dataset, skim: Skim, weight_mode: str) -> tuple[Any, ...]:
    """What turns weights of a dataset into cross-sections."""
    sections = sorted({str(one.get("xsec")) for one in skim.metadata})
    factors = (dataset.k_factor, dataset.filter_efficiency)
    return (*sections, *factors, denominator(dataset, _ledger(skim), weight_mode))


def _ledger(skim: Skim) -> Ledger:
    return ledger_of(skim.metadata) + files_known([skim])


def _nuisances(own: Inference) -> tuple[Nuisance, ...]:
    return tuple(Nuisance(one.name, one.up, one.down, one.kind) for one in own.nuisances if one.up)


def _chosen(config: Config, own: Inference, skims: Mapping[str, Skim]) -> dict[str, Skim]:
    """Skims of the signal: nominal simulation of the processes that are named."""
    simulated = {
        one.key: one.process
        for one in expand_datasets(config)
        if not one.is_data and one.variation == _NOMINAL and one.key in skims
    }
    wanted: Sequence[str] = own.process.skim.datasets or tuple(simulated.values())
    for name in wanted:
        if name not in simulated.values():
            hint = did_you_mean(name, simulated.values())
            raise InputError(
                f"inference.process.skim.datasets: {name!r} is no simulated process. {hint}"
            )
    return {key: skims[key] for key, process in simulated.items() if process in wanted}


def _parts(skim: Skim, dataset: Dataset, own: Inference, weight_mode: str) -> Iterator[SkimPart]:
    """Parts of a dataset, normalised as its histograms are."""
    total = denominator(dataset, _ledger(skim), weight_mode)
    for events, metadata in skim:
        yield replace(_part(events, metadata, own, dataset, weight_mode), sum_weights=total)


def _part(
    events: Any, metadata: Mapping[str, Any], own: Inference, dataset: Dataset, weight_mode: str
) -> SkimPart:
    """Observables and weights of the events of a part that pass the cuts."""
    keep = np.ones(len(events), dtype=np.bool_)
    for i, cut in enumerate(own.cuts):
        where = f"inference.cuts[{i}]"
        found = call(_given(cut.function, where), cut.use, events, where)
        keep &= as_mask(found, len(events), where)
    chosen = events[keep]
    nominal = base_weights(chosen, dataset, weight_mode)
    features = {}
    for i, one in enumerate(own.observables):
        where = f"inference.observables[{i}]"
        values = call(_given(one.function, where), one.use, chosen, where)
        found = _numbers(values, len(chosen), where)
        lacking = np.isnan(found)
        features[one.name] = found if one.default is None else np.where(lacking, one.default, found)
    where = "inference.process.skim.weights"
    weights = {
        name: nominal * _numbers(column(chosen, *place, where), len(chosen), f"{where}.{name}")
        for name, place in own.process.skim.weights.items()
    }
    # An event without one of the observables goes, as it does from other sources.
    whole = ~np.isnan(np.stack(list(features.values()))).any(axis=0)
    return SkimPart.of(
        metadata,
        {name: one[whole] for name, one in features.items()},
        {name: one[whole] for name, one in weights.items()},
        k_factor=dataset.k_factor,
        filter_efficiency=dataset.filter_efficiency,
    )


def _given(function: Any, where: str) -> Any:
    if function is None:
        raise InputError(f"{where}.function: missing. Events of skims need functions.")
    return function


def _numbers(values: Any, length: int, where: str) -> Any:
    """One number for each event; NaN where there is none."""
    import awkward as ak

    if isinstance(values, ak.Array):
        values = ak.fill_none(values, np.nan, axis=0)
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (length,):
        raise UserFunctionError(
            f"{where}: shape {found.shape} for {length} events. Expected one value for each event."
        )
    return found
