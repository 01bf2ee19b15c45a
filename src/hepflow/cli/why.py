"""``hepflow why``: what made an artifact, and why the next run makes it again or does not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import (
    OVERRIDES_HELP,
    Parser,
    add_analysis_option,
    add_config_options,
    parse_with_overrides,
)
from hepflow.cli.last_run import chosen_analysis, run_of
from hepflow.cli.output import show
from hepflow.cli.studies import load_either

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.planning import Piece, Reason
    from hepflow.planning.explain import Explanation

_DESCRIPTION: Final = """\
Say what made an artifact, what it depends on and what of that changed, and whether the next run
makes it again. Nothing is run or written. For a path in the output folder of a run that was
started from this folder, configuration, overrides and class are those of that run."""
_ARTIFACT: Final = (
    "a stage (skim, histograms, training, ...), or a path in the output folder or the cache"
)
_AGAIN: Final = {
    "runs": "makes it again",
    "partly": "makes a part of it again",
    "reused": "keeps it",
    "unknown": "cannot be told before an earlier stage has run",
    "read back": "reads it back",
    "left out": "leaves it out",
    "fails": "cannot make it",
}
_MANY: Final = 20  # rows of a table about figures or datasets


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=OVERRIDES_HELP)
    parser.add_argument("artifact", metavar="ARTIFACT", help=_ARTIFACT)
    last = run_of(arguments)
    add_config_options(parser, last.config if last else None)
    add_analysis_option(parser, None)
    options, overrides = parse_with_overrides(parser, arguments, config_needed=last is None)
    if last and options.config == last.config:
        overrides = [*last.overrides, *overrides]
    found = _explained(options, overrides)
    if options.json != "-":
        _show_tables(found)
    show(list(_lines(found)), contents(found), options.json)
    return 0


def _explained(options: argparse.Namespace, overrides: Sequence[str]) -> Explanation:
    from hepflow.planning import forecast, forecast_study
    from hepflow.planning.explain import explain
    from hepflow.schema import Study

    config = load_either(options.config, overrides)
    if isinstance(config, Study):
        return explain(forecast_study(config), options.artifact)
    analysis, _ = chosen_analysis(options.analysis, options.config, config)
    return explain(forecast(config, analysis), options.artifact)


def contents(found: Explanation) -> dict[str, Any]:
    """The explanation as plain values."""
    from hepflow.planning.explain import part_rows

    return {
        "artifact": found.artifact,
        "stage": found.stage.name,
        "made": found.made,
        "status": _status(found),
        "why": [str(reason) for reason in _reasons(found)],
        "pieces": [
            {
                "name": piece.name,
                "status": piece.status,
                "why": [str(reason) for reason in piece.reasons],
                "parts": [asdict(row) for row in part_rows(piece)],
            }
            for piece in found.pieces
        ],
        "configuration": [asdict(one) for one in found.settings],
        "files": [asdict(one) for one in found.inputs],
    }


def _status(found: Explanation) -> str:
    return found.pieces[0].status if len(found.pieces) == 1 else found.stage.status


def _reasons(found: Explanation) -> Sequence[Reason]:
    own = found.pieces[0].reasons if len(found.pieces) == 1 else ()
    return own if own or _status(found) == "reused" else found.stage.reasons


def _lines(found: Explanation) -> Iterator[tuple[str, str]]:
    yield "Made by", f"{found.stage.name} ({found.stage.what})"
    yield "Made at", found.made or "it is not there"
    yield "Next run", _AGAIN[_status(found)]
    for number, line in enumerate(_tree(_reasons(found))):
        yield ("Why" if number == 0 else ""), line


def _tree(reasons: Sequence[Reason], indent: str = "") -> Iterator[str]:
    """Reasons, and below each what it comes from."""
    for reason in reasons:
        yield f"{indent}{reason.what}{', because' if reason.because else ''}"
        yield from _tree(reason.because, indent + "  ")


def _show_tables(found: Explanation) -> None:
    from hepflow.logging import print_table

    if len(found.pieces) == 1:
        _show_key(found.pieces[0])
    elif found.pieces:
        first = sorted(found.pieces, key=lambda piece: piece.status == "reused")
        shown = [(piece.name, str(piece.status), _why(piece)) for piece in first[:_MANY]]
        more = len(first) - len(shown)
        caption = f"and {more} more" if more else None
        print_table(f"Artifacts of {found.stage.name}", ("", "", "why"), shown, caption=caption)
        alike = {frozenset(str(one) for one in piece.reasons) for piece in found.pieces}
        if len(alike) == 1 and found.pieces[0].today is not None:
            _show_key(found.pieces[0])
    for title, differences in (
        ("Configured otherwise than in the last run", found.settings),
        ("Files that are not as they were", found.inputs),
    ):
        rows = [(one.path, one.before, one.now) for one in differences[:_MANY]]
        more = len(differences) - len(rows)
        if rows:
            caption = f"and {more} more" if more else None
            print_table(title, ("", "before", "now"), rows, caption=caption)


def _why(piece: Piece) -> str:
    return ", ".join(str(reason) for reason in piece.reasons)


def _show_key(piece: Piece) -> None:
    from hepflow.logging import print_table
    from hepflow.planning.explain import part_rows

    rows = [(row.name, row.stored, row.today, row.state) for row in part_rows(piece)]
    if rows:
        print_table(f"What {piece.name} depends on", ("part", "stored", "today", ""), rows)
