"""Decays of top quarks and W bosons into the partons and leptons that a detector sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hepflow.samples.kinematics import (
    FloatArray,
    breit_wigner,
    delta_r,
    from_pt_eta_phi_mass,
    invariant_mass,
    transverse,
    two_body,
)
from hepflow.samples.truth import WHOLE_TOP

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

TOP_MASS, TOP_WIDTH = 172.5, 1.4  # [GeV]
W_MASS, W_WIDTH = 80.4, 2.1  # [GeV]
BOTTOM_MASS = 4.8  # [GeV]
LEPTON_SHARES = (0.15, 0.7, 0.15)  # e, mu, tau: the samples are enriched in muons
TAU_TO_ELECTRON, TAU_TO_MUON = 0.18, 0.17
BOTTOM_TO_MUON = 0.10
W_TO_CHARM = 0.5  # of hadronic decays
JET_SPLITS = 0.6  # how often a hard jet has two prongs
CONE = 0.8  # of fat jets
SEPARATION = 0.4  # partons closer than this are one jet


@dataclass(frozen=True, slots=True)
class Leptonic:
    """What a leptonic W decay gives; zero vectors stand for what is not there."""

    electron: FloatArray  # (n, 4) [GeV]
    muon: FloatArray  # (n, 4) [GeV]
    tau_jet: FloatArray  # (n, 4) [GeV] visible part of a hadronic tau decay
    neutrinos: FloatArray  # (n, 4) [GeV]


@dataclass(frozen=True, slots=True)
class TopDecay:
    """What one top quark per event gives; zero vectors stand for what is not there."""

    jets: FloatArray  # (n, 3, 4) [GeV] after merging of close partons
    flavour: IntArray  # (n, 3) 5, 4 or 0
    fat: FloatArray  # (n, 4) [GeV]
    fat_flavour: IntArray  # (n,) WHOLE_TOP, 5, 4 or 0
    lepton: Leptonic
    bottom_muon: FloatArray  # (n, 4) [GeV]


def keep(p: FloatArray, mask: BoolArray) -> FloatArray:
    """Return `p` with zero vectors where `mask` is false."""
    return np.asarray(np.where(mask[..., None], p, 0.0))


def decay_w_to_leptons(w: FloatArray, rng: Generator) -> Leptonic:
    """Decay W bosons, shape (n, 4), to a charged lepton and neutrinos."""
    size = len(w)
    lepton, _ = two_body(w, np.zeros(size), np.zeros(size), rng)
    kind = rng.choice(3, size=size, p=LEPTON_SHARES)
    mode = rng.random(size)
    tau = kind == 2  # noqa: PLR2004 -- third entry of LEPTON_SHARES
    to_electron = tau & (mode < TAU_TO_ELECTRON)
    to_muon = tau & (mode >= TAU_TO_ELECTRON) & (mode < TAU_TO_ELECTRON + TAU_TO_MUON)
    to_jet = tau & ~to_electron & ~to_muon
    visible = np.where(to_jet, rng.beta(3.0, 2.0, size), rng.beta(1.5, 2.5, size))
    seen = np.where(tau, visible, 1.0)[:, None] * lepton
    return Leptonic(
        electron=keep(seen, (kind == 0) | to_electron),
        muon=keep(seen, (kind == 1) | to_muon),
        tau_jet=keep(seen, to_jet),
        neutrinos=w - seen,
    )


def split_muon(
    bottom: FloatArray, decays: BoolArray, rng: Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the muon and the neutrino of semileptonic b decays, each of shape (n, 4)."""
    size = len(bottom)
    share = rng.beta(1.5, 3.0, size)
    lost = (1.0 - share) * rng.beta(1.5, 4.0, size)
    return keep(share[:, None] * bottom, decays), keep(lost[:, None] * bottom, decays)


def merge_close(jets: FloatArray, flavour: IntArray) -> tuple[FloatArray, IntArray]:
    """Merge partons closer than `SEPARATION`; the heavier flavour stays.

    Parameters
    ----------
    jets : shape (n, k, 4), GeV
    flavour : shape (n, k)

    Returns
    -------
    The same shapes; a parton that was merged into an earlier one is a zero vector.
    """
    jets, flavour = jets.copy(), flavour.copy()
    count = jets.shape[1]
    for first in range(count):
        for second in range(first + 1, count):
            a, b = jets[:, first], jets[:, second]
            close = (delta_r(a, b) < SEPARATION) & (a[:, 3] > 0) & (b[:, 3] > 0)
            jets[:, first] += keep(b, close)
            jets[:, second] = keep(b, ~close)
            heavier = np.maximum(flavour[:, first], flavour[:, second])
            flavour[:, first] = np.where(close, heavier, flavour[:, first])
    return jets, flavour


def _fat_jet(partons: FloatArray, flavour: IntArray) -> tuple[FloatArray, IntArray]:
    """Return what of a top decay lies within one cone, and what that is."""
    axis = partons.sum(axis=1)
    present = partons[..., 3] > 0
    inside = present & (delta_r(partons, axis[:, None, :]) < CONE)
    whole = present.all(axis=1) & inside.all(axis=1)
    fat = keep(partons, inside).sum(axis=1)
    heaviest = np.where(inside, flavour, 0).max(axis=1)
    return fat, np.where(whole, WHOLE_TOP, heaviest)


def decay_top(
    top: FloatArray, hadronic: BoolArray, muon_in_bottom: BoolArray, rng: Generator
) -> TopDecay:
    """Decay one top quark per event.

    Parameters
    ----------
    top : shape (n, 4), GeV
    hadronic : shape (n,), whether the W decays to quarks
    muon_in_bottom : shape (n,), whether the b decays to a muon
    rng : source of randomness
    """
    size = len(top)
    w_mass = breit_wigner(rng, size, W_MASS, W_WIDTH, 12.0)
    bottom, w = two_body(top, np.full(size, BOTTOM_MASS), w_mass, rng)
    quark, other = two_body(w, np.zeros(size), np.zeros(size), rng)
    leptonic = decay_w_to_leptons(w, rng)
    lepton = Leptonic(
        *(
            keep(part, ~hadronic)
            for part in (leptonic.electron, leptonic.muon, leptonic.tau_jet, leptonic.neutrinos)
        )
    )
    bottom_muon, lost = split_muon(bottom, muon_in_bottom, rng)
    partons = np.stack([bottom - lost, keep(quark, hadronic), keep(other, hadronic)], axis=1)
    charm = np.where(rng.random(size) < W_TO_CHARM, 4, 0)
    flavour = np.stack([np.full(size, 5), charm, np.zeros(size, dtype=np.int64)], axis=1)
    fat, fat_flavour = _fat_jet(partons, flavour)
    jets, jet_flavour = merge_close(partons, flavour)
    lepton = Leptonic(lepton.electron, lepton.muon, lepton.tau_jet, lepton.neutrinos + lost)
    return TopDecay(jets, jet_flavour, fat, fat_flavour, lepton, bottom_muon)


def split_jet(jet: FloatArray, rng: Generator) -> FloatArray:
    """Split some jets, shape (n, 4), in two; return both parts, shape (n, 2, 4), harder first."""
    size = len(jet)
    splits = rng.random(size) < JET_SPLITS
    share = np.where(splits, rng.uniform(0.08, 0.5, size), 0.0)
    distance = np.exp(rng.uniform(np.log(0.15), np.log(1.2), size)) * splits
    angle = rng.uniform(-np.pi, np.pi, size)
    pt = transverse(jet)
    eta = np.arcsinh(jet[:, 2] / pt)
    phi = np.arctan2(jet[:, 1], jet[:, 0])
    deta, dphi = distance * np.cos(angle), distance * np.sin(angle)
    hard = from_pt_eta_phi_mass((1 - share) * pt, eta + share * deta, phi + share * dphi, 0.0)
    soft = from_pt_eta_phi_mass(share * pt, eta - (1 - share) * deta, phi - (1 - share) * dphi, 0.0)
    return np.stack([hard, keep(soft, splits)], axis=1)


def with_mass(p: FloatArray, mass: FloatArray) -> FloatArray:
    """Return `p` with at least `mass` [GeV], the momentum unchanged."""
    wanted = np.maximum(invariant_mass(p), mass)
    energy = np.sqrt((p[..., :3] ** 2).sum(axis=-1) + wanted**2)
    return np.concatenate([p[..., :3], energy[..., None]], axis=-1)
