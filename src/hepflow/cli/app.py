"""From the words on the command line to an exit status."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hepflow.cli.arguments import Parser, without_debug
from hepflow.cli.endings import Guard
from hepflow.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Command:
    """One command of ``hepflow``."""

    summary: str  # what it does, for people
    module: str  # has ``main(arguments, guard, prog) -> exit status``; imported when it is called


COMMANDS: Final = {
    "run": Command("run the whole chain of one configuration", "hepflow.cli.run"),
    "plan": Command("say what a run would do, why, and what it would cost", "hepflow.cli.plan"),
    "why": Command("say what made a file, and why a run makes it again", "hepflow.cli.why"),
    "cache": Command("list, remove or verify what runs keep", "hepflow.cli.cache"),
    "replay": Command("do again what failed in a run, alone", "hepflow.cli.replay"),
    "init": Command("write a folder with a small analysis to start from", "hepflow.cli.init"),
    "audit": Command("what is odd about the templates of a fit", "hepflow.cli.audit"),
    "fit": Command("fit a statistical model to data", "hepflow.cli.inference.fit"),
    "limit": Command("upper limit on the signal", "hepflow.cli.inference.limit"),
    "significance": Command("discovery significance", "hepflow.cli.inference.significance"),
    "ranking": Command("impacts of the nuisance parameters", "hepflow.cli.inference.ranking"),
    "scan": Command("profiled likelihood over parameters", "hepflow.cli.inference.scan"),
    "gof": Command("goodness of fit", "hepflow.cli.inference.gof"),
    "plot": Command("figures and tables of what is stored", "hepflow.cli.plot"),
    "report": Command("make the page about a run again", "hepflow.cli.report"),
    "scale": Command("histogram of raw weights to expected events", "hepflow.cli.scale"),
    "interpret": Command("a signal histogram against archived ones", "hepflow.cli.interpret"),
    "workflow": Command("run or write yadage and other workflows", "hepflow.cli.workflow"),
    "preserve": Command("keep a finished run for later signals", "hepflow.cli.preserve"),
    "verify": Command("whether a preserved analysis is as it was", "hepflow.cli.verify"),
    "publish": Command("patch sets, and submissions to HEPData", "hepflow.cli.publish"),
    "download": Command("published likelihoods by their DOI", "hepflow.cli.download"),
    "reinterpret": Command("new signals in a preserved analysis", "hepflow.cli.reinterpret"),
    "combine": Command("combine the models of several analyses", "hepflow.cli.combine"),
    "datacard": Command("datacards of Combine from and to workspaces", "hepflow.cli.datacard"),
    "diff": Command("what differs between two runs", "hepflow.cli.diff"),
    "sbi": Command("simulation-based inference, without histograms", "hepflow.cli.sbi"),
    "doctor": Command("which generators and packages are installed", "hepflow.cli.doctor"),
}

_DESCRIPTION: Final = "From collision events to a limit, with one configuration."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``hepflow`` command.

    Parameters
    ----------
    argv
        Words after the program's name; default those of this process.

    Returns
    -------
    int
        Exit status: 0 success, 1 the run or the fit failed, 2 the user's input is wrong,
        130 interrupted.
    """
    arguments, debug = without_debug(sys.argv[1:] if argv is None else argv)
    guard = Guard(debug=debug)
    return guard.run(lambda: _dispatch(arguments, guard))


def main_for(
    *,
    config: str,
    analysis: str | None = None,
    argv: Sequence[str] | None = None,
    prog: str | None = None,
) -> int:
    """Run the whole chain from a script that has its own configuration and analysis.

    Parameters
    ----------
    config, analysis
        What to run where the command line does not say it, each as ``module:attribute``.
    argv
        Words after the script's name; default those of this process.
    prog
        How the script is called, for the help text; default from ``sys.argv``.

    Returns
    -------
    int
        Exit status, as of `main`.

    Examples
    --------
    >>> main_for(config="user.configuration:config", argv=["--configg=x"])
    2
    """
    from hepflow.cli.run import run_chain

    arguments, debug = without_debug(sys.argv[1:] if argv is None else argv)
    name = prog or f"python {Path(sys.argv[0]).name}"
    guard = Guard(debug=debug)
    return guard.run(lambda: run_chain(arguments, guard, name, config, analysis))


def _dispatch(arguments: list[str], guard: Guard) -> int:
    parser = Parser(prog="hepflow", description=_DESCRIPTION, epilog=_list_of_commands())
    parser.add_argument("--version", action="version", version=_version())
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="what to do, see below")
    front = next((i for i, word in enumerate(arguments) if not word.startswith("-")), None)
    name = parser.parse_args(arguments if front is None else arguments[: front + 1]).command
    if front is None or name is None:
        parser.print_help()
        return 2
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        raise InputError(f"hepflow has no command {name!r}. {hint} `hepflow --help` lists them.")
    module = importlib.import_module(COMMANDS[name].module)
    status: int = module.main(arguments[front + 1 :], guard, f"hepflow {name}")
    return status


def _list_of_commands() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    tail = "\n\n`hepflow COMMAND --help` tells more about one of them."
    return "commands:\n" + "\n".join(lines) + tail


def _version() -> str:
    from importlib.metadata import version

    return f"hepflow {version('hepflow')}"
