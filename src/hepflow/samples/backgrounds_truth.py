"""What is true in the sample of backgrounds: cross-sections, spectra, efficiencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hepflow.samples.kinematics import FloatArray

VERSION = 1  # of the contents
LUMINOSITY: Mapping[str, float] = MappingProxyType({"2017": 500.0, "2018": 700.0})  # [1/pb]
FIRST_RUN: Mapping[str, int] = MappingProxyType({"2017": 297050, "2018": 315257})
MUON_EFFICIENCY = 0.95  # in simulation
MUON_SCALE: Mapping[str, float] = MappingProxyType(
    {"2017": 0.98, "2018": 0.96}
)  # data / simulation
TRIGGER_EFFICIENCY = 0.9  # of HLT_Mu50
HT_TRIGGER = 250.0  # [GeV]
ISOLATED, NOT_ISOLATED = 0.15, (0.25, 1.0)  # relative isolation of regions that make sense
NONPROMPT_RANGE = 1.25  # isolation of nonprompt muons is flat up to here
TRANSFER = ISOLATED / (NOT_ISOLATED[1] - NOT_ISOLATED[0])  # isolated over not, of nonprompt muons
SLICES = (100.0, 300.0)  # [GeV] of the generator's HT, where the slices of wjets begin
WJETS_SCALE, WJETS_POWER = 60.0, 2.2  # of its spectrum: P(HT > x) = (1 + x / scale)^-power


@dataclass(frozen=True, slots=True)
class Background:
    """One process of the sample."""

    cross_section: float  # [pb] of events with a muon above 55 GeV
    events: int  # simulated, a year
    in_data: bool = True
    negative_fraction: float = 0.0  # of generator weights
    weight: float = 1.0  # size of the generator weights


PROCESSES: Mapping[str, Background] = MappingProxyType(
    {
        "signal": Background(0.05, 4_000, in_data=False),
        "ttbar": Background(6.0, 20_000, negative_fraction=0.05, weight=72.0),
        "wjets": Background(20.0, 40_000, negative_fraction=0.05, weight=1500.0),
        "nonprompt": Background(60.0, 60_000),
    }
)
SLICED_EVENTS = (20_000, 16_000)  # of the slices of wjets, a year
DATA_ORDER = tuple(name for name, one in PROCESSES.items() if one.in_data)  # of Truth_process


def wjets_survival(ht: FloatArray | float) -> FloatArray:
    """Fraction of W + jets above a value of the generator's HT [GeV]."""
    with np.errstate(divide="ignore"):
        return np.asarray((1.0 + np.asarray(ht) / WJETS_SCALE) ** -WJETS_POWER)


def wjets_cross_section(low: float, high: float) -> float:
    """Cross-section [pb] of a slice of the generator's HT [GeV]."""
    share = wjets_survival(low) - wjets_survival(high)
    return float(PROCESSES["wjets"].cross_section * share)
