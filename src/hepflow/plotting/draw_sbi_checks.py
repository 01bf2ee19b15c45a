"""Draw checks of simulation-based inference: probabilities, closure, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.sbi_canvas import (
    COLOURS,
    MARKERS,
    canvas,
    canvas_of_two,
    columns_for,
    few_ticks,
    heading,
    look,
    room_above,
)
from hepflow.plotting.sbi_numbers import (
    ClosureNumbers,
    CoverageNumbers,
    ReliabilityNumbers,
    method_names,
)
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import REMARK_COLOUR, SMALL, TINY, house_style, number
from hepflow.records.sbi import method_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ASIDE = 0.07  # between points of neighbouring levels, whose error bars may overlap
BAND = "#d9d9d9"


def draw_reliability(
    numbers: ReliabilityNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw how often classifiers are right against the probability that they state.

    Parameters
    ----------
    numbers : ReliabilityNumbers
        One curve a method.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    with house_style(spec.style):
        figure, axes, panel = canvas_of_two(spec, remarks)
        ends = [value for one in numbers.curves for value in (*one.stated, *one.found)]
        low, high = max(min(ends) - 0.03, 0.0), min(max(ends) + 0.03, 1.0)
        axes.plot([low, high], [low, high], color="black", ls="--", lw=1.4, label="Equal")
        panel.axhline(0.0, color="black", ls="--", lw=1.2)
        for index, (name, one) in enumerate(zip(numbers.methods, numbers.curves, strict=True)):
            stated, found = np.array(one.stated), np.array(one.found)
            style: dict[str, Any] = {"fmt": MARKERS[index % len(MARKERS)], "ms": 6, **look(index)}
            axes.errorbar(stated, found, one.uncertainty, label=method_label(name), **style)
            panel.errorbar(stated, found - stated, one.uncertainty, **style)
        for one_axes in (axes, panel):
            one_axes.set_xlim(low, high)
        point = ", ".join(f"{t:g}" for t in numbers.curves[0].theta)
        title = rf"Numerator at $\theta$ = ({point})"
        entries = len(numbers.methods) + 1
        free = heading(axes, spec, columns=columns_for(entries), title=title)
        room_above(axes, free, low, high)
        axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= 1.0])
        axes.set_ylabel("Fraction of the numerator")
        panel.set_ylabel("Difference", size=TINY)
        panel.set_xlabel("Probability stated, $r\\,/\\,(1 + r)$")
        away = [
            abs(found - stated) + error
            for one in numbers.curves
            for stated, found, error in zip(one.stated, one.found, one.uncertainty, strict=True)
        ]
        reach = 1.2 * max(*away, 1e-3)
        panel.set_ylim(-reach, reach)
        few_ticks(panel)
    return figure


def draw_closure(
    numbers: ClosureNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw means that are known, as methods estimate them, point by point.

    Parameters
    ----------
    numbers : ClosureNumbers
        From `closure_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    with house_style(spec.style):
        lines = 1 + max(one.count("\n") for one in numbers.points)
        figure, axes = canvas(spec, remarks, minor="y", below=0.24 * (lines - 1))
        rows = np.arange(len(numbers.points))
        tolerance = numbers.tolerance
        band = f"{number(numbers.expected)} $\\pm$ {number(tolerance)}"
        if tolerance:
            ends = numbers.expected - tolerance, numbers.expected + tolerance
            axes.axhspan(*ends, color=BAND, lw=0, label=band)
        axes.axhline(numbers.expected, color="black", lw=1.0)
        offsets = _beside(len(numbers.methods))
        for index, name in enumerate(numbers.methods):
            axes.errorbar(
                rows + offsets[index],
                numbers.means[index],
                numbers.uncertainties[index],
                fmt=MARKERS[index % len(MARKERS)],
                ms=7,
                lw=1.8,
                label=method_label(name),
                **look(index),
            )
        axes.set_xlim(-0.5, len(rows) - 0.5)
        axes.set_xticks(rows, numbers.points, size=SMALL)
        axes.tick_params(axis="x", which="both", bottom=False, top=False)
        if numbers.name:
            axes.set_xlabel(r"Numerator $\theta$")
        axes.set_ylabel(numbers.name[:1].upper() + numbers.name[1:] or "Mean")
        away = np.abs(numbers.means - numbers.expected) + numbers.uncertainties
        reach = 1.15 * max(float(away.max()), 1.5 * tolerance, 1e-9)
        free = heading(axes, spec, columns=columns_for(len(numbers.methods) + 1))
        room_above(axes, free, numbers.expected - reach, numbers.expected + reach)
    return figure


def draw_coverage(
    numbers: CoverageNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw the coverage of regions by method, asymptotic and from toys, with their levels.

    Parameters
    ----------
    numbers : CoverageNumbers
        Of any methods and levels.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    methods = method_names(numbers.checks)
    levels = sorted({one.confidence_level for one in numbers.checks})
    with house_style(spec.style):
        figure, axes = canvas(spec, remarks, minor="y")
        for one in numbers.checks:
            row = methods.index(one.method) + (-0.15 if one.calculator == "asymptotic" else 0.15)
            row += ASIDE * (levels.index(one.confidence_level) - 0.5 * (len(levels) - 1))
            axes.errorbar(row, one.fraction, one.uncertainty, ms=8, lw=2.0, **_kind(one.calculator))
        for level in levels:
            _level(axes, level, [one.toys for one in numbers.checks], len(methods))
        axes.set_xlim(-0.5, len(methods) - 0.5)
        axes.set_xticks(range(len(methods)), [method_label(one) for one in methods])
        axes.tick_params(axis="x", which="both", bottom=False, top=False)
        axes.set_ylabel("Coverage")
        kinds = dict.fromkeys(one.calculator for one in numbers.checks)
        names = {"asymptotic": "Asymptotic", "neyman": "Neyman construction"}
        handles: list[Any] = []
        for kind in kinds:
            style = _kind(kind)
            marker = {"marker": style["fmt"], "color": style["color"], "ls": "none", "ms": 8}
            handles.append(Line2D([], [], label=names.get(kind, kind), **marker))
        toys = sorted({one.toys for one in numbers.checks})
        count = " and ".join(map(str, toys))
        handles.append(Patch(color=BAND, label=f"Level $\\pm 1\\sigma$ ({count} toys)"))
        free = heading(axes, spec, handles, columns=1)
        fractions = [one.fraction - one.uncertainty for one in numbers.checks]
        low = min(*fractions, *levels)
        room_above(axes, free, max(low - 0.06, 0.0), 1.0)
        axes.set_yticks([tick for tick in axes.get_yticks() if tick <= 1.0])
    return figure


def _kind(calculator: str) -> dict[str, Any]:
    if calculator == "asymptotic":
        return {"fmt": "o", "color": COLOURS[0]}
    return {"fmt": "s", "color": COLOURS[1]}


def _level(axes: Axes, level: float, toys: Sequence[int], count: int) -> None:
    """Line of a level, with the binomial standard deviation of the fewest toys."""
    error = np.sqrt(level * (1.0 - level) / min(toys))
    axes.axhspan(level - error, level + error, color=BAND, lw=0, zorder=0)
    axes.axhline(level, color=REMARK_COLOUR, lw=1.2, zorder=1)
    axes.annotate(
        f"{100 * level:.0f} %",
        (count - 0.52, level),
        xytext=(-2, 3),
        textcoords="offset points",
        color=REMARK_COLOUR,
        size=TINY,
        ha="right",
        va="bottom",
    )


def _beside(count: int) -> np.ndarray:
    """Offsets of methods around a point."""
    return (np.arange(count) - (count - 1) / 2.0) * min(0.18, 0.7 / max(count, 1))
