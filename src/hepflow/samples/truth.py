"""Everything that is known about the built-in sample before an event is drawn.

The generator, the correction files and `truth.json` are all made from the constants of this
module, so that a correction undoes exactly what the generator did. Where data and simulation
differ, data is the generator's efficiency times a scale factor (never above one), and simulated
jets carry an energy scale that is wrong by a known factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

VERSION = 1  # part of the sample's folder name: raise it whenever the content changes
DEFAULT_EVENTS = 500_000
DEFAULT_SEED = 20_160_813
LUMINOSITY_AT_DEFAULT = 16_000.0  # [1/pb] of the certified data; proportional to the events asked
MU_TRUE = 0.0  # signal strength in data
INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers in bins of abs(eta) and pt; outside, the nearest bin counts."""

    eta: tuple[float, ...]  # edges in abs(eta)
    pt: tuple[float, ...]  # edges [GeV]; the last one is infinity
    values: tuple[tuple[float, ...], ...]  # one row an eta bin

    def at(self, eta: ArrayLike, pt: ArrayLike) -> FloatArray:
        """Return the values at `eta` and `pt` [GeV], in the shape of the inputs."""
        row = np.searchsorted(np.asarray(self.eta), np.abs(eta), side="right") - 1
        column = np.searchsorted(np.asarray(self.pt), pt, side="right") - 1
        table = np.asarray(self.values)
        return np.asarray(
            table[np.clip(row, 0, table.shape[0] - 1), np.clip(column, 0, table.shape[1] - 1)]
        )


@dataclass(frozen=True, slots=True)
class TagTruth:
    """How often jets of one class are tagged."""

    efficiency: Grid  # in the simulation
    scale_factor: Grid  # efficiency in data over efficiency in simulation, at most 1
    uncertainty: float  # relative, of the scale factor
    source: str  # which uncertainty moves it: "hf" or "lf" (b-tag), "tag" (top-tag)


@dataclass(frozen=True, slots=True)
class MuonTruth:
    """How often a prompt muon passes one criterion."""

    efficiency: float  # in the simulation
    scale_factor: Grid  # efficiency in data over efficiency in simulation, at most 1
    uncertainty: float  # relative, of the scale factor


@dataclass(frozen=True, slots=True)
class ProcessTruth:
    """One simulated dataset."""

    process: str
    cross_section: float  # [pb], of the generated phase space, decays included
    share: float  # of the events asked
    files: int
    norm_factor: float  # in data, relative to the cross-section
    negative_fraction: float  # of events with a negative generator weight
    weight_scale: float  # median of abs(genWeight)


def _flat(pt: tuple[float, ...], *values: float) -> Grid:
    return Grid((0.0, INFINITY), pt, (values,))


PROCESSES: Mapping[str, ProcessTruth] = MappingProxyType(
    {
        "signal": ProcessTruth("signal", 0.060, 0.06, 3, MU_TRUE, 0.005, 0.91),
        "ttbar_semilep": ProcessTruth("ttbar_semilep", 2.5, 0.35, 5, 1.0, 0.02, 72.0),
        "ttbar_had": ProcessTruth("ttbar_had", 0.8, 0.07, 3, 1.0, 0.02, 72.0),
        "ttbar_lep": ProcessTruth("ttbar_lep", 0.5, 0.06, 3, 1.0, 0.02, 72.0),
        "wjets": ProcessTruth("wjets", 4.5, 0.36, 5, 1.0, 0.08, 1480.0),
    }
)
DATA_FILES = 5
BAD_DATA_FRACTION = 0.12  # events in uncertified blocks, relative to the certified ones
WEIGHT_SPREAD = 0.15  # standard deviation of log(abs(genWeight))

_MUON_ETA = (0.0, 0.9, 1.2, 2.1, 2.4)
_MUON_PT = (15.0, 60.0, 100.0, 200.0, INFINITY)
_TRIGGER_PT = (52.0, 70.0, 120.0, 200.0, INFINITY)
MUON: Mapping[str, MuonTruth] = MappingProxyType(
    {
        "muon_id": MuonTruth(
            0.97,
            Grid(
                _MUON_ETA,
                _MUON_PT,
                (
                    (0.965, 0.960, 0.955, 0.945),
                    (0.955, 0.950, 0.945, 0.930),
                    (0.950, 0.945, 0.935, 0.920),
                    (0.930, 0.925, 0.915, 0.900),
                ),
            ),
            0.010,
        ),
        "muon_iso": MuonTruth(
            0.95,
            Grid(
                _MUON_ETA,
                _MUON_PT,
                (
                    (0.970, 0.965, 0.960, 0.950),
                    (0.965, 0.960, 0.955, 0.945),
                    (0.960, 0.955, 0.950, 0.940),
                    (0.950, 0.945, 0.940, 0.930),
                ),
            ),
            0.010,
        ),
        "muon_trigger": MuonTruth(
            0.92,
            Grid(
                _MUON_ETA,
                _TRIGGER_PT,
                (
                    (0.910, 0.900, 0.890, 0.870),
                    (0.890, 0.880, 0.870, 0.850),
                    (0.870, 0.860, 0.840, 0.820),
                    (0.840, 0.830, 0.810, 0.790),
                ),
            ),
            0.015,
        ),
    }
)
BOTTOM_MUON_PASSES = MappingProxyType({"muon_id": 0.90, "muon_iso": 0.06})  # muons of b decays

BTAG_THRESHOLD = 0.5  # btagDeepB above this is tagged
_BTAG_PT = (15.0, 50.0, 100.0, 200.0, 400.0, INFINITY)
BTAG: Mapping[int, TagTruth] = MappingProxyType(  # by Jet_hadronFlavour
    {
        5: TagTruth(
            _flat(_BTAG_PT, 0.70, 0.76, 0.78, 0.74, 0.65),
            _flat(_BTAG_PT, 0.91, 0.90, 0.89, 0.87, 0.85),
            0.03,
            "hf",
        ),
        4: TagTruth(
            _flat(_BTAG_PT, 0.13, 0.14, 0.14, 0.15, 0.16),
            _flat(_BTAG_PT, 0.93, 0.93, 0.92, 0.91, 0.90),
            0.05,
            "hf",
        ),
        0: TagTruth(
            _flat(_BTAG_PT, 0.010, 0.010, 0.013, 0.020, 0.030),
            _flat(_BTAG_PT, 0.92, 0.92, 0.90, 0.88, 0.86),
            0.10,
            "lf",
        ),
    }
)

TOPTAG_THRESHOLD = 0.5  # particleNet_TvsQCD above this is tagged
WHOLE_TOP = 6  # FatJet_hadronFlavour of a fat jet that holds a whole hadronic top decay
_TOPTAG_PT = (150.0, 400.0, 500.0, 600.0, 800.0, INFINITY)
TOPTAG: Mapping[int, TagTruth] = MappingProxyType(  # by FatJet_hadronFlavour
    {
        WHOLE_TOP: TagTruth(
            _flat(_TOPTAG_PT, 0.60, 0.75, 0.80, 0.83, 0.85),
            _flat(_TOPTAG_PT, 0.91, 0.90, 0.89, 0.87, 0.85),
            0.05,
            "tag",
        ),
        5: TagTruth(
            _flat(_TOPTAG_PT, 0.12, 0.12, 0.12, 0.13, 0.14),
            _flat(_TOPTAG_PT, 0.92, 0.92, 0.91, 0.90, 0.90),
            0.05,
            "tag",
        ),
        4: TagTruth(
            _flat(_TOPTAG_PT, 0.08, 0.08, 0.09, 0.09, 0.10),
            _flat(_TOPTAG_PT, 0.92, 0.92, 0.91, 0.90, 0.90),
            0.05,
            "tag",
        ),
        0: TagTruth(
            _flat(_TOPTAG_PT, 0.08, 0.08, 0.09, 0.09, 0.10),
            _flat(_TOPTAG_PT, 0.92, 0.92, 0.91, 0.90, 0.90),
            0.05,
            "tag",
        ),
    }
)

FATJET_SCALE = 1.02  # multiply pt and masses of simulated fat jets by this
FATJET_SCALE_UNCERTAINTY = 0.01  # relative
JES_ETA = (0.0, 1.3, 2.5, 5.2)
JES_PT = (10.0, 7000.0)  # [GeV] domain of the correction
JES_OFFSET = (1.030, 1.045, 1.060)  # the factor at 100 GeV, by abs(eta)
JES_SLOPE = (-0.008, -0.010, -0.012)  # per decade of pt
JES_ABSOLUTE = 0.012  # relative uncertainty, source jes_absolute
JES_PILEUP = (0.004, 0.6)  # source jes_pileup: first + second / pt[GeV]

PILEUP_BINS = 80  # Pileup_nTrueInt runs from 0 to here
PILEUP_SIMULATION = (26.0, 7.5)  # mean, width
PILEUP_DATA = (22.0, 6.0)
PILEUP_UNCERTAINTY = 0.046  # relative, of the mean in data


def jes_factor(eta: ArrayLike, pt: ArrayLike) -> FloatArray:
    """Return the factor that corrects simulated jets of measured `pt` [GeV]."""
    index = np.clip(np.searchsorted(JES_ETA, np.abs(eta), side="right") - 1, 0, 2)
    offset, slope = np.asarray(JES_OFFSET)[index], np.asarray(JES_SLOPE)[index]
    return np.asarray(offset + slope * np.log10(np.asarray(pt) / 100.0))


def uncorrect_jet_pt(eta: ArrayLike, pt: ArrayLike) -> FloatArray:
    """Return the pt [GeV] from which `jes_factor` leads back to `pt`."""
    true = np.asarray(pt, dtype=np.float64)
    measured = true
    for _ in range(6):  # a contraction by the slope: 0.005 each time
        measured = true / jes_factor(eta, measured)
    return measured


def pileup_profile(mean: float, width: float) -> FloatArray:
    """Return the probability of each unit bin of true interactions, shape (PILEUP_BINS,)."""
    centres = np.arange(PILEUP_BINS) + 0.5
    density = np.exp(-0.5 * ((centres - mean) / width) ** 2)
    return np.asarray(density / density.sum())


def luminosity(events: int) -> float:
    """Return the luminosity [1/pb] of the certified data in a sample of `events` events."""
    return LUMINOSITY_AT_DEFAULT * events / DEFAULT_EVENTS


def as_dict(events: int, seed: int) -> dict[str, Any]:
    """Return the truth in plain containers, as stored beside the sample."""
    lumi = luminosity(events)
    return {
        "version": VERSION,
        "events": events,
        "seed": seed,
        "luminosity": lumi,
        "mu_true": MU_TRUE,
        "norm_factors": {name: p.norm_factor for name, p in PROCESSES.items()},
        "cross_sections": {name: p.cross_section for name, p in PROCESSES.items()},
        "expected_generated_events_in_certified_data": {
            name: p.cross_section * p.norm_factor * lumi for name, p in PROCESSES.items()
        },
        "negative_fractions": {name: p.negative_fraction for name, p in PROCESSES.items()},
        "bad_data_fraction": BAD_DATA_FRACTION,
        "muon": {name: _muon_dict(truth) for name, truth in MUON.items()},
        "btag": {"threshold": BTAG_THRESHOLD} | {str(k): _tag_dict(v) for k, v in BTAG.items()},
        "toptag": {"threshold": TOPTAG_THRESHOLD}
        | {str(k): _tag_dict(v) for k, v in TOPTAG.items()},
        "jes": {
            "formula": "offset + slope * log10(pt / 100)",
            "abs_eta": JES_ETA,
            "offset": JES_OFFSET,
            "slope": JES_SLOPE,
            "jes_absolute": JES_ABSOLUTE,
            "jes_pileup": JES_PILEUP,
            "met": "PuppiMET is calibrated: the nominal correction does not propagate to it",
        },
        "fatjet_scale": FATJET_SCALE,
        "fatjet_scale_uncertainty": FATJET_SCALE_UNCERTAINTY,
        "pileup": {
            "simulation": PILEUP_SIMULATION,
            "data": PILEUP_DATA,
            "uncertainty": PILEUP_UNCERTAINTY,
        },
    }


def _grid_dict(grid: Grid) -> dict[str, Any]:
    edges = [edge if np.isfinite(edge) else "inf" for edge in grid.pt]
    return {"pt": edges, "abs_eta": [e if np.isfinite(e) else "inf" for e in grid.eta]} | {
        "values": grid.values
    }


def _muon_dict(truth: MuonTruth) -> dict[str, Any]:
    return {
        "efficiency": truth.efficiency,
        "scale_factor": _grid_dict(truth.scale_factor),
        "uncertainty": truth.uncertainty,
    }


def _tag_dict(truth: TagTruth) -> dict[str, Any]:
    return {
        "efficiency": _grid_dict(truth.efficiency),
        "scale_factor": _grid_dict(truth.scale_factor),
        "uncertainty": truth.uncertainty,
        "source": truth.source,
    }
