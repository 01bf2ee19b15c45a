"""``hepflow workflow sbi``: a simulation-based inference as yadage workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import OVERRIDES_HELP, STATUS_HELP, Parser, add_config_options
from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_DESCRIPTION: Final = """\
Write the two parts of a simulation-based inference, and the whole, as yadage workflows whose steps
run on the machine itself. Without --config it is the built-in one."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    from hepflow.cli.sbi import words_of
    from hepflow.cli.studies import study_of
    from hepflow.reinterpretation.workflows.export.study import export_study

    parser = Parser(
        prog=prog, description=_DESCRIPTION, epilog=f"{OVERRIDES_HELP}\n\n{STATUS_HELP}"
    )
    add_config_options(parser, None)
    told = "folder to be made; default workflow"
    parser.add_argument("--output", metavar="DIR", default="workflow", help=told)
    options, overrides = words_of(parser, arguments)
    found = export_study(study_of(options.config, overrides), options.output)
    lines = [
        *((str(found.folder / name), "") for name in found.files),
        ("Run it", f"as {found.folder / 'README.md'} says"),
    ]
    content = {"folder": str(found.folder), "files": list(found.files)}
    show(lines, content, options.json)
    return 0
