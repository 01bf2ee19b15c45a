"""Interpolation between the templates of a systematic, by HistFactory's codes as in pyhf.

A shift of a template is ``linear(alpha) * (up - down) / 2 + curve(alpha) * (up + down - 2 nominal)
/ 16``; the slope of the first factor is one in all codes. Codes 0, 2 and 4p are for ``histosys``,
1 and 4 for ``normsys``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError

Floats = NDArray[np.float64]
SHIFTS = ("code0", "code2", "code4p")
FACTORS = ("code1", "code4")
DEFAULT = {"histosys": "code4p", "normsys": "code4"}  # pyhf's for a workspace
_BARE = {"histosys": "code0", "normsys": "code1"}  # pyhf's for settings that leave one out


def chosen_codes(settings: Mapping[str, Any] | None) -> dict[str, str]:
    """Codes of ``histosys`` and ``normsys``.

    Parameters
    ----------
    settings : mapping, optional
        As pyhf takes them: ``{"normsys": {"interpcode": "code1"}, "histosys": {...}}``.

    Raises
    ------
    WorkspaceError
        A code that this modifier does not have.
    """
    if settings is None:
        return dict(DEFAULT)
    found = {}
    for kind, known in (("histosys", SHIFTS), ("normsys", FACTORS)):
        found[kind] = str(settings.get(kind, {}).get("interpcode", _BARE[kind]))
        if found[kind] not in known:
            raise WorkspaceError(
                f"interpolation code {found[kind]!r} of {kind} is not known. "
                f"Expected {' or '.join(known)}."
            )
    return found


@dataclass(frozen=True)
class Curve:
    """A function of parameters with its first two derivatives, all of the same shape."""

    value: Floats
    slope: Floats
    bend: Floats


def shift(code: str, alpha: Floats) -> tuple[Floats, Curve]:
    """Factors of the two parts of a shift; the slope of the first one is one.

    Code 2 jumps where its parameter passes one and minus one: that is how pyhf evaluates it.
    """
    square = alpha * alpha
    none = np.zeros_like(alpha)
    if code == "code0":
        return alpha, Curve(8.0 * np.abs(alpha), 8.0 * np.sign(alpha), none)
    if code == "code2":
        above, below = alpha > 1, alpha < -1
        outside = np.where(above, 16.0 * (alpha - 1.0), -16.0 * alpha)
        outer = above | below
        curve = Curve(
            np.where(outer, outside, 8.0 * square),
            np.where(above, 16.0, np.where(below, -16.0, 16.0 * alpha)),
            np.where(outer, 0.0, 16.0),
        )
        return np.where(above, alpha - 1.0, alpha), curve
    outer = square > 1
    inside = square * (15.0 + square * (3.0 * square - 10.0))
    slope = alpha * (30.0 + square * (18.0 * square - 40.0))
    bend = 30.0 + square * (90.0 * square - 120.0)
    return alpha, Curve(
        np.where(outer, 8.0 * np.abs(alpha), inside),
        np.where(outer, 8.0 * np.sign(alpha), slope),
        np.where(outer, 0.0, bend),
    )


class Factors:
    """Multiplicative factors of ``normsys`` entries.

    Parameters
    ----------
    code : {"code1", "code4"}
    low, high : array, shape (n,)
        Factors at minus one and plus one standard deviation, both positive.
    """

    def __init__(self, code: str, low: Floats, high: Floats) -> None:
        self._smooth = code == "code4"
        self._log_low, self._log_high = np.log(low), np.log(high)
        self._coefficients = _joining(low, high) if self._smooth else np.zeros((6, len(low)))

    def at(self, alpha: Floats) -> Curve:
        """Factors, and their derivatives divided by them, of shape (n_points, n)."""
        side = np.where(alpha > 0, self._log_high, -self._log_low)
        outside = np.exp(side * alpha)
        if not self._smooth:
            return Curve(outside, side, side * side)
        value, slope, bend = (np.zeros_like(alpha) for _ in range(3))
        for row in self._coefficients[::-1]:  # Horner's scheme
            bend = bend * alpha + 2 * slope
            slope = slope * alpha + value
            value = value * alpha + row
        inner = np.abs(alpha) < 1
        bend = 2 * slope + alpha * bend
        value, slope = 1.0 + alpha * value, value + alpha * slope
        return Curve(
            np.where(inner, value, outside),
            np.where(inner, slope / value, side),
            np.where(inner, bend / value, side * side),
        )


def _joining(low: Floats, high: Floats) -> Floats:
    """Coefficients of alpha**1 to alpha**6 that join both exponentials twice differentiably."""
    n = np.arange(1, 7)
    even, odd = np.ones(6), (-1.0) ** n
    matrix = np.array([even, odd, n * even, -n * odd, n * (n - 1) * even, n * (n - 1) * odd])
    log_high, log_low = np.log(high), np.log(low)
    wanted = [
        high - 1,
        low - 1,
        high * log_high,
        -low * log_low,
        high * log_high**2,
        low * log_low**2,
    ]
    return np.asarray(np.linalg.solve(matrix, np.array(wanted)))
