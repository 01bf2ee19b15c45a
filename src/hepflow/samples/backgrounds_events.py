"""Events of the sample of backgrounds: a muon, jets and missing momentum, as plain columns.

Isolation, missing momentum and jets of nonprompt muons are independent of each other, so that a
transfer factor between isolated and other muons is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hepflow.samples import backgrounds_truth as truth
from hepflow.samples.columns import Column, coarse, ordered
from hepflow.samples.kinematics import FloatArray
from hepflow.samples.write import Jagged

SLOTS = 4  # at most this many jets
RESOLUTION = 0.1  # of jets, relative
MUON_MASS = 0.105658  # [GeV]


@dataclass(frozen=True, slots=True)
class Simple:
    """Events: numbers, and lists of objects."""

    plain: dict[str, Column]  # each (n,)
    jagged: dict[str, Jagged]

    def take(self, mask: Column) -> Simple:
        """Events of a mask."""
        jagged = {
            name: Jagged(
                part.counts[mask],
                {key: one[np.repeat(mask, part.counts)] for key, one in part.columns.items()},
            )
            for name, part in self.jagged.items()
        }
        return Simple({name: one[mask] for name, one in self.plain.items()}, jagged)

    def with_columns(self, **columns: Column) -> Simple:
        """The same events with more numbers."""
        return Simple({**self.plain, **columns}, self.jagged)


def joined(parts: list[Simple]) -> Simple:
    """Events of all parts; all have the same columns."""
    first = parts[0]
    plain = {name: np.concatenate([one.plain[name] for one in parts]) for name in first.plain}
    jagged = {
        name: Jagged(
            np.concatenate([one.jagged[name].counts for one in parts]),
            {
                key: np.concatenate([one.jagged[name].columns[key] for one in parts])
                for key in part.columns
            },
        )
        for name, part in first.jagged.items()
    }
    return Simple(plain, jagged)


def events_of(
    process: str, size: int, rng: Generator, slice_: tuple[float, float] | None = None
) -> Simple:
    """Events of a process with the efficiency of simulation.

    Parameters
    ----------
    slice_
        Range of the generator's HT [GeV]; only W + jets has slices.
    """
    hadronic = _generator_ht(process, size, rng, slice_)
    jets = _jets(process, hadronic, rng)
    met, muon_pt = _leptonic(process, size, rng)
    found = rng.random(size) < truth.MUON_EFFICIENCY
    momentum = np.zeros(size)
    np.add.at(momentum, np.repeat(np.arange(size), jets.counts), jets.columns["pt"])
    plain: dict[str, Column] = {
        "LHE_HT": coarse(hadronic),
        "MET_pt": coarse(met),
        "MET_phi": coarse(rng.uniform(-np.pi, np.pi, size)),
        "HLT_Mu50": rng.random(size) < truth.TRIGGER_EFFICIENCY,
        "HLT_PFHT250": momentum > truth.HT_TRIGGER,
    }
    muons = {
        "pt": coarse(muon_pt),
        "eta": coarse(rng.uniform(-2.4, 2.4, size)),
        "phi": coarse(rng.uniform(-np.pi, np.pi, size)),
        "mass": np.full(size, MUON_MASS, dtype=np.float32),
        "pfRelIso04_all": coarse(_isolation(process, size, rng)),
    }
    kept = {name: one[found] for name, one in muons.items()}
    return Simple(plain, {"Jet": jets, "Muon": Jagged(found.astype(np.int64), kept)})


def _generator_ht(
    process: str, size: int, rng: Generator, slice_: tuple[float, float] | None
) -> FloatArray:
    u = rng.random(size)
    if process == "wjets":
        low, high = slice_ or (0.0, np.inf)
        above, below = truth.wjets_survival(high), truth.wjets_survival(low)
        u = above + u * (below - above)
        return np.asarray(truth.WJETS_SCALE * (u ** (-1 / truth.WJETS_POWER) - 1.0))
    if process == "ttbar":
        return 100.0 + rng.gamma(3.0, 70.0, size)
    if process == "signal":
        return np.abs(rng.normal(700.0, 80.0, size))
    return 60.0 + 60.0 * ((1.0 - u) ** (-1 / 2.5) - 1.0)


def _leptonic(process: str, size: int, rng: Generator) -> tuple[FloatArray, FloatArray]:
    """Missing momentum and pt of the muon [GeV]."""
    if process == "nonprompt":
        return rng.exponential(25.0, size), 55.0 + rng.exponential(20.0, size)
    width, mean = {"signal": (180.0, 150.0), "ttbar": (60.0, 45.0), "wjets": (45.0, 35.0)}[process]
    return rng.rayleigh(width, size), 55.0 + rng.exponential(mean, size)


def _isolation(process: str, size: int, rng: Generator) -> FloatArray:
    """Momentum around the muon over its own."""
    if process == "nonprompt":
        return rng.uniform(0.0, truth.NONPROMPT_RANGE, size)
    return rng.exponential(0.05, size)


def _jets(process: str, hadronic: FloatArray, rng: Generator) -> Jagged:
    size = len(hadronic)
    least = 2 if process in {"ttbar", "signal"} else 1
    count = np.minimum(least + rng.poisson(hadronic / 250.0), SLOTS)
    share = rng.exponential(1.0, (size, SLOTS)) + 0.3
    share = np.where(np.arange(SLOTS) < count[:, None], share, 0.0)
    parton = hadronic[:, None] * share / share.sum(axis=1, keepdims=True)
    pt = parton * np.maximum(rng.normal(1.0, RESOLUTION, parton.shape), 0.1)
    bottoms = {"ttbar": 2 * np.ones(size), "nonprompt": rng.random(size) < 0.3}  # noqa: PLR2004
    heavy = np.arange(SLOTS) < np.asarray(bottoms.get(process, np.zeros(size)))[:, None]
    score = np.where(heavy, rng.beta(4.0, 1.5, pt.shape), rng.beta(1.0, 6.0, pt.shape))
    columns = {
        "pt": coarse(pt),
        "eta": coarse(np.clip(rng.normal(0.0, 1.2, pt.shape), -2.4, 2.4)),
        "phi": coarse(rng.uniform(-np.pi, np.pi, pt.shape)),
        "mass": coarse(0.1 * pt),
        "btag": coarse(score),
    }
    collection = ordered(pt > 20.0, pt, columns)  # noqa: PLR2004 -- [GeV], as NanoAOD has them
    return Jagged(collection.counts, collection.flat())
