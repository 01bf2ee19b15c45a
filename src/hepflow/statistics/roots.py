"""Roots of functions that cost a fit at each point.

Method: T. R. Chandrupatla, Adv. Eng. Softw. 28 (1997) 145: inverse quadratic interpolation where
the three last points allow it, bisection elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS = 100
_HALF = 0.5


def root(function: Callable[[float], float], low: float, high: float, precision: float) -> float:
    """Root between two points at which the function has different signs.

    Parameters
    ----------
    function : callable
    low, high : float
    precision : float
        Of the root, relative.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The function has the same sign at both ends.
    """
    a, b = high, low
    f_a, f_b = function(a), function(b)
    if f_a * f_b > 0:
        raise ValueError(f"the function is {f_a:g} at {a:g} and {f_b:g} at {b:g}")
    for end, value in ((a, f_a), (b, f_b)):
        if value == 0:
            return end
    part = _HALF
    for _ in range(_STEPS):
        x = a + part * (b - a)
        f_x = function(x)
        if (f_x > 0) == (f_a > 0):
            c, f_c, a, f_a = a, f_a, x, f_x
        else:
            c, f_c, b, f_b, a, f_a = b, f_b, a, f_a, x, f_x
        best, f_best = (a, f_a) if abs(f_a) < abs(f_b) else (b, f_b)
        shortest = _HALF * precision * abs(best) / abs(b - a) if b != a else 1.0
        if shortest > _HALF or f_best == 0:
            return best
        part = min(max(_inside((a, f_a), (b, f_b), (c, f_c)), shortest), 1 - shortest)
    return best


def _inside(one: tuple[float, float], two: tuple[float, float], old: tuple[float, float]) -> float:
    """Where between the first two points to look next, as a part of their distance."""
    (a, f_a), (b, f_b), (c, f_c) = one, two, old
    if not all(math.isfinite(value) for value in (f_a, f_b, f_c)) or f_c in (f_a, f_b):
        return _HALF
    place, level = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    if not 1 - math.sqrt(max(1 - place, 0.0)) < level < math.sqrt(max(place, 0.0)):
        return _HALF
    first = f_a / (f_b - f_a) * f_c / (f_b - f_c)
    second = (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return first + second
