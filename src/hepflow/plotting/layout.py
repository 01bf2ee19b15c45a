"""Where things find room in the axes: factors on lines, and the height of the axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hepflow.records.prediction import Floats

WEAK = 0.1  # of the stack's height: a signal line below is lifted


def round_factor(factor: float) -> float:
    """Round down to 1, 2 or 5 times a power of ten, at least 1.

    Examples
    --------
    >>> round_factor(73.0), round_factor(1999.0), round_factor(0.3)
    (50.0, 1000.0, 1.0)
    """
    if not factor > 1:
        return 1.0
    power = 10.0 ** np.floor(np.log10(factor) + 1e-12)
    return float(
        max(step * power for step in (1.0, 2.0, 5.0) if step * power <= factor * (1 + 1e-9))
    )


def signal_factor(line: Floats, total: Floats, wanted: float | None, *, log: bool) -> float:
    """Factor on a signal line: as wanted, else a round one that lifts it to view.

    Only a line below a tenth of the stack on a linear axis is lifted, to at most its half.
    """
    if wanted is not None:
        return wanted
    peak, top = float(np.max(line, initial=0.0)), float(np.max(total, initial=0.0))
    if log or peak <= 0 or peak > WEAK * top:
        return 1.0
    return round_factor(0.5 * top / peak)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle at the top of the axes that content must not enter; axes fractions."""

    left: float
    right: float
    bottom: float


def top_of_axis(
    content: Floats, edges: Floats, blocks: Iterable[Rectangle], bottom: float, *, log: bool
) -> float:
    """Upper limit of the event axis at which nothing drawn lies behind a block.

    Parameters
    ----------
    content : ndarray, shape (n_bins,)
        Highest thing drawn in each bin.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges; the axis runs from the first to the last.
    blocks : iterable of Rectangle
        Where legend and texts are.
    bottom : float
        Lower limit of the axis.
    log : bool
        Whether the axis is logarithmic.

    Returns
    -------
    float
        At least 5 % of the height stay free above everything.
    """
    forward, back = (np.log10, lambda x: 10.0**x) if log else (np.asarray, float)
    position = (edges - edges[0]) / (edges[-1] - edges[0])
    low = float(forward(bottom))
    best = low
    for block in (Rectangle(0.0, 1.0, 0.95), *blocks):
        behind = (position[1:] > block.left) & (position[:-1] < block.right)
        highest = np.max(content[behind], initial=bottom)
        best = max(best, low + (float(forward(max(highest, bottom))) - low) / block.bottom)
    return float(back(best)) if best > low else float(back(low + 1.0))
