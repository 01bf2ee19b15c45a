"""Steps of an inference before they run: what of the key of each changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hepflow.inference.workflow.steps import Step
from hepflow.planning.records import Piece, Reason, StageForecast, Status, changed
from hepflow.stamps import read_stamp

OFF: Final = Reason("general.read_from_cache is off")
NOTHING: Final = Reason("nothing is stored from an earlier run")
GONE: Final = Reason("what was stored is not there any more")


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier step hands to the keys of later ones."""

    part: str  # of the key
    reasons: tuple[Reason, ...]  # why it is made anew
    known: bool  # whether its digest is
    changes: bool = False  # where it is not: whether it will be another one


def piece_of(name: str, step: Step, before: Sequence[Before] = (), *, reuse: bool) -> Piece:
    """Compare the key of a step with the stored one.

    Parameters
    ----------
    name
        Of the piece.
    step
        With the key of today; of parts that are not known it has anything.
    before
        What it takes from earlier steps.
    reuse
        Whether what was made with the same key is kept.
    """
    stamp = read_stamp(step.folder, step.stamp)
    stored = None if stamp is None else stamp.key
    unknown = frozenset(one.part for one in before if not one.known)
    reasons = changed(stored, step.key, {one.part: one.reasons for one in before}, unknown=unknown)
    if stored is not None:
        reasons += tuple(
            Reason(f"{one.part} changed", one.reasons) for one in before if one.changes
        )
    status: Status = "runs"
    if not reuse:
        reasons = (OFF,)
    elif not reasons and unknown:
        status = "unknown"
        reasons = tuple(
            Reason(f"hangs on the {one.part}", one.reasons) for one in before if not one.known
        )
    elif not reasons and step.is_done():
        status = "reused"
    elif not reasons:
        reasons = (GONE,)
    there = int(status == "reused")
    return Piece(
        name, status, reasons, step.key, stored, there, 1, unknown, step.folder / step.stamp
    )


def stage_of(name: str, what: str, pieces: Sequence[Piece], noun: str) -> StageForecast:
    """All pieces of a stage together.

    Parameters
    ----------
    name, what
        Of the stage.
    pieces
        Its steps.
    noun
        What they are, in the plural.
    """
    todo = sum(one.status in {"runs", "partly"} for one in pieces)
    reasons = dict.fromkeys(
        reason for one in pieces if one.status != "reused" for reason in one.reasons
    )
    count = f"{todo} of {len(pieces)} {noun}" if todo else f"{len(pieces)} {noun}"
    return StageForecast(
        name, what, status_of(pieces), tuple(reasons), tuple(pieces), count, todo=todo
    )


def status_of(pieces: Sequence[Piece]) -> Status:
    """Status of a stage some of whose pieces may hang on earlier ones."""
    found = {one.status for one in pieces}
    if found <= {"reused"}:
        return "reused"
    if found == {"runs"}:
        return "runs"
    return "partly" if found & {"runs", "partly"} else "unknown"
