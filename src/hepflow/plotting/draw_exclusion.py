"""Draw which signals are excluded, in two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.plotting.exclusion_numbers import ExclusionNumbers
from hepflow.plotting.labels import place_label
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import SMALL, house_style, new_axes, new_figure, number
from hepflow.plotting.texts import REMARK, write_remarks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EXPECTED = "#3f90da"
_LOOKS: dict[str, dict[str, Any]] = {
    "observed": {"color": "black", "ls": "-", "lw": 2.2, "label": "Observed"},
    "expected": {"color": _EXPECTED, "ls": "--", "lw": 2.0, "label": "Expected"},
    "expected_minus_1": {
        "color": _EXPECTED,
        "ls": ":",
        "lw": 1.4,
        "label": r"Expected $\pm 1\sigma$",
    },
    "expected_plus_1": {"color": _EXPECTED, "ls": ":", "lw": 1.4},
}
_MARGIN, _ROOM = 0.06, 0.65  # of the range: around the points, and above them for the legend


def draw_exclusion(
    numbers: ExclusionNumbers, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Figure:
    """Draw where the limit is the prediction, and every point that it was found at.

    Parameters
    ----------
    numbers : ExclusionNumbers
        From `exclusion_numbers`.
    spec : PlottingSpec
        Experiment, luminosity.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    lines = (*remarks, *numbers.remarks)
    tall = 6.0 + REMARK * len(lines)
    with house_style(spec.style):
        figure = new_figure(spec, tall)
        axes = new_axes(figure, (0.17, 0.85 / tall, 0.79, 4.7 / tall), "xy")
        write_remarks(figure, lines)
        for name, look in _LOOKS.items():
            for index, line in enumerate(numbers.contours.get(name, ())):
                own = look if not index else {k: v for k, v in look.items() if k != "label"}
                axes.plot(line[:, 0], line[:, 1], zorder=4, **own)
        _points(axes, numbers)
        _ranges(axes, numbers)
        axes.set_xlabel(numbers.labels[0])
        axes.set_ylabel(numbers.labels[1])
        place_label(axes, spec)
        axes.legend(
            loc="upper right",
            title=f"Exclusion at {number(100 * numbers.confidence_level)} % CL",
            title_fontsize=SMALL,
            alignment="left",
            labelspacing=0.35,
            borderpad=0.2,
        )
    return figure


def _points(axes: Axes, numbers: ExclusionNumbers) -> None:
    """Mark the points: full where excluded, by the data or, without them, as expected."""
    limit = numbers.expected[:, 2] if numbers.observed is None else numbers.observed
    out = limit < 1
    how = "Expected to be excluded" if numbers.observed is None else "Excluded"
    look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 6.0, "color": "#717581", "zorder": 5}
    for chosen, fill, label in ((out, "full", how), (~out, "none", "Not excluded")):
        if chosen.any():
            x, y = numbers.x[chosen], numbers.y[chosen]
            axes.plot(x, y, fillstyle=fill, label=label, **look)


def _ranges(axes: Axes, numbers: ExclusionNumbers) -> None:
    wide, high = (float(np.ptp(one)) or abs(float(one[0])) or 1.0 for one in (numbers.x, numbers.y))
    axes.set_xlim(numbers.x.min() - _MARGIN * wide, numbers.x.max() + _MARGIN * wide)
    axes.set_ylim(numbers.y.min() - _MARGIN * high, numbers.y.max() + (_MARGIN + _ROOM) * high)
