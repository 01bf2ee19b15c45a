"""What the figures of simulation-based inference share: axes, looks, legends above the content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hepflow.plotting.labels import place_label
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import SMALL, new_axes, new_figure
from hepflow.plotting.texts import REMARK, write_remarks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that colour-blind readers can tell apart (arXiv:2107.02270), dark enough for lines; each
# comes with a marker and a line style of its own, so that none depends on colour alone.
COLOURS = ("#3f90da", "#e76300", "#832db6", "#0a6b3d", "#bd1f01", "#717581", "#a96b59", "#1d3a6e")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES: tuple[Any, ...] = (
    "-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (10, 3)),
    (0, (4, 1.5, 1, 1.5, 1, 1.5)),
)  # fmt: skip
LEFT, RIGHT = 0.15, 0.96  # of the axes, in fractions of the width
BOTTOM, HIGH, ABOVE, PANEL, GAP = 0.8, 4.75, 0.45, 1.35, 0.1  # [inch]
NEAR = 0.07  # of an axis: ticks of a panel so near to its end have their label in another's
LABEL_ROOM = 0.82  # height of an experiment's label within the axes [inch]


def look(index: int) -> dict[str, Any]:
    """Colour of the curve with this index."""
    return {"color": COLOURS[index % len(COLOURS)]}


def canvas(
    spec: PlottingSpec, remarks: Sequence[str], *, minor: str = "xy", below: float = 0.0
) -> tuple[Figure, Axes]:
    """Figure with axes.

    Remarks are lines at its upper end, `minor` the axes with minor ticks, `below` further room
    for texts at the horizontal axis [inch].
    """
    bottom = BOTTOM + below
    tall = bottom + HIGH + ABOVE + REMARK * len(remarks)
    figure = new_figure(spec, tall)
    axes = new_axes(figure, (LEFT, bottom / tall, RIGHT - LEFT, HIGH / tall), minor)
    write_remarks(figure, remarks)
    return figure, axes


def canvas_of_two(
    spec: PlottingSpec, remarks: Sequence[str], *, minor: str = "xy", minor_below: str = "xy"
) -> tuple[Figure, Axes, Axes]:
    """Figure with axes and a panel below them, which has the title of the horizontal axis.

    Linear axes with minor ticks are named in `minor`, and for the panel in `minor_below`.
    """
    high = HIGH - 0.45 * PANEL
    start = BOTTOM + PANEL + GAP
    tall = start + high + ABOVE + REMARK * len(remarks)
    figure = new_figure(spec, tall)
    width = RIGHT - LEFT
    axes = new_axes(figure, (LEFT, start / tall, width, high / tall), minor)
    panel = new_axes(figure, (LEFT, BOTTOM / tall, width, PANEL / tall), minor_below)
    axes.tick_params(axis="x", labelbottom=False)
    for one in (axes, panel):
        one.yaxis.set_label_coords(-0.115, 0.5)
    write_remarks(figure, remarks)
    return figure, axes, panel


def heading(
    axes: Axes,
    spec: PlottingSpec,
    handles: Sequence[Any] | None = None,
    *,
    columns: int = 1,
    title: str = "",
) -> float:
    """Write label and legend at the upper end; the fraction of the height that is left below."""
    inside = place_label(axes, spec)
    frame = axes.get_window_extent()
    top = 0.98 - (LABEL_ROOM * axes.figure.dpi / frame.height if inside else 0.0)
    entries: dict[str, Any] = {} if handles is None else {"handles": list(handles)}
    legend = axes.legend(
        **entries,
        loc="upper left",
        bbox_to_anchor=(0.02, top),
        ncols=columns,
        title=title or None,
        title_fontsize=SMALL,
        alignment="left",
        handlelength=1.9,
        columnspacing=1.4,
        labelspacing=0.35,
        borderpad=0.2,
        borderaxespad=0.0,
    )
    box = legend.get_window_extent()
    return float((box.y0 - frame.y0) / frame.height) - 0.03


def room_above(axes: Axes, free: float, low: float, high: float) -> None:
    """Set the limits so that content between `low` and `high` stays in the free fraction."""
    axes.set_ylim(low, low + (high - low) / max(free, 0.2))


def few_ticks(panel: Axes) -> None:
    """Few vertical ticks, but two or more, and none at an end, where neighbours have theirs."""
    low, high = panel.get_ylim()
    room = NEAR * (high - low)
    for count in (4, 6, 8):
        panel.locator_params(axis="y", nbins=count)
        kept = [one for one in panel.get_yticks() if low + room <= one <= high - room]
        if len(kept) > 1:
            break
    panel.set_yticks(kept)


def columns_for(entries: int) -> int:
    """Columns of a legend that does not take half of the figure."""
    return 1 if entries <= 3 else 2  # noqa: PLR2004 - lines in one column
