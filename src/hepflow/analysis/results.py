"""From histograms to files, fit and figures; what is there with the same key is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hepflow.errors import WorkspaceError
from hepflow.execution import Executor
from hepflow.execution.failures import raise_failures
from hepflow.histograms import LOSSLESS_FILE, ROOT_FILE, write_cutflows, write_histograms
from hepflow.keys import Key, make_key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.plotting import PlottingSpec, fit_tasks, histogram_tasks, write_figure
from hepflow.plotting.run import FigureTask
from hepflow.records import HistogramSet
from hepflow.schema import Config
from hepflow.stamps import is_current, remove_stamp, write_stamp
from hepflow.statistics import (
    StatisticsResult,
    StatisticsSpec,
    config_path,
    load_statistics,
    run_statistics,
    write_cabinetry_config,
)
from hepflow.storage import sha256_file

_log = logging.getLogger(__name__)
_COMPLETE = 1.0 - 1e-12


@dataclass(frozen=True)
class AnalysisResult:
    """What a chain of an analysis gave."""

    histograms: HistogramSet
    statistics: StatisticsResult | None  # None where statistics were switched off
    plots: tuple[Path, ...]  # all files


def incomplete_data(histograms: HistogramSet) -> dict[str, float]:
    """Datasets of collision data that were not processed in full, with the fraction that was."""
    fractions = {
        key: histograms.ledger.fraction(key)
        for key, process in histograms.process_of.items()
        if process in histograms.data_processes
    }
    return {key: fraction for key, fraction in fractions.items() if fraction < _COMPLETE}


def remarks_on(histograms: HistogramSet) -> tuple[str, ...]:
    """What every plot and table of these histograms must say."""
    lowest = min(incomplete_data(histograms).values(), default=None)
    return () if lowest is None else (f"{100 * lowest:.3g} % of data",)


def save_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    """Write ``histograms.root``, ``histograms.zip`` and the cabinetry configuration.

    Parameters
    ----------
    key
        Key of the histograms; None writes in any case.
    """
    folder = output_manager.get_histograms_dir()
    if key is None or not is_current(folder, key):
        remove_stamp(folder)
        files = (*write_histograms(histograms, folder), write_cutflows(histograms, folder))
        if key is not None:
            write_stamp(folder, key, files)
        _log.info("histograms: %s and %s in %s", ROOT_FILE, LOSSLESS_FILE, folder)
    if config.statistics.norm_factors:
        spec = StatisticsSpec.from_config(config)
        path = config_path(spec, output_manager.get_statistics_dir())
        try:
            write_cabinetry_config(histograms, spec, path, folder / ROOT_FILE)
        except WorkspaceError as error:
            if config.general.run_statistics:
                raise
            _log.warning("no cabinetry configuration, so no fit: %s", error)


def fit_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> StatisticsResult:
    """Fit, limit and significance; read back where nothing changed that they depend on."""
    spec = StatisticsSpec.from_config(config)
    folder = output_manager.get_statistics_dir()
    expected_only = bool(incomplete_data(histograms))
    full = None if key is None else _statistics_key(spec, key, expected_only)
    if full is not None and config.general.read_from_cache and is_current(folder, full):
        _log.info("statistics: reused, nothing that they depend on has changed")
        return load_statistics(folder)
    remove_stamp(folder)
    _log.info("statistics: fit, limit and significance")
    result = run_statistics(spec, histograms, output_manager, expected_only=expected_only)
    if full is not None:
        names = ("workspace", "fit", "prediction", "limit", "significance")
        paths = [folder / f"{name}.json" for name in names]
        write_stamp(folder, full, [path for path in paths if path.exists()])
    return result


def _statistics_key(spec: StatisticsSpec, key: Key, expected_only: bool) -> Key:
    own = spec.cabinetry_config
    digest = sha256_file(own) if own and Path(own).is_file() else None
    return make_key(
        "statistics", histograms=key.digest, model=spec, own=digest, expected_only=expected_only
    )


def draw_results(
    config: Config,
    histograms: HistogramSet,
    statistics: StatisticsResult | None,
    output_manager: OutputDirectoryManager,
    executor: Executor,
) -> list[Path]:
    """Draw all figures in parallel; a figure whose content did not change is kept.

    Returns
    -------
    list of Path
        All files, drawn or kept.
    """
    spec = PlottingSpec.from_config(config)
    remarks = remarks_on(histograms)
    tasks = histogram_tasks(histograms, spec, output_manager, remarks=remarks)
    if statistics is not None:
        tasks += fit_tasks(
            spec,
            output_manager,
            fit=statistics.fit,
            predictions=(statistics.prefit, statistics.postfit),
            limit=statistics.limit,
            remarks=remarks,
        )
    _remove_unwanted(output_manager.get_plots_dir("statistics"), tasks)
    todo = [task for task in tasks if not _is_drawn(config, task)]
    _log.info("plots: %d figures, %d to draw", len(tasks), len(todo))
    failed = []
    for outcome in executor.map(write_figure, todo, label="drawing") if todo else ():
        if outcome.ok:
            write_stamp(
                outcome.item.folder,
                _figure_key(outcome.item),
                outcome.value,
                _stamp_name(outcome.item),
            )
        else:
            failed.append(outcome)
    raise_failures(failed, "drawing", of=len(tasks))
    return [task.folder / f"{task.name}.{kind}" for task in tasks for kind in spec.formats]


def _figure_key(task: FigureTask) -> Key:
    return make_key("figure", content=task.content, spec=task.spec, remarks=task.remarks)


def _stamp_name(task: FigureTask) -> str:
    return f".{task.name}.key.json"


def _is_drawn(config: Config, task: FigureTask) -> bool:
    if not config.general.read_from_cache:
        return False
    return is_current(task.folder, _figure_key(task), _stamp_name(task))


def _remove_unwanted(folder: Path, tasks: Iterable[FigureTask]) -> None:
    """Take away figures of an earlier fit that this one does not have."""
    names = {task.name for task in tasks if task.folder == folder}
    for path in folder.glob("*.*"):
        if path.suffix in {".pdf", ".png", ".svg"} and path.stem not in names:
            path.unlink()
