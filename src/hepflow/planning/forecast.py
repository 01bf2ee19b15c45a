"""All stages of a run before it runs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hepflow.analysis import Analysis, AnalysisSpec
from hepflow.analysis.shares import table_digest
from hepflow.datasets import ConfigurableDatasetManager, expand_datasets
from hepflow.errors import InputError
from hepflow.keys import describe_function
from hepflow.planning.chunking import with_chunk_size_told
from hepflow.planning.figures import forecast_figures
from hepflow.planning.files import FilesForecast, forecast_files
from hepflow.planning.fills import forecast_fills
from hepflow.planning.inference import stages_beside
from hepflow.planning.looking import LookingManager
from hepflow.planning.records import Reason, StageForecast, Status
from hepflow.planning.results import (
    Normalised,
    forecast_normalisation,
    forecast_statistics,
    read_back,
)
from hepflow.planning.skims import SkimsForecast, forecast_skims
from hepflow.schema import Config
from hepflow.skimming import SkimSpec
from hepflow.sources import missing_in_years

_FIRST = (("metadata", "look into the input files"), ("skim", "select events and columns"))
_LATER = {
    "histograms": "fill histograms",
    "normalisation": "scale to cross-sections and luminosity",
    "statistics": "fit, limit, significance",
    "plots": "draw",
}


@dataclass(frozen=True)
class Forecast:
    """What a run would do, and what is known for that."""

    config: Config
    folders: LookingManager
    stages: tuple[StageForecast, ...]
    files: FilesForecast | None = None
    skims: SkimsForecast | None = None
    analysis: Analysis | None = None
    notes: tuple[str, ...] = ()  # what is taken for granted
    inference: tuple[StageForecast, ...] = ()  # what `hepflow sbi run` would do

    def stage(self, name: str) -> StageForecast:
        """Stage of this name."""
        return next(one for one in self.stages if one.name == name)


def forecast(
    config: Config | Mapping[str, Any], analysis: type[Analysis] | None = None
) -> Forecast:
    """Say what a run of this configuration would do; nothing is run or written.

    Parameters
    ----------
    config
        Configuration; it is validated first.
    analysis
        Class that would do it; default `Analysis`.

    Raises
    ------
    ConfigurationError
        If the configuration is wrong.
    CorrectionError
        If a correction file or list of certified runs is missing.
    """
    valid = Config.of(config)
    found = _run_of(valid, LookingManager.of(valid), analysis)
    skims = found.skims or SkimsForecast(found.stage("skim"))
    return replace(
        found,
        inference=stages_beside(valid, found.folders, skims),
        notes=(*found.notes, *missing_in_years(valid, expand_datasets(valid))),
    )


def _run_of(valid: Config, folders: LookingManager, analysis: type[Analysis] | None) -> Forecast:
    """What `hepflow run` would do."""
    prepare = _prepare(valid)
    reads = valid.general.analysis != "skip" and not valid.general.run_plots_only
    missing = _missing(valid) if reads else None
    if missing is not None and prepare.status != "unknown":
        raise missing  # told before anything else, as in a run
    files, skims = _before_filling(valid, folders)
    first = (prepare, files.stage, skims.stage)
    if valid.general.analysis == "skip":
        why = Reason("general.analysis is skip")
        return Forecast(valid, folders, (*first, *_all_later("left out", why)), files, skims)
    if missing is not None:
        why = Reason("files of corrections are not there before prepare")
        return Forecast(valid, folders, (*first, *_all_later("unknown", why)), files, skims)
    instance = (analysis or Analysis)(valid, skims.skims or {}, folders)
    later = _later(instance, skims, folders)
    return Forecast(valid, folders, (*first, *later), files, skims, instance, skims.notes)


def _missing(config: Config) -> InputError | None:
    """What is wrong with correction files and the like."""
    try:
        AnalysisSpec.from_config(config)
        table_digest(config)
    except InputError as error:
        return error
    return None


def _all_later(status: Status, why: Reason) -> list[StageForecast]:
    return [StageForecast(name, what, status, (why,)) for name, what in _LATER.items()]


def _later(
    analysis: Analysis, skims: SkimsForecast, folders: LookingManager
) -> list[StageForecast]:
    fills, normalised = _histograms(analysis, skims, folders)
    fit = forecast_statistics(analysis, normalised, folders)
    figures = forecast_figures(analysis, normalised, fit, folders)
    return [fills, *([normalised.stage] if normalised.stage else []), fit, figures]


def _before_filling(config: Config, folders: LookingManager) -> tuple[FilesForecast, SkimsForecast]:
    if config.general.run_plots_only:
        why = (Reason("general.run_plots_only is on"),)
        left = [StageForecast(name, what, "left out", why) for name, what in _FIRST]
        return FilesForecast(left[0], None), SkimsForecast(left[1])
    manager = ConfigurableDatasetManager(config.datasets)
    files = with_chunk_size_told(forecast_files(config, manager, folders))
    return files, forecast_skims(config, SkimSpec.from_config(config), files, folders)


def _prepare(config: Config) -> StageForecast:
    """Whether files are made or fetched: the function itself knows what is there."""
    what, general = "make or fetch the input files", config.general
    function = config.datasets.prepare
    if function is None:
        return StageForecast("prepare", what, "left out", (Reason("datasets.prepare is not set"),))
    if general.run_plots_only or not general.run_metadata_generation:
        why = "run_plots_only is on" if general.run_plots_only else "run_metadata_generation is off"
        return StageForecast("prepare", what, "left out", (Reason(f"general.{why}"),))
    while isinstance(function, functools.partial):
        function = function.func
    name = describe_function(function)["function"]
    return StageForecast("prepare", what, "unknown", (Reason(f"{name} knows what is missing"),))


def _histograms(
    analysis: Analysis, skims: SkimsForecast, folders: LookingManager
) -> tuple[StageForecast, Normalised]:
    general = analysis.config.general
    if general.run_plots_only or not general.run_histogramming:
        return read_back(analysis, skims)
    fills = forecast_fills(analysis, skims, folders)
    return fills.stage, forecast_normalisation(analysis, fills, folders)
