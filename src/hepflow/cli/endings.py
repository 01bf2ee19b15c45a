"""How a command ends: one message, one exit status, a traceback only where it helps."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hepflow.cli.tracebacks import one_line, place_in_user_code
from hepflow.errors import HepflowError, StorageError

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
FAILED: Final = 1
CATALOGUE: Final = "docs/reference/errors.md"


@dataclass(slots=True)
class Guard:
    """Turns whatever a command raises into a message and an exit status.

    Parameters
    ----------
    debug
        Show the traceback of foreseen errors as well.
    logs
        Folder for the traceback of an unforeseen error; known once there is a configuration.
    """

    debug: bool = False
    logs: Path | None = None

    def run(self, action: Callable[[], int]) -> int:
        """Run the action; its exit status, or that of what it raised."""
        try:
            return action()
        except KeyboardInterrupt:
            say("interrupted. What was finished is kept; the same command goes on from there.")
            return INTERRUPTED
        except HepflowError as error:
            self._show_traceback(error)
            notes = getattr(error, "__notes__", [])
            say("error: " + "\n".join([str(error), *notes, _read_more(error)]))
            return error.exit_status
        except Exception as error:  # noqa: BLE001 - the outermost frame: nobody else can report it
            self._show_traceback(error)
            say(self._unforeseen(error))
            return FAILED

    def _show_traceback(self, error: BaseException) -> None:
        if self.debug:
            sys.stderr.write("".join(traceback.format_exception(error)))

    def _unforeseen(self, error: Exception) -> str:
        where = place_in_user_code(error)
        whose = f"error in {where}" if where else "this is a bug in hepflow"
        kept = self._keep_traceback(error)
        please = "" if where else " Please report it with that file."
        return f"{whose}: {one_line(error)}\nThe traceback is in {kept}.{please}"

    def _keep_traceback(self, error: Exception) -> Path:
        from hepflow.storage import atomic_write

        text = "".join(traceback.format_exception(error))
        name = f"traceback-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        if self.logs is not None:
            with contextlib.suppress(StorageError, OSError):  # a full disk may be what went wrong
                self.logs.mkdir(parents=True, exist_ok=True)
                atomic_write(self.logs / name, text)
                return self.logs / name
        with tempfile.NamedTemporaryFile(
            "w", prefix="hepflow-", suffix=f"-{name}", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        return Path(file.name)


def _read_more(error: HepflowError) -> str:
    """Line with the code of an error and where cause, remedy and other messages stand."""
    return f"[{error.code}, see {CATALOGUE}#{error.code.lower()}]"


def say(message: str) -> None:
    """Write a message to standard error, as the program's."""
    sys.stderr.write(f"hepflow: {message}\n")
