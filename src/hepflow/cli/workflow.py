"""``hepflow workflow``: run workflows of steps, or write one for an analysis."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_ACTIONS: Final = {  # name: module with main(arguments, guard, prog), imported when it is called
    "run": "hepflow.cli.workflow_run",
    "export": "hepflow.cli.workflow_export",
    "sbi": "hepflow.cli.workflow_sbi",
}
_DESCRIPTION: Final = """\
Workflows of steps, in the language of yadage and of others.

actions:
  run     run the stages of a yadage workflow in local processes
  export  write the workflow of a preserved analysis (yadage, RECAST, REANA, Snakemake)
  sbi     write the workflows of a simulation-based inference (yadage)

`hepflow workflow ACTION --help` tells more about one of them."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:
    """Run the command; exit status.

    Raises
    ------
    InputError
        There is no such action.
    """
    words = list(arguments)
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    parser.add_argument("action", nargs="?", metavar="ACTION", help="run, export or sbi")
    name = parser.parse_args(words[:1]).action
    if name is None:
        parser.print_help()
        return 2
    if name not in _ACTIONS:
        raise InputError(f"{prog} has no action {name!r}. {did_you_mean(name, _ACTIONS)}")
    status: int = importlib.import_module(_ACTIONS[name]).main(words[1:], guard, f"{prog} {name}")
    return status
