"""``hepflow report``: make the page about a run again, from what the run left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.cli.quantities import size
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_OUTPUT: Final = "outputs"  # as general.output_dir
_DESCRIPTION: Final = """\
Make the report of a run again from what the run stored: one HTML file that opens in a browser
without a server or network. Nothing is run, fitted or drawn."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    parser.add_argument(
        "run_folder",
        metavar="RUN_FOLDER",
        nargs="?",
        default=_OUTPUT,
        help=f"output folder of a run (default {_OUTPUT})",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="the report (default report/index.html in RUN_FOLDER)"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="also write what was made as JSON; - is standard output"
    )
    options = parser.parse_args(list(arguments))
    folder = Path(options.run_folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}. Name the output folder of a run.")
    _make(folder, options.output, options.json)
    return 0


def _make(folder: Path, output: str | None, json_file: str | None) -> None:
    from hepflow.report import REPORT_FILE, collect, write_report

    content = collect(folder)
    path = write_report(content, Path(output) if output else folder / "report" / REPORT_FILE)
    problems = [one.text for one in content.notices if one.level == "problem"]
    found = {
        "report": str(path.resolve()),
        "size": path.stat().st_size,
        "sections": [one.name for one in content.sections],
        "problems": problems,
    }
    lines = [("Report", f"{path} ({size(path.stat().st_size)})")]
    lines += [("Problem", text) for text in problems]
    show(lines, found, json_file)
