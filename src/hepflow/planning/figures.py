"""Figures before they are drawn: those whose content or look differs from what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hepflow.analysis import Analysis

# The key of a figure and where it is kept, as the drawing itself has them; and stored results.
from hepflow.analysis.drawing import _is_drawn, _key, _stamp_name
from hepflow.analysis.figures import look, tasks_before_fit
from hepflow.analysis.results import _load, all_remarks
from hepflow.errors import HepflowError
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.records import Piece, Reason, StageForecast, Status, changed
from hepflow.planning.results import Normalised
from hepflow.planning.settings import LOOK, differences
from hepflow.plotting import result_tasks
from hepflow.plotting.run import FigureTask
from hepflow.records import HistogramSet
from hepflow.stamps import read_key
from hepflow.statistics import StatisticsSpec

STAGE = "plots"
_WHAT = "draw"


def forecast_figures(
    analysis: Analysis,
    normalised: Normalised,
    fit: StageForecast,
    folders: OutputDirectoryManager,
) -> StageForecast:
    """Compare what figures would show with what was drawn."""
    if not analysis.config.plotting.enabled:
        return StageForecast(STAGE, _WHAT, "left out", (Reason("plotting.enabled is off"),))
    histograms = normalised.histograms
    if histograms is None:
        stage = normalised.stage
        before = stage.reasons if stage else ()
        if not analysis.config.general.read_from_cache:
            return _all_anew(analysis, folders)
        hangs = (Reason("they show histograms that are not filled yet", before),)
        there = _others(folders, set())
        return StageForecast(
            STAGE, _WHAT, "unknown", hangs, there, todo=len(there) or _number(analysis)
        )
    tasks = _tasks(analysis, histograms, fit, folders)
    before = normalised.stage.reasons if normalised.stage else ()
    reuse = analysis.config.general.read_from_cache
    look = _look(analysis, folders)
    pieces = [_piece(task, folders, before, fit.reasons, look, reuse=reuse) for task in tasks]
    unsure = fit.status in {"runs", "unknown"}
    if unsure:
        pieces += _others(folders, {piece.name for piece in pieces}, only="statistics")
    todo = sum(piece.status == "runs" for piece in pieces)
    reasons = tuple(dict.fromkeys(reason for piece in pieces for reason in piece.reasons))
    if unsure:
        reasons = (*reasons, Reason("those of the fit hang on its result", fit.reasons))
    return StageForecast(
        STAGE,
        _WHAT,
        _status(todo, len(tasks), unsure=unsure),
        reasons,
        tuple(pieces),
        count=_count(todo, len(tasks), unsure=unsure),
        todo=todo,
    )


def _all_anew(analysis: Analysis, folders: OutputDirectoryManager) -> StageForecast:
    """Forecast where nothing is kept, whatever the figures will show."""
    why = (Reason("general.read_from_cache is off"),)
    pieces = tuple(replace(one, status="runs", reasons=why) for one in _others(folders, set()))
    return StageForecast(STAGE, _WHAT, "runs", why, pieces, todo=len(pieces) or _number(analysis))


def _number(analysis: Analysis) -> int:
    """How many figures there will be."""
    number, asked = len(analysis.spec.axes()), analysis.config.statistics
    if analysis.config.general.run_statistics:
        # before and after; pulls, correlation, CLs scan; impacts of parameters and of groups
        number += 2 * len(analysis.spec.channels) + 3 + 2 * asked.ranking + len(asked.scans)
    return number


def _status(todo: int, total: int, *, unsure: bool) -> Status:
    if not todo:
        return "unknown" if unsure else "reused"
    return "partly" if todo < total else "runs"


def _count(todo: int, total: int, *, unsure: bool) -> str:
    known = f"{todo} of {total} figures" if todo else f"{total} figures"
    return f"{known}, and those of the fit" if unsure else known


def _tasks(
    analysis: Analysis,
    histograms: HistogramSet,
    fit: StageForecast,
    folders: OutputDirectoryManager,
) -> list[FigureTask]:
    """Figures whose content is known."""
    spec, remarks = look(analysis.config, histograms), all_remarks(analysis.config, histograms)
    tasks = tasks_before_fit(analysis.config, histograms, spec, folders, remarks)
    if fit.status not in {"reused", "read back"}:
        return tasks
    try:
        model = StatisticsSpec.from_config(analysis.config)
        results = _load(folders.get_statistics_dir(), model)
    except HepflowError:
        return tasks
    return tasks + result_tasks(results, spec, folders, remarks=remarks)


def _piece(
    task: FigureTask,
    folders: OutputDirectoryManager,
    before: Sequence[Reason],
    fit: Sequence[Reason],
    look: Reason,
    *,
    reuse: bool,
) -> Piece:
    name = _shown(task.folder / task.name, folders)
    key = _key(task)
    stored = read_key(task.folder, _stamp_name(task))
    stamp = task.folder / _stamp_name(task)
    if reuse and _is_drawn(task):
        return Piece(name, "reused", (), key, stored, there=1, stamp=stamp)
    if not reuse:
        reasons: tuple[Reason, ...] = (Reason("general.read_from_cache is off"),)
    else:
        of_fit = task.folder.name == "statistics"
        reasons = changed(stored, key, {"content": fit if of_fit else before})
        reasons = tuple(look if one.what == "spec changed" else one for one in reasons)
    return Piece(name, "runs", reasons, key, stored, stamp=stamp)


def _look(analysis: Analysis, folders: OutputDirectoryManager) -> Reason:
    """Why figures look otherwise: the settings, where these are among those of the plotting."""
    found = differences(analysis.config, folders)
    names = [one.path for one in found if one.path.startswith("plotting.")]
    return Reason(LOOK, tuple(Reason(f"{name} changed") for name in names))


def _shown(path: Path, folders: OutputDirectoryManager) -> str:
    return path.relative_to(folders.get_root_dir()).as_posix()


def _others(folders: OutputDirectoryManager, known: set[str], only: str = "") -> tuple[Piece, ...]:
    """Figures of an earlier run, of which cannot be told yet whether they stay."""
    top = folders.get_plots_dir() / only if only else folders.get_plots_dir()
    pieces = []
    for stamp in sorted(top.rglob(".*.key.json")):
        name = stamp.name.removeprefix(".").removesuffix(".key.json")
        shown = _shown(stamp.parent / name, folders)
        if shown not in known:
            stored = read_key(stamp.parent, stamp.name)
            pieces.append(Piece(shown, "unknown", (), None, stored, stamp=stamp))
    return tuple(pieces)
