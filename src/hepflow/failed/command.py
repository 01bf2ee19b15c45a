"""The command that does a failed item again."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from hepflow.failed.record import Invocation

_ANY = "MODULE:ATTRIBUTE"  # where the run was started from Python, the reader fills it in


def replay_command(path: str | Path, invocation: Invocation | None) -> str:
    """Return the command that does a failed item again, quoted for a shell.

    Parameters
    ----------
    path
        Its record.
    invocation
        The command that started the run; None where it was started from Python.
    """
    config = (invocation and invocation.config) or _ANY
    words = [*_program(), "replay", str(nearby(path)), "--config", config]
    if invocation is None:
        return shlex.join(words)
    if invocation.analysis:
        words += ["--analysis", invocation.analysis]
    command = shlex.join([*words, *invocation.overrides])
    if invocation.script_dir in {"", invocation.cwd}:
        return command
    # A script finds modules in its own folder first; the command is no script.
    known = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    folders = os.pathsep.join([invocation.script_dir, ".", *known])
    return f"PYTHONPATH={shlex.quote(folders)} {command}"


def nearby(path: str | Path) -> Path:
    """A path from the current folder where it lies in there, as one would type it."""
    here = Path.cwd()
    return Path(path).relative_to(here) if Path(path).is_relative_to(here) else Path(path)


def _program() -> list[str]:
    """Words that call the ``hepflow`` of this environment."""
    own = Path(sys.executable).parent / "hepflow"
    found = shutil.which("hepflow")
    on_path = found is not None and own.exists() and Path(found).samefile(own)
    return ["hepflow"] if on_path else [sys.executable, "-m", "hepflow.cli"]
