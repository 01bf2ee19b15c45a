"""Which figures a run draws, and where they go."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hepflow.plotting.draw import draw_stack
from hepflow.plotting.draw_exclusion import draw_exclusion
from hepflow.plotting.draw_fit import draw_correlation, draw_pulls, draw_scan
from hepflow.plotting.draw_ranking import draw_groups, draw_ranking
from hepflow.plotting.draw_scans import (
    draw_band,
    draw_contour,
    draw_goodness,
    draw_likelihood,
)
from hepflow.plotting.draw_variations import draw_variations
from hepflow.plotting.exclusion_numbers import ExclusionNumbers
from hepflow.plotting.fit_numbers import (
    CorrelationNumbers,
    PullNumbers,
    correlation_numbers,
    pull_numbers,
    pull_pages,
)
from hepflow.plotting.numbers import StackNumbers, prediction_numbers, stack_numbers
from hepflow.plotting.ranking_numbers import GroupNumbers, RankingNumbers
from hepflow.plotting.save import save_figure, typesetting
from hepflow.plotting.sbi_drawing import SBI_DRAWING
from hepflow.plotting.scan_numbers import ContourNumbers, GoodnessNumbers, LimitBand, ScanNumbers
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import house_style, new_axes, new_figure
from hepflow.plotting.svg import svg_text
from hepflow.plotting.variation_numbers import VariationNumbers
from hepflow.records import FitResult, HistogramSet, LimitResult
from hepflow.records.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

# How each kind of content is drawn.
DRAWING: dict[type, Callable[..., Any]] = {
    StackNumbers: draw_stack,
    PullNumbers: draw_pulls,
    CorrelationNumbers: draw_correlation,
    LimitResult: draw_scan,
    RankingNumbers: draw_ranking,
    GroupNumbers: draw_groups,
    ScanNumbers: draw_likelihood,
    ContourNumbers: draw_contour,
    LimitBand: draw_band,
    ExclusionNumbers: draw_exclusion,
    GoodnessNumbers: draw_goodness,
    VariationNumbers: draw_variations,
    **SBI_DRAWING,
}
TITLES = {"prefit": "Pre-fit", "postfit": "Post-fit"}


class PlotFolders(Protocol):
    """What is needed of the output manager."""

    def get_plots_dir(self, subdir: str | None = None) -> Path:
        """Folder of the plots, made if missing."""
        ...


@dataclass(frozen=True)
class FigureTask:
    """One figure to draw and write: plain numbers, so that it can travel to a worker."""

    content: Any  # numbers, of one of the types in `DRAWING`
    spec: PlottingSpec
    folder: Path
    name: str  # of the files, without suffix
    remarks: tuple[str, ...] = ()


Run = Callable[[Callable[[FigureTask], list[Path]], Iterable[FigureTask]], Iterable[list[Path]]]


def make_figure(task: FigureTask) -> Figure:
    """Draw the figure of a task without writing it."""
    drawing = DRAWING[type(task.content)]
    figure: Figure = drawing(task.content, task.spec, remarks=task.remarks)
    return figure


def figure_svg(task: FigureTask, title: str = "", prefix: str = "") -> str:
    """Draw the figure of a task as an element for an HTML page, see `svg_text`."""
    with typesetting(task.name):
        return svg_text(make_figure(task), title, prefix)


def warm_up(_: object = None) -> None:
    """Import what drawing takes, in a process that will draw, before there is anything to draw.

    A plain function, for a pool of processes: the client computes meanwhile.
    """
    from matplotlib.backends import backend_pdf  # noqa: F401 - takes long, and is done here

    with house_style():
        figure = new_figure(PlottingSpec())
        new_axes(figure, (0.2, 0.2, 0.6, 0.6))
        figure.draw_without_rendering()
    gc.freeze()  # the imports, through which each collection would go otherwise


def write_figure(task: FigureTask) -> list[Path]:
    """Draw and write the figure of a task; a plain function, for a pool of processes.

    Returns
    -------
    list of Path
        One file a format.

    Raises
    ------
    InputError
        A label is not valid TeX.
    StorageError
        The folder can't be written.
    """
    with typesetting(task.name):
        figure = make_figure(task)
    formats, dpi = task.spec.formats, task.spec.dpi
    return save_figure(figure, task.folder, task.name, formats, dpi, task.remarks)


def histogram_tasks(
    histograms: HistogramSet,
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    remarks: Sequence[str] = (),
) -> list[FigureTask]:
    """One task a channel and observable, into ``plots/<channel>/<observable>``."""
    return [
        FigureTask(
            stack_numbers(histograms, channel, observable, spec),
            spec,
            output_manager.get_plots_dir(channel),
            observable,
            tuple(remarks),
        )
        for channel in histograms.channels
        for observable in histograms.observables(channel)
    ]


def fit_tasks(
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    fit: FitResult | None = None,
    predictions: Sequence[Prediction] = (),
    limit: LimitResult | None = None,
    remarks: Sequence[str] = (),
) -> list[FigureTask]:
    """Tasks of the figures about the fit, into ``plots/statistics``.

    A fit that did not converge has no figures (a picture would pass for a result); its
    post-fit predictions neither.
    """
    folder = output_manager.get_plots_dir("statistics")
    failed = fit is not None and not fit.converged
    if failed:
        logger.warning("the fit did not converge: no pulls, correlations and post-fit plots")
    named: dict[str, Any] = {}
    for prediction in predictions:
        if prediction.kind == "postfit" and failed:
            continue
        for channel in prediction.channels:
            numbers = prediction_numbers(channel, spec, TITLES[prediction.kind])
            named[f"{prediction.kind}_{channel.name}"] = numbers
    if fit is not None and fit.converged:
        pages = pull_pages(pull_numbers(fit, spec.norm_factors))
        named |= {f"pulls_{i}" if i > 1 else "pulls": page for i, page in enumerate(pages, 1)}
        correlations = correlation_numbers(fit)
        if len(correlations.labels) > 1:
            named["correlation"] = correlations
    if limit is not None and limit.scan is not None:
        named["limit_scan"] = limit
    said = dict.fromkeys(named, tuple(remarks))
    pulls = [name for name in named if name.startswith("pulls")]
    if len(pulls) > 1:
        count = len(pulls)
        said |= {name: (*remarks, f"page {i} of {count}") for i, name in enumerate(pulls, 1)}
    return [FigureTask(content, spec, folder, name, said[name]) for name, content in named.items()]


def draw_tasks(tasks: Iterable[FigureTask], run: Run = map) -> list[Path]:
    """Draw and write figures; `run` is ``map`` or the map of a pool of processes.

    Returns
    -------
    list of Path
        All files, in the order of the tasks.
    """
    return [path for paths in run(write_figure, tasks) for path in paths]


def draw_all(
    histograms: HistogramSet,
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    remarks: Sequence[str] = (),
    run: Run = map,
) -> list[Path]:
    """Draw data and simulation of every channel and observable, before the fit.

    Parameters
    ----------
    histograms : HistogramSet
        Normalised histograms with their variations.
    spec : PlottingSpec
        From `PlottingSpec.from_config`.
    output_manager : PlotFolders
        Gives the folder of the plots.
    remarks : sequence of str
        Written on every figure, such as "99.2 % of data".
    run : callable
        ``map`` or the map of a pool of processes.

    Returns
    -------
    list of Path
        The files.
    """
    return draw_tasks(histogram_tasks(histograms, spec, output_manager, remarks=remarks), run)


def draw_fit(  # noqa: PLR0913 -- each input is a record that may be absent
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    fit: FitResult | None = None,
    predictions: Sequence[Prediction] = (),
    limit: LimitResult | None = None,
    remarks: Sequence[str] = (),
    run: Run = map,
) -> list[Path]:
    """Draw what is there of a fit: predictions, pulls, correlations, limit scan.

    Parameters
    ----------
    spec : PlottingSpec
        From `PlottingSpec.from_config`.
    output_manager : PlotFolders
        Gives the folder of the plots.
    fit : FitResult, optional
        One that did not converge is not drawn.
    predictions : sequence of Prediction
        Before and after the fit.
    limit : LimitResult, optional
        Drawn if it has a scan.
    remarks : sequence of str
        Written on every figure.
    run : callable
        ``map`` or the map of a pool of processes.

    Returns
    -------
    list of Path
        The files.
    """
    tasks = fit_tasks(
        spec, output_manager, fit=fit, predictions=predictions, limit=limit, remarks=remarks
    )
    return draw_tasks(tasks, run)
