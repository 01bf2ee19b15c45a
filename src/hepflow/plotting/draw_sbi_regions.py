"""Draw confidence regions of several methods, and those expected from Fisher information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.sbi_canvas import (
    COLOURS,
    DASHES,
    MARKERS,
    canvas,
    columns_for,
    heading,
    look,
    room_above,
)
from hepflow.plotting.sbi_regions import EllipseNumbers, RegionCurve, RegionNumbers
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import PULL_COLOURS, house_style, number
from hepflow.records.sbi import method_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DATA = {"observed": "observed", "asimov": "expected (Asimov)"}
MARK: dict[str, Any] = {"marker": "*", "ms": 14.0, "mfc": "white", "mec": "black", "ls": "none"}
TICKS = 6  # intervals between those of the horizontal axis: labels have several digits
# Of what the others should lie on
UNDER: dict[str, Any] = {"linewidths": 6.0, "alpha": 0.35, "zorder": 1.5}
WIDEST = 2.5  # times the narrowest ellipse, in each parameter: what is larger leaves the axes
LOCAL = (
    "from the curvature at the expansion point: regions differ where squares of coefficients count"
)
LATENT = "the information of hidden variables (dashed, grey) can be reached by no analysis"


def draw_regions(
    numbers: RegionNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw the confidence regions of methods in two parameters; one alone is filled.

    Parameters
    ----------
    numbers : RegionNumbers
        From `region_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    with house_style(spec.style):
        figure, axes = canvas(spec, remarks)
        single = len(numbers.curves) == 1
        if single:
            _filled(axes, numbers.curves[0])
        for index, curve in enumerate(numbers.curves):
            _curve(axes, curve, "black" if single else COLOURS[index % len(COLOURS)], index)
        for _, place in numbers.marks:
            axes.plot(*place, zorder=6, **MARK)
        handles = _handles(numbers, single=single)
        title = _title(numbers)
        free = heading(axes, spec, handles, columns=columns_for(len(handles)), title=title)
        (left, right), (low, high) = numbers.limits
        axes.set_xlim(left, right)
        axes.locator_params(axis="x", nbins=TICKS)
        room_above(axes, free, low, high)
        axes.set_xlabel(numbers.labels[0])
        axes.set_ylabel(numbers.labels[1])
    return figure


def _title(numbers: RegionNumbers) -> str:
    kinds = dict.fromkeys(DATA.get(one.data, one.data) for one in numbers.curves)
    data = ", ".join(kinds)
    if len(numbers.curves) == 1:
        return f"{method_label(numbers.curves[0].name)}, {data}"
    return data[0].upper() + data[1:]


def _filled(axes: Axes, curve: RegionCurve) -> None:
    """Fill the asymptotic regions, the inner one darker."""
    depths = sorted(
        ((level, depth) for level, kind, depth in curve.depths if kind == "asymptotic"),
        key=lambda one: -one[0],
    )
    colours = PULL_COLOURS[::-1]
    for index, (_, depth) in enumerate(depths):
        colour = colours[min(index, len(colours) - 1)]
        axes.contourf(curve.x, curve.y, depth, levels=[-1e300, 0.0], colors=[colour])


def _curve(axes: Axes, curve: RegionCurve, colour: str, index: int) -> None:
    for rank, (_, kind, depth) in enumerate(_sorted(curve)):
        look_of = _line(rank, kind)
        thin: dict[str, Any] = {"linewidths": look_of["lw"]}
        if (depth <= 0).any():
            axes.contour(
                curve.x,
                curve.y,
                depth,
                levels=[0.0],
                colors=[COLOURS[4] if kind == "neyman" and colour == "black" else colour],
                linestyles=[look_of["ls"]],
                **(UNDER if curve.name == "exact" and colour != "black" else thin),
            )
    axes.plot(
        *curve.bestfit, MARKERS[index % len(MARKERS)], ms=7.5, color=colour, zorder=5, clip_on=False
    )


def _sorted(curve: RegionCurve) -> list[tuple[float, str, Any]]:
    return sorted(curve.depths, key=lambda one: (one[1] != "asymptotic", one[0]))


def _line(rank: int, kind: str) -> dict[str, Any]:
    """Line of a region: by its rank among the levels; those of toys are dotted."""
    if kind == "neyman":
        return {"lw": 1.8, "ls": DASHES[2]}
    return {"lw": 2.2 if rank == 0 else 1.8, "ls": DASHES[rank % 2]}


def _handles(numbers: RegionNumbers, *, single: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    if not single:
        handles += [
            Line2D(
                [],
                [],
                lw=UNDER["linewidths"] if c.name == "exact" else 2.2,
                alpha=UNDER["alpha"] if c.name == "exact" else None,
                marker=MARKERS[i % len(MARKERS)],
                label=method_label(c.name),
                **look(i),
            )
            for i, c in enumerate(numbers.curves)
        ]
    else:
        mark: dict[str, Any] = {"marker": MARKERS[0], "ls": "none", "color": "black", "ms": 7.5}
        handles.append(Line2D([], [], label="Best fit", **mark))
    entries = dict.fromkeys(
        (level, kind) for one in numbers.curves for level, kind, _ in _sorted(one)
    )
    for rank, (level, kind) in enumerate(entries):
        colour = COLOURS[4] if kind == "neyman" and single else "black"
        text = f"{number(100 * level, 2)} % CL" + (", toys" if kind == "neyman" else "")
        handles.append(Line2D([], [], color=colour, label=text, **_line(rank, kind)))
    handles += [Line2D([], [], label=name, **MARK) for name, _ in numbers.marks]
    return handles


def draw_ellipses(
    numbers: EllipseNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw the regions that Fisher information lets expect.

    Parameters
    ----------
    numbers : EllipseNumbers
        From `ellipse_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each. What the information of hidden variables means is
        said where it is drawn.
    """
    said = [*remarks, LOCAL]
    said += [LATENT] if any(one.kind == "latent" for one in numbers.ellipses) else []
    if numbers.left_out:
        said.append(f"no region from {', '.join(numbers.left_out)}: blind to one direction")
    with house_style(spec.style):
        figure, axes = canvas(spec, said)
        for index, one in enumerate(numbers.ellipses):
            style: dict[str, Any] = {**look(index), "ls": DASHES[index % len(DASHES)], "lw": 2.0}
            if one.kind == "latent":
                style = {"color": "#717581", "ls": (0, (3, 2)), "lw": 1.6}
            axes.plot(one.x, one.y, label=method_label(one.name), **style)
        axes.plot(*numbers.centre, label="Expansion point", **MARK)
        title = f"Expected, {number(100 * numbers.level, 2)} % CL (Fisher information)"
        free = heading(axes, spec, columns=columns_for(len(numbers.ellipses) + 1), title=title)
        reach = [_reach(numbers, axis) for axis in (0, 1)]
        x, y = numbers.centre
        axes.set_xlim(x - 1.12 * reach[0], x + 1.12 * reach[0])
        room_above(axes, free, y - 1.12 * reach[1], y + 1.12 * reach[1])
        axes.set_xlabel(numbers.labels[0])
        axes.set_ylabel(numbers.labels[1])
    return figure


def _reach(numbers: EllipseNumbers, axis: int) -> float:
    """Half the length of an axis: the widest ellipse that does not hide the others."""
    found = sorted(
        float(np.abs((one.x, one.y)[axis] - numbers.centre[axis]).max())
        for one in numbers.ellipses
        if one.kind != "latent"
    ) or [1.0]
    return max(one for one in found if one <= WIDEST * found[0])
