"""``hepflow diff``: what differs between two runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import Parser
from hepflow.cli.output import show
from hepflow.errors import InputError

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.differences import Row, Section
    from hepflow.cli.endings import Guard

_DESCRIPTION: Final = """\
Compare two runs: configuration, yields, templates bin by bin, fit, limits and significance. What
is missing on one side differs. Tolerances are relative: to the larger of both numbers, of best-fit
values to their uncertainty where that is larger."""
_STATUS: Final = """\
exit status:
  0 equal within the tolerances, 1 different, 2 wrong input, 130 interrupted"""
_PLACES: Final = tuple(
    f"general.{name}" for name in ("output_dir", "cache_dir", "metadata_dir", "skimmed_dir")
)  # where a run lies changes nothing
_SHOWN: Final = 30  # rows of a table; all are in the JSON
_DIFFERENT: Final = 1


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parsed(arguments, prog)
    from hepflow.cli.run_contents import run_contents
    from hepflow.cli.run_differences import NUMBERS, Tolerances, compare_runs

    own = {name: getattr(options, name) for name in NUMBERS if getattr(options, name) is not None}
    for value in (options.tolerance, *own.values()):
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"a tolerance is a number from 0, not {value}.")
    first, second = (run_contents(Path(folder)) for folder in (options.first, options.second))
    ignore = (*_PLACES, *options.ignore)
    sections = compare_runs(first, second, Tolerances(options.tolerance, own), ignore)
    if options.json != "-":
        for section in sections:
            _show_section(section, everything=options.all)
    different = any(section.different for section in sections)
    content = {
        "first": options.first,
        "second": options.second,
        "equal": not different,
        "sections": {one.name: one.to_json(everything=options.all) for one in sections},
    }
    show(_lines(options, sections), content, options.json)
    return _DIFFERENT if different else 0


def _parsed(arguments: Sequence[str], prog: str) -> argparse.Namespace:
    from hepflow.cli.run_differences import NUMBERS

    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=_STATUS)
    add = parser.add_argument
    add("first", metavar="RUN_A", help="output folder of a run")
    add("second", metavar="RUN_B", help="that of another one")
    relative: dict[str, Any] = {"type": float, "metavar": "X"}
    text = "relative difference that counts as equal (1e-6)"
    add("--tolerance", default=1e-6, help=text, **relative)
    for name in NUMBERS:
        add(f"--tolerance.{name}", dest=name, help=f"that of {name}", **relative)
    add(
        "--ignore",
        metavar="PATTERN",
        action="append",
        default=[],
        help="values of the configuration that may differ, as execution.*; folders always may",
    )
    add("--all", action="store_true", help="show what is equal, too")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser.parse_args(list(arguments))


def _show_section(section: Section, *, everything: bool) -> None:
    from hepflow.logging import print_table

    rows = section.rows if everything else section.different
    if not rows:
        return
    shown = rows if everything else rows[:_SHOWN]
    hidden = len(rows) - len(shown)
    caption = f"{hidden} more; --all shows them, and --json has them" if hidden else None
    print_table(
        section.name.capitalize(),
        (" / ".join(section.columns), "first", "second", "relative", ""),
        [_cells(row) for row in shown],
        caption=caption,
    )


def _cells(row: Row) -> tuple[object, ...]:
    relative = "" if row.relative is None else f"{row.relative:.2g}"
    where = " / ".join(part for part in row.where if part)
    return (where, _cell(row.first), _cell(row.second), relative, row.note)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _lines(options: argparse.Namespace, sections: Sequence[Section]) -> list[tuple[str, str]]:
    lines = [("First", options.first), ("Second", options.second)]
    for one in sections:
        many = len(one.different)
        told = f"{many} of {len(one.rows)} differ" if many else f"{len(one.rows)} equal"
        lines.append((one.name.capitalize(), one.note or told))
    return lines
