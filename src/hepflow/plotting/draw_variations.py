"""Draw what a source of uncertainty does to the templates of a region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.labels import experiment_label
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import (
    SMALL,
    TINY,
    events_label,
    house_style,
    new_axes,
    new_figure,
    parameter_label,
    plain_exponent,
    pretty,
)
from hepflow.plotting.tables import percent_text
from hepflow.plotting.texts import REMARK, write_remarks
from hepflow.plotting.variation_numbers import Variation, VariationNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND: dict[str, Any] = {"facecolor": "#d9d9d9", "linewidth": 0.0, "fill": True}
UP, DOWN = "#3f90da", "#e76300"
EVENTS, PANEL, GAP = 2.5, 1.0, 0.06  # heights [inch]
LEFT, SPAN, LOW = 0.15, 0.81, 0.75  # the last one in inches
REACHES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of a panel on both sides of 1
ROOM, ABOVE = 1.1, 1.75  # of the largest deviation; of that room above 1, for a text


def draw_variations(
    numbers: VariationNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw nominal, up and down of a region, and their ratio to nominal by process.

    Parameters
    ----------
    numbers : VariationNumbers
        From `variation_numbers` or `workspace_variations`.
    spec : PlottingSpec
        Experiment, luminosity, labels.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    lines = list(remarks)
    if numbers.left_out:
        lines.append(f"{numbers.left_out} processes with smaller effects not shown")
    # The sum alone says it all where there is nothing else.
    alone = len(numbers.processes) == 1 and _same(numbers.processes[0], numbers.total)
    panels = [numbers.total, *(() if alone else numbers.processes)]
    with house_style(spec.style):
        top = 0.45 + REMARK * len(lines)
        tall = LOW + (PANEL + GAP) * len(panels) + EVENTS + top
        figure = new_figure(spec, tall)
        axes = new_axes(figure, _box(tall - top - EVENTS, EVENTS, tall), "xy", "xy", "y")
        _events(axes, numbers, spec)
        experiment_label(axes, spec)
        below = axes
        for index, panel in enumerate(panels, 1):
            bottom = tall - top - EVENTS - index * (PANEL + GAP)
            labels = "xy" if index == len(panels) else "y"
            below = new_axes(figure, _box(bottom, PANEL, tall), "x", "xy", labels)
            name = "Sum" if not panel.name else spec.labels.get(panel.name, pretty(panel.name))
            _ratio(below, panel, numbers.edges, name)
        below.set_xlabel(numbers.label)
        write_remarks(figure, lines)
    return figure


def _same(one: Variation, other: Variation) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("nominal", "up", "down")
    )


def _box(bottom: float, height: float, tall: float) -> tuple[float, float, float, float]:
    return LEFT, bottom / tall, SPAN, height / tall


def _lines(axes: Axes, edges: Any, up: Any, down: Any) -> None:
    solid: dict[str, Any] = {"edgecolor": UP, "label": r"$+1\sigma$"}
    dashed: dict[str, Any] = {"edgecolor": DOWN, "ls": (0, (4, 1.5)), "label": r"$-1\sigma$"}
    for values, look in ((up, solid), (down, dashed)):
        _steps(axes, values, edges, fill=False, lw=1.8, **look)


def _steps(axes: Axes, values: Any, edges: Any, baseline: Any = None, **look: Any) -> None:
    """As `Axes.stairs`, which looks for limits that are set afterwards."""
    from matplotlib.patches import StepPatch

    axes.add_artist(StepPatch(values, edges, baseline=baseline, **look))


def _events(axes: Axes, numbers: VariationNumbers, spec: PlottingSpec) -> None:
    total, edges = numbers.total, numbers.edges
    spread = total.statistical
    label = "MC statistics"
    _steps(axes, total.nominal + spread, edges, total.nominal - spread, label=label, **BAND)
    black: dict[str, Any] = {"edgecolor": "black", "fill": False, "lw": 1.8, "label": "Nominal"}
    _steps(axes, total.nominal, edges, **black)
    _lines(axes, edges, total.up, total.down)
    axes.set_xlim(edges[0], edges[-1])
    highest = float(np.max([total.up, total.down, total.nominal]))
    axes.set_ylim(0.0, 1.5 * highest if highest > 0 else 1.0)
    plain_exponent(axes, log=False)
    axes.set_ylabel(events_label(edges, numbers.label), size=SMALL + 1)
    axes.yaxis.set_label_coords(-0.12, 1.0)
    channel = spec.channel_labels.get(numbers.channel, pretty(numbers.channel))
    inside: dict[str, Any] = {"transform": axes.transAxes, "va": "top"}
    axes.text(0.03, 0.94, channel, size=SMALL, **inside)
    axes.text(0.03, 0.82, parameter_label(numbers.source, spec), size=SMALL, **inside)
    axes.legend(
        loc="upper right", ncols=2, fontsize=SMALL, borderpad=0.2, columnspacing=1.0,
        handlelength=1.4, handletextpad=0.5,
    )  # fmt: skip


def _ratio(axes: Axes, panel: Variation, edges: Any, name: str) -> None:
    from matplotlib.ticker import FixedLocator

    there = panel.nominal > 0
    safe = np.where(there, panel.nominal, 1.0)
    up, down = (np.where(there, values / safe, np.nan) for values in (panel.up, panel.down))
    spread = np.where(there, panel.statistical / safe, 0.0)
    _steps(axes, 1.0 + spread, edges, 1.0 - spread, **BAND)
    axes.axhline(1.0, color="black", lw=1.0)
    _lines(axes, edges, up, down)
    axes.set_xlim(edges[0], edges[-1])
    reach = _reach(np.concatenate([up, down]) - 1.0)
    axes.set_ylim(1.0 - reach, 1.0 + ABOVE * reach)
    axes.yaxis.set_major_locator(FixedLocator([1.0 - reach / 2, 1.0, 1.0 + reach / 2]))
    axes.set_ylabel("Ratio", loc="center", size=SMALL)
    axes.yaxis.set_label_coords(-0.1, 0.5)
    paper: dict[str, Any] = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0}
    text = f"{name}: {_sizes_text(panel)}"
    axes.text(0.02, 0.92, text, size=TINY, va="top", bbox=paper, transform=axes.transAxes)


def _reach(deviations: Any) -> float:
    """Distance of the lower end of a panel from 1: a round one that shows it all, at most 1."""
    known = np.abs(deviations[np.isfinite(deviations)])
    wanted = ROOM * float(np.max(known, initial=0.0))
    return next((reach for reach in REACHES if wanted <= reach), REACHES[-1])


def _sizes_text(panel: Variation) -> str:
    """Changes of the yield, up and down."""
    return " / ".join(f"{percent_text(100 * size)} %" for size in panel.sizes)
