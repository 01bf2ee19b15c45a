"""Draw the data/MC figures. Each function takes numbers and returns a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.labels import INSIDE, experiment_label, inside_label
from hepflow.plotting.layout import Rectangle, signal_factor, top_of_axis
from hepflow.plotting.numbers import (
    NARROW,
    USUAL,
    WIDE,
    StackNumbers,
    outside,
    ratio,
    ratio_limits,
)
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import (
    BAND_COLOUR,
    REMARK_COLOUR,
    SMALL,
    TINY,
    events_label,
    house_style,
    line_colour,
    new_axes,
    new_figure,
    number,
    plain_exponent,
    pretty,
    process_colours,
)
from hepflow.records.prediction import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

LEFT, SPAN, TOP = 0.15, 0.81, 0.935  # of the axes in the figure
BOTTOM, RATIO_TOP, MAIN_BOTTOM = 0.105, 0.295, 0.315
TICKS = {NARROW: 0.1, USUAL: 0.4, WIDE: 0.5}  # beside 1, clear of the ends of the panel
COLUMNS = (4, 16)  # entries up to which a legend has one column, and two
LONGEST = 9  # entries of a legend in one column beside texts that leave no room for two
RIGHT = 0.985  # end of the legend, clear of the ticks
EXPECTED = 0.1  # events from which an empty bin tells something
BESIDE = 0.02  # fraction of the width that stays free beside a text
HIGHEST = 0.3  # fraction of the height that is left to the content at least
HATCH: dict[str, Any] = {"hatch": "//////", "edgecolor": BAND_COLOUR, "linewidth": 0.0}
CUT: dict[str, Any] = {"color": REMARK_COLOUR, "lw": 1.6, "ls": (0, (4, 2)), "zorder": 4}
POINTS: dict[str, Any] = {"fmt": "o", "color": "black", "markersize": 5.0, "elinewidth": 1.3}


def draw_stack(numbers: StackNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Figure:
    """Draw a stack of processes with its uncertainty, data, and their ratio below.

    Parameters
    ----------
    numbers : StackNumbers
        From `stack_numbers` or `prediction_numbers`.
    spec : PlottingSpec
        Colours, labels, scale.
    remarks : sequence of str
        What a reader must know, such as "99.2 % of data"; a line each.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot. Without data it has no points and no ratio panel.
    """
    with house_style(spec.style):
        figure = new_figure(spec)
        bottom = BOTTOM if numbers.data is None else MAIN_BOTTOM
        ticks = "x" if spec.log_scale else "xy"  # matplotlib's own on a logarithmic axis
        labels = "xy" if numbers.data is None else "y"
        axes = new_axes(figure, (LEFT, bottom, SPAN, TOP - bottom), ticks, ticks, labels)
        if spec.style not in INSIDE:
            experiment_label(axes, spec)
        lowest = axes
        if numbers.data is not None:
            lowest = new_axes(figure, (LEFT, BOTTOM, SPAN, RATIO_TOP - BOTTOM), "xy", "xy")
            _draw_ratio(lowest, numbers)
        _draw_content(axes, numbers, spec)
        lowest.set_xlabel(numbers.label)
        axes.set_ylabel(events_label(numbers.edges, numbers.label))
        axes.yaxis.set_label_coords(-0.125, 1.0)
        blocks = _make_room(figure, axes, numbers, spec, remarks)
        _mark_thresholds(axes, lowest, numbers, blocks)
    return figure


def _mark_thresholds(
    axes: Axes, lowest: Axes, numbers: StackNumbers, blocks: Sequence[Rectangle]
) -> None:
    """Draw a line where the cut is that is left out, below legend and texts."""
    edges = numbers.edges
    for x in numbers.thresholds:
        place = (x - edges[0]) / (edges[-1] - edges[0])
        over = [one.bottom for one in blocks if one.left <= place <= one.right]
        axes.axvline(x, ymax=min([0.95, *over]), **CUT)
        if lowest is not axes:
            lowest.axvline(x, **CUT)


def _draw_content(axes: Axes, numbers: StackNumbers, spec: PlottingSpec) -> None:
    edges, total, band = numbers.edges, numbers.total, numbers.band
    colours = process_colours(tuple(numbers.stack), spec)
    below = np.zeros_like(total)
    for name, values in numbers.stack.items():
        top = below + values
        label = spec.labels.get(name, pretty(name))
        _area(axes, top, edges, below, facecolor=colours[name], linewidth=0, label=label)
        below = top
    look: dict[str, Any] = {"facecolor": "none", "label": "Uncertainty", **HATCH}
    _area(axes, total + band.up, edges, total - band.down, **look)
    for name, values in numbers.lines.items():
        factor = signal_factor(values, total, spec.signal_scale, log=spec.log_scale)
        label = spec.labels.get(name, pretty(name))
        if factor != 1:
            label += rf" ($\times${number(factor)})"
        colour, style = line_colour(name, spec)
        # A white seam makes the line stand out on any fill; along the axis it would hide it.
        seam = np.where(values > 0.005 * np.max(values, initial=0.0), values * factor, np.nan)
        _line(axes, seam, edges, edgecolor="white", lw=3.8)
        look = {"edgecolor": colour, "ls": style, "lw": 2.2, "label": label}
        _line(axes, values * factor, edges, **look)
    _draw_data(axes, numbers)
    axes.set_xlim(edges[0], edges[-1])
    if spec.log_scale:
        axes.set_ylim(0.1, 1.0)  # else matplotlib warns of a histogram without entries
        axes.set_yscale("log", nonpositive="clip")
    plain_exponent(axes, log=spec.log_scale)


def _area(axes: Axes, top: Floats, edges: Floats, bottom: Floats, **look: Any) -> None:
    """As `Axes.stairs`, which looks for limits at every edge though they are set afterwards."""
    _steps(axes, top, edges, baseline=bottom, fill=True, **look)


def _line(axes: Axes, values: Floats, edges: Floats, **look: Any) -> None:
    _steps(axes, values, edges, baseline=None, fill=False, **look)


def _steps(axes: Axes, values: Floats, edges: Floats, **look: Any) -> None:
    from matplotlib.patches import StepPatch

    axes.add_artist(StepPatch(values, edges, **look))


def _half_widths(edges: Floats) -> Floats | None:
    """Horizontal bars tell where bins end, where their widths differ."""
    widths = np.diff(edges)
    return None if np.allclose(widths, widths[0]) else widths / 2


def _draw_data(axes: Axes, numbers: StackNumbers) -> None:
    if numbers.data is None or numbers.interval is None:
        return
    edges, data = numbers.edges, numbers.data
    low, high = numbers.interval
    centres = (edges[1:] + edges[:-1]) / 2
    errors = np.array([data - low, high - data])
    seen = data > 0
    wide = _half_widths(edges)
    axes.errorbar(
        centres[seen],
        data[seen],
        yerr=errors[:, seen],
        xerr=None if wide is None else wide[seen],
        label="Data",
        zorder=5,
        **POINTS,
    )
    # An empty bin has an upper end, but a marker on the axis would look like an event. Where
    # nothing is expected either, the bar would only hide the tail.
    missed = ~seen & (numbers.total > EXPECTED)
    empty = {**POINTS, "fmt": "none", "ecolor": "black"}
    if missed.any():
        axes.errorbar(centres[missed], data[missed], yerr=errors[:, missed], zorder=5, **empty)


def _draw_ratio(axes: Axes, numbers: StackNumbers) -> None:
    from matplotlib.ticker import FixedLocator

    if numbers.data is None:
        return
    edges = numbers.edges
    centres, wide = (edges[1:] + edges[:-1]) / 2, _half_widths(edges)
    parts = ratio(numbers.data, numbers.total, numbers.band, numbers.interval)
    limits = ratio_limits(parts)
    below, above, empty = outside(parts, limits)
    _area(axes, parts.band_high, edges, parts.band_low, facecolor="#d9d9d9", **HATCH)
    axes.axhline(1.0, color="black", lw=1.0, ls="--")
    shown = np.isfinite(parts.value) & ~empty
    axes.errorbar(
        centres[shown],
        parts.value[shown],
        yerr=np.array([parts.value - parts.low, parts.high - parts.value])[:, shown],
        xerr=None if wide is None else wide[shown],
        zorder=5,
        **POINTS,
    )
    inset = 0.06 * (limits[1] - limits[0])
    arrow: dict[str, Any] = {"color": REMARK_COLOUR, "ls": "none", "ms": 7.0, "zorder": 6}
    axes.plot(centres[above], np.full(above.sum(), limits[1] - inset), marker="^", **arrow)
    axes.plot(centres[below], np.full(below.sum(), limits[0] + inset), marker="v", **arrow)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(*limits)
    step = TICKS[round(limits[1] - 1.0, 3)]
    axes.yaxis.set_major_locator(FixedLocator([1.0 - step, 1.0, 1.0 + step]))
    axes.set_ylabel("Data / Pred.", loc="center", fontsize=16)
    axes.yaxis.set_label_coords(-0.095, 0.5)


def _make_room(
    figure: Figure,
    axes: Axes,
    numbers: StackNumbers,
    spec: PlottingSpec,
    remarks: Sequence[str],
) -> tuple[Rectangle, Rectangle]:
    """Write legend and texts, then lift the axis so that nothing is drawn behind them.

    Returns
    -------
    tuple of Rectangle
        Where legend and texts are.
    """
    left = _texts(axes, numbers, spec, remarks)
    text = _extent(figure, axes, *left)
    block = _place_legend(figure, axes, _right(figure, axes, *left), text.bottom)
    band_top = numbers.total + numbers.band.up
    highest = band_top
    for values in numbers.lines.values():
        scale = signal_factor(values, numbers.total, spec.signal_scale, log=spec.log_scale)
        highest = np.maximum(highest, values * scale)
    if numbers.data is not None and numbers.interval is not None:
        highest = np.fmax(highest, numbers.interval[1] * (numbers.data > 0))  # NaN where blind
    bottom = _bottom(numbers) if spec.log_scale else 0.0
    axes.set_ylim(
        bottom,
        top_of_axis(highest, numbers.edges, (block, text), bottom, log=spec.log_scale),
    )
    return block, text


def _place_legend(figure: Figure, axes: Axes, end: float, below: float) -> Rectangle:
    """Write the legend beside the texts, which end at `end`, or else below them."""
    legend = _legend(axes)
    block = _extent(figure, axes, legend)
    if end <= block.left:
        return block
    if len(legend.get_texts()) <= LONGEST:
        slim = _extent(figure, axes, _legend(axes, columns=1))
        if end <= slim.left:
            return slim
        legend = _legend(axes)
    legend.set_bbox_to_anchor((RIGHT, below), transform=axes.transAxes)
    return _extent(figure, axes, legend)


def _bottom(numbers: StackNumbers) -> float:
    """Lower limit of a logarithmic axis: below the smallest total, at most 6 decades.

    Hundredths of events are the least that matter beside bins with tens of events.
    """
    total = numbers.total
    top = float(np.max(total, initial=0.0))
    if top <= 0:
        return 0.1
    smallest = float(np.min(total[total > 0]))
    if numbers.data is not None:
        smallest = min(smallest, 0.5)
    return float(10.0 ** np.floor(np.log10(max(smallest * 0.5, top * 1e-6, min(1e-3 * top, 0.01)))))


def _texts(
    axes: Axes, numbers: StackNumbers, spec: PlottingSpec, remarks: Sequence[str]
) -> list[Any]:
    channel = spec.channel_labels.get(numbers.channel, pretty(numbers.channel))
    lines = [(channel, SMALL + 2, "black")]
    lines += [(numbers.title, SMALL, "black")] if numbers.title else []
    lines += [(remark, TINY, REMARK_COLOUR) for remark in remarks]
    height = axes.get_window_extent().height * 72 / axes.figure.dpi  # [pt]
    texts, y = inside_label(axes, spec)
    for line, size, colour in lines:
        text = axes.text(0.04, y, line, size=size, color=colour, va="top", transform=axes.transAxes)
        texts.append(text)
        y -= 1.45 * size / height
    return texts


def _legend(axes: Axes, columns: int | None = None) -> Legend:
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    # Data first, then the stack as it stands, from its top, then what is laid over it.
    stack = [label for label in labels if label not in {"Data", "Uncertainty"}]
    patches = [label for label in stack if getattr(entries[label], "get_fill", bool)()]
    lines = [label for label in stack if label not in patches]
    order = [*(["Data"] if "Data" in entries else []), *reversed(patches), "Uncertainty", *lines]
    columns = columns or 1 + sum(len(order) > most for most in COLUMNS)
    return axes.legend(
        [entries[label] for label in order],
        order,
        loc="upper right",
        bbox_to_anchor=(RIGHT, 0.985),
        ncols=columns,
        fontsize=SMALL if columns <= len(COLUMNS) else TINY,
        borderaxespad=0.3,
        borderpad=0.2,
        labelspacing=0.35,
        columnspacing=1.0,
        handlelength=1.3,
        handletextpad=0.5,
    )


def _boxes(figure: Figure, axes: Axes, artists: Sequence[Any]) -> Floats:
    """Corners (left, bottom, right, top) in axes fractions, shape (n_artists, 4)."""
    from hepflow.plotting.recording import ruler

    renderer = ruler(figure.dpi)
    to_axes = axes.transAxes.inverted()
    boxes = [artist.get_window_extent(renderer).transformed(to_axes) for artist in artists]
    return np.array([box.extents for box in boxes], dtype=np.float64).reshape(-1, 4)


def _extent(figure: Figure, axes: Axes, *artists: Any) -> Rectangle:
    boxes = _boxes(figure, axes, artists)
    left, right = boxes[:, 0].min() - BESIDE, boxes[:, 2].max() + BESIDE
    return Rectangle(left, right, max(boxes[:, 1].min() - 0.025, HIGHEST))


def _right(figure: Figure, axes: Axes, *artists: Any) -> float:
    return float(_boxes(figure, axes, artists)[:, 2].max())
