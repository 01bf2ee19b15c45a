"""Events that somebody hands in, such as those of skims."""

from __future__ import annotations

from dataclasses import dataclass

from hepflow.inference.records import EventTable
from hepflow.keys import Key


@dataclass(frozen=True)
class Supply:
    """Events as they are handed in."""

    table: EventTable  # weights add up to cross-sections after cuts [pb]
    key: Key  # of all that they depend on
