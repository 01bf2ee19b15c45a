"""Skim and histograms of a new signal, with the selection and corrections of the analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hepflow.reinterpretation.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hepflow.analysis import Analysis
    from hepflow.records import Dataset, HistogramSet, RawHistograms
    from hepflow.reinterpretation.bundle import PreservedAnalysis
    from hepflow.schema import Config


@dataclass(frozen=True)
class Filled:
    """Raw histograms of a signal: sums of weights, not normalised."""

    signal: Signal
    raw: RawHistograms  # all variations, by dataset; its ledger tells what was read

    @property
    def sums_of_weights(self) -> dict[str, float]:
        """Sum of generator weights over all events that were read, by dataset."""
        ledger = self.raw.ledger
        return {key: ledger.totals(key).sum_weights for key in ledger.datasets()}


def fill(
    analysis: PreservedAnalysis,
    signals: Sequence[Signal],
    luminosity: Mapping[str, float],
    folders: Sequence[Path],
    workers: int | None = None,
) -> list[Filled]:
    """Fill the histograms of signals; only their files are read.

    Parameters
    ----------
    analysis
        Inside its `imported`.
    signals, folders
        What to fill, and the working folder of each, which a second call reuses.
    luminosity
        [1/pb] by year.
    workers
        Processes; default as the machine has cores.

    Raises
    ------
    InputError
        A signal does not fit the analysis, or its files cannot be read: all files are looked
        into before the first event is processed.
    """
    from hepflow.execution import configured_executor
    from hepflow.pipeline import make_output_manager, make_skims, write_resolved

    configs = [
        signal_of(analysis, signal, luminosity, folder, workers)
        for signal, folder in zip(signals, folders, strict=True)
    ]
    found = []
    with configured_executor(configs[0].datasets.execution_args) as executor:
        managers = [make_output_manager(config) for config in configs]
        skims = []
        for config, manager in zip(configs, managers, strict=True):
            manager.remove_stale_temporaries()
            write_resolved(config, manager)
            skims.append(make_skims(config, manager, executor))
        for signal, config, manager, skim in zip(signals, configs, managers, skims, strict=True):
            instance: Analysis = analysis.analysis(config, skim, manager)
            # What is estimated from data does not change with the signal that is looked for.
            instance.spec = replace(instance.spec, estimates=())
            instance.fill_histograms(executor)
            found.append(Filled(signal, instance.raw))
    return found


def signal_of(
    analysis: PreservedAnalysis,
    signal: Signal,
    luminosity: Mapping[str, float],
    folder: Path,
    workers: int | None = None,
) -> Config:
    """Configuration of one signal, see `signal_config`."""
    from hepflow.reinterpretation.signal_config import signal_config

    return signal_config(analysis, signal, luminosity, folder, workers)


def scale(
    analysis: PreservedAnalysis, filled: Filled, luminosity: Mapping[str, float]
) -> tuple[HistogramSet, dict[str, dict[str, float]]]:
    """Expected events of a signal, as a run normalises.

    Parameters
    ----------
    analysis
        Inside its `imported`.
    filled
        Raw histograms, with the signal's cross-section.
    luminosity
        [1/pb] by year.

    Returns
    -------
    tuple
        Normalised histograms, and for each dataset what its factor is made of.

    Raises
    ------
    NormalisationError
        The cross-section or the sum of weights is missing.
    """
    from hepflow.analysis import AnalysisSpec
    from hepflow.errors import NormalisationError
    from hepflow.normalisation import normalise

    if filled.signal.cross_section is None:
        raise NormalisationError(
            f"signal {filled.signal.name!r} has no cross-section: give one with its unit, such as "
            "'44.9 fb'."
        )
    config = signal_of(analysis, filled.signal, luminosity, Path("unused"))
    spec = AnalysisSpec.before_files(config)
    datasets = tuple(spec.datasets.values())
    found = normalise(filled.raw, datasets, spec.weight_mode, luminosity, spec.sources)
    factors = {one.key: _factor(one, filled, spec.weight_mode) for one in datasets}
    return found, factors


def _factor(dataset: Dataset, filled: Filled, weight_mode: str) -> dict[str, float]:
    from hepflow.normalisation import denominator, scale_of

    return {
        "cross_section_pb": dataset.cross_section or 0.0,
        "luminosity_per_pb": dataset.luminosity or 0.0,
        "k_factor": dataset.k_factor,
        "filter_efficiency": dataset.filter_efficiency,
        "sum_of_weights": denominator(dataset, filled.raw.ledger, weight_mode),
        "factor": scale_of(dataset, filled.raw.ledger, weight_mode),
    }
