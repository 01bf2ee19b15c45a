"""A parametrised detector: acceptance, efficiencies and resolutions in pt and eta.

It is no simulation of any experiment, and what it makes is labelled as such. Each kind of object
has a list of regions in pt and absolute eta; the first region that holds an object says with which
probability it is found and how well its transverse momentum is measured. What lies in no region is
outside of the acceptance. What is lost or mismeasured goes into the missing momentum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.physics.particles import (
    COLLECTIONS,
    FIELDS,
    Particles,
    collection,
    missing_momentum,
)
from hepflow.inference.records import Floats

Seed = int | np.random.SeedSequence


@dataclass(frozen=True, slots=True)
class Region:
    """Objects of one kind in a range of pt and absolute eta.

    For ``met``, `resolution` times the square root of the scalar sum of all transverse momenta
    [GeV] is the standard deviation of noise in each of its two components; the ranges and the
    efficiency have no meaning there.
    """

    kind: Literal["e", "mu", "a", "j", "met"]
    min_pt: float = 0.0  # [GeV], before smearing
    max_pt: float = float("inf")
    min_eta: float = 0.0  # of the absolute value
    max_eta: float = float("inf")
    efficiency: float = 1.0
    resolution: float = 0.0  # of pt, relative; of met [sqrt(GeV)]

    def __post_init__(self) -> None:
        ranges = self.min_pt < self.max_pt and 0 <= self.min_eta < self.max_eta
        if not ranges or not 0 <= self.efficiency <= 1 or not self.resolution >= 0:
            raise InputError(
                f"detector: {self}: expected min_pt < max_pt, 0 <= min_eta < max_eta, an "
                "efficiency from 0 to 1 and a resolution of 0 or more."
            )


class Detector(Protocol):
    """What turns particles into what is measured."""

    @property
    def provenance(self) -> dict[str, Any]:
        """What it is, for the record of the events."""
        ...

    def apply(self, particles: Particles, seed: Seed) -> Particles:
        """Measure events; their number and order stay."""
        ...


@dataclass(frozen=True)
class NoDetector:
    """Everything is measured as it is."""

    @property
    def provenance(self) -> dict[str, Any]:
        """What it is."""
        return {"kind": "none"}

    def apply(self, particles: Particles, seed: Seed) -> Particles:  # noqa: ARG002  # the protocol
        """Return the particles themselves."""
        return particles


@dataclass(frozen=True)
class ParametrisedDetector:
    """Acceptance, efficiency and resolution by regions."""

    regions: tuple[Region, ...]

    @property
    def provenance(self) -> dict[str, Any]:
        """What it is."""
        return {
            "kind": "parametrised (efficiencies and resolutions by region, no simulation)",
            "regions": [asdict(region) for region in self.regions],
        }

    def apply(self, particles: Particles, seed: Seed) -> Particles:
        """Measure events.

        Parameters
        ----------
        particles : Particles
            As generated.
        seed : int or numpy.random.SeedSequence
            The same seed and events give the same measurement. Each kind of object has random
            numbers of its own: what is configured for one changes no other.
        """
        # not the number itself: [5, 0] seeds the same stream as the 5 that made the events
        own = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        entropy = own.generate_state(4)
        measured, px, py = {}, *_components(particles.met)
        total = np.zeros(len(particles))
        for index, name in enumerate(COLLECTIONS):
            rng = np.random.default_rng([*entropy, index])
            before = getattr(particles, name)
            after = _measure(before, [one for one in self.regions if one.kind == name], rng)
            for sign, array in ((1, before), (-1, after)):  # momentum is conserved
                sums = _sums(array)
                px, py = px + sign * sums[0], py + sign * sums[1]
            total += _sums(before)[2]
            measured[name] = after
        rng = np.random.default_rng([*entropy, len(COLLECTIONS)])
        noise = rng.standard_normal((2, len(particles))) * np.sqrt(total)
        scale = sum(one.resolution for one in self.regions if one.kind == "met")
        return Particles(
            **measured, met=missing_momentum(px + scale * noise[0], py + scale * noise[1])
        )


def _measure(array: Any, regions: Sequence[Region], rng: np.random.Generator) -> Any:
    """Lose some objects and smear the others."""
    import awkward as ak

    flat, counts = ak.flatten(array, axis=1), np.asarray(ak.num(array, axis=1))
    columns = {name: np.asarray(flat[name], dtype=float) for name in FIELDS}
    efficiency, resolution = _response(columns["pt"], columns["eta"], regions)
    found = rng.random(len(flat)) < efficiency
    # far below zero the normal distribution has no meaning for a momentum
    factor = np.maximum(1 + resolution * rng.standard_normal(len(flat)), 0.01)
    columns["pt"] = columns["pt"] * factor
    columns["mass"] = columns["mass"] * factor
    event = np.repeat(np.arange(len(counts)), counts)[found]
    kept = {name: column[found] for name, column in columns.items()}
    return collection(np.bincount(event, minlength=len(counts)), kept)


def _response(pt: Floats, eta: Floats, regions: Sequence[Region]) -> tuple[Floats, Floats]:
    efficiency, resolution = np.zeros_like(pt), np.zeros_like(pt)
    size = np.abs(eta)
    for one in reversed(regions):  # the first one that holds an object is the last to be written
        inside = (pt >= one.min_pt) & (pt < one.max_pt) & (size >= one.min_eta)
        inside &= size < one.max_eta
        efficiency[inside], resolution[inside] = one.efficiency, one.resolution
    return efficiency, resolution


def _components(met: Any) -> tuple[Floats, Floats]:
    pt, phi = np.asarray(met.pt, dtype=float), np.asarray(met.phi, dtype=float)
    return pt * np.cos(phi), pt * np.sin(phi)


def _sums(array: Any) -> tuple[Floats, Floats, Floats]:
    """Sums of px, py and pt of the objects of each event."""
    import awkward as ak

    parts = (array.pt * np.cos(array.phi), array.pt * np.sin(array.phi), array.pt)
    px, py, pt = (np.asarray(ak.sum(part, axis=1), dtype=float) for part in parts)
    return px, py, pt


def regions_of(entries: Sequence[Mapping[str, Any]]) -> tuple[Region, ...]:
    """Regions from a configuration; what an entry leaves out, or sets to None, has its default."""
    return tuple(
        Region(**{name: value for name, value in entry.items() if value is not None})
        for entry in entries
    )


# About what a general-purpose detector at the LHC reaches; muons become worse with straightness
GENERAL_PURPOSE = (
    Region("mu", 5.0, 100.0, 0.0, 2.4, 0.95, 0.015),
    Region("mu", 100.0, 300.0, 0.0, 2.4, 0.95, 0.025),
    Region("mu", 300.0, 1_000.0, 0.0, 2.4, 0.95, 0.05),
    Region("mu", 1_000.0, float("inf"), 0.0, 2.4, 0.93, 0.10),
    Region("e", 10.0, 30.0, 0.0, 2.5, 0.80, 0.03),
    Region("e", 30.0, float("inf"), 0.0, 1.5, 0.90, 0.015),
    Region("e", 30.0, float("inf"), 1.5, 2.5, 0.85, 0.025),
    Region("a", 15.0, float("inf"), 0.0, 2.5, 0.90, 0.02),
    Region("j", 20.0, 50.0, 0.0, 4.7, 0.97, 0.20),
    Region("j", 50.0, 200.0, 0.0, 4.7, 1.0, 0.11),
    Region("j", 200.0, float("inf"), 0.0, 4.7, 1.0, 0.06),
    Region("met", resolution=0.7),
)
