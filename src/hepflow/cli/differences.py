"""What differs between two things, as plain rows; nothing here reads or shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_SIDES: Final = ("first", "second")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of both runs."""

    where: tuple[str, ...]  # such as region and process
    first: Any  # number, text or None
    second: Any
    different: bool
    relative: float | None = None  # difference over the larger of both; None where not numbers
    note: str = ""  # such as the side on which it is missing


@dataclass(frozen=True)
class Section:
    """All of one kind that was compared."""

    name: str
    columns: tuple[str, ...]  # meaning of `Row.where`
    rows: tuple[Row, ...]
    tolerance: float | None = None  # relative; None: must be equal
    note: str = ""  # why there is nothing to compare

    @property
    def different(self) -> tuple[Row, ...]:
        """Rows that differ, the largest difference first; what is missing before all."""

        def size(row: Row) -> float:
            return math.inf if row.relative is None else row.relative

        return tuple(sorted((row for row in self.rows if row.different), key=size, reverse=True))

    def to_json(self, *, everything: bool) -> dict[str, Any]:
        """Plain containers; with `everything` also the rows that are equal."""
        rows = self.rows if everything else self.different
        return {
            "compared": len(self.rows),
            "different": len(self.different),
            "tolerance": self.tolerance,
            "note": self.note,
            "rows": [_plain(row, self.columns) for row in rows],
        }


def _plain(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    return {
        **dict(zip(columns, row.where, strict=True)),
        "first": row.first,
        "second": row.second,
        "relative": row.relative,
        "different": row.different,
        "note": row.note,
    }


def number(where: tuple[str, ...], one: Any, other: Any, tolerance: float, floor: float = 0) -> Row:
    """Row of two numbers; None and what is not finite equals itself only.

    Parameters
    ----------
    where : tuple of str
    one, other : float or None
    tolerance : float
        Relative to the larger of both.
    floor : float
        What the difference is relative to at least, such as the uncertainty.
    """
    one, other = (None if value is None else float(value) for value in (one, other))
    if one is None or other is None:
        note = "" if one is other else f"absent in the {_SIDES[other is None]}"
        return Row(where, one, other, one is not other, None, note)
    if not (math.isfinite(one) and math.isfinite(other)):
        same = one == other or (math.isnan(one) and math.isnan(other))
        return Row(where, str(one), str(other), not same)
    scale = max(abs(one), abs(other), floor)
    relative = abs(one - other) / scale if scale else 0.0
    return Row(where, one, other, relative > tolerance, relative)


def missing(where: tuple[str, ...], side: int, what: Any = "there") -> Row:
    """Row of something that one side does not have."""
    first, second = (what, None) if side else (None, what)
    return Row(where, first, second, different=True, note=f"absent in the {_SIDES[side]}")


def absent_section(
    name: str, columns: tuple[str, ...], one: Any, other: Any, tolerance: float | None
) -> Section:
    """Section of something that not both sides have at all."""
    if one is None and other is None:
        return Section(name, columns, (), tolerance, "neither run has any")
    where = ("all", *[""] * (len(columns) - 1))
    return Section(name, columns, (missing(where, int(other is None)),), tolerance)
