"""What a variation is: a source moved in one direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["nominal", "up", "down"]
Kind = Literal["nominal", "weight", "object"]


@dataclass(frozen=True, slots=True, order=True)
class Variation:
    """One way to look at the events: nominal, or one source moved up or down."""

    source: str  # "muon_id_sf", "jes_pileup"; "" for nominal
    direction: Direction
    kind: Kind

    @property
    def name(self) -> str:
        """Name on the variation axis: ``nominal`` or ``<source>_up`` / ``<source>_down``."""
        return "nominal" if self.kind == "nominal" else f"{self.source}_{self.direction}"


NOMINAL = Variation("", "nominal", "nominal")
