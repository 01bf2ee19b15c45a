"""``hepflow sbi``: simulation-based inference, as a whole or one of its parts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import (
    OVERRIDES_HELP,
    STATUS_HELP,
    Parser,
    add_config_options,
    parse_with_overrides,
    use_one_thread,
)
from hepflow.cli.studies import configured
from hepflow.errors import InputError, StorageError, did_you_mean

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.inference.workflow.supplied import Supply

_ACTIONS: Final = {
    "physics": "generate events, and join them into one event file",
    "ml": "train the methods on the event file, and evaluate them",
    "run": "both parts",
    "plan": "say what run would do, and why; nothing is run",
    "plot": "draw again what is stored",
}
_ON_EVENTS: Final = ("ml", "plot")  # actions that take an event file
_DESCRIPTION: Final = """\
Simulation-based inference: from a theory's parameters to a limit without histograms. Without
--config the built-in process is run: Drell-Yan with two four-fermion operators.

actions:
  {actions}

What is finished is kept: the same command goes on from there, and what does not depend on a
changed setting is not done again."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:
    """Run the command; exit status.

    Raises
    ------
    InputError
        There is no such action.
    """
    words = list(arguments)
    parser = _parser(prog)
    first = next((i for i, word in enumerate(words) if word in _ACTIONS), None)
    if first is None:  # a word that is no action, which is told below
        first = next((i for i, word in enumerate(words) if not word.startswith("-")), None)
    if first is None:
        parser.parse_args(words)
        parser.print_help()
        return 2
    action = words.pop(first)
    if action not in _ACTIONS:
        raise InputError(f"{prog} has no action {action!r}. {did_you_mean(action, _ACTIONS)}")
    options, overrides = words_of(_parser(f"{prog} {action}"), words)
    if options.events and action not in _ON_EVENTS:
        does = "tells of those that run makes" if action == "plan" else "makes events"
        told = f"--events is for {' and '.join(_ON_EVENTS)}; {prog} {action} {does}."
        raise InputError(f"{told} To start from a file, set process.source to event_file.")
    if action == "plan":
        from hepflow.cli.plan_inference import plan_inference

        return plan_inference(options, overrides)
    return _run(action, options, overrides, guard)


def _parser(prog: str) -> Parser:
    actions = "\n  ".join(f"{name:<8} {text}" for name, text in _ACTIONS.items())
    parser = Parser(
        prog=prog,
        description=_DESCRIPTION.format(actions=actions),
        epilog=f"{OVERRIDES_HELP}\n\n{STATUS_HELP}",
    )
    add_config_options(parser, None)
    told = "event file for ml and plot; default that of the physics part"
    parser.add_argument("--events", metavar="FILE", help=told)
    return parser


def words_of(parser: Parser, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Options and overrides; a configuration need not be named.

    Raises
    ------
    InputError
        If an option does not exist.
    """
    return parse_with_overrides(parser, arguments, config_needed=False)


def _skim_events(sections: Mapping[str, Any]) -> Supply:
    """Events of the skims of a whole configuration."""
    from hepflow.pipeline.skim_events import skim_events
    from hepflow.schema import Config

    return skim_events(Config.of(sections))


def _run(action: str, options: argparse.Namespace, overrides: list[str], guard: Guard) -> int:
    use_one_thread()

    from hepflow.logging import setup_logging
    from hepflow.schema import Study

    level = "DEBUG" if guard.debug else "INFO"
    setup_logging(level)
    sections = configured(options.config, overrides)
    study = Study.of(sections)
    guard.logs = Path(study.general.output_dir) / "logs"
    try:
        setup_logging(level, guard.logs / "hepflow.log")
    except StorageError as error:
        error.add_note("Where results and logs go is set by general.output_dir.")
        raise

    from hepflow.cli.sbi_summary import tell
    from hepflow.failed import Invocation
    from hepflow.inference.workflow.running import run_study

    invocation = Invocation.here(f"hepflow sbi {action}", options.config or "", None, overrides)
    finished = run_study(
        study,
        action,
        invocation=invocation,
        events=options.events,
        supply=partial(_skim_events, sections),
    )
    tell(finished, options.json)
    return finished.exit_status
