"""Write ``reference/commands.md`` from the parsers of the commands: ``make docs``."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from unittest import mock

from hepflow import errors
from hepflow.cli import main
from hepflow.cli.app import COMMANDS
from hepflow.cli.arguments import OVERRIDES_HELP, STATUS_HELP, Parser
from hepflow.cli.endings import INTERRUPTED, Guard

PAGE = Path(__file__).resolve().parent / "reference" / "commands.md"
HEAD = """\
# Commands

This page is generated from the parsers in `hepflow.cli` by `make docs`.

`hepflow COMMAND --help` shows the same in the terminal. `python -m hepflow.cli` is the same
program, for where the scripts of the environment are not on the path."""
SCRIPT = """\
## A script of your own

```python
from hepflow.cli import main_for

if __name__ == "__main__":
    raise SystemExit(main_for(config="configuration:config", analysis="analysis:Search"))
```

is `hepflow run` with defaults for `--config` and `--analysis`; the script takes the same options
and overrides. Modules are looked for in the script's folder, then in the current one."""


_MEANING = {
    1: "the run or the fit failed, or a result was refused, such as an observed limit from "
    "incomplete data",
    2: "what the user handed in is wrong",
}


class _Made(BaseException):
    """Ends a command as soon as its parser is complete."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def page() -> str:
    """Return the whole page."""
    top = parser_of(lambda: main([]))
    rows = [f"| [`{name}`](#hepflow-{name}) | {one.summary} |" for name, one in COMMANDS.items()]
    parts = [HEAD, f"{_sentence(top.description)}", *_options(top)]
    parts += ["\n".join(["| command | what it does |", "|---|---|", *rows])]
    for name, command in COMMANDS.items():
        parts += [f"## hepflow {name}", *_command(name, command.module)]
    parts += [SCRIPT, "## Overrides", _block(OVERRIDES_HELP), "## Exit status", _statuses()]
    return "\n\n".join(parts) + "\n"


def parser_of(command: Callable[[], object]) -> argparse.ArgumentParser:
    """Return the parser that a command makes; nothing else of the command is run."""

    def stop(self: Parser, *_: object) -> NoReturn:
        raise _Made(self)

    with mock.patch.object(Parser, "parse_known_args", stop):
        try:
            command()
        except _Made as made:
            return made.parser
    raise AssertionError("the command made no parser")


def _command(name: str, module: str) -> Iterator[str]:
    run = importlib.import_module(module).main
    parser = parser_of(lambda: run([], Guard(), f"hepflow {name}"))
    yield _sentence(parser.description)
    yield _block(" ".join(_usage(parser)))
    yield from _options(parser)
    epilog = parser.epilog or ""
    if OVERRIDES_HELP in epilog:
        yield "Further words are [overrides](#overrides) of configuration values."
    rest = epilog.replace(OVERRIDES_HELP, "").replace(STATUS_HELP, "").strip()
    if rest:
        yield _block(rest)


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield parser.prog
    for action in _actions(parser):
        words = " ".join(_names(action)[:1])
        yield words if action.required else f"[{words}]"
    if OVERRIDES_HELP in (parser.epilog or ""):
        yield "[--section.key=value ...]"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    rows = [f"| {_named(action)} | {_sentence(action.help)} |" for action in _actions(parser)]
    yield "\n".join(["| option | meaning |", "|---|---|", *rows])


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found = parser._actions  # noqa: SLF001 - argparse has no public list of its options
    return sorted(found, key=lambda one: bool(one.option_strings))  # positions first


def _named(action: argparse.Action) -> str:
    return ", ".join(f"`{name}`" for name in _names(action))


def _names(action: argparse.Action) -> list[str]:
    value = str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return [value]
    takes = f" {value}" if action.nargs != 0 else ""
    return [f"{name}{takes}" for name in action.option_strings]


def _statuses() -> str:
    rows = ["| status | meaning |", "|---|---|", "| 0 | every enabled step succeeded |"]
    known = [one for one in vars(errors).values() if _is_error(one)]
    for status in sorted({one.exit_status for one in known}):
        mine = [one for one in known if one.exit_status == status and one is not known[0]]
        told = "".join(f"<br>`{one.__name__}`: {_sentence(one.__doc__)}" for one in mine)
        rows.append(f"| {status} | {_MEANING[status]}:{told} |")
    rows.append(f"| {INTERRUPTED} | interrupted; what was finished is kept |")
    return "\n".join(rows)


def _is_error(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, errors.HepflowError)


def _block(text: str) -> str:
    return f"```\n{text}\n```"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
