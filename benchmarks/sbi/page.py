"""Tables of the results, for the terminal and for the page in the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sbi.comparison import Line, lines
from benchmarks.variations.page import put_between_marks, table

_WORDS = {True: "yes", False: "no", None: ""}
HEAD = ("method", "figure", "hepflow", "madminer", "ratio", "asked", "reached")


def row(one: Line) -> tuple[str, ...]:
    """Write one comparison."""
    numbers = (one.ours, one.theirs, one.ratio)
    digits = (("" if number is None else f"{number:.3g}") for number in numbers)
    return (one.method, one.figure, *digits, one.asked, _WORDS[one.reached])


def comparison(results: Mapping[str, Any]) -> str:
    """Write the table."""
    return table(HEAD, [row(one) for one in lines(results)])


def figures(results: Mapping[str, Any]) -> str:
    """Write the part of the page that a run of the benchmark gives."""
    used = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    events, seeds = results["settings"]["events"], results["seeds"]
    first = (
        f"{events} training events; medians of {seeds['hepflow']} seeds of hepflow and "
        f"{seeds['madminer']} of madminer; {used}."
    )
    return f"{first}\n\n{comparison(results)}"


def write_page(path: Path, results: Mapping[str, Any]) -> None:
    """Put the figures between the marks of the page.

    Raises
    ------
    ValueError
        If the page has no such marks.
    """
    put_between_marks(path, figures(results))
