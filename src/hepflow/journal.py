"""What each stage of a run did, and why: told by the stages, recorded by who asks for it."""

from __future__ import annotations

import bisect
import contextlib
import contextvars
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hepflow.keys import Key, changed_parts

_ORDER = (
    *("metadata", "skim", "histograms", "normalisation", "statistics"),
    *("events", "training", "limits"),  # of simulation-based inference
    "plots",
)
_log = logging.getLogger(__name__)
Outcome = Literal["ran", "reused", "read back", "left out"]


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What one stage did."""

    name: str  # "skim"
    outcome: Outcome
    why: str  # for people: "channel SR changed"


_record: contextvars.ContextVar[list[StageRecord] | None] = contextvars.ContextVar(
    "stages of this run", default=None
)


def tell(name: str, outcome: Outcome, why: str) -> None:
    """Log what a stage does, and record it where a run asks for that."""
    _log.info("%s: %s (%s)", name, outcome, why)
    stages = _record.get()
    if stages is not None:
        # Some stages go on beside each other: what one told first need not be what comes first.
        bisect.insort(stages, StageRecord(name, outcome, why), key=_place)


def _place(stage: StageRecord) -> int:
    """Where a stage stands; others than those of a run behind them, as they were told."""
    return _ORDER.index(stage.name) if stage.name in _ORDER else len(_ORDER)


@contextlib.contextmanager
def recorded() -> Iterator[list[StageRecord]]:
    """Record what stages tell; the list grows while they do, in the order of the stages."""
    stages: list[StageRecord] = []
    token = _record.set(stages)
    try:
        yield stages
    finally:
        _record.reset(token)


def why_again(stored: Key | None, today: Key) -> str:
    """Say why something is made anew: what of its key changed since it was stored."""
    if stored is None:
        return "nothing stored from an earlier run"
    changed = changed_parts(stored, today)
    if not changed:
        return "what was stored is not there any more"
    return f"changed: {', '.join(changed)}"
