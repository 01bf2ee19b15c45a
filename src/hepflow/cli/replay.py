"""``hepflow replay``: do again what failed in a run, alone and in this process."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import (
    OVERRIDES_HELP,
    STATUS_HELP,
    Parser,
    add_analysis_option,
    add_config_options,
    parse_with_overrides,
)
from hepflow.cli.debugging import debug, show_users_frames
from hepflow.cli.output import show
from hepflow.cli.references import find_modules_here, load_analysis, load_config
from hepflow.cli.tracebacks import one_line
from hepflow.errors import ExecutionError, HepflowError, InputError

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.failed import FailedItem
    from hepflow.replay import ReplayResult

_DEFAULT: Final = "outputs"  # as general.output_dir
_DESCRIPTION: Final = """\
Do again what failed in a run: one entry range of one file, alone, in this process and without
writing anything. Configuration and overrides are those of the run and those given here; only the
latter where --config is given."""
_FILE_HELP: Final = (
    "record of what failed, in logs/failed of the output folder; an output folder lists its "
    f"records (default {_DEFAULT})"
)


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:
    """Run the command; exit status."""
    parser = Parser(
        prog=prog, description=_DESCRIPTION, epilog=f"{OVERRIDES_HELP}\n\n{STATUS_HELP}"
    )
    parser.add_argument("file", nargs="?", metavar="FILE", default=_DEFAULT, help=_FILE_HELP)
    add_config_options(parser, None)
    add_analysis_option(parser, None)
    parser.add_argument(
        "--pdb", action="store_true", help="open the debugger where your code raised"
    )
    parser.add_argument(
        "--entries", metavar="START:STOP", help="a part of the entry range that failed"
    )
    options, _ = parser.parse_known_args(list(arguments))
    if options.pdb and options.json == "-":
        parser.error("--pdb needs standard output, which --json - takes: name a file")
    if Path(options.file).is_dir():
        parser.parse_args(list(arguments))  # overrides have no meaning here
        return _list(Path(options.file), options.json)
    return _replay_one(parser, arguments, options, guard)


# -- the list --------------------------------------------------------------------------------


def _list(output: Path, json_file: str | None) -> int:
    """Show the records of an output folder."""
    from hepflow.failed import records_in

    paths = records_in(output / "logs" / "failed")
    found = [_described(path) for path in paths]
    if found and json_file != "-":
        from hepflow.logging import print_table

        columns = ("", "stage", "dataset", "file", "entries", "error")
        print_table(f"What failed in the last run of {output}", columns, _rows(found))
    # Below the table, where a path stays whole: one of them is the FILE of this command.
    lines = [(str(i), one["record"]) for i, one in enumerate(found, 1)]
    show(lines or [("Nothing failed", f"in the last run of {output}")], found, json_file)
    return 0


def _rows(found: Sequence[dict[str, str]]) -> list[tuple[str, ...]]:
    """Rows of the table, with what is long cut to what tells one from another."""
    return [
        (
            str(i),
            one["stage"],
            one["dataset"],
            PurePosixPath(one["file"]).name,
            one["entries"],
            textwrap.shorten(one["error"], 120, placeholder=" ..."),
        )
        for i, one in enumerate(found, 1)
    ]


def _described(path: Path) -> dict[str, str]:
    from hepflow.failed import read_failed
    from hepflow.remote import shown

    known = dict.fromkeys(("stage", "dataset", "file", "entries", "error"), "")
    try:
        one = read_failed(path)
    except InputError:
        return {**known, "error": "this is no record", "record": str(path)}
    return {
        "stage": one.stage,
        "dataset": one.dataset,
        "file": shown(one.file),
        "entries": one.entries,
        "error": f"{one.error.type}: {one.error.message}".splitlines()[0],
        "record": str(path),
    }


# -- one record ------------------------------------------------------------------------------


def _replay_one(
    parser: Parser, arguments: Sequence[str], options: argparse.Namespace, guard: Guard
) -> int:
    from hepflow.failed import read_failed
    from hepflow.logging import setup_logging

    failed = read_failed(options.file)
    run, own_config = failed.invocation, options.config
    if run is not None:
        parser.set_defaults(config=run.config, analysis=run.analysis)
    options, given = parse_with_overrides(parser, arguments)
    names = {_name_of(word) for word in given}
    kept = run.overrides if run and not own_config else ()
    overrides = [*(word for word in kept if _name_of(word) not in names), *given]
    _check_withheld(failed, overrides)
    find_modules_here()
    setup_logging("DEBUG" if guard.debug else "WARNING")
    config = load_config(options.config, overrides)
    analysis = load_analysis(options.analysis) if options.analysis else None

    from hepflow.replay import narrowed, replay

    if options.entries:
        failed = narrowed(failed, *_range(parser, options.entries))
    what = _what(failed, options.config)
    if options.json != "-":  # standard output is for the JSON then, which says the same
        show(what, None, None)
    try:
        result = replay(failed, config, analysis)
    except (Exception, SystemExit) as error:
        _show_failure(error, what, options, quiet=guard.debug)
        if isinstance(error, HepflowError):
            raise
        raise ExecutionError(f"{type(error).__name__}: {error}") from error  # as the run says it
    _show_result(result, what, options.json)
    return 0


def _check_withheld(failed: FailedItem, overrides: Sequence[str]) -> None:
    """Make sure that values with credentials, which are not kept, are given anew."""
    run = failed.invocation
    given = {_name_of(word) for word in overrides}
    missing = [word for word in (run.withheld if run else ()) if _name_of(word) not in given]
    if missing:
        raise InputError(
            f"the run was started with {', '.join(missing)}, whose credentials are not kept in "
            "the record. Give it again, as --section.key=value."
        )


def _name_of(override: str) -> str:
    """What an override sets."""
    return override.partition("=")[0].lstrip("-")


def _range(parser: Parser, text: str) -> tuple[int, int]:
    start, _, stop = text.partition(":")
    if not (start.isdecimal() and stop.isdecimal()):
        parser.error(f"--entries {text}: expected START:STOP, such as 0:100")
    return int(start), int(stop)


def _what(failed: FailedItem, config: str) -> list[tuple[str, str]]:
    """Lines that say what is done again."""
    from hepflow.remote import shown

    lines = [
        ("Stage", failed.stage),
        ("Dataset", failed.dataset),
        ("File", shown(failed.file)),
        ("Entries", failed.entries),
        ("Function", failed.function),
        ("Configuration path", failed.configuration_path),
        ("Configuration", config),
    ]
    run, here = failed.invocation, str(Path.cwd())
    if run is not None and run.cwd != here:
        lines.append(("Started in", f"{run.cwd} (this is {here})"))
    return [(label, text) for label, text in lines if text]


def _show_failure(
    error: BaseException,
    what: Sequence[tuple[str, str]],
    options: argparse.Namespace,
    *,
    quiet: bool,
) -> None:
    """Show where the user's code raised, and open the debugger there where that is wanted."""
    if options.json:
        content = {**_as_json(what), "works": False, "error": one_line(error)}
        show([("Result", "fails again")], content, options.json)
    if not quiet:  # else the whole traceback comes
        show_users_frames(error)
    if options.pdb:
        debug(error)


def _show_result(
    result: ReplayResult, what: Sequence[tuple[str, str]], json_file: str | None
) -> None:
    flows = {
        channel: [
            {"cut": name, "events": int(count), "sum_weights": float(sumw)}
            for name, count, sumw in zip(flow.names, flow.counts, flow.sumw, strict=True)
        ]
        for channel, flow in result.cutflows.items()
    }
    if json_file != "-":
        from hepflow.logging import print_table

        for channel, rows in flows.items():
            columns = ("cut", "events", "sum of weights")
            print_table(f"Cutflow of {channel}", columns, [tuple(row.values()) for row in rows])
    lines = [("Result", "works now"), ("Events read", f"{result.n_read:,}")]
    if result.n_selected is not None:
        lines.append(("Selected", f"{result.n_selected:,}"))
    if result.sum_weights is not None:
        lines.append(("Sum of weights", f"{result.sum_weights:.6g}"))
    lines.append(("Time", f"{result.seconds:.2f} s"))
    content = {
        **_as_json(what),
        "works": True,
        "n_read": result.n_read,
        "n_selected": result.n_selected,
        "sum_weights": result.sum_weights,
        "cutflows": flows,
        "seconds": round(result.seconds, 3),
    }
    show(lines, content, json_file)


def _as_json(what: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {label.lower().replace(" ", "_"): text for label, text in what}
