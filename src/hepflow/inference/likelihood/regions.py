"""Confidence regions: the rise of -2 ln L at their border, and what they contain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.likelihood.splines import interpolated
from hepflow.inference.records import Floats
from hepflow.records.sbi import Ends, Region

if TYPE_CHECKING:
    from hepflow.inference.likelihood.grids import Surface

FINE = 512  # steps along each parameter, in which regions are measured
LEVELS = (0.6826894921370859, 0.95)  # confidence levels


def rise(level: float, degrees_of_freedom: int) -> float:
    """Rise of -2 ln L at the border of a confidence region.

    Parameters
    ----------
    level : float
        Confidence level, between 0 and 1.
    degrees_of_freedom : int
        How many parameters the region is in: the others are profiled.

    Notes
    -----
    S. S. Wilks, Ann. Math. Stat. 9 (1938) 60.

    Raises
    ------
    InputError
        The level is not between 0 and 1.

    Examples
    --------
    A rise of 1 has 68.27 % in one parameter, but only 39.3 % in two (p = 0.607).

    >>> round(rise(0.6826894921370859, 1), 3), round(rise(0.6826894921370859, 2), 3)
    (1.0, 2.296)
    >>> p_value(np.array([1.0, 2.2957]), 2).round(3).tolist()
    [0.607, 0.317]
    """
    from scipy.special import gammaincinv

    if not 0.0 < level < 1.0:
        raise InputError(f"a confidence level is between 0 and 1, such as 0.68; {level:g} is not.")
    return 2.0 * float(gammaincinv(degrees_of_freedom / 2.0, level))


def p_value(delta: float | Floats, degrees_of_freedom: int) -> Floats:
    """Probability that -2 ln(L/L_max) at the truth is larger, by the chi-squared distribution."""
    from scipy.special import gammaincc

    half = np.maximum(np.asarray(delta, dtype=np.float64), 0.0) / 2.0
    return np.asarray(gammaincc(degrees_of_freedom / 2.0, half), dtype=np.float64)


def region(surface: Surface, level: float, critical: Floats | None = None) -> Region:
    """Region of a surface at a confidence level.

    Parameters
    ----------
    surface : Surface
        -2 ln L of all parameters that the region is in.
    level : float
        Confidence level.
    critical : ndarray, optional
        Critical values of -2 ln(L/L_max) from toys, shape of the grid. Default: those of the
        chi-squared distribution, the same at all points.
    """
    grid = surface.grid
    dof = len(grid.axes)
    border = None if critical is not None else rise(level, dof)
    threshold = np.full(grid.shape, border) if critical is None else np.asarray(critical)
    depth, axes = _finer(grid.axes, surface.delta - threshold)
    inside = np.asarray(depth <= 0)
    return Region(
        parameters=tuple(one.name for one in grid.parameters),
        units=tuple(one.unit for one in grid.parameters),
        confidence_level=level,
        p_value=1.0 - level,
        degrees_of_freedom=dof,
        calculator="asymptotic" if critical is None else "neyman",
        rise=border,
        ends=_ends(inside, depth, axes),
        area=_area(inside, axes),
        critical=() if critical is None else tuple(threshold.ravel().tolist()),
    )


def _finer(axes: Sequence[Floats], depth: Floats) -> tuple[Floats, list[Floats]]:
    """Depth below the border on a grid that is much finer, where splines can be had."""
    if len(axes) > 2:  # noqa: PLR2004 - splines are made for lines and planes
        return depth, list(axes)
    finer = [np.linspace(one[0], one[-1], max(FINE, 8 * (len(one) - 1)) + 1) for one in axes]
    return interpolated(axes, depth, finer), finer


def _ends(inside: np.ndarray, depth: Floats, axes: Sequence[Floats]) -> tuple[Ends, ...]:
    """Lowest and highest value of each parameter in a region; None where it goes on."""
    if not inside.any():
        return tuple((None, None) for _ in axes)
    found: list[Ends] = []
    for axis, values in enumerate(axes):
        others = tuple(i for i in range(len(axes)) if i != axis)
        reached = np.atleast_1d(inside.any(axis=others))
        deepest = depth.min(axis=others)
        first, last = int(reached.argmax()), len(values) - 1 - int(reached[::-1].argmax())
        low = None if first == 0 else _crossing(values, deepest, first - 1)
        high = None if last == len(values) - 1 else _crossing(values, deepest, last)
        found.append((low, high))
    return tuple(found)


def _crossing(values: Floats, depth: Floats, left: int) -> float:
    """Where the depth is zero between two neighbours."""
    a, b = depth[left], depth[left + 1]
    return float(values[left] + (values[left + 1] - values[left]) * a / (a - b))


def _area(inside: np.ndarray, axes: Sequence[Floats]) -> float:
    """Area, length or volume of the part of a region that is on the grid."""
    weights: Floats = np.ones(1)
    for values in axes:
        width = np.full(len(values), values[1] - values[0])
        width[[0, -1]] /= 2.0
        weights = np.multiply.outer(weights, width)
    return float((inside * weights.reshape(inside.shape)).sum())
