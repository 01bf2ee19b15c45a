"""What became of one item."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from typing import Any, TypeGuard

from hepflow import errors
from hepflow.errors import ExecutionError, HepflowError
from hepflow.remote import is_transient


def _has_message_only(kind: Any) -> TypeGuard[type[HepflowError]]:
    # A ConfigurationError is made of its problems, which a message does not give back.
    ours = isinstance(kind, type) and issubclass(kind, HepflowError)
    return ours and not issubclass(kind, errors.ConfigurationError)


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
        return cls(
            type_name=type(error).__name__,
            message=str(error),
            notes=tuple(getattr(error, "__notes__", ())),
            traceback="".join(traceback.format_exception(error)),
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
