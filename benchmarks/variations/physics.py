"""What all peers compute: thresholds, factors and sources, for arrays of any shape.

Columns are of single precision, and so is each step of a formula; a peer that does the same steps
in the same order gets the same bits. Sums are of double precision: they are exact, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

MUON_PT = 30.0  # [GeV]
ETA = 2.4
ISOLATION = 0.15
MET_PT = 20.0  # [GeV]
JET_PT = 30.0  # [GeV]
TIGHT_JET = 6
MUON_FRACTION = 0.8  # of the energy of a jet
JETS = 4
B_TAG = 0.5
MARGIN = 1.04  # factor on the momentum of jets that no source exceeds
CROSS_SECTION = 1000.0  # [pb]
HT_LOW, HT_HIGH, HT_BINS = 100, 1100, 50  # [GeV]

Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class JetSource:
    """A scale of the momentum of jets: 1 +- (flat + slope |eta| + noise / pt)."""

    name: str
    flat: float
    slope: float
    noise: float  # [GeV]

    @property
    def up(self) -> Callable[..., Any]:
        """Factor, shape as of pt and eta."""
        return partial(jet_scale, flat=self.flat, slope=self.slope, noise=self.noise)

    @property
    def down(self) -> Callable[..., Any]:
        """The same for the other direction."""
        return partial(jet_scale, flat=-self.flat, slope=-self.slope, noise=-self.noise)


def jet_scale(pt: Any, eta: Any, *, flat: float, slope: float, noise: float) -> Any:
    """Factor on the momentum of jets."""
    return 1.0 + flat + slope * abs(eta) + noise / pt


def pileup(interactions: Any) -> Any:
    """Nominal weight of the number of interactions."""
    return 1.1 - interactions / 320.0


def muon(pt: Any, eta: Any) -> Any:
    """Nominal scale factor of muons."""
    return 0.98 - 0.005 * abs(eta) + pt / 10000.0


@dataclass(frozen=True)
class WeightSource:
    """A factor on the weight: 1 +- (flat + slope x), of one column x."""

    name: str
    use: Columns
    centre: float
    slope: float

    @property
    def up(self) -> Callable[..., Any]:
        """Factor of each event."""
        return partial(_OF[self.use], centre=self.centre, slope=self.slope)

    @property
    def down(self) -> Callable[..., Any]:
        """The same for the other direction."""
        return partial(_OF[self.use], centre=self.centre, slope=-self.slope)


def of_number(x: Any, *, centre: float, slope: float) -> Any:
    """Factor of a number of the event."""
    return 1.0 + slope * (x - centre)


def of_muon(x: Any, *, centre: float, slope: float) -> Any:
    """Factor of the only muon of each event."""
    return of_number(x[:, 0], centre=centre, slope=slope)


def of_jets(x: Any, *, centre: float, slope: float) -> Any:
    """Factor of the leading good jet of each event."""
    return of_number(np.minimum(x[:, 0], 500.0), centre=centre, slope=slope)


PILEUP: Columns = (("Pileup", "nTrueInt"),)
MUON_PTS: Columns = (("Muon", "pt"),)
MUON_ETAS: Columns = (("Muon", "eta"),)
JET_PTS: Columns = (("Jet", "pt"),)
_OF = {PILEUP: of_number, MUON_PTS: of_muon, MUON_ETAS: of_muon, JET_PTS: of_jets}

JET_SOURCES: Sequence[JetSource] = tuple(
    JetSource(f"jes{i}", 0.002 + 0.0015 * (i % 7), 0.001 * (i % 5), 0.1 * (i % 4))
    for i in range(20)
)
WEIGHT_SOURCES: Sequence[WeightSource] = (
    *(WeightSource(f"pileup{i}", PILEUP, 32.0, 0.001 * (i + 1)) for i in range(4)),
    *(WeightSource(f"muon_pt{i}", MUON_PTS, 50.0, 0.0001 * (i + 1)) for i in range(12)),
    *(WeightSource(f"muon_eta{i}", MUON_ETAS, 0.0, 0.004 * (i + 1)) for i in range(12)),
    *(WeightSource(f"jet_pt{i}", JET_PTS, 120.0, 0.0002 * (i + 1)) for i in range(2)),
)
