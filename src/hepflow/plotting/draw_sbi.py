"""Draw samples, losses and estimated ratios of simulation-based inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.sbi_canvas import (
    COLOURS,
    DASHES,
    canvas,
    canvas_of_two,
    columns_for,
    few_ticks,
    heading,
    look,
    room_above,
)
from hepflow.plotting.sbi_numbers import LossNumbers, RatioNumbers, SampleCurve, SampleNumbers
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import SMALL, TINY, house_style, number, plain_exponent
from hepflow.records.prediction import Floats
from hepflow.records.sbi import method_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD = 30.0  # of largest to smallest density, from which the axis is logarithmic
WIDE = 5.0  # of the last bin's width to the narrowest, from which a positive axis is logarithmic
FAR = 5.0  # ratio, from which its axis is logarithmic
DECADES = 1e-4  # of the largest density: what is lower is not shown
CELLS = 60  # of a comparison, along each axis
STRIPS = 15  # in which its mean is shown


def draw_samples(
    numbers: SampleNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw an observable at several parameter points, with ratios to the first.

    Parameters
    ----------
    numbers : SampleNumbers
        From `sample_numbers` or `reweighting_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    heights = np.concatenate([one.density for one in numbers.curves])
    low, high = float(heights[heights > 0].min(initial=np.inf)), float(heights.max())
    log = high > SPREAD * low
    with house_style(spec.style):
        across = "" if _unequal(numbers.edges) else "x"
        figure, axes, panel = canvas_of_two(
            spec,
            remarks,
            minor=across + ("" if log else "y"),
            minor_below=across + ("" if _ends(numbers)[1] > FAR else "y"),
        )
        for index, curve in enumerate(numbers.curves):
            _steps(axes, numbers.edges, curve.density, curve.uncertainty, index, curve.name)
        axes.set_ylabel(_density_label(numbers.label))
        axes.set_xlim(numbers.edges[0], numbers.edges[-1])
        free = heading(axes, spec, columns=columns_for(len(numbers.curves)), title=numbers.note)
        if log:
            axes.set_yscale("log")
            bottom = max(low, DECADES * high) / 2.0
            axes.set_ylim(bottom, bottom * (1.3 * high / bottom) ** (1.0 / free))
        else:
            room_above(axes, free, 0.0, 1.03 * high)
            plain_exponent(axes, log=False)
        _ratios(panel, numbers)
        if not across:
            _logarithmic(axes, panel)
    return figure


def _unequal(edges: Floats) -> bool:
    """Whether bins at the upper end would hide the others on a linear axis."""
    width = np.diff(edges)
    return bool(edges[0] > 0 and width[-1] > WIDE * width.min() and edges[-1] > 3 * edges[0])


def _logarithmic(axes: Axes, panel: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for one in (axes, panel):
        one.set_xscale("log")
        one.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        one.xaxis.set_minor_formatter(NullFormatter())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _density_label(label: str) -> str:
    unit = label[label.rindex("[") + 1 : label.rindex("]")] if label.endswith("]") else ""
    return f"Density [1/{unit}]" if unit else "Density"


def _steps(
    axes: Axes, edges: Floats, values: Floats, errors: Floats, index: int, name: str | None
) -> None:
    style: dict[str, Any] = {**look(index), "lw": 1.8, "ls": DASHES[index % len(DASHES)]}
    axes.stairs(values, edges, baseline=None, label=name, **style)
    if errors.any():
        axes.stairs(
            values + errors,
            edges,
            baseline=values - errors,
            fill=True,
            alpha=0.25,
            lw=0,
            color=style["color"],
        )


def _ratios(panel: Axes, numbers: SampleNumbers) -> None:
    """Ratios of the curves to the first one, with the larger part of them in view."""
    used = numbers.curves[0].density > 0
    base = np.where(used, numbers.curves[0].density, 1.0)
    for index, curve in enumerate(numbers.curves):
        error = np.where(used, curve.uncertainty / base, 0.0)
        _steps(panel, numbers.edges, _ratio(numbers, curve), error, index, None)
    low, high = _ends(numbers)
    if high > FAR:
        panel.set_yscale("log")
        panel.set_ylim(min(low, 1.0) / 1.5, 1.5 * high)
    else:
        reach = max(1.15 * max(high - 1.0, 1.0 - low), 0.08)
        panel.set_ylim(max(1.0 - reach, 0.0), 1.0 + reach)
        few_ticks(panel)
    panel.set_xlim(numbers.edges[0], numbers.edges[-1])
    panel.set_xlabel(numbers.label)
    panel.set_ylabel("Ratio", size=SMALL)


def _ratio(numbers: SampleNumbers, curve: SampleCurve) -> Floats:
    """Ratio to the first curve, NaN where that is empty."""
    base = numbers.curves[0].density
    return np.where(base > 0, curve.density / np.where(base > 0, base, 1.0), np.nan)


def _ends(numbers: SampleNumbers) -> tuple[float, float]:
    """Lowest and highest ratio but for the outermost percent; above zero."""
    values = np.concatenate([_ratio(numbers, one) for one in numbers.curves])
    low, high = np.quantile(values[values > 0], [0.01, 0.99])
    return float(low), float(high)


def draw_losses(numbers: LossNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Figure:
    """Draw the loss of a method by epoch: each member in training and validation.

    Parameters
    ----------
    numbers : LossNumbers
        From `loss_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    with house_style(spec.style):
        figure, axes = canvas(spec, remarks, minor="y")
        everything = np.concatenate([*numbers.training, *numbers.validation])
        for index, curve in enumerate(numbers.training):
            axes.plot(np.arange(len(curve)) + 1, curve, lw=1.8, ls=DASHES[1], **look(index))
        for index, curve in enumerate(numbers.validation):
            axes.plot(np.arange(len(curve)) + 1, curve, lw=2.2, **look(index))
        for index, (epoch, curve) in enumerate(zip(numbers.kept, numbers.validation, strict=False)):
            if len(curve):
                axes.plot(epoch, curve[epoch - 1], "o", ms=9, mfc="white", mew=2.0, **look(index))
        longest = max(len(one) for one in numbers.training)
        axes.set_xlim(0.5, longest + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Loss")
        handles = [Line2D([], [], color="black", ls=DASHES[1], lw=1.8, label="Training")]
        if any(len(one) for one in numbers.validation):
            handles.append(Line2D([], [], color="black", lw=2.2, label="Validation"))
        if numbers.kept:
            mark: dict[str, Any] = {"mfc": "white", "mew": 2.0, "color": "black", "ls": "none"}
            handles.append(Line2D([], [], marker="o", ms=9, label="Network kept", **mark))
        if len(numbers.training) > 1:
            handles += [
                Line2D([], [], lw=5, label=f"Member {i + 1}", **look(i))
                for i in range(len(numbers.training))
            ]
        columns = 1 + (len(handles) > 3)  # noqa: PLR2004 - lines of one member
        free = heading(axes, spec, handles, columns=columns, title=method_label(numbers.method))
        low, high = float(np.nanmin(everything)), float(np.nanmax(everything))
        margin = 0.06 * max(high - low, 1e-9)
        room_above(axes, free, low - margin, high + margin)
        plain_exponent(axes, log=False)
    return figure


def draw_ratios(
    numbers: RatioNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw estimates of events against what is known, with their mean difference below.

    Parameters
    ----------
    numbers : RatioNumbers
        From `ratio_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    from matplotlib.lines import Line2D

    both = np.concatenate([numbers.known, numbers.estimated])
    low, high = (float(one) for one in np.quantile(both, [0.001, 0.999]))
    high = high if high > low else low + 1.0
    with house_style(spec.style):
        figure, axes, panel = canvas_of_two(spec, remarks)
        _cells(axes, numbers, low, high)
        line = Line2D([], [], color="black", ls="--", lw=1.6, label="Equal")
        axes.plot([low, high], [low, high], color="black", ls="--", lw=1.6)
        mean = Line2D([], [], color=COLOURS[1], marker="o", ms=5, label="Mean and RMS")
        free = heading(axes, spec, [line, mean], columns=2, title=_title(numbers))
        axes.set_xlim(low, high)
        room_above(axes, free, low, high)
        axes.set_ylabel(f"Estimated {numbers.quantity}")
        _differences(panel, numbers, low, high)
    return figure


def _title(numbers: RatioNumbers) -> str:
    said = f"{100 * numbers.error:.2g}" if numbers.error < 1 else number(100 * numbers.error)
    return f"{method_label(numbers.method)}, mean squared difference / variance: {said} %"


def _known(numbers: RatioNumbers) -> str:
    return "True" if numbers.against == "true" else "Joint"


def _cells(axes: Axes, numbers: RatioNumbers, low: float, high: float) -> None:
    """Density of the points, darker where there are more."""
    from matplotlib.colors import LogNorm

    edges = np.linspace(low, high, CELLS + 1)
    filled = np.histogram2d(numbers.known, numbers.estimated, bins=[edges, edges])[0]
    shown = np.ma.masked_equal(filled.T, 0.0)
    axes.pcolormesh(
        edges,
        edges,
        shown,
        cmap="Blues",
        norm=LogNorm(0.5, max(filled.max(), 1.0)),
        rasterized=True,
    )


def _differences(panel: Axes, numbers: RatioNumbers, low: float, high: float) -> None:
    edges = np.linspace(low, high, STRIPS + 1)
    index = np.clip(np.searchsorted(edges, numbers.known, side="right") - 1, -1, STRIPS)
    away = numbers.estimated - numbers.known
    centres, means, widths = [], [], []
    for strip in range(STRIPS):
        here = away[(index == strip)]
        if len(here) > 4:  # noqa: PLR2004 - fewer have no spread to speak of
            centres.append(0.5 * (edges[strip] + edges[strip + 1]))
            means.append(float(here.mean()))
            widths.append(float(np.sqrt(np.mean((here - here.mean()) ** 2))))
    panel.axhline(0.0, color="black", ls="--", lw=1.2)
    panel.errorbar(centres, means, yerr=widths, fmt="o", ms=5, lw=1.6, color=COLOURS[1])
    reach = 1.15 * max((abs(m) + w for m, w in zip(means, widths, strict=True)), default=1.0)
    panel.set_ylim(-reach, reach)
    panel.set_xlim(low, high)
    panel.set_ylabel("Est. $-$ known", size=TINY)
    hidden = " (with hidden variables)" if numbers.against == "joint" else ""
    panel.set_xlabel(f"{_known(numbers)} {numbers.quantity}{hidden}")
    few_ticks(panel)
