"""The stages of a run, and what each starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hepflow.datasets import ConfigurableDatasetManager, expand_datasets
from hepflow.execution import Executor
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.output_manager import OutputDirectoryManager
from hepflow.schema import Config
from hepflow.skimming import Skim, process_workitems_with_skimming


@dataclass(frozen=True)
class Stage:
    """One step of a run."""

    name: str
    what: str  # for people
    runs: bool  # False: what an earlier run stored is read back, or it is left out


def plan(config: Config | Mapping[str, Any]) -> tuple[Stage, ...]:
    """Say what a run of this configuration would do.

    Raises
    ------
    ConfigurationError
        If the configuration is wrong.
    """
    valid = Config.of(config)
    general = valid.general
    analyses = general.analysis != "skip"
    works = not general.run_plots_only  # else everything but the plots is read back
    datasets = expand_datasets(valid)
    channels = len(general.channels or valid.channels)
    reads = works and general.run_metadata_generation
    skims = works and general.run_skimming and not valid.execution.one_pass
    fills = works and analyses and general.run_histogramming
    while_reading = " while reading the input files" if valid.execution.one_pass else ""
    return (
        Stage("prepare", "make or fetch the input files", reads and _prepares(valid)),
        Stage("metadata", f"look into the files of {len(datasets)} datasets", reads),
        Stage("skim", "select events and columns", skims),
        Stage("histograms", f"fill {channels} channels{while_reading}", fills),
        Stage(
            "statistics",
            "fit, limit, significance",
            works and analyses and general.run_statistics,
        ),
        Stage("plots", "draw", analyses and valid.plotting.enabled),
        Stage("report", "make the page about the run", general.report),
    )


def _prepares(config: Config) -> bool:
    return config.datasets.prepare is not None


def needs_skims(config: Config) -> bool:
    """Whether the run looks at events, or is asked to make or check what is before them."""
    general = config.general
    if general.run_plots_only:
        return False
    fills = general.analysis != "skip" and general.run_histogramming
    return fills or general.run_metadata_generation or general.run_skimming


def make_output_manager(config: Config) -> OutputDirectoryManager:
    """Folders as the section ``general`` says."""
    general = config.general
    skimmed = config.preprocess.skimming.output.output_dir or general.skimmed_dir
    return OutputDirectoryManager(
        root_output_dir=general.output_dir,
        cache_dir=general.cache_dir,
        metadata_dir=general.metadata_dir,
        skimmed_dir=skimmed,
    )


def make_skims(
    config: Config,
    output_manager: OutputDirectoryManager,
    executor: Executor,
    manager: ConfigurableDatasetManager | None = None,
) -> dict[str, Skim]:
    """Metadata and skim, or what an earlier run stored of them."""
    generator = NanoAODMetadataGenerator(
        dataset_manager=manager or ConfigurableDatasetManager(config.datasets),
        output_manager=output_manager,
        executor=executor,
        read_from_cache=config.general.read_from_cache,
    )
    generator.run(config.general.processes, config.general.run_metadata_generation)
    return process_workitems_with_skimming(
        generator.workitems,
        config,
        output_manager,
        fileset=generator.fileset,
        nanoaods_summary=generator.nanoaods_summary,
        executor=executor,
    )
