"""One step in a process of its own: few variables, a log without credentials, a clean end."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.errors import ExecutionError, StorageError
from hepflow.failed.record import printable
from hepflow.reinterpretation.workflows.commands import is_shell, other_script, shell_command
from hepflow.reinterpretation.workflows.secrets import TICKETS, Redaction
from hepflow.reinterpretation.workflows.specification import Process

_PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"),
    *("PYTHONPATH", "LD_LIBRARY_PATH", "ROOTSYS", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    "XDG_CACHE_HOME",
)
_LAST: Final = 10  # lines of a log that a message quotes
_LONGEST: Final = 1 << 16  # characters of one line of a log
_PATIENCE: Final = 3.0  # [s] between asking a process to end and ending it


def interpolated(process: Process, parameters: Mapping[str, Any]) -> str:
    """The command or script of a step with its values.

    Raises
    ------
    InputError
        A value can't be put in.
    """
    if process.interpreter is None or is_shell(process.interpreter):
        return shell_command(process.text, parameters)
    return other_script(process.text, parameters)


def environment(names: list[str]) -> dict[str, str]:
    """Variables that steps see: where programs are, the language, tickets, and those asked for."""
    wanted = {*_PASSED, *TICKETS, *names}
    return {
        name: value for name, value in os.environ.items() if name in wanted or name[:3] == "LC_"
    }


@dataclass(slots=True)
class Processes:
    """The processes of a run, so that all of them end with it."""

    variables: Mapping[str, str]
    redact: Redaction
    lock: int  # file descriptor that every process holds
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    stopped: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def run(self, process: Process, command: str, folder: Path, log: Path) -> None:
        """Run a step to its end.

        Raises
        ------
        ExecutionError
            It can't begin, or ends with another status than 0; the message quotes its log.
        """
        started = self._start(process, command, folder)
        try:
            self._listen(started, process, command, log)
        finally:
            status = started.wait()
            with self._guard:
                self.running.discard(started)
        if status:
            raise ExecutionError(f"{_ended(status)}. {_end_of(log)}")

    def stop(self) -> None:
        """End all processes, with what they started."""
        with self._guard:
            self.stopped = True
            left = list(self.running)
        for one in left:
            _signal(one, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        for one in left:
            try:
                one.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(one, signal.SIGKILL)

    def _start(self, process: Process, command: str, folder: Path) -> subprocess.Popen[bytes]:
        script = process.interpreter is not None
        words = shlex.split(process.interpreter) if process.interpreter else ["sh", "-c", command]
        with self._guard:
            if self.stopped:
                raise ExecutionError("it was not begun, because the run was stopped.")
            try:
                started = subprocess.Popen(  # noqa: S603 - the user trusts the workflow; values are quoted
                    [os.fsencode(word) for word in words],
                    cwd=folder,
                    env=dict(self.variables),
                    stdin=subprocess.PIPE if script else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a group of its own, which can be ended as a whole
                    pass_fds=(self.lock,),
                )
            except OSError as error:
                raise ExecutionError(f"{words[0]} can't be run: {error.strerror}.") from error
            self.running.add(started)
        return started

    def _listen(
        self, started: subprocess.Popen[bytes], process: Process, command: str, log: Path
    ) -> None:
        """Keep what a process says, line by line."""
        if started.stdin is not None:
            threading.Thread(target=_feed, args=(started, command.encode()), daemon=True).start()
        title = process.interpreter or "sh -c"
        try:
            stream: Any = started.stdout
            with stream, log.open("w", encoding="utf-8", errors="replace") as file:
                file.write(self.redact(f"$ {title}\n{command}\n---\n"))
                for line in iter(lambda: stream.readline(_LONGEST), b""):
                    file.write(self.redact(line.decode(errors="replace")))
                    file.flush()
        except OSError as error:
            _signal(started, signal.SIGKILL)
            raise StorageError(f"cannot write {log}: {error.strerror}.") from error


def _feed(started: subprocess.Popen[bytes], script: bytes) -> None:
    """Hand a script to its interpreter, which may end before it has read all of it."""
    with contextlib.suppress(BrokenPipeError), started.stdin as stream:  # type: ignore[union-attr] # asked for
        stream.write(script)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _ended(status: int) -> str:
    if status > 0:
        return f"it ended with exit code {status}"
    names = {one.value: one.name for one in signal.Signals}
    return f"it was ended by signal {names.get(-status, -status)}"


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").partition("\n---\n")[2].splitlines()
    if not lines:
        return f"It said nothing ({log})."
    quoted = "\n".join(f"    {printable(line)}" for line in lines[-_LAST:])
    return f"The last lines of {log}:\n{quoted}"
