"""Ticks that are drawn quickly: a figure has hundreds, and each costs matplotlib four artists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT, TICKRIGHT, TICKUP
from matplotlib.ticker import AutoMinorLocator, ScalarFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

_SIDES: dict[str, tuple[tuple[float, Any], ...]] = {
    "x": ((0.0, TICKUP), (1.0, TICKDOWN)),
    "y": ((0.0, TICKRIGHT), (1.0, TICKLEFT)),
}
_BEHIND_LINES = 1.5  # where matplotlib draws its own ticks


class MinorTicks(Artist):
    """Minor ticks of a linear axis on both sides, each side drawn at once.

    They follow the limits of the axis, as matplotlib's own do.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        They are added to it.
    which : {"x", "y"}
        Axis.
    """

    def __init__(self, axes: Axes, which: Literal["x", "y"]) -> None:
        super().__init__()
        self.set_zorder(_BEHIND_LINES)
        self.set_in_layout(False)
        self._which = which
        self._axis = axes.xaxis if which == "x" else axes.yaxis
        self._locator = AutoMinorLocator()
        self._locator.set_axis(self._axis)
        settings: dict[Any, Any] = mpl.rcParams
        look: dict[str, Any] = {
            "color": settings[f"{which}tick.color"],
            "linestyle": "none",
            "markersize": settings[f"{which}tick.minor.size"],
            "markeredgewidth": settings[f"{which}tick.minor.width"],
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

    def positions(self) -> Any:
        """Where the ticks are within the limits of the axis, shape (n_ticks,)."""
        low, high = sorted(self._axis.get_view_interval())
        found = np.asarray(self._locator(), dtype=np.float64)
        return found[(found >= low) & (found <= high)]

    def draw(self, renderer: RendererBase) -> None:
        """Draw both sides."""
        along = self.positions()
        for side, line in self._lines:
            across = np.full_like(along, side)
            line.set_data(*((along, across) if self._which == "x" else (across, along)))
            line.draw(renderer)


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
