"""Tables of the results, for the terminal and for the page in the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.variations.bounds import Bound, bounds
from benchmarks.variations.cases import MANY, OPENING, Case
from benchmarks.variations.reading import CHUNK
from benchmarks.variations.sample import EVENTS, SampleFile

_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_WORDS = {True: "yes", False: "no", None: "not measured"}
Row = tuple[str, ...]
OPENING_HEAD = (
    "events",
    "chunks",
    "opened once",
    "if in each chunk",
    "with coffea's schema in each chunk",
    "whole run of hepflow, nominal",
)


def table(head: Row, rows: Iterable[Row]) -> str:
    """Write a table in Markdown, with columns of equal width."""
    every = [head, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(head))]
    lines = [_line(row, widths) for row in every]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(row: Row, widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return f"| {' | '.join(cells)} |"


def case_rows(results: Mapping[str, Any]) -> list[Row]:
    """CPU time and memory of each case; of what is read, also how."""
    found: list[Row] = []
    for name, one in results["medians"].items():
        if "cpu" in one:
            found.append((name, f"{one['cpu']:.2f}", f"{one['memory']:.2f}"))
            continue
        found.append((name, f"{one['reading']:.2f}", ""))
        for group in ("decompression", "opening"):
            found += [(f"{name}: {group}, {k}", f"{v:.2f}", "") for k, v in one[group].items()]
    return found


def opening_rows(results: Mapping[str, Any]) -> list[Row]:
    """What opening a file of 1500 branches costs: once, and if each chunk did it."""
    found: list[Row] = []
    for size in OPENING:
        events = max(1, results["events"] * size // EVENTS)
        file = SampleFile("zlib", MANY, events)
        read = results["medians"].get(Case("reading", file).name)
        whole = results["medians"].get(Case("hepflow", file).name)
        if read is not None and whole is not None:
            chunks = -(-events // CHUNK)
            once, schema = read["opening"]["hepflow"], read["opening"]["coffea"]
            seconds = (once, chunks * once, chunks * schema, whole["cpu"])
            found.append((str(events), str(chunks), *(f"{one:.2f}" for one in seconds)))
    return found


def bound_rows(lines: Iterable[Bound]) -> list[Row]:
    """Write what is asked and what was measured."""
    return [
        (
            one.text,
            f"{'at least' if one.at_least else 'at most'} {one.asked:g}",
            "" if one.measured is None else f"{one.measured:.2f}",
            _WORDS[one.reached],
        )
        for one in lines
    ]


def figures(results: Mapping[str, Any]) -> str:
    """Write the part of the page that a run of the benchmark gives."""
    used = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    agree = "agree" if not results["differences"] else "DIFFER"
    best = ", ".join(f"{size} ({kind})" for kind, size in results["best_chunk"].items())
    first = (
        f"Medians of {results['repeat']} rounds on {results['events']} events; {used}. "
        f"Best chunks of coffea: {best or 'not looked for'}. "
        f"{results['histograms']} histograms {agree} bin by bin."
    )
    return "\n\n".join(
        [
            first,
            table(("what", "asked", "measured", "reached"), bound_rows(bounds(results))),
            "Opening a file of 1500 branches, CPU seconds:",
            table(OPENING_HEAD, opening_rows(results)),
            "Each case, by peer, what is filled, compression, branches and events:",
            table(("case", "CPU [s]", "memory [GiB]"), case_rows(results)),
        ]
    )


def write_page(path: Path, results: Mapping[str, Any]) -> None:
    """Put the figures between the marks of the page.

    Raises
    ------
    ValueError
        If the page has no such marks.
    """
    put_between_marks(path, figures(results))


def put_between_marks(path: Path, figures_of_run: str) -> None:
    """Replace what stands between the marks of a page.

    Raises
    ------
    ValueError
        If the page has no such marks.
    """
    text = path.read_text(encoding="utf-8")
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"{path} has no {_BEGIN} and {_END}")
    head, tail = text.split(_BEGIN)[0], text.split(_END)[1]
    path.write_text(f"{head}{_BEGIN}\n\n{figures_of_run}\n\n{_END}{tail}", encoding="utf-8")
