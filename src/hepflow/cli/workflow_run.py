"""``hepflow workflow run``: the stages of a yadage workflow in local processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import HepflowError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.reinterpretation.workflows import WorkflowResult

_DESCRIPTION: Final = """\
Run a yadage workflow in local processes. All of it is checked before the first step begins;
steps that have finished before, on the same content, are not run again.

A workflow runs commands of the shell with your rights. Without --trust they are shown and not
run. Values are quoted where they are put into a command: a value is one word, whatever it holds.
Credentials are given as env:NAME or file:PATH, never as they are."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = _parser(prog)
    options = parser.parse_args(list(arguments))
    settings = _settings(parser, options.set)

    from hepflow.logging import setup_logging
    from hepflow.reinterpretation.workflows import load_workflow, run_workflow

    setup_logging("INFO")
    plan = load_workflow(
        options.workflow,
        options.inputs,
        settings=settings,
        initdir=options.initdir,
        ignore_environment=options.ignore_environment,
    )
    lines = [("Warning", text) for text in plan.warnings]
    if not options.trust:
        steps = [(name, _indented(text)) for name, text in plan.commands.items()]
        content = {"commands": dict(plan.commands), "warnings": list(plan.warnings)}
        show([*lines, *steps], content, options.json)
    try:
        result = run_workflow(
            plan,
            options.workdir,
            trusted=options.trust,
            workers=options.workers,
            variables=options.env,
        )
    except HepflowError as error:
        if options.trust and lines:
            error.add_note("\n".join(f"warning: {text}" for _, text in lines))
        raise
    show([*lines, *_lines(result)], _content(result), options.json)
    return 0


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("workflow", metavar="WORKFLOW", help="YAML file with the stages")
    add("inputs", metavar="INPUTS", nargs="*", help="YAML files with values; later ones count more")
    add("--trust", action="store_true", help="run the commands; without, they are shown")
    add("--workdir", metavar="DIR", default="workdir", help="one folder a step; default workdir")
    add("--initdir", metavar="DIR", help="where input files lie; default beside the first INPUTS")
    add("--workers", metavar="N", type=int, default=1, help="steps at a time; default 1")
    add(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="value of an input, as JSON or text; may be repeated",
    )
    add(
        "--env",
        metavar="NAME",
        action="append",
        default=[],
        help="environment variable that steps see as well; may be repeated",
    )
    add(
        "--ignore-environment",
        action="store_true",
        help="run steps that name a container on this machine",
    )
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def _settings(parser: Parser, words: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            parser.error("--set takes NAME=VALUE")
        found[name] = value
    return found


def _indented(text: str) -> str:
    """A command as it is, apart from signs with which a terminal would hide a part of it."""
    from hepflow.failed.record import printable

    return printable(text.strip()).replace("\n", "\n    ")


def _lines(result: WorkflowResult) -> list[tuple[str, str]]:
    import json

    lines = []
    for step in result.steps:
        how = "reused" if step.reused else "ran"
        log = f"  {result.workdir / step.log}" if step.log else ""
        lines.append((step.name, f"{how:<6}  {step.seconds:8.2f} s{log}"))
    lines += [(f"-> {name}", json.dumps(value)) for name, value in result.outputs.items()]
    return lines


def _content(result: WorkflowResult) -> dict[str, Any]:
    keys = ("name", "stage", "reused", "seconds", "log", "published")
    return {
        "outputs": dict(result.outputs),
        "steps": [{key: getattr(step, key) for key in keys} for step in result.steps],
        "workdir": str(result.workdir),
    }
