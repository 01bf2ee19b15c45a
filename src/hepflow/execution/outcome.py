"""What became of one item."""

from __future__ import annotations

import os
import re
import traceback
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from hepflow import errors
from hepflow.errors import ExecutionError, HepflowError
from hepflow.remote import is_transient

WITHHELD: Final = (
    "Data are blind (general.blind): logs and reports do not hold the text of this exception, "
    "`hepflow replay` shows it."
)
# Numbers that stand alone, but for the line of a file and what belongs to a path or a name.
_NUMBER: Final = re.compile(r"(?<![\w/.\[-])(?<!\(line )-?\d[\d.,]*(?![\w\]])")


def _has_message_only(kind: Any) -> TypeGuard[type[HepflowError]]:
    # A ConfigurationError is made of its problems, which a message does not give back.
    ours = isinstance(kind, type) and issubclass(kind, HepflowError)
    return ours and not issubclass(kind, errors.ConfigurationError)


def withhold_text(error: BaseException) -> None:
    """Mark an exception on observed data that are blind: a `Failure` does not hold its text."""
    if WITHHELD not in getattr(error, "__notes__", ()):
        error.add_note(WITHHELD)


def _without_text(error: BaseException) -> str:
    """Message that tells what raised and where, not what it says of the events."""
    message = str(error)
    if not isinstance(error, HepflowError):
        frames = traceback.extract_tb(error.__traceback__)
        return f"line {frames[-1].lineno} of {frames[-1].filename}" if frames else ""
    if error.__cause__ is not None:  # of user code; its first line is part of our message
        said = (str(error.__cause__).strip() or "no message").splitlines()[0]
        head, found, tail = message.rpartition(f": {said}")
        message = head + tail if found else message.replace(said, "...")
    return _NUMBER.sub("#", message)


def _frames(error: BaseException) -> str:
    """Where an exception and its causes were raised, without their texts."""
    cause = "" if error.__cause__ is None else _frames(error.__cause__)
    return f"{cause}{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}\n"


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception of a task, as text, so that it travels from any process."""

    type_name: str  # "MissingBranch", "ValueError", "WorkerLost"
    message: str
    notes: tuple[str, ...]
    traceback: str  # as Python prints it; empty where no worker could tell
    is_hepflow: bool  # a HepflowError: its message is meant for the user
    worker: int  # process id; 0 where unknown
    transient: bool = False  # the reason may pass: a network, a busy disk

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe an exception that was caught in this process."""
        notes = tuple(getattr(error, "__notes__", ()))
        silent = WITHHELD in notes
        return cls(
            type_name=type(error).__name__,
            message=_without_text(error) if silent else str(error),
            notes=(WITHHELD,) if silent else notes,
            traceback=_frames(error) if silent else "".join(traceback.format_exception(error)),
            is_hepflow=isinstance(error, HepflowError),
            worker=os.getpid(),
            transient=is_transient(error),
        )

    @classmethod
    def worker_lost(cls, message: str) -> Failure:
        """Describe a worker that died with the item."""
        return cls("WorkerLost", message, (), "", is_hepflow=True, worker=0)

    def to_error(self) -> HepflowError:
        """Return an error to raise: of the same class where it is one of ours.

        Other exceptions become an `ExecutionError` that names their type.
        """
        error: HepflowError = ExecutionError(f"{self.type_name}: {self.message}")
        kind = getattr(errors, self.type_name, None) if self.is_hepflow else None
        if _has_message_only(kind):
            error = kind(self.message)
        for note in self.notes:
            error.add_note(note)
        return error

    def __str__(self) -> str:
        """Render as ``type: message`` with the notes on lines of their own."""
        return "\n".join((f"{self.type_name}: {self.message}", *self.notes))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result or failure of one item."""

    index: int  # position of the item in what was handed to `map`
    item: Any
    value: Any = None  # what the function returned; None after a failure
    error: Failure | None = None
    seconds: float = 0.0  # CPU time of the task [s]

    @property
    def ok(self) -> bool:
        """Whether the item has a value."""
        return self.error is None
