"""Which figures and tables an analysis has, besides how they are drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hepflow.histograms import cutflow_table
from hepflow.output_manager import OutputDirectoryManager
from hepflow.plotting import (
    LOOK_FILE,
    FigureTask,
    PlottingSpec,
    histogram_tasks,
    result_tables,
    systematics_table,
    text_table,
    variation_tasks,
    write_tables,
)
from hepflow.plotting.tables import Table
from hepflow.records import HistogramSet, StatisticsResult
from hepflow.schema import Config
from hepflow.storage import atomic_write

FOLDER = "tables"  # in that of the statistics


def look(config: Config, histograms: HistogramSet) -> PlottingSpec:
    """How figures look; the luminosity is that of what was processed."""
    spec = PlottingSpec.from_config(config)
    if not histograms.rescaled:
        return spec
    return replace(spec, luminosity=sum(histograms.luminosity.values()))


def fitted(config: Config, histograms: HistogramSet) -> dict[str, str]:
    """Observable of the fit by channel, of those that are filled."""
    return {
        one.name: one.fit_observable
        for one in config.channels
        if one.fit_observable and (one.name, one.fit_observable) in histograms.axes
    }


def tasks_before_fit(
    config: Config,
    histograms: HistogramSet,
    spec: PlottingSpec,
    folders: OutputDirectoryManager,
    remarks: tuple[str, ...],
) -> list[FigureTask]:
    """Figures of the histograms: every observable, and the effect of sources where wanted."""
    tasks = histogram_tasks(histograms, spec, folders, remarks=remarks)
    if config.plotting.template_variations:
        observables = fitted(config, histograms)
        tasks += variation_tasks(histograms, observables, spec, folders, remarks=remarks)
    return tasks


def save_tables(
    config: Config,
    histograms: HistogramSet,
    statistics: StatisticsResult | None,
    output_manager: OutputDirectoryManager,
    remarks: tuple[str, ...],
) -> None:
    """Write yields, effects of sources, the fit and cutflows as LaTeX, and nothing older."""
    if statistics is None:
        _remove_tables(output_manager, keep=set())
        return
    spec = look(config, histograms)
    found = result_tables(statistics, spec, remarks=remarks)
    found += [
        systematics_table(histograms, channel, observable, spec, remarks=remarks)
        for channel, observable in fitted(config, histograms).items()
    ]
    found += [_cutflow(histograms, one, spec.labels, remarks) for one in histograms.channels]
    folder = output_manager.get_statistics_dir() / FOLDER
    _remove_tables(output_manager, keep=set(write_tables(found, folder)))


def _remove_tables(output_manager: OutputDirectoryManager, keep: set[Path]) -> None:
    folder = Path(output_manager.list_structure()["statistics"]) / FOLDER  # not made here
    for old in set(folder.glob("*.tex")) - keep:
        old.unlink()


def save_look(spec: PlottingSpec, output_manager: OutputDirectoryManager) -> None:
    """Write how figures look, for those that are drawn later, where it is not there yet."""
    path, text = output_manager.get_plots_dir() / LOOK_FILE, json.dumps(spec.to_json(), indent=1)
    if not path.exists() or path.read_bytes() != text.encode():
        atomic_write(path, text)


def forget_look(output_manager: OutputDirectoryManager) -> None:
    """Remove what `save_look` wrote: there are no figures any more."""
    (Path(output_manager.list_structure()["plots"]) / LOOK_FILE).unlink(missing_ok=True)


def _cutflow(
    histograms: HistogramSet, channel: str, labels: Mapping[str, str], remarks: tuple[str, ...]
) -> Table:
    table = cutflow_table(histograms, channel)
    columns, title = ("cut", *table.columns), f"Cutflow of {channel}"
    return text_table(f"cutflow_{channel}", title, columns, table.rows, remarks, labels=labels)
