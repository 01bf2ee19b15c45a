"""``hepflow plot``: figures and tables of what is stored, without the code that made it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.cli.plotting.found import Drawn, Folder

KINDS: Final = (
    *("stack", "variations", "pulls", "correlation", "ranking", "scan", "limit", "gof", "tables"),
)
BASE: Final = "figures"  # folder of what the command writes, below the current one
_STYLES: Final = ("CMS", "ATLAS", "LHCb", "ALICE")
_FORMATS: Final = ("pdf", "png", "svg")
_DESCRIPTION: Final = """\
Draw figures, and write tables in LaTeX, from stored results. The configuration and its code are
not needed."""
_SOURCES: Final = """\
what can be drawn:
  the output folder of a run           everything: data and simulation, variations, fit, limit
  histograms.root, histograms.zip      data and simulation, template variations
  workspace.json                       data and prediction before the fit, template variations
  prediction.json, validation.json     data and prediction
  fit.json                             pulls and correlations
  ranking.json                         impacts, also those of groups
  scan_*.json                          likelihood; several of one parameter share a figure
  limit.json                           CLs scan; several with --x are drawn as one band
  goodness_of_fit.json                 toys"""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parser(prog).parse_args(list(arguments))
    wanted = _chosen("--kind", options.kind, KINDS) if options.kind else KINDS
    formats = _chosen("--format", options.format, _FORMATS)
    sources = [Path(word) for word in options.source]
    missing = [str(path) for path in sources if not path.exists()]
    if missing:
        raise InputError(f"{missing[0]} does not exist. `{prog} --help` lists what can be drawn.")

    from hepflow.cli.plotting.found import Folder, kind_of
    from hepflow.logging import setup_logging
    from hepflow.plotting import draw_tasks, write_tables

    setup_logging("WARNING")
    folder = Folder(Path(options.output) if options.output else Path(BASE) / _name(sources[0]))
    found = _restyled(_found(sources, folder, options), options, formats)
    tasks = [task for task in found.tasks if kind_of(task) in wanted]
    tables = found.tables if "tables" in wanted else ()
    if not tasks and not tables:
        there = sorted({kind_of(task) for task in found.tasks}) or ["nothing"]
        raise InputError(
            f"{options.source[0]} has no figure of the kind {', '.join(wanted)}: it has "
            f"{', '.join(there)}."
        )
    files = draw_tasks(tasks)
    files += write_tables(tables, folder.root / "tables")
    content = {"files": [str(path) for path in files], "notes": list(found.notes), **found.facts}
    show(_lines(tasks, tables, found, folder.root), content, options.json)
    return 0


def _found(sources: Sequence[Path], folder: Folder, options: argparse.Namespace) -> Drawn:
    """Everything that can be drawn of the sources."""
    from hepflow.cli.plotting.found import Drawn, Look
    from hepflow.cli.plotting.results import Alike, of_result
    from hepflow.cli.plotting.runs import of_histograms, of_run

    found, alike = Drawn(), Alike()
    for path in sources:
        look = Look.of(path, options)
        if path.is_dir():
            found += of_run(path, folder, look)
        elif path.suffix.lower() in {".root", ".zip"}:
            found += of_histograms(path, folder, look)
        else:
            found += of_result(path, folder, look, alike)
    return found + alike.drawn(folder, options)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=f"{_SOURCES}\n\n{STATUS_HELP}")
    add = parser.add_argument
    add("source", nargs="+", metavar="SOURCE", help="what to draw, see below")
    add("--kind", metavar="LIST", help=f"only these, with commas: {', '.join(KINDS)}")
    add("--output", metavar="DIR", help=f"folder to write to (default {BASE}/ and the name)")
    add("--format", metavar="LIST", default="pdf,png", help="pdf, png, svg (default pdf,png)")
    add("--style", choices=_STYLES, help="of an experiment (default that of the run, else CMS)")
    add("--experiment", metavar="NAME", help="name on the figures")
    add("--status", metavar="TEXT", help="behind the name, such as Preliminary")
    add("--patch", metavar="FILE[:NAME]", help="of a workspace: JSON patch, or entry of a set")
    add("--data", metavar="PROCESS", default="data", help="of histograms: the data (data)")
    add("--signal", metavar="PROCESS", action="append", default=[], help="of histograms: a line")
    add("--x", metavar="LIST", help="of several limits: value of each, such as 1000,1500,2000")
    add("--x-label", metavar="TEXT", default="", help="title of that axis, with its unit")
    add("--cross-sections", metavar="LIST", help="of several limits: predicted [pb], one each")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def _chosen(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    words = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = [word for word in words if word not in known]
    if wrong or not words:
        raise InputError(f"{option} {text}: expected one or more of {', '.join(known)}.")
    return words


def _name(source: Path) -> str:
    """Name of the folder of the figures: of the run that a file belongs to, else of the file."""
    path = source.resolve()
    return path.name if path.is_dir() else path.stem


def _restyled(found: Drawn, options: argparse.Namespace, formats: tuple[str, ...]) -> Drawn:
    """Figures in the look that the options ask for."""
    changes: dict[str, Any] = {"formats": formats}
    for name in ("style", "experiment", "status"):
        if getattr(options, name) is not None:
            changes[name] = getattr(options, name)
    if options.style and not options.experiment:
        changes["experiment"] = options.style
    tasks = [replace(task, spec=replace(task.spec, **changes)) for task in found.tasks]
    return replace(found, tasks=tuple(tasks))


def _lines(
    tasks: Sequence[Any], tables: Sequence[Any], found: Drawn, root: Path
) -> list[tuple[str, str]]:
    from hepflow.cli.plotting.found import kind_of

    counts: dict[str, int] = {}
    for task in tasks:
        counts[kind_of(task)] = counts.get(kind_of(task), 0) + 1
    counts |= {"tables": len(tables)} if tables else {}
    lines = [(name, str(count)) for name, count in counts.items()]
    lines += [("Note" if i == 0 else "", text) for i, text in enumerate(found.notes)]
    return [*lines, ("Written to", str(root))]
