"""Programs of the user: found, run with a log, and named where they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hepflow.errors import ExecutionError, InputError

SHOWN = 15  # last lines of a log in a message


@dataclass(frozen=True, slots=True)
class Program:
    """A program that hepflow runs but does not bring."""

    name: str  # on the search path
    field: str  # of the configuration, with its path
    homepage: str


MADGRAPH = Program(
    "mg5_aMC", "inference.process.madgraph.executable", "https://launchpad.net/mg5amcnlo"
)
DELPHES = {  # by the beginning of the events that it reads; MadGraph's Pythia writes the former
    first: Program(name, "inference.detector.executable", "https://github.com/delphes/delphes")
    for first, name in (
        ("HepMC::IO_GenEvent", "DelphesHepMC2"),
        ("HepMC::Asciiv3", "DelphesHepMC3"),
    )
}


def find(program: Program, executable: str | None) -> Path:
    """Path of the program: as configured, else from the search path.

    Raises
    ------
    InputError
        It is not there, or is not executable.
    """
    found = shutil.which(executable or program.name)
    if found is None:
        asked = f"at {executable}" if executable else "on the search path (PATH)"
        raise InputError(
            f"the program {program.name} is asked for and is not {asked}. Install it "
            f"({program.homepage}) and set {program.field}, or choose another source of events; "
            "nothing else takes its place. `hepflow doctor` lists what is there."
        )
    return Path(found).resolve()


def run(program: Path, arguments: Sequence[str], folder: Path, log: Path) -> None:
    """Run a program in `folder`; what it writes goes to `log`.

    Raises
    ------
    ExecutionError
        It returns another status than 0; the message has the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        done = subprocess.run(  # noqa: S603  # a program of the user, without a shell
            [os.fspath(program), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise ExecutionError(
            f"{program.name} {' '.join(arguments)} ended with status {done.returncode}. "
            f"Its log is {log}; it ends with:\n{tail(log)}"
        )


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-SHOWN:]) or "  (nothing)"
