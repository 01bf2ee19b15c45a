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
from hepflow.cli.references import find_modules_here, load_sections
from hepflow.errors import InputError, StorageError, did_you_mean

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.inference.workflow.supplied import Supply
    from hepflow.schema import Study

_ACTIONS: Final = {
    "physics": "generate events, and join them into one event file",
    "ml": "train the methods on the event file, and evaluate them",
    "run": "both parts",
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
        told = f"--events is for {' and '.join(_ON_EVENTS)}; {prog} {action} makes events."
        raise InputError(f"{told} To start from a file, set process.source to event_file.")
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


def study_of(reference: str | None, overrides: Sequence[str]) -> Study:
    """Sections of a configuration that an inference needs; without one, the built-in ones.

    Raises
    ------
    InputError
        If it cannot be found.
    ConfigurationError
        If anything in it, or an override, is wrong.
    """
    from hepflow.schema import Study

    return Study.of(configured(reference, overrides))


def configured(reference: str | None, overrides: Sequence[str]) -> dict[str, Any]:
    """Sections as plain containers with overrides, not yet validated."""
    from hepflow.schema import load_config_with_restricted_cli

    find_modules_here()
    sections: Any = sections_of(reference) if reference else {"inference": {}}
    return load_config_with_restricted_cli(sections, overrides)


def _skim_events(sections: Mapping[str, Any]) -> Supply:
    """Events of the skims of a whole configuration."""
    from hepflow.pipeline.skim_events import skim_events
    from hepflow.schema import Config

    return skim_events(Config.of(sections))


def sections_of(reference: str) -> Any:
    """Sections of a configuration: an attribute of a module, or a JSON file of plain values.

    Raises
    ------
    InputError
        If it cannot be found, or is no mapping.
    """
    if not reference.endswith(".json"):
        return load_sections(reference)
    from hepflow.storage import parse_json
    from hepflow.storage.atomic import storage_errors

    path = Path(reference)
    if not path.is_file():
        raise InputError(f"--config {reference}: there is no such file.")
    try:
        with storage_errors(path, "read"):
            return parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"--config {reference}: this is not JSON ({error}).") from error


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
