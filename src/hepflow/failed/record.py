"""The record of one item that failed, and of the command that started its run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from hepflow import errors
from hepflow.remote import shown

STAGES: Final = ("metadata", "skim", "duplicates", "histograms", "luminosity")
_LONGEST: Final = 20_000  # characters of a traceback; its end tells most
_SECTIONS: Final = (
    "general|datasets|preprocess|baseline_selection|good_object_masks|channels|ghost_observables"
    "|corrections|systematics|plotting|execution|statistics"
)
_PATH: Final = re.compile(rf"(?:^|[\s:])((?:{_SECTIONS})(?:[\w.\[\]]| \([^()]*\))*):")
_FUNCTION: Final = re.compile(r": (\S+) raised ")


@dataclass(frozen=True, slots=True)
class Invocation:
    """The command that started a run."""

    prog: str  # "python analysis.py"
    cwd: str
    config: str | None = None  # "module:attribute"
    analysis: str | None = None  # "module:Class"
    overrides: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()  # names of overrides with credentials: their values are not kept
    script_dir: str = ""  # where the modules of a script are found; empty for `hepflow run`

    @classmethod
    def here(
        cls,
        prog: str,
        config: str | None,
        analysis: str | None,
        overrides: Sequence[str] = (),
        *,
        script_dir: str = "",
    ) -> Self:
        """Describe a command that is run in the current folder."""
        secret = [word for word in overrides if shown(word) != word]
        return cls(
            prog=prog,
            cwd=str(Path.cwd()),
            config=config,
            analysis=analysis,
            overrides=tuple(word for word in overrides if word not in secret),
            withheld=tuple(word.partition("=")[0] for word in secret),
            script_dir=script_dir,
        )


@dataclass(frozen=True, slots=True)
class FailedError:
    """Why an item failed, as text."""

    type: str  # "UserFunctionError"
    code: str  # "HF300"; empty for an exception that is not hepflow's
    message: str
    notes: tuple[str, ...]
    traceback: str  # as Python prints it; empty where the worker died

    @classmethod
    def of(cls, error: Any) -> Self:
        """Take over what an outcome tells of its error, without credentials."""
        return cls(
            type=error.type_name,
            code=getattr(getattr(errors, error.type_name, None), "code", ""),
            message=plain_text(error.message),
            notes=tuple(plain_text(note) for note in error.notes),
            traceback=plain_text(error.traceback)[-_LONGEST:],
        )


@dataclass(frozen=True, slots=True)
class FailedItem:
    """One item of a stage that failed for good."""

    stage: str  # one of STAGES
    dataset: str
    file: str  # a URL without user, and with a digest for its query
    treename: str  # empty: that of the dataset
    entrystart: int
    entrystop: int
    fileuuid: str  # empty where it is not known
    error: FailedError
    when: str  # UTC, ISO 8601
    usermeta: Mapping[str, Any] = field(default_factory=dict)  # what the stage knew of the range
    invocation: Invocation | None = None  # None: the run was started from Python

    @property
    def name(self) -> str:
        """File name of the record: readable, and another one for another range."""
        known = [self.stage, self.dataset, self.file, self.entrystart, self.entrystop]
        digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
        stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.dataset)
        return f"{self.stage}-{stem[:60]}-{digest}.json"

    @property
    def whole_file(self) -> bool:
        """Whether the work is on the file and not on a range of its entries."""
        return self.stage in {"metadata", "luminosity"}

    @property
    def entries(self) -> str:
        """The entry range, for people."""
        return "all" if self.whole_file else f"{self.entrystart} to {self.entrystop}"

    @property
    def configuration_path(self) -> str:
        """Where in the configuration stands what failed, as its message says; may be empty."""
        found = _PATH.search(self.error.message)
        return found[1] if found else ""

    @property
    def function(self) -> str:
        """Function of the user that raised, as the message says; may be empty."""
        found = _FUNCTION.search(self.error.message)
        return found[1] if found else ""


def printable(text: str) -> str:
    """A text without what would steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def plain_text(text: str) -> str:
    """A text without what would steer a terminal, and without credentials."""
    return printable(shown(text))
