"""The hard processes: partons, leptons and neutrinos of each dataset, before the detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from hepflow.samples.decays import (
    BOTTOM_TO_MUON,
    CONE,
    TOP_MASS,
    TOP_WIDTH,
    W_MASS,
    W_WIDTH,
    BoolArray,
    IntArray,
    TopDecay,
    decay_top,
    decay_w_to_leptons,
    merge_close,
    split_jet,
)
from hepflow.samples.kinematics import (
    FloatArray,
    breit_wigner,
    delta_r,
    from_pt_eta_phi_mass,
    transverse,
    two_body,
)

ISR_SLOTS = 3  # at most this many radiated jets
TTBAR_RADIATION, WJETS_RADIATION = 1.3, 2.0  # mean number of them, before the limit
RESONANCE_MASS, RESONANCE_WIDTH = 2000.0, 60.0  # [GeV]
LOWEST_MASS = 400.0  # [GeV] of a resonance that decays to two top quarks, tails of both included
TTBAR_THRESHOLD, TTBAR_POWER = 1020.0, 4.5  # lowest mass [GeV]; the integral falls as m**-power
WJETS_THRESHOLD, WJETS_POWER = 470.0, 4.5  # lowest pt of the leading parton [GeV]


@dataclass(frozen=True, slots=True)
class HardEvents:
    """Particles in fixed slots; zero vectors stand for what is not there. All in GeV."""

    jets: FloatArray  # (n, 11, 4): three of each top, two taus, three radiated
    flavour: IntArray  # (n, 11)
    fat: FloatArray  # (n, 5, 4): one of each top, three radiated
    fat_flavour: IntArray  # (n, 5)
    muons: FloatArray  # (n, 4, 4): two of W bosons, two of b decays
    muon_charge: IntArray  # (n, 4)
    electrons: FloatArray  # (n, 2, 4)
    electron_charge: IntArray  # (n, 2)
    neutrinos: FloatArray  # (n, 4) their sum


def radiate(size: int, mean: float, rng: Generator) -> tuple[FloatArray, IntArray]:
    """Return `mean` radiated jets an event, shape (size, ISR_SLOTS, 4), and their flavours."""
    shape = (size, ISR_SLOTS)
    pt = np.minimum(25.0 * rng.random(shape) ** (-1 / 2.2), 1500.0)
    eta = np.clip(rng.normal(0.0, 1.8, shape), -4.5, 4.5)
    phi = rng.uniform(-np.pi, np.pi, shape)
    count = np.minimum(rng.poisson(mean, size), ISR_SLOTS)
    present = np.arange(ISR_SLOTS) < count[:, None]
    jets = np.where(present[..., None], from_pt_eta_phi_mass(pt, eta, phi, 0.0), 0.0)
    flavour = rng.choice([0, 4, 5], size=shape, p=[0.92, 0.05, 0.03])
    return jets, flavour


def _coin(size: int, rng: Generator) -> BoolArray:
    return np.asarray(rng.integers(2, size=size) == 1)


def _recoil(mass: FloatArray, against: FloatArray, rapidity: FloatArray) -> FloatArray:
    """Return a system of `mass` [GeV] whose transverse momentum balances `against`."""
    px, py = -against[:, 0], -against[:, 1]
    transverse_mass = np.sqrt(mass**2 + px**2 + py**2)
    pz, energy = transverse_mass * np.sinh(rapidity), transverse_mass * np.cosh(rapidity)
    return np.stack([px, py, pz, energy], axis=-1)


def _pair(
    mass: FloatArray,
    hadronic: tuple[BoolArray, BoolArray],
    forced_muon: BoolArray,
    rng: Generator,
) -> HardEvents:
    """Return top pairs of `mass` [GeV], shape (n,), with radiation."""
    size = len(mass)
    radiated, radiated_flavour = radiate(size, TTBAR_RADIATION, rng)
    system = _recoil(mass, radiated.sum(axis=1), rng.normal(0.0, 0.6, size))
    masses = [breit_wigner(rng, size, TOP_MASS, TOP_WIDTH, 15.0) for _ in range(2)]
    top, antitop = two_body(system, masses[0], masses[1], rng)
    second = _coin(size, rng)
    muon_a = (rng.random(size) < BOTTOM_TO_MUON) | (forced_muon & ~second)
    muon_b = (rng.random(size) < BOTTOM_TO_MUON) | (forced_muon & second)
    a = decay_top(top, hadronic[0], muon_a, rng)
    b = decay_top(antitop, hadronic[1], muon_b, rng)
    return _collect(a, b, radiated, radiated_flavour)


def _collect(
    a: TopDecay, b: TopDecay, radiated: FloatArray, radiated_flavour: IntArray
) -> HardEvents:
    size = len(radiated)
    taus = np.stack([a.lepton.tau_jet, b.lepton.tau_jet], axis=1)
    none = np.zeros((size, 2), dtype=np.int64)
    muons = [a.lepton.muon, b.lepton.muon, a.bottom_muon, b.bottom_muon]
    return HardEvents(
        jets=np.concatenate([a.jets, b.jets, taus, radiated], axis=1),
        flavour=np.concatenate([a.flavour, b.flavour, none, radiated_flavour], axis=1),
        fat=np.concatenate([a.fat[:, None], b.fat[:, None], radiated], axis=1),
        fat_flavour=np.concatenate(
            [a.fat_flavour[:, None], b.fat_flavour[:, None], radiated_flavour], axis=1
        ),
        muons=np.stack(muons, axis=1),
        muon_charge=np.broadcast_to(np.array([1, -1, -1, 1]), (size, 4)),
        electrons=np.stack([a.lepton.electron, b.lepton.electron], axis=1),
        electron_charge=np.broadcast_to(np.array([1, -1]), (size, 2)),
        neutrinos=a.lepton.neutrinos + b.lepton.neutrinos,
    )


def _continuum(size: int, rng: Generator) -> FloatArray:
    mass = TTBAR_THRESHOLD * rng.random(size) ** (-1 / TTBAR_POWER)
    return np.minimum(mass, 5000.0)


def signal(size: int, rng: Generator, pole: float = RESONANCE_MASS) -> HardEvents:
    """Z' -> ttbar: 70 % semileptonic, 15 % dileptonic, 15 % hadronic; `pole` is its mass [GeV]."""
    width, reach = RESONANCE_WIDTH * (pole / RESONANCE_MASS), min(700.0, pole - LOWEST_MASS)
    mass = breit_wigner(rng, size, pole, width, reach)
    mode = rng.random(size)
    first = _coin(size, rng)
    both, neither = mode < 0.15, mode > 0.85  # noqa: PLR2004 -- shares of the docstring
    one = ~both & ~neither
    hadronic = (both | (one & first), both | (one & ~first))
    return _pair(mass, hadronic, np.zeros(size, dtype=bool), rng)


def ttbar_semilep(size: int, rng: Generator) -> HardEvents:
    """Standard-model top pairs, one W to leptons."""
    first = _coin(size, rng)
    return _pair(_continuum(size, rng), (first, ~first), np.zeros(size, dtype=bool), rng)


def ttbar_had(size: int, rng: Generator) -> HardEvents:
    """Standard-model top pairs, both W to quarks, at least one b decaying to a muon."""
    yes = np.ones(size, dtype=bool)
    return _pair(_continuum(size, rng), (yes, yes), yes, rng)


def ttbar_lep(size: int, rng: Generator) -> HardEvents:
    """Standard-model top pairs, both W to leptons."""
    no = np.zeros(size, dtype=bool)
    return _pair(_continuum(size, rng), (no, no), no, rng)


def wjets(size: int, rng: Generator) -> HardEvents:
    """W bosons that decay to leptons and recoil against a hard parton and radiation."""
    pt = np.minimum(WJETS_THRESHOLD * rng.random(size) ** (-1 / WJETS_POWER), 3000.0)
    eta = np.clip(rng.normal(0.0, 1.1, size), -2.8, 2.8)
    leading = from_pt_eta_phi_mass(pt, eta, rng.uniform(-np.pi, np.pi, size), 0.0)
    parts = split_jet(leading, rng)
    radiated, radiated_flavour = radiate(size, WJETS_RADIATION, rng)
    balance = parts.sum(axis=1) + radiated.sum(axis=1)
    mass = breit_wigner(rng, size, W_MASS, W_WIDTH, 12.0)
    w = _recoil(mass, balance, rng.normal(0.3 * eta, 0.9))
    decay = decay_w_to_leptons(w, rng)
    flavour = rng.choice([0, 4, 5], size=(size, 2), p=[0.90, 0.07, 0.03])
    merged, merged_flavour = merge_close(parts, flavour)
    apart = delta_r(parts[:, 0], parts[:, 1]) > CONE
    fat = parts.copy()
    fat[:, 0] += np.where(apart[:, None], 0.0, parts[:, 1])
    fat[:, 1] = np.where(apart[:, None], parts[:, 1], 0.0)
    none = np.zeros((size, 4, 4))
    charge = np.where(rng.random(size) < 0.6, 1, -1)  # noqa: PLR2004 -- more W+ than W- in pp
    sign = charge[:, None]
    return HardEvents(
        jets=np.concatenate([merged, none, none[:, :1], decay.tau_jet[:, None], radiated], axis=1),
        flavour=np.concatenate(
            [merged_flavour, np.zeros((size, 6), dtype=np.int64), radiated_flavour], axis=1
        ),
        fat=np.concatenate([fat, radiated], axis=1),
        fat_flavour=np.concatenate([flavour, radiated_flavour], axis=1),
        muons=np.concatenate([decay.muon[:, None], none[:, :3]], axis=1),
        muon_charge=np.broadcast_to(sign, (size, 4)),
        electrons=np.concatenate([decay.electron[:, None], none[:, :1]], axis=1),
        electron_charge=np.broadcast_to(sign, (size, 2)),
        neutrinos=decay.neutrinos,
    )


GENERATORS: Mapping[str, Callable[[int, Generator], HardEvents]] = MappingProxyType(
    {
        "signal": signal,
        "ttbar_semilep": ttbar_semilep,
        "ttbar_had": ttbar_had,
        "ttbar_lep": ttbar_lep,
        "wjets": wjets,
    }
)


def scalar_sum(events: HardEvents) -> FloatArray:
    """Return the scalar sum of the jets' pt [GeV], shape (n,)."""
    return np.asarray(transverse(events.jets).sum(axis=1))
