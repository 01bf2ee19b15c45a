"""Figures: `numbers` and `fit_numbers` compute, `draw` and `draw_fit` draw, `run` writes."""

from hepflow.plotting.draw import draw_stack
from hepflow.plotting.draw_fit import draw_correlation, draw_pulls, draw_scan
from hepflow.plotting.fit_numbers import correlation_numbers, pull_numbers
from hepflow.plotting.numbers import StackNumbers, prediction_numbers, stack_numbers
from hepflow.plotting.run import (
    FigureTask,
    draw_all,
    draw_fit,
    draw_tasks,
    fit_tasks,
    histogram_tasks,
    make_figure,
    warm_up,
    write_figure,
)
from hepflow.plotting.save import save_figure
from hepflow.plotting.spec import NormalisationSource, PlottingSpec, check_colours

__all__ = [
    "FigureTask",
    "NormalisationSource",
    "PlottingSpec",
    "StackNumbers",
    "check_colours",
    "correlation_numbers",
    "draw_all",
    "draw_correlation",
    "draw_fit",
    "draw_pulls",
    "draw_scan",
    "draw_stack",
    "draw_tasks",
    "fit_tasks",
    "histogram_tasks",
    "make_figure",
    "prediction_numbers",
    "pull_numbers",
    "save_figure",
    "stack_numbers",
    "warm_up",
    "write_figure",
]
