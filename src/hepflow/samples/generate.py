"""The events of one file, from the seed, the dataset and the file's number alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hepflow.samples import datataking, truth
from hepflow.samples.columns import Column, EventColumns, coarse, concatenate
from hepflow.samples.detector import observe
from hepflow.samples.processes import GENERATORS, HardEvents

EVENTS_PER_BLOCK = 1000  # in simulation
NUMBERS_PER_FILE = 10_000_000  # event numbers set aside for each file
MUON_DATA = ("HLT_TkMu50", "HLT_Mu50", "HLT_IsoMu24")  # data has events that pass one of these
NOISE = 250.0  # [GeV] mean missing momentum that noise adds in uncertified blocks
NOISE_PHI = 1.2  # where the noisy part of the detector is


def generator(sample: tuple[int, int], dataset: str, index: int) -> Generator:
    """Return the random numbers of one file, independent of those of all others.

    Parameters
    ----------
    sample : the seed and the number of events asked; samples of other sizes share nothing
    dataset : name of the dataset
    index : number of the file in the dataset
    """
    return np.random.default_rng([*sample, zlib.crc32(dataset.encode()), index])


def simulate(
    dataset: str,
    size: int,
    index: int,
    rng: Generator,
    process: Callable[[int, Generator], HardEvents] | None = None,
) -> EventColumns:
    """Return `size` simulated events of file number `index`, where named of another process."""
    known = truth.PROCESSES[dataset]
    events = observe((process or GENERATORS[dataset])(size, rng), rng, data=False)
    sign = np.where(rng.random(size) < known.negative_fraction, -1.0, 1.0)
    spread = np.exp(truth.WEIGHT_SPREAD * rng.standard_normal(size))
    number = index * NUMBERS_PER_FILE + np.arange(1, size + 1)
    identity: dict[str, Column] = {
        "run": np.ones(size, dtype=np.uint32),
        "luminosityBlock": (number // EVENTS_PER_BLOCK + 1).astype(np.uint32),
        "event": number.astype(np.uint64),
        "genWeight": coarse(known.weight_scale * sign * spread),
    }
    return EventColumns(identity | dict(events.plain), events.collections)


def record(luminosity: float, index: int, files: int, rng: Generator) -> EventColumns:
    """Return the data of file number `index` of `files`.

    The certified blocks of all files together hold `luminosity` [1/pb]; what is recorded in
    uncertified blocks comes on top and has noise in its missing momentum.
    """
    good = _take_data(luminosity, index, files, certified=True, rng=rng)
    extra = luminosity * truth.BAD_DATA_FRACTION
    bad = _add_noise(_take_data(extra, index, files, certified=False, rng=rng), rng)
    both = concatenate([good, bad])
    order = np.lexsort((both.plain["luminosityBlock"], both.plain["run"]))
    events = both.take(order)
    number = index * NUMBERS_PER_FILE + np.arange(1, len(events) + 1)
    return EventColumns(
        {**events.plain, "event": number.astype(np.uint64)},
        events.collections,
    )


def _take_data(
    luminosity: float, index: int, files: int, *, certified: bool, rng: Generator
) -> EventColumns:
    every = datataking.blocks(certified=certified)
    mine: NDArray[np.uint32] = np.array_split(every, files)[index]
    share = luminosity * len(mine) / len(every)
    parts = []
    for name, known in truth.PROCESSES.items():
        size = int(rng.poisson(known.cross_section * known.norm_factor * share))
        parts.append(observe(GENERATORS[name](size, rng), rng, data=True))
    events = concatenate(parts)
    fired = np.any([events.plain[name] for name in MUON_DATA], axis=0)
    # Processes take turns only at random, and sorting by block keeps the order within one.
    events = events.take(rng.permutation(np.flatnonzero(fired)))
    where = mine[rng.integers(len(mine), size=len(events))]
    identity: dict[str, Column] = {
        "run": where[:, 0].copy(),
        "luminosityBlock": where[:, 1].copy(),
        "event": np.zeros(len(events), dtype=np.uint64),
    }
    return EventColumns(identity | dict(events.plain), events.collections)


def _add_noise(events: EventColumns, rng: Generator) -> EventColumns:
    size = len(events)
    noise = rng.exponential(NOISE, size)
    angle = rng.normal(NOISE_PHI, 0.1, size)
    plain = dict(events.plain)
    for name in ("PuppiMET", "MET", "RawMET"):
        pt, phi = plain[f"{name}_pt"], plain[f"{name}_phi"]
        x = pt * np.cos(phi) + noise * np.cos(angle)
        y = pt * np.sin(phi) + noise * np.sin(angle)
        plain[f"{name}_pt"] = coarse(np.hypot(x, y), 14)
        plain[f"{name}_phi"] = coarse(np.arctan2(y, x), 14)
    return EventColumns(plain, events.collections)
