"""A datacard while it is read: its lines, and what was understood of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.card import (
    Column,
    Constraint,
    Nuisance,
    RateParameter,
    ShapeRule,
    Statistics,
)


class Line(list[str]):
    """Words of one line, and where it stands."""

    def __init__(self, words: list[str], where: str) -> None:
        super().__init__(words)
        self.where = where  # "card.txt, line 3"

    def number(self, word: str) -> float:
        """A word as a number.

        Raises
        ------
        WorkspaceError
        """
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise WorkspaceError(f"{self.where}: {word!r} is no number.")
        return value

    def at_least(self, many: int, form: str) -> None:
        """Refuse a line that is too short.

        Raises
        ------
        WorkspaceError
        """
        if len(self) < many:
            raise WorkspaceError(f"{self.where}: the line is too short. Expected: {form}.")


@dataclass
class Draft:
    """A card while it is read."""

    counts: dict[str, int] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)
    observed: list[float] = field(default_factory=list)
    columns: tuple[Column, ...] = ()
    head: list[Line] = field(default_factory=list)  # bin and process lines of the columns
    nuisances: list[Nuisance] = field(default_factory=list)
    rules: dict[tuple[str, str], ShapeRule] = field(default_factory=dict)
    rates: dict[tuple[str, str, str], RateParameter] = field(default_factory=dict)
    constraints: dict[str, Constraint] = field(default_factory=dict)
    flat: dict[str, str] = field(default_factory=dict)  # name -> place
    statistics: dict[str, Statistics] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)


def not_a_number(name: str, prefix: str) -> str:
    """Names that begin with a digit get a prefix in Combine."""
    return f"{prefix}{name}" if name[0].isdigit() else name
