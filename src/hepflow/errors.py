"""One tree of errors, so that a caller catches as much or as little as it wants.

::

    HepflowError                     exit status 1
    +-- ConfigurationError           exit status 2; carries every problem found, each with its path
    |   +-- OverrideError            a --section.key=value that cannot be applied
    +-- InputError                   exit status 2; what the user handed in is not usable
    |   +-- FileListError            listing missing or empty, glob without match, repeated file
    |   +-- UnreadableFile           missing, truncated or not a ROOT file
    |   +-- MissingTree
    |   +-- MissingBranch
    |   +-- CorrectionError          correction file, key or input outside its domain
    |   +-- NormalisationError       cross-section, sum of weights or luminosity missing
    |   +-- WorkspaceError           a workspace or a cabinetry file that does not fit
    +-- UserFunctionError            a configured function raised or returned something unusable
    |   +-- MaskError                a mask whose length is not that of the events
    +-- StorageError
    |   +-- ChecksumError            the bytes are not those that were written
    |   +-- UnsafeContent            a pickle or a path that is not admitted
    |   +-- MissingArtifact          an earlier step has not produced this yet
    +-- ExecutionError               some work items failed; what finished is kept
    |   +-- WorkerLost               a worker process died
    +-- FitError                     a fit without a result that may be shown
        +-- LimitError               no bracket, or the limit does not verify
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class HepflowError(Exception):
    """Root of all errors that hepflow raises on purpose."""

    exit_status: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a configuration."""

    path: str  # "channels[0].observables[2].binning"
    message: str  # what is wrong and what was expected
    hint: str = ""  # what to do, such as the nearest valid name

    def __str__(self) -> str:
        """Render as ``path: message. hint``."""
        tail = f" {self.hint}" if self.hint else ""
        return f"{self.path}: {self.message}{tail}"


class ConfigurationError(HepflowError):
    """The configuration is wrong; `problems` holds all that is wrong, not only the first."""

    exit_status = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"the configuration has {head}:\n{lines}")

    def __reduce__(self) -> tuple[type, tuple[Sequence[Problem]]]:
        """Travel between processes with the problems, not with the text."""
        return type(self), (self.problems,)


class OverrideError(ConfigurationError):
    """A command-line override names something that cannot be set."""


class InputError(HepflowError):
    """What the user handed in (files, lists, correction files) cannot be used."""

    exit_status = 2


class FileListError(InputError):
    """A listing is missing or empty, a glob matches nothing, or a file is repeated."""


class UnreadableFile(InputError):
    """A file is missing, truncated or not of a known format."""


class MissingTree(InputError):
    """A file does not hold the tree that the configuration names."""


class MissingBranch(InputError):
    """A configured function asks for a branch that the file does not have."""


class CorrectionError(InputError):
    """A correction file, its key, or an input outside its domain."""


class NormalisationError(InputError):
    """Cross-section, luminosity or sum of weights is missing or contradictory."""


class WorkspaceError(InputError):
    """A workspace, a patch or a cabinetry configuration that does not fit."""


class UserFunctionError(HepflowError):
    """A configured function raised, or returned something that cannot be used."""


class MaskError(UserFunctionError):
    """A mask whose length or type does not fit the events."""


class StorageError(HepflowError):
    """Something on disk cannot be read or written."""


class ChecksumError(StorageError):
    """The bytes on disk are not those that were written."""


class UnsafeContent(StorageError):
    """A pickle, a path or a folder that is not admitted."""


class MissingArtifact(StorageError):
    """A file that an earlier step makes is not there yet."""


class ExecutionError(HepflowError):
    """Some work items failed; what finished is kept for the next run."""


class WorkerLost(ExecutionError):
    """A worker process died (killed, out of memory) while it held a work item."""


class FitError(HepflowError):
    """A fit that has no result which may be shown as one."""


class LimitError(FitError):
    """No bracket for the limit, or the limit found does not verify."""


def did_you_mean(wrong: str, valid: Iterable[str], *, many: int = 8) -> str:
    """Return a hint: the nearest valid name, or the valid names where few.

    Examples
    --------
    >>> did_you_mean("lumii", ["lumi", "output_dir"])
    "Did you mean 'lumi'?"
    >>> did_you_mean("zzz", ["lumi", "blind"])
    'Valid: blind, lumi.'
    """
    names = sorted({str(name) for name in valid})
    near = difflib.get_close_matches(wrong, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(names[:many])
    return f"Valid: {shown}{', ...' if len(names) > many else '.'}" if names else ""
