"""What the sections about simulation-based inference share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hepflow.report.content import Block, Cell, Figure, Gallery
from hepflow.report.events import figures_of
from hepflow.report.numbers import MINUS, identifier, number
from hepflow.report.stored import StoredRun
from hepflow.storage import read_json

FOLDER: Final = "inference"  # below the output folder, and below that of the figures
CALCULATORS: Final = {"neyman": "toys (Neyman)"}  # of regions
MADE_BY: Final = "`hepflow sbi`"


def read(path: Path) -> Mapping[str, Any]:
    """Contents of a file of results; empty where it is not there."""
    found: Mapping[str, Any] = read_json(path, MADE_BY) if path.exists() else {}
    return found


def gallery(stored: StoredRun, *starts: str, folded: bool = False, title: str = "") -> list[Block]:
    """Figures whose names begin so, in this order, methods in theirs; nothing without figures."""
    methods = [identifier(name) for name in read(stored.folder / FOLDER / "limits.json")]
    known = sorted(figures_of(stored, ["sbi"]), key=lambda one: _place(one.name, methods))
    prefix = f"{FOLDER}-"
    found: tuple[Figure, ...] = tuple(
        one for start in starts for one in known if one.name.removeprefix(prefix).startswith(start)
    )
    return [Gallery(found, title, folded)] if found else []


def _place(figure: str, methods: Sequence[str]) -> int:
    """Place of the method that a figure is about; first where it is about none."""
    about = [i for i, name in enumerate(methods) if f"-{name}-" in f"{figure}-"]
    return max(about, key=lambda i: len(methods[i]), default=-1)


def unit_text(unit: str) -> str:
    """A unit with TeX as plain text.

    Examples
    --------
    >>> unit_text("1/TeV$^2$"), unit_text("GeV^{-2}")
    ('1/TeV²', 'GeV⁻²')
    """
    raised = str.maketrans("-0123456789", _RAISED)
    text = re.sub(r"\^\{?(-?\d+)\}?", lambda found: found[1].translate(raised), unit)
    return text.replace("$", "")


_RAISED: Final = "\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ZERO}\N{SUPERSCRIPT ONE}" + "".join(
    "\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT FOUR}\N{SUPERSCRIPT FIVE}"
    "\N{SUPERSCRIPT SIX}\N{SUPERSCRIPT SEVEN}\N{SUPERSCRIPT EIGHT}\N{SUPERSCRIPT NINE}"
)


def with_unit(name: str, unit: str) -> str:
    """Title of a column."""
    return f"{name} [{unit_text(unit)}]" if unit else name


def units_of(stored: StoredRun) -> dict[str, str]:
    """Units of the parameters by name, as far as they are on record."""
    parameters = read(stored.folder / FOLDER / "events.json").get("parameters", ())
    return {one["name"]: one["unit"] for one in parameters}


def interval(low: float | None, high: float | None) -> Cell:
    """Ends of an interval, rounded to three digits of its width.

    Examples
    --------
    >>> interval(0.0174577, 0.042).text, interval(None, 0.5).text
    ('0.0175 to 0.0420', 'beyond the range to 0.5')
    """
    if low is None or high is None:
        ends = ["beyond the range" if one is None else number(one, 3) for one in (low, high)]
    else:
        places = min(max(2 - math.floor(math.log10(max(high - low, 1e-300))), 0), 12)
        ends = [f"{one:,.{places}f}".replace("-", MINUS) for one in (low, high)]
    return Cell(" to ".join(ends), -math.inf if low is None else low)


def point(theta: Sequence[float]) -> str:
    """Values of the parameters."""
    return f"({', '.join(number(value) for value in theta)})"


def level(value: float) -> Cell:
    """A confidence level."""
    return Cell(f"{100 * value:.3g} %", value)
