"""Draw the figures about impacts: the ranking of parameters, and the groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.labels import experiment_label
from hepflow.plotting.ranking_numbers import GroupNumbers, RankingNumbers
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import (
    SMALL,
    TINY,
    WIDTH,
    house_style,
    new_axes,
    new_figure,
    number,
    parameter_label,
)
from hepflow.plotting.texts import REMARK, name_width, value_text, write_remarks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UP, DOWN = "#3f90da", "#e76300"  # colours of a parameter moved up and down
TOTAL = "#4d4d4d"  # colour of the whole uncertainty
BAR = 0.72  # height of a bar in rows
RIGHT = 1.3  # room for the values as text [inch]
LIFT = 42.0  # of the experiment above the axes, for the upper axis [pt]
USUAL = 1.8  # width of the names [inch] beyond which the figure is wider
PULLS = 1.7  # the pulls' axis ends there at least, in units of the constraint
POINTS: dict[str, Any] = {"fmt": "o", "color": "black", "markersize": 4.5, "elinewidth": 1.4}


def draw_ranking(
    numbers: RankingNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw impacts as bars on the lower axis and pulls as points on the upper one.

    Parameters
    ----------
    numbers : RankingNumbers
        From `ranking_numbers`.
    spec : PlottingSpec
        Experiment, luminosity, labels of the parameters.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    count = len(numbers.labels)
    with house_style(spec.style):
        names = _ranked_names(numbers, spec)
        lines = list(remarks)
        if numbers.left_out:
            lines.append(f"{numbers.left_out} parameters with other impacts not shown")
        left = max(name_width(names, TINY), 1.0)
        wide = WIDTH + max(left - USUAL, 0.0)
        top, high, low = 1.0 + REMARK * len(lines), 0.31 * count + 0.1, 1.25
        tall = top + high + low
        figure = new_figure(spec, tall, wide)
        box = (left / wide, low / tall, 1 - (left + RIGHT) / wide, high / tall)
        impacts = new_axes(figure, box, "x")
        # A second axis on the same place: twins would share the ticks of the names.
        pulls = new_axes(figure, box, "")
        rows = np.arange(count)[::-1]
        _impact_bars(impacts, numbers, rows)
        _impact_scale(impacts, numbers, parameter_label(numbers.poi, spec))
        _pull_points(pulls, numbers, rows)
        for axes in (impacts, pulls):
            axes.set_ylim(-0.66, count - 0.34)
        impacts.set_yticks(rows, names, size=TINY)
        impacts.tick_params(axis="y", which="both", left=False, right=False)
        _values(impacts, numbers, rows)
        _poi_text(impacts, numbers, spec)
        _legend(impacts, tall)
        at_right = 1.0 + (RIGHT - 0.12) / (wide - left - RIGHT)
        experiment_label(impacts, spec, at_right=at_right, lift=LIFT)
        write_remarks(figure, lines)
    return figure


def _ranked_names(numbers: RankingNumbers, spec: PlottingSpec) -> list[str]:
    labels = (parameter_label(label, spec) for label in numbers.labels)
    return [f"{rank}. {label}" for rank, label in enumerate(labels, numbers.first)]


def _impact_bars(axes: Axes, numbers: RankingNumbers, rows: Any) -> None:
    """Filled after the fit, outlined before it; down is hatched, for readers without colours."""
    for side, colour, hatch in ((0, DOWN, "/////"), (1, UP, None)):
        outline = numbers.prefit[:, side]
        known = np.isfinite(outline)
        look: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": 1.2, "zorder": 3}
        axes.barh(rows[known], outline[known], BAR, **look)
        look = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.0, "alpha": 0.75}
        axes.barh(rows, numbers.postfit[:, side], BAR, hatch=hatch, zorder=2, **look)


def _impact_scale(axes: Axes, numbers: RankingNumbers, poi: str) -> None:
    both = np.concatenate([numbers.postfit.ravel(), numbers.prefit.ravel()])
    reach = float(np.nanmax(np.abs(both), initial=0.0)) or 1.0
    axes.set_xlim(-1.12 * reach, 1.12 * reach)
    axes.axvline(0.0, color="black", lw=0.8)
    axes.set_xlabel(rf"$\Delta\,${poi}", size=16, loc="center")
    axes.tick_params(axis="x", which="both", top=False, labelsize=SMALL)


def _pull_points(axes: Axes, numbers: RankingNumbers, rows: Any) -> None:
    held = np.isfinite(numbers.pulls)
    axes.patch.set_visible(False)
    axes.errorbar(
        numbers.pulls[held], rows[held], xerr=numbers.pull_errors[held], zorder=5, **POINTS
    )
    ends = np.abs(numbers.pulls[held]) + numbers.pull_errors[held]
    limit = max(PULLS, 1.08 * float(np.max(ends, initial=0.0)))
    axes.set_xlim(-limit, limit)
    for place in (-1, 1):
        axes.axvline(place, color="black", lw=0.8, ls=":")
    axes.set_yticks([])
    axes.xaxis.set_label_position("top")
    axes.tick_params(
        axis="x", which="both", top=True, bottom=False, labeltop=True, labelbottom=False,
        labelsize=SMALL,
    )  # fmt: skip
    axes.set_xlabel(r"$(\hat{\theta} - \theta_0)\,/\,\Delta\theta$", size=16)


def _values(axes: Axes, numbers: RankingNumbers, rows: Any) -> None:
    """Write pulls, or where nothing constrains a parameter its value."""
    for index, row in enumerate(rows):
        free = not np.isfinite(numbers.pulls[index])
        value = numbers.values[index] if free else numbers.pulls[index]
        error = numbers.errors[index] if free else numbers.pull_errors[index]
        _beside(axes, row, ("= " if free else "") + value_text(float(value), float(error)))


def _beside(axes: Axes, row: Any, text: str) -> None:
    """Write something behind the end of a row."""
    axes.annotate(
        text,
        (1.0, row),
        xytext=(8, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        size=TINY,
    )


def _poi_text(axes: Axes, numbers: RankingNumbers | GroupNumbers, spec: PlottingSpec) -> None:
    text = value_text(numbers.bestfit, numbers.uncertainty)
    name = parameter_label(numbers.poi, spec)
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(f"{name} = {text}", (0.0, 0.0), xytext=(0, -46), size=SMALL, va="center", **below)


def _legend(axes: Axes, tall: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    filled: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.0, "alpha": 0.75}
    handles = [
        Patch(facecolor=UP, label=r"$+1\sigma$ post-fit", **filled),
        Patch(facecolor=DOWN, hatch="/////", label=r"$-1\sigma$ post-fit", **filled),
        Patch(fill=False, edgecolor=UP, linewidth=1.2, label=r"$+1\sigma$ pre-fit"),
        Patch(fill=False, edgecolor=DOWN, linewidth=1.2, label=r"$-1\sigma$ pre-fit"),
        Line2D([], [], marker="o", color="black", ms=4.5, lw=1.4, label="Pull"),
    ]
    axes.figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.04 / tall),
        ncols=5,
        fontsize=TINY,
        columnspacing=1.1,
        handlelength=1.4,
        handletextpad=0.4,
        borderpad=0.2,
    )


def draw_groups(
    numbers: GroupNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw the parts of the uncertainty of the parameter of interest, the total on top.

    Parameters
    ----------
    numbers : GroupNumbers
        From `group_numbers`.
    spec : PlottingSpec
        Experiment, luminosity, labels.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    names = ["Total", *(parameter_label(label, spec) for label in numbers.labels)]
    sizes = np.concatenate([[numbers.uncertainty], numbers.impacts])
    with house_style(spec.style):
        left = max(name_width(names, TINY), 1.0)
        top, high, low = 0.5 + REMARK * len(remarks), 0.31 * len(names) + 0.1, 0.95
        tall = top + high + low
        figure = new_figure(spec, tall)
        box = (left / WIDTH, low / tall, 1 - (left + RIGHT) / WIDTH, high / tall)
        axes = new_axes(figure, box, "x")
        rows = np.arange(len(names))[::-1]
        colours = [TOTAL, *[UP] * len(numbers.labels)]
        axes.barh(rows, sizes, BAR, color=colours, linewidth=0.0)
        axes.axvline(numbers.uncertainty, color=TOTAL, lw=1.0, ls="--")
        axes.set_xlim(0.0, 1.08 * float(sizes.max()) or 1.0)
        axes.set_ylim(-0.66, len(names) - 0.34)
        axes.set_yticks(rows, names, size=TINY)
        axes.tick_params(axis="y", which="both", left=False, right=False)
        axes.tick_params(axis="x", labelsize=SMALL)
        axes.set_xlabel(
            f"Uncertainty of {parameter_label(numbers.poi, spec)}", size=16, loc="center"
        )
        for row, size in zip(rows, sizes, strict=True):
            part = f" ({100 * size / numbers.uncertainty:.0f} %)" if numbers.uncertainty else ""
            _beside(axes, row, number(float(size), 2) + part)
        _poi_text(axes, numbers, spec)
        at_right = 1.0 + (RIGHT - 0.12) / (WIDTH - left - RIGHT)
        experiment_label(axes, spec, at_right=at_right)
        write_remarks(figure, remarks)
    return figure
