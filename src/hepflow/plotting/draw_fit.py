"""Draw the figures about a fit: pulls, correlations, limit scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.fit_numbers import CorrelationNumbers, ParameterNumbers, PullNumbers
from hepflow.plotting.labels import experiment_label, place_label
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import (
    ONE_SIGMA_COLOUR,
    PULL_COLOURS,
    REMARK_COLOUR,
    SMALL,
    TINY,
    TWO_SIGMA_COLOUR,
    WIDTH,
    house_style,
    new_axes,
    new_figure,
    number,
    parameter_label,
)
from hepflow.plotting.texts import REMARK, name_width, value_text, write_remarks
from hepflow.records import LimitResult, LimitScan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.27  # height of a parameter [inch]
POINTS: dict[str, Any] = {"fmt": "o", "color": "black", "markersize": 4.5, "elinewidth": 1.4}
FEW_CELLS = 12  # up to which the numbers are large
CELLS = 24  # parameters up to which the cells of a matrix have room for numbers
STRONG = 0.6  # correlation above which a cell is dark
SMALLEST_CLS = 2e-3  # lower end of the CLs axis


def draw_pulls(numbers: PullNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Figure:
    """Draw nuisance parameters in units of their constraint, free factors in a panel below.

    Parameters
    ----------
    numbers : PullNumbers
        From `pull_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    n_pulls, n_factors = len(numbers.nuisances.labels), len(numbers.factors.labels)
    with house_style(spec.style):
        top, title, gap = 0.5 + REMARK * len(remarks), 0.62, 0.75
        heights = [ROW * n + 0.25 for n in (n_pulls, n_factors) if n]
        tall = top + sum(heights) + title + gap * (len(heights) - 1)
        figure = new_figure(spec, max(tall, 2.2))
        everyone = (*numbers.nuisances.labels, *numbers.factors.labels)
        names = {label: parameter_label(label, spec) for label in everyone}
        left = max(name_width(list(names.values()), TINY), 1.0)
        right = 1.35  # room for the values as text
        first, edge = None, tall - top
        for kind in (numbers.nuisances, numbers.factors):
            if not kind.labels:
                continue
            height = ROW * len(kind.labels) + 0.25
            box = (left / WIDTH, (edge - height) / tall, 1 - (left + right) / WIDTH, height / tall)
            axes = new_axes(figure, box, "x")
            edge -= height + gap
            first = first or axes
            _draw_parameters(axes, kind, names)
            (_pull_scale if kind is numbers.nuisances else _factor_scale)(axes, kind)
        if first is not None:
            experiment_label(first, spec, at_right=1.0 + (right - 0.12) / (WIDTH - left - right))
        write_remarks(figure, remarks)
    return figure


def _draw_parameters(axes: Axes, numbers: ParameterNumbers, names: Mapping[str, str]) -> None:
    rows = np.arange(len(numbers.labels))[::-1]  # first parameter on top
    axes.errorbar(numbers.values, rows, xerr=numbers.errors, zorder=5, **POINTS)
    axes.set_ylim(-0.5 - 0.125 / ROW, len(rows) - 0.5 + 0.125 / ROW)
    axes.set_yticks(rows, [names[label] for label in numbers.labels], size=TINY)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.tick_params(axis="x", labelsize=SMALL)
    for row, value, error in zip(rows, numbers.values, numbers.errors, strict=True):
        text = value_text(float(value), float(error))
        axes.annotate(
            text,
            (1.0, row),
            xytext=(8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            size=TINY,
        )


def _pull_scale(axes: Axes, numbers: ParameterNumbers) -> None:
    reach = float(np.max(np.abs(numbers.values) + numbers.errors, initial=0.0))
    limit = max(2.8, 1.08 * reach)
    axes.axvspan(-2, 2, color=PULL_COLOURS[1], lw=0)
    axes.axvspan(-1, 1, color=PULL_COLOURS[0], lw=0)
    axes.axvline(0, color="black", lw=1.0, ls="--")
    axes.set_xlim(-limit, limit)
    axes.set_xlabel(r"$(\hat{\theta} - \theta_0)\,/\,\Delta\theta$", size=16)


def _factor_scale(axes: Axes, numbers: ParameterNumbers) -> None:
    ends = np.concatenate(
        [numbers.values - numbers.errors, numbers.values + numbers.errors, [0, 1]]
    )
    margin = 0.06 * float(ends.max() - ends.min())
    axes.axvline(1, color="black", lw=1.0, ls="--")
    axes.axvline(0, color="black", lw=1.0, ls=":")
    axes.set_xlim(float(ends.min()) - margin, float(ends.max()) + margin)
    axes.set_xlabel("Normalisation factor", size=16)


def draw_correlation(
    numbers: CorrelationNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw the correlation matrix, with numbers in the cells of a small one.

    Parameters
    ----------
    numbers : CorrelationNumbers
        From `correlation_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    count = len(numbers.labels)
    size = TINY if count <= CELLS else 10.0
    with house_style(spec.style):
        names = [parameter_label(label, spec) for label in numbers.labels]
        lines = list(remarks)
        if numbers.left_out:
            lines.append(f"{numbers.left_out} parameters with smaller correlations not shown")
        margin = name_width(names, size)
        side = max((0.34 if count <= CELLS else 0.24) * count, 4.4)
        top, right = 0.5 + REMARK * len(lines), 0.95
        wide, tall = margin + side + right, margin + side + top
        figure = new_figure(spec, tall, wide)
        axes = figure.add_axes((margin / wide, margin / tall, side / wide, side / tall))
        bar = figure.add_axes(
            ((margin + side + 0.12) / wide, margin / tall, 0.2 / wide, side / tall)
        )
        image = axes.imshow(numbers.matrix, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        figure.colorbar(image, cax=bar).minorticks_on()
        bar.tick_params(labelsize=TINY, which="both", length=3)
        axes.set_xticks(range(count), names, rotation=90, size=size)
        axes.set_yticks(range(count), names, size=size)
        axes.tick_params(which="both", length=0)
        if count <= CELLS:
            _cell_numbers(axes, numbers.matrix)
        experiment_label(axes, spec)
        write_remarks(figure, lines)
    return figure


def _cell_numbers(axes: Axes, matrix: Any) -> None:
    size = 8.5 if len(matrix) > FEW_CELLS else TINY
    for (i, j), value in np.ndenumerate(matrix):
        percent = round(100 * float(value))
        if i != j and percent:
            colour = "white" if abs(value) > STRONG else "black"
            axes.text(j, i, f"{percent}", ha="center", va="center", size=size, color=colour)


def draw_scan(limit: LimitResult, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Figure:
    """Draw CLs against the parameter of interest, with the limits found.

    Parameters
    ----------
    limit : LimitResult
        With a scan.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.

    Raises
    ------
    ValueError
        The limit has no scan.
    """
    scan = limit.scan
    if scan is None:
        raise ValueError("the limit has no scan to draw; run the limit with scan points")
    with house_style(spec.style):
        tall = 6.0 + REMARK * len(remarks)
        figure = new_figure(spec, tall)
        axes = new_axes(figure, (0.14, 0.75 / tall, 0.82, 4.8 / tall), "x")
        write_remarks(figure, remarks)
        _draw_curves(axes, scan)
        level = 1 - limit.confidence_level
        axes.axhline(level, color=REMARK_COLOUR, lw=1.4)
        percent = f"{number(100 * limit.confidence_level)} % CL"
        ends = scan.poi_values[0], scan.poi_values[-1]
        axes.text(
            ends[1] - 0.015 * (ends[1] - ends[0]),
            level * 1.06,
            percent,
            color=REMARK_COLOUR,
            size=SMALL,
            ha="right",
        )
        _mark_limits(axes, limit, level)
        axes.set_xlim(*ends)
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(SMALLEST_CLS, 12.0)  # the legend's place is above 1
        axes.set_yticks([0.01, 0.1, 1.0], ["0.01", "0.1", "1"])
        axes.set_yticks([k * p for p in (1e-3, 1e-2, 1e-1) for k in range(2, 10)], minor=True)
        axes.set_xlabel(parameter_label(limit.poi, spec))
        axes.set_ylabel("CL$_{\\mathrm{s}}$")
        place_label(axes, spec)
        _scan_legend(axes, limit, parameter_label(limit.poi, spec))
    return figure


def _draw_curves(axes: Axes, scan: LimitScan) -> None:
    low2, low1, median, high1, high2 = scan.expected
    axes.fill_between(
        scan.poi_values, low2, high2, color=TWO_SIGMA_COLOUR, lw=0, label=r"Expected $\pm 2\sigma$"
    )
    axes.fill_between(
        scan.poi_values, low1, high1, color=ONE_SIGMA_COLOUR, lw=0, label=r"Expected $\pm 1\sigma$"
    )
    axes.plot(scan.poi_values, median, color="black", ls="--", lw=1.6, label="Expected")
    if scan.observed is not None:
        axes.plot(
            scan.poi_values, scan.observed, "o-", color="black", ms=4.0, lw=1.6, label="Observed"
        )


def _mark_limits(axes: Axes, limit: LimitResult, level: float) -> None:
    axes.vlines(limit.expected[2], SMALLEST_CLS, level, color="black", ls="--", lw=1.4)
    axes.plot([limit.expected[2]], [level], "o", mfc="white", mec="black", ms=8.0, zorder=6)
    if limit.observed is not None:
        axes.vlines(limit.observed, SMALLEST_CLS, level, color="black", lw=1.4)
        axes.plot([limit.observed], [level], "o", color=REMARK_COLOUR, ms=8.0, zorder=6)


def limit_texts(limit: LimitResult, name: str) -> dict[str, str]:
    """Observed and expected limit for the legend.

    The expected one carries the distances to its one standard deviation band.
    """
    low, median, high = limit.expected[1:4]
    sign = f"{name} < "
    texts = {
        "Expected": f"Expected: {sign}{number(median)}"
        rf"$^{{+{number(high - median, 2)}}}_{{-{number(median - low, 2)}}}$"
    }
    if limit.observed is not None:
        texts["Observed"] = f"Observed: {sign}{number(limit.observed)}"
    return texts


def _scan_legend(axes: Axes, limit: LimitResult, name: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    texts = limit_texts(limit, name)
    kind = limit.expected_kind.replace("_", " ")
    order = [
        *(["Observed"] if "Observed" in entries else []),
        "Expected",
        r"Expected $\pm 1\sigma$",
        r"Expected $\pm 2\sigma$",
    ]
    axes.legend(
        [entries[label] for label in order],
        [texts.get(label, label) for label in order],
        loc="upper right",
        title=f"{number(100 * limit.confidence_level)} % CL limits, expected {kind}",
        title_fontsize=SMALL,
        alignment="left",
        labelspacing=0.4,
    )
