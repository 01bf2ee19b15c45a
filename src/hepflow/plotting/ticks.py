"""Ticks that are drawn quickly: a figure has hundreds, and each costs matplotlib four artists."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT, TICKRIGHT, TICKUP
from matplotlib.text import Text
from matplotlib.ticker import AutoMinorLocator, ScalarFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

Which = Literal["x", "y"]

_SIDES: dict[str, tuple[tuple[float, Any], ...]] = {
    "x": ((0.0, TICKUP), (1.0, TICKDOWN)),
    "y": ((0.0, TICKRIGHT), (1.0, TICKLEFT)),
}
_NAMES = {"x": ("bottom", "top"), "y": ("left", "right")}
_ROUNDING = 1e-10  # of the width of an axis, by which a tick at its end may lie outside
_BEHIND_LINES = 1.5  # where matplotlib draws its own ticks


class _Ticks(Artist):
    """Ticks of an axis on both sides, each side drawn at once."""

    def __init__(self, axes: Axes, which: Which, kind: Literal["major", "minor"]) -> None:
        super().__init__()
        self.set_zorder(_BEHIND_LINES)
        self.set_in_layout(False)
        self._which = which
        self._axis: Any = axes.xaxis if which == "x" else axes.yaxis
        settings: dict[Any, Any] = mpl.rcParams
        look: dict[str, Any] = {
            "color": settings[f"{which}tick.color"],
            "linestyle": "none",
            "markersize": settings[f"{which}tick.{kind}.size"],
            "markeredgewidth": settings[f"{which}tick.{kind}.width"],
        }
        transform = axes.get_xaxis_transform() if which == "x" else axes.get_yaxis_transform()
        self._lines = []
        for side, marker in _SIDES[which]:
            line = Line2D([], [], marker=marker, **look)
            line.set_transform(transform)
            self._lines.append((side, line))
        axes.add_artist(self)
        for _, line in self._lines:
            line.set_figure(axes.figure)

    def _draw_lines(self, renderer: RendererBase, along: Any) -> None:
        for side, line in self._lines:
            across = np.full_like(along, side)
            line.set_data(*((along, across) if self._which == "x" else (across, along)))
            line.draw(renderer)


class MinorTicks(_Ticks):
    """Minor ticks of a linear axis on both sides.

    They follow the limits of the axis, as matplotlib's own do.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        They are added to it.
    which : {"x", "y"}
        Axis.
    """

    def __init__(self, axes: Axes, which: Which) -> None:
        super().__init__(axes, which, "minor")
        self._locator = AutoMinorLocator()
        self._locator.set_axis(self._axis)

    def positions(self) -> Any:
        """Where the ticks are within the limits of the axis, shape (n_ticks,)."""
        if self._axis.get_scale() != "linear":
            return np.empty(0)  # such a scale has brought its own
        low, high = sorted(self._axis.get_view_interval())
        found = np.asarray(self._locator(), dtype=np.float64)
        return found[(found >= low) & (found <= high)]

    def draw(self, renderer: RendererBase) -> None:
        """Draw both sides."""
        self._draw_lines(renderer, self.positions())


class MajorTicks(_Ticks):
    """Major ticks of a linear axis with their labels, at the left or below.

    Where they are and what their labels say is told by the axis, as for matplotlib's own, of
    which the axis must show none (see `without_ticks`).

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        They are added to it.
    which : {"x", "y"}
        Axis.
    labelled : bool
        Whether there are labels.
    """

    def __init__(self, axes: Axes, which: Which, *, labelled: bool = True) -> None:
        super().__init__(axes, which, "major")
        settings: dict[Any, Any] = mpl.rcParams
        pad = settings[f"{which}tick.major.pad"]
        place = axes.get_xaxis_text1_transform if which == "x" else axes.get_yaxis_text1_transform
        transform, vertical, horizontal = place(pad)
        self._label = Text(
            color=settings[f"{which}tick.color"],
            size=settings[f"{which}tick.labelsize"],
            va=vertical,
            ha=horizontal,
            transform=transform,
        )
        self._label.set_figure(axes.figure)
        self._labelled = labelled
        # It is hidden with matplotlib's labels; below an axis it is drawn here, below ours.
        self._axis.get_offset_text().set_visible(labelled and which == "y")

    def labels(self) -> list[tuple[float, str]]:
        """Place and text of each label within the limits of the axis."""
        low, high = sorted(self._axis.get_view_interval())
        margin = _ROUNDING * (high - low)
        places = self._axis.get_majorticklocs()
        texts = self._axis.get_major_formatter().format_ticks(places)
        return [
            (place, text)
            for place, text in zip(places, texts, strict=True)
            if low - margin <= place <= high + margin
        ]

    def draw(self, renderer: RendererBase) -> None:
        """Draw ticks and labels; the title of an axis at the bottom goes below them."""
        labels = self.labels()
        self._draw_lines(renderer, np.array([place for place, _ in labels]))
        if not self._labelled:
            return
        lowest = self._axis.axes.bbox.y0
        for place, text in labels:
            self._label.set_text(text)
            self._label.set_position((place, 0.0) if self._which == "x" else (0.0, place))
            self._label.draw(renderer)
            if self._which == "x":
                lowest = min(lowest, self._label.get_window_extent(renderer).y0)
        if self._which == "x":
            self._draw_offset(renderer, lowest)
            self._place_title(lowest)

    def _draw_offset(self, renderer: RendererBase, lowest: float) -> None:
        text = self._axis.get_offset_text()
        text.set_text(self._axis.get_major_formatter().get_offset())
        text.set_position((text.get_position()[0], self._below(lowest, self._axis.OFFSETTEXTPAD)))
        text.set_visible(True)
        text.draw(renderer)
        text.set_visible(False)  # for the axis, which knows of no labels

    def _place_title(self, lowest: float) -> None:
        title = self._axis.label
        below = self._below(lowest, self._axis.labelpad)
        self._axis.set_label_coords(title.get_position()[0], below, title.get_transform())

    def _below(self, lowest: float, points: float) -> float:
        return lowest - points * float(self._axis.axes.figure.dpi) / 72


def without_ticks(which: str) -> contextlib.AbstractContextManager[None]:
    """Make axes within this that don't show matplotlib's ticks, on ``x``, ``y`` or both."""
    hidden: dict[Any, Any] = {
        f"{one}tick.{label}{side}": False
        for one in which
        for side in _NAMES[one]
        for label in ("", "label")
    }
    return mpl.rc_context(hidden) if hidden else contextlib.nullcontext()


class MathOffset(ScalarFormatter):
    """Numbers as plain text, of which only the power of ten above the axis is TeX.

    Setting TeX takes milliseconds a number, and plain digits look the same.
    """

    def get_offset(self) -> str:
        r"""Power of ten such as ``$\times\mathdefault{10^{3}}$``."""
        self.set_useMathText(True)
        try:
            return str(super().get_offset())
        finally:
            self.set_useMathText(False)
