"""What is known about each stage before it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hepflow.keys import Key

# "unknown": it hangs on what an earlier stage will find. "fails": the run would stop there.
Status = Literal["runs", "partly", "reused", "unknown", "read back", "left out", "fails"]
UNIQUE = "unique:"  # digest of a part that cannot be fingerprinted
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is made anew."""

    what: str  # "channel SR changed"
    because: tuple[Reason, ...] = ()  # of what it is made from

    def __str__(self) -> str:
        """The chain down to what was edited: ``histograms changed <- channel SR changed``."""
        return f"{self.what} <- {told(self.because)}" if self.because else self.what


LOST_BEFORE = Reason("what was lost is tried again")


def told(reasons: Sequence[Reason]) -> str:
    """Some reasons in one line."""
    shown = ", ".join(str(one) for one in reasons[:_SHOWN])
    more = len(reasons) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True, slots=True)
class Piece:
    """One group of artifacts with a key of its own: a dataset, a channel, a figure."""

    name: str
    status: Status
    reasons: tuple[Reason, ...] = ()
    today: Key | None = None  # under the configuration that is given; None where not known
    stored: Key | None = None  # None where nothing is stored
    there: int = 0  # parts of it that need not be made
    total: int = 1
    unknown: frozenset[str] = frozenset()  # parts of the key that earlier stages will tell
    stamp: Path | None = None  # file that holds the stored key


@dataclass(frozen=True, slots=True)
class StageForecast:
    """What a run would do in one stage."""

    name: str
    what: str  # for people
    status: Status
    reasons: tuple[Reason, ...] = ()
    pieces: tuple[Piece, ...] = ()
    count: str = ""  # "2 of 10 parts"
    todo: int = 0  # files, parts or figures to make
    events: int | None = None  # to read; None where not known
    events_of: str = ""  # "input" or "selected"
    read_bytes: int | None = None

    @property
    def runs(self) -> bool:
        """Whether it does something, as far as is known."""
        return self.status in {"runs", "partly", "unknown", "fails"}

    @property
    def why(self) -> str:
        """The reasons in one line."""
        return told(self.reasons)


Because = Mapping[str, Sequence[Reason]]  # part of a key -> why it changed


def changed(
    stored: Key | None,
    today: Key,
    because: Because | None = None,
    *,
    unknown: Collection[str] = (),
) -> tuple[Reason, ...]:
    """Say which parts of a key changed; those of earlier stages last, as they say less.

    Parameters
    ----------
    stored, today
        Keys of one artifact.
    because
        For parts that stand for an earlier stage.
    unknown
        Parts that are not known yet.
    """
    if stored is None:
        return (Reason("nothing is stored from an earlier run"),)
    chain = because or {}
    old, new = stored.parts, today.parts
    names = {name for name in {*old, *new}.difference(unknown) if old.get(name) != new.get(name)}
    ordered = sorted(names, key=lambda name: (name in chain, name))
    return tuple(
        Reason(_worded(name, old.get(name), new.get(name)), tuple(chain.get(name, ())))
        for name in ordered
    )


def _worded(name: str, old: str | None, new: str | None) -> str:
    if new is not None and new.startswith(UNIQUE):
        return f"{name} cannot be fingerprinted"
    if old is None:
        return f"{name} is new"
    return f"{name} changed" if new is not None else f"{name} is gone"


def status_of(pieces: Iterable[Piece]) -> Status:
    """Status of a stage all of whose pieces are made or reused."""
    found = {piece.status for piece in pieces}
    if found <= {"reused"}:
        return "reused"
    return "runs" if found == {"runs"} else "partly"
