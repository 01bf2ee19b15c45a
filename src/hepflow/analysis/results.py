"""From histograms to files, fit and figures; what is there with the same key is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hepflow.errors import ConfigurationError, WorkspaceError
from hepflow.execution import Executor
from hepflow.execution.failures import raise_failures
from hepflow.histograms import (
    LOSSLESS_FILE,
    ROOT_FILE,
    write_cutflows,
    write_histograms,
    write_root,
)
from hepflow.keys import Key, make_key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.plotting import PlottingSpec, fit_tasks, histogram_tasks, write_figure
from hepflow.plotting.run import FigureTask
from hepflow.records import HistogramSet
from hepflow.schema import Config
from hepflow.stamps import is_current, remove_stamp, write_stamp
from hepflow.statistics import (
    TEMPLATE_FILE,
    StatisticsResult,
    StatisticsSpec,
    config_path,
    differs_from_filled,
    fit_templates,
    load_statistics,
    regions_without_data,
    run_statistics,
    template_file,
    uses_own,
    write_cabinetry_config,
)

_log = logging.getLogger(__name__)
_COMPLETE = 1.0 - 1e-12
_TEMPLATE_STAMP = ".templates.key.json"


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


def fit_is_expected_only(histograms: HistogramSet, spec: StatisticsSpec) -> bool:
    """Whether a fit may not be to observed data: they are incomplete, or a region has none.

    The data of a cabinetry file that the user names come from where that file says.
    """
    if incomplete_data(histograms):
        return True
    return spec.cabinetry_config is None and bool(regions_without_data(histograms, spec))


def save_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    """Write ``histograms.root``, ``histograms.zip`` and the cabinetry configuration.

    Where the fit takes other contents than were filled (folded overflow), these are written to
    ``templates.root`` of the statistics folder, which the configuration names then.

    Parameters
    ----------
    key
        Key of the histograms; None writes in any case.
    """
    folder = output_manager.get_histograms_dir()
    if key is None or not is_current(folder, key):
        remove_stamp(folder)
        cutflows = write_cutflows(histograms, folder, remarks_on(histograms))
        files = (*write_histograms(histograms, folder), cutflows)
        if key is not None:
            write_stamp(folder, key, files)
        _log.info("histograms: %s and %s in %s", ROOT_FILE, LOSSLESS_FILE, folder)
    if config.statistics.norm_factors:
        try:
            _write_model(config, histograms, output_manager, key)
        except (ConfigurationError, WorkspaceError) as error:
            # Without the signal's process there is nothing to fit, but histograms may be wanted:
            # the fit itself says so again.
            if config.general.run_statistics and isinstance(error, WorkspaceError):
                raise
            _log.warning("no cabinetry configuration, so no fit: %s", error)


def _write_model(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    spec = StatisticsSpec.from_config(config)
    folder = output_manager.get_statistics_dir()
    file = template_file(spec, folder, output_manager.get_histograms_dir() / ROOT_FILE)
    write_cabinetry_config(histograms, spec, config_path(spec, folder), file)
    _write_templates(spec, histograms, output_manager, key)


def _write_templates(
    spec: StatisticsSpec,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    """Write the file that a generated cabinetry configuration names in the filled one's place.

    Also for a configuration of the user's: it may be a generated one that was edited.
    """
    folder = output_manager.get_statistics_dir()
    if not differs_from_filled(spec):
        remove_stamp(folder, _TEMPLATE_STAMP)
        (folder / TEMPLATE_FILE).unlink(missing_ok=True)  # of an earlier configuration
        return
    full = None if key is None else make_key("templates", histograms=key.digest, model=spec)
    if full is not None and is_current(folder, full, _TEMPLATE_STAMP):
        return
    remove_stamp(folder, _TEMPLATE_STAMP)
    file = write_root(fit_templates(histograms, spec), folder / TEMPLATE_FILE)
    if full is not None:
        write_stamp(folder, full, [file], _TEMPLATE_STAMP)


def fit_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> StatisticsResult:
    """Fit, limit and significance; read back where nothing changed that they depend on."""
    spec = StatisticsSpec.from_config(config)
    folder = output_manager.get_statistics_dir()
    expected_only = fit_is_expected_only(histograms, spec)
    full = None if key is None else _statistics_key(spec, key, expected_only)
    if uses_own(spec, config_path(spec, folder)):
        _log.info("statistics: made anew, as your own cabinetry file may name any other files")
        full = None
    _write_templates(spec, histograms, output_manager, key)
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
    return make_key("statistics", histograms=key.digest, model=spec, expected_only=expected_only)


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
