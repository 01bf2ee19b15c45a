"""Draw scans of the likelihood, limits by mass, and the goodness of fit in toys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.labels import place_label
from hepflow.plotting.scan_numbers import (
    ContourNumbers,
    Curve,
    GoodnessNumbers,
    LimitBand,
    ScanNumbers,
)
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import (
    ONE_SIGMA_COLOUR,
    PULL_COLOURS,
    REMARK_COLOUR,
    SMALL,
    TINY,
    TWO_SIGMA_COLOUR,
    house_style,
    new_axes,
    new_figure,
    number,
    parameter_label,
)
from hepflow.plotting.texts import REMARK, value_text, write_remarks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TWICE = r"$-2\,\Delta\ln\,L$"
NAMES = {"observed": "Observed", "asimov": "Expected (Asimov)"}
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": "black", "ls": "-"},
    {"color": "#3f90da", "ls": "--"},
    {"color": "#e76300", "ls": "-."},
)
LABEL, ENTRY = 0.15, 0.078  # heights of the experiment's label and of an entry of the legend
SPREAD = 30.0  # of largest to smallest limit, from which the axis is logarithmic


def _new(spec: PlottingSpec, remarks: Sequence[str], minor: str = "xy") -> tuple[Figure, Axes]:
    tall = 6.0 + REMARK * len(remarks)
    figure = new_figure(spec, tall)
    axes = new_axes(figure, (0.15, 0.8 / tall, 0.81, 4.75 / tall), minor)
    write_remarks(figure, remarks)
    return figure, axes


def draw_likelihood(
    numbers: ScanNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw the profiled likelihood against one parameter, with its intervals.

    Parameters
    ----------
    numbers : ScanNumbers
        From `likelihood_numbers`.
    spec : PlottingSpec
        Experiment, luminosity, labels of the parameters.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    from matplotlib.patches import Rectangle

    with house_style(spec.style):
        figure, axes = _new(spec, remarks)
        name = parameter_label(numbers.parameter, spec)
        for index, curve in enumerate(numbers.curves):
            look = LOOKS[index % len(LOOKS)]
            label = f"{NAMES.get(curve.name, curve.name)}: {name} = {_interval_text(curve)}"
            axes.plot(curve.values, curve.delta, lw=2.0, label=label, zorder=4, **look)
            _drop_lines(axes, curve, numbers, look["color"])
        ends = [end for one in numbers.curves for end in (one.values[0], one.values[-1])]
        axes.set_xlim(min(ends), max(ends))
        highest = max(float(np.nanmax(one.delta)) for one in numbers.curves)
        top = max(min(highest, 2.0 * max(rise for _, rise in numbers.rises)), 1.0)
        _level_lines(axes, numbers)
        axes.set_xlabel(name)
        axes.set_ylabel(TWICE)
        free = _heading(axes, spec)
        axes.set_ylim(0.0, top / free)
        for line in axes.lines:
            line.set_clip_path(Rectangle((0, 0), 1, free, transform=axes.transAxes))
    return figure


def _heading(axes: Axes, spec: PlottingSpec) -> float:
    """Write label and legend above the content; the fraction of the height that is left to it."""
    inside = place_label(axes, spec)
    top = 0.98 - (LABEL if inside else 0.0)
    legend = axes.legend(
        loc="upper left" if inside else "upper right",
        bbox_to_anchor=(0.02 if inside else 0.98, top),
        handlelength=1.6,
        labelspacing=0.35,
        borderpad=0.2,
        borderaxespad=0.0,
    )
    return top - ENTRY * len(legend.get_texts()) - 0.03


def _interval_text(curve: Curve) -> str:
    """Best fit with the distances to the ends of the first interval."""
    ends = curve.intervals[0][1:] if curve.intervals else (None, None)
    if ends[0] is None or ends[1] is None:
        return number(curve.bestfit)
    down, up = curve.bestfit - ends[0], ends[1] - curve.bestfit
    decimals = max(1 - int(np.floor(np.log10(max(min(down, up), 1e-12)))), 0)
    centre = f"{curve.bestfit:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    return rf"{centre}$^{{+{up:.{decimals}f}}}_{{-{down:.{decimals}f}}}$"


def _drop_lines(axes: Axes, curve: Curve, numbers: ScanNumbers, colour: str) -> None:
    """Mark the ends of the intervals on the axis."""
    for level, low, high in curve.intervals:
        height = dict(numbers.rises)[level]
        for end in (low, high):
            if end is not None:
                axes.vlines(end, 0.0, height, color=colour, lw=1.2, ls=":")


def _level_lines(axes: Axes, numbers: ScanNumbers) -> None:
    low, high = axes.get_xlim()
    for level, height in numbers.rises:
        axes.axhline(height, color=REMARK_COLOUR, lw=1.2)
        axes.annotate(
            f"{100 * level:.0f} %",
            (high - 0.015 * (high - low), height),
            xytext=(0, 3),
            textcoords="offset points",
            color=REMARK_COLOUR,
            size=TINY,
            ha="right",
        )


def draw_contour(
    numbers: ContourNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw confidence regions of two parameters, with the best fit.

    Parameters
    ----------
    numbers : ContourNumbers
        From `likelihood_numbers`.
    spec : PlottingSpec
        Experiment, luminosity, labels of the parameters.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    from matplotlib.lines import Line2D

    with house_style(spec.style):
        figure, axes = _new(spec, remarks)
        rises = [height for _, height in numbers.rises]
        place = (numbers.x, numbers.y, numbers.delta)
        axes.contourf(*place, levels=[-1.0, *rises], colors=PULL_COLOURS)
        styles = ["-", "--"]
        axes.contour(*place, levels=rises, colors="black", linestyles=styles, linewidths=1.6)
        look: dict[str, Any] = {"marker": "P", "color": "black", "ms": 10.0, "ls": "none"}
        axes.plot(*numbers.bestfit, zorder=5, **look)
        handles = [Line2D([], [], label="Best fit", **look)]
        handles += [
            Line2D([], [], color="black", ls=ls, lw=1.6, label=f"{100 * level:.0f} % CL")
            for ls, (level, _) in zip(styles, numbers.rises, strict=True)
        ]
        axes.set_xlim(numbers.x[0], numbers.x[-1])
        height = numbers.y[-1] - numbers.y[0]
        axes.set_ylim(numbers.y[0], numbers.y[-1] + 0.3 * height)  # room for the legend
        axes.set_xlabel(parameter_label(numbers.parameters[0], spec))
        axes.set_ylabel(parameter_label(numbers.parameters[1], spec))
        place_label(axes, spec)
        title = NAMES.get(numbers.name, numbers.name)
        axes.legend(
            handles=handles,
            loc="upper right",
            title=title,
            title_fontsize=SMALL,
            alignment="left",
            borderpad=0.2,
        )
    return figure


def draw_band(numbers: LimitBand, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Figure:
    """Draw upper limits with their expected bands against a parameter of the signal.

    Parameters
    ----------
    numbers : LimitBand
        From `limit_band`.
    spec : PlottingSpec
        Experiment, luminosity, labels of the parameters.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    drawn = [numbers.expected.ravel()]
    drawn += [one for one in (numbers.observed, numbers.theory) if one is not None]
    everything = np.concatenate(drawn)
    low, high = float(np.min(everything)), float(np.max(everything))
    log = low > 0 and high > SPREAD * low
    with house_style(spec.style):
        figure, axes = _new(spec, remarks, "x" if log else "xy")
        _bands(axes, numbers)
        axes.set_xlim(numbers.x[0], numbers.x[-1])
        if log:
            axes.set_yscale("log")
            axes.set_ylim(low / 2.0, high * (high / low) ** 0.55)
        else:
            axes.set_ylim(0.0, 1.65 * high)
        axes.set_xlabel(numbers.label)
        poi = parameter_label(numbers.poi, spec)
        axes.set_ylabel(f"Upper limit on {poi}" if not numbers.quantity else numbers.quantity)
        place_label(axes, spec)
        _band_legend(axes, numbers)
    return figure


def _bands(axes: Axes, numbers: LimitBand) -> None:
    low2, low1, median, high1, high2 = numbers.expected.T
    x = numbers.x
    axes.fill_between(x, low2, high2, color=TWO_SIGMA_COLOUR, lw=0, label=r"Expected $\pm 2\sigma$")
    axes.fill_between(x, low1, high1, color=ONE_SIGMA_COLOUR, lw=0, label=r"Expected $\pm 1\sigma$")
    axes.plot(x, median, color="black", ls="--", lw=1.8, label="Expected")
    if numbers.observed is not None:
        axes.plot(x, numbers.observed, "o-", color="black", ms=4.5, lw=1.8, label="Observed")
    if numbers.theory is not None:
        axes.plot(x, numbers.theory, color=REMARK_COLOUR, lw=1.8, label="Prediction")


def _band_legend(axes: Axes, numbers: LimitBand) -> None:
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    wanted = ("Observed", "Expected", r"Expected $\pm 1\sigma$", r"Expected $\pm 2\sigma$")
    order = [one for one in wanted if one in entries]
    order += [one for one in labels if one not in wanted]
    axes.legend(
        [entries[one] for one in order],
        order,
        loc="upper right",
        title=f"{number(100 * numbers.confidence_level)} % CL upper limits",
        title_fontsize=SMALL,
        alignment="left",
        labelspacing=0.35,
        borderpad=0.2,
    )


def draw_goodness(
    numbers: GoodnessNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw how toys are distributed in the goodness-of-fit statistic, and where the data are.

    Parameters
    ----------
    numbers : GoodnessNumbers
        From `goodness_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    lines = list(remarks)
    if numbers.failed:
        lines.append(f"{numbers.failed} toys whose fit did not converge are left out")
    with house_style(spec.style):
        figure, axes = _new(spec, lines)
        count = int(numbers.toys.sum())
        axes.stairs(numbers.toys, numbers.edges, fill=True, color="#94a4a2", label=f"{count} toys")
        if numbers.degrees_of_freedom > 0:
            label = rf"$\chi^2$ with {numbers.degrees_of_freedom} degrees of freedom"
            axes.plot(numbers.x, numbers.asymptotic, color="#3f90da", lw=2.0, ls="--", label=label)
        highest = float(np.max([*numbers.toys, *numbers.asymptotic, 1.0]))
        look: dict[str, Any] = {"color": REMARK_COLOUR, "lw": 2.4, "label": _observed_text(numbers)}
        axes.vlines(numbers.statistic, 0.0, highest, **look)
        axes.set_xlim(numbers.edges[0], numbers.edges[-1])
        axes.set_xlabel(r"$-2\,\ln(L/L_{\mathrm{saturated}})$")
        axes.set_ylabel(f"Toys / {number(float(numbers.edges[1] - numbers.edges[0]))}")
        axes.set_ylim(0.0, 1.03 * highest / _heading(axes, spec))
    return figure


def _observed_text(numbers: GoodnessNumbers) -> str:
    seen = f"Observed: {number(numbers.statistic)}"
    if numbers.p_value is None:
        return seen
    error = np.sqrt(numbers.p_value * (1.0 - numbers.p_value) / max(numbers.toys.sum(), 1.0))
    said = value_text(numbers.p_value, float(error)) if error > 0 else number(numbers.p_value)
    return f"{seen}, p = {said}"
