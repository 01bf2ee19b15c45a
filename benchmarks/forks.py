"""Runs that start at once: a process that has imported everything forks one for each.

Starting Python and importing the libraries of an analysis takes seconds, a run of a tiny one
does not. `Nursery` starts this file as a process of its own, which imports the libraries and
then forks a child for each run; the child is a session of its own, imports the user's modules
anew, and ends as a run does that was started from a shell. Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LIBRARIES = (
    "cabinetry",
    "correctionlib.schemav2",
    "distributed",
    "hepflow.cli.run",
    "hepflow.cli.summary",
    "hepflow.pipeline",
    "iminuit",
    "loky",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "mplhep",
    "numba",
    "pyhf",
    "scipy.optimize",
    "scipy.stats",
    "uproot",
    "vector.backends.awkward",
)
# One thread each: a process with several cannot be forked safely, and runs are tiny.
_SINGLE = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # of the memory that pyarrow manages
}
_TICK = 0.002  # [s] how often a log is looked at


@dataclass(frozen=True)
class Request:
    """One run that a child of the nursery is to do."""

    folder: str  # where it is started; its modules are imported from there
    words: tuple[str, ...]  # of the command line
    log: str  # file for what it writes on standard output and standard error
    call: str  # module:function that takes the words and gives the exit status
    variables: Mapping[str, str] = field(default_factory=dict)  # of its environment


# -- the caller's side ------------------------------------------------------------------------


class Nursery:
    """Forks a child for each run.

    Parameters
    ----------
    paths
        Further folders in which modules are found.
    libraries
        What is imported once.
    """

    def __init__(
        self, paths: Sequence[str | Path] = (), libraries: Sequence[str] = LIBRARIES
    ) -> None:
        words = [sys.executable, __file__, json.dumps([str(one) for one in paths]), *libraries]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_SINGLE, "PYTHONDONTWRITEBYTECODE": "1"},
            text=True,
            start_new_session=True,  # Ctrl-C is for the caller, who closes it
        )
        threads = int(self._answer())
        if threads != 1:
            self.close()
            raise RuntimeError(f"{threads} threads after importing: such a process cannot fork")

    def _answer(self) -> Any:
        if self._process.stdout is None or not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the nursery has ended with status {self._process.wait()}")
        return json.loads(line)

    def _ask(self, question: Mapping[str, Any]) -> Any:
        if self._process.stdin is None:
            raise RuntimeError("the nursery cannot be spoken to")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def start(self, request: Request) -> Child:
        """Start a run."""
        Path(request.log).write_bytes(b"")
        return Child(self, int(self._ask({"fork": asdict(request)})), Path(request.log))

    def take_note(self, pid: int) -> int:
        """Wait for the end of a child; its exit status, negative for a signal."""
        return int(self._ask({"reap": pid}))

    def close(self) -> None:
        """End the nursery; its children must have ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        """Return the nursery."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


class Child:
    """A run in a process of its own.

    Attributes
    ----------
    pid : int
        Id of the process and of its group.
    """

    def __init__(self, nursery: Nursery, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._nursery = nursery
        self._descriptor = os.pidfd_open(pid)
        self._status: int | None = None

    def ended_within(self, seconds: float) -> bool:
        """Wait for the end, at most so long."""
        if self._status is not None:
            return True
        return bool(select.select([self._descriptor], [], [], max(0.0, seconds))[0])

    def says(self, text: str, seconds: float) -> bool:
        """Wait until a text is in the log; False if the run ends before, or takes longer."""
        until = time.monotonic() + seconds
        while text not in self.told():
            if time.monotonic() > until or self.ended_within(_TICK):
                return text in self.told()
        return True

    def told(self) -> str:
        """What the run has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def send(self, how: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process or to its group; nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, how) if group else os.kill(self.pid, how)

    def status(self, seconds: float = 120.0) -> int:
        """Exit status, negative for a signal.

        Raises
        ------
        TimeoutError
            If the run takes longer; it is killed then.
        """
        if self._status is None:
            in_time = self.ended_within(seconds)
            if not in_time:
                self.send(signal.SIGKILL, group=True)
            self._status = self._nursery.take_note(self.pid)
            os.close(self._descriptor)
            if not in_time:
                raise TimeoutError(f"a run took more than {seconds} s:\n{self.told()}")
        return self._status


def processes_with(mark: str) -> list[int]:
    """Ids of the living processes that were started with ``NAME=value`` in their environment."""
    return [pid for pid, found in _environments() if mark.encode() in found.split(b"\0")]


def _environments() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            yield int(path.parent.name), path.read_bytes()  # empty for one that has ended


def command_line(pid: int) -> str:
    """Words that a process was started with; empty where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    return ""


# -- the nursery ------------------------------------------------------------------------------


def _become(request: Request) -> int:
    """Turn the forked process into the run that was asked for; its exit status."""
    log = os.open(request.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    os.chdir(request.folder)
    os.environ.update(request.variables)
    sys.path.insert(0, request.folder)
    importlib.invalidate_caches()
    module, _, name = request.call.partition(":")
    return int(getattr(importlib.import_module(module), name)(request.words))


def _answer(value: int) -> None:
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()


def _serve(paths: Sequence[str], libraries: Sequence[str]) -> int:
    sys.path[:0] = paths
    sys.dont_write_bytecode = True
    for name in libraries:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # children leave these objects, and so their memory, as they are
    _answer(len(list(Path("/proc/self/task").iterdir())))
    for line in sys.stdin:
        question = json.loads(line)
        if "reap" in question:
            _answer(os.waitstatus_to_exitcode(os.waitpid(question["reap"], 0)[1]))
            continue
        pid = os.fork()
        if not pid:
            os.setsid()
            return _become(Request(**question["fork"]))
        _answer(pid)
    return 0


if __name__ == "__main__":
    raise SystemExit(_serve(json.loads(sys.argv[1]), sys.argv[2:]))
