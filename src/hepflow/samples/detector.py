"""What the detector makes of the particles, in simulation and in data.

Everything is decided with calibrated momenta. Only at the end are the jets of the simulation
put on the wrong energy scale, so that applying the corrections in the order "objects first,
then weights" undoes the difference between data and simulation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator

from hepflow.samples import truth
from hepflow.samples.columns import Collection, Column, EventColumns, coarse, ordered
from hepflow.samples.decays import BoolArray, IntArray, with_mass
from hepflow.samples.kinematics import (
    FloatArray,
    azimuth,
    from_pt_eta_phi_mass,
    invariant_mass,
    pseudorapidity,
    transverse,
)
from hepflow.samples.processes import HardEvents, scalar_sum

PILEUP_JETS = 2  # at most
JET_PT, FATJET_PT, MUON_PT, ELECTRON_PT = 15.0, 170.0, 3.0, 5.0  # [GeV] kept in the file
JET_ETA, FATJET_ETA, LEPTON_ETA = 4.7, 2.5, 2.4
TRIGGER_PT = 50.0  # [GeV]
MUON_MASS, ELECTRON_MASS = 0.10566, 0.000511  # [GeV]


def observe(hard: HardEvents, rng: Generator, *, data: bool) -> EventColumns:
    """Return reconstructed events.

    Parameters
    ----------
    hard : the particles of n events
    rng : source of randomness
    data : whether pile-up, efficiencies and energy scales are those of data
    """
    size = len(hard.neutrinos)
    profile = truth.PILEUP_DATA if data else truth.PILEUP_SIMULATION
    bins = rng.choice(truth.PILEUP_BINS, size=size, p=truth.pileup_profile(*profile))
    interactions = bins + rng.random(size)
    jets = _jets(hard, interactions, rng, data=data)
    muons = _muons(hard, rng, data=data)
    plain = (
        _missing_momentum(hard, interactions, rng)
        | _vertices(interactions, rng)
        | _triggers(muons, rng, data=data)
    )
    collections = {
        "Muon": _link_to_jets(muons, jets),
        "Electron": _electrons(hard, rng),
        "Jet": jets,
        "FatJet": _fat_jets(hard, rng, data=data),
    }
    return EventColumns(plain, collections)


def _smear(pt: FloatArray, noise: float, floor: float, rng: Generator) -> FloatArray:
    """Return `pt` with a relative resolution of noise / sqrt(pt) and floor in quadrature."""
    width = np.sqrt(noise**2 / np.maximum(pt, 1.0) + floor**2)
    return np.asarray(pt * np.maximum(1.0 + width * rng.standard_normal(pt.shape), 0.1))


def _lose(efficiency: FloatArray, factor: FloatArray, *, data: bool) -> FloatArray:
    """Return the efficiency in data or in simulation."""
    return efficiency * factor if data else efficiency


def _tags(
    classes: Mapping[int, truth.TagTruth],
    flavour: IntArray,
    pt: FloatArray,
    rng: Generator,
    *,
    data: bool,
) -> BoolArray:
    efficiency = np.zeros(pt.shape)
    for key, known in classes.items():
        here = flavour == key
        value = _lose(known.efficiency.at(0.0, pt), known.scale_factor.at(0.0, pt), data=data)
        efficiency[here] = value[here]
    return rng.random(pt.shape) < efficiency


def _score(
    passes: BoolArray, powers: tuple[Column, Column], threshold: float, rng: Generator
) -> FloatArray:
    """Return a discriminant in (0, 1) that is above `threshold` exactly where `passes`."""
    uniform = rng.random(passes.shape)
    high = threshold + 0.001 + (0.998 - threshold) * uniform ** powers[0]
    low = (threshold - 0.001) * uniform ** powers[1]
    return np.asarray(np.where(passes, high, low))


def _jets(hard: HardEvents, interactions: FloatArray, rng: Generator, *, data: bool) -> Collection:
    size = len(interactions)
    shape = (size, PILEUP_JETS)
    soft = JET_PT * rng.random(shape) ** (-1 / 5.0)
    soft_p = from_pt_eta_phi_mass(
        soft, np.clip(rng.normal(0, 2, shape), -4.6, 4.6), rng.uniform(-np.pi, np.pi, shape), 0.0
    )
    some = np.arange(PILEUP_JETS) < rng.poisson(0.015 * interactions)[:, None]
    momenta = np.concatenate([hard.jets, np.where(some[..., None], soft_p, 0.0)], axis=1)
    flavour = np.concatenate([hard.flavour, np.zeros(shape, dtype=np.int64)], axis=1)
    eta = pseudorapidity(momenta)
    pt = _smear(transverse(momenta), 0.8, 0.05, rng)
    present = (pt > JET_PT) & (np.abs(eta) < JET_ETA) & (momenta[..., 3] > 0)
    tagged = _tags(truth.BTAG, flavour, pt, rng, data=data)
    heavy = flavour == 5  # noqa: PLR2004 -- the b quark's flavour code
    powers = (np.where(heavy, 0.3, 1.5), np.where(heavy, 1.5, 3.0))
    relative_mass = 0.11 * np.exp(0.35 * rng.standard_normal(pt.shape))
    measured = pt if data else truth.uncorrect_jet_pt(eta, np.maximum(pt, 1.0))
    columns: dict[str, Column] = {
        "pt": coarse(measured, 14),
        "eta": coarse(eta, 14),
        "phi": coarse(azimuth(momenta), 14),
        "mass": coarse(measured * relative_mass),
        "btagDeepB": coarse(_score(tagged, powers, truth.BTAG_THRESHOLD, rng)),
        "hadronFlavour": flavour.astype(np.int32),
        "jetId": rng.choice(np.array([6, 2, 0], np.int32), size=pt.shape, p=[0.975, 0.015, 0.01]),
        "qgl": coarse(rng.random(pt.shape, dtype=np.float32), 7),
    }
    return ordered(present, columns["pt"], columns)


def _fat_jets(hard: HardEvents, rng: Generator, *, data: bool) -> Collection:
    momenta = hard.fat
    raw_pt = transverse(momenta)
    pt = _smear(raw_pt, 0.6, 0.04, rng)
    eta = pseudorapidity(momenta)
    present = (pt > FATJET_PT) & (np.abs(eta) < FATJET_ETA) & (momenta[..., 3] > 0)
    soft_mass = raw_pt * 0.06 * np.exp(0.5 * rng.standard_normal(pt.shape))
    heavy = with_mass(momenta, soft_mass)
    mass = invariant_mass(heavy) * (1 + 0.07 * rng.standard_normal(pt.shape))
    whole = hard.fat_flavour == truth.WHOLE_TOP
    groomed = np.where(whole, 0.98 + 0.03 * rng.standard_normal(pt.shape), rng.random(pt.shape))
    tagged = _tags(truth.TOPTAG, hard.fat_flavour, pt, rng, data=data)
    powers = (np.where(whole, 0.2, 1.2), np.where(whole, 0.7, 4.0))
    scale = 1.0 if data else 1.0 / truth.FATJET_SCALE
    columns: dict[str, Column] = {
        "pt": coarse(pt * scale, 14),
        "eta": coarse(eta, 14),
        "phi": coarse(azimuth(momenta), 14),
        "mass": coarse(np.maximum(mass, 1.0) * scale, 14),
        "msoftdrop": coarse(np.maximum(mass * groomed, 1.0) * scale),
        "particleNet_TvsQCD": coarse(_score(tagged, powers, truth.TOPTAG_THRESHOLD, rng)),
        "hadronFlavour": hard.fat_flavour.astype(np.int32),
        "nBHadrons": (hard.fat_flavour >= 5).astype(np.uint8),  # noqa: PLR2004 -- b or whole top
    }
    return ordered(present, columns["pt"], columns)


def _muons(hard: HardEvents, rng: Generator, *, data: bool) -> Collection:
    eta = pseudorapidity(hard.muons)
    pt = _smear(transverse(hard.muons), 0.0, 0.015, rng)
    shape = pt.shape
    present = (pt > MUON_PT) & (np.abs(eta) < LEPTON_ETA) & (hard.muons[..., 3] > 0)
    prompt = np.broadcast_to(np.arange(shape[1]) < 2, shape)  # noqa: PLR2004 -- slots of W bosons
    passes = {}
    for name in ("muon_id", "muon_iso"):
        known = truth.MUON[name]
        simulated = np.where(prompt, known.efficiency, truth.BOTTOM_MUON_PASSES[name])
        efficiency = _lose(simulated, known.scale_factor.at(eta, pt), data=data)
        passes[name] = rng.random(shape) < efficiency
    isolated = passes["muon_iso"]
    isolation = np.where(isolated, 0.03, 0.5) * rng.standard_exponential(shape)
    grade = rng.random(shape)
    columns: dict[str, Column] = {
        "pt": coarse(pt, 14),
        "eta": coarse(eta, 14),
        "phi": coarse(azimuth(hard.muons), 14),
        "mass": np.full(shape, MUON_MASS, dtype=np.float32),
        "charge": np.ascontiguousarray(hard.muon_charge, dtype=np.int32),
        "tightId": passes["muon_id"],
        "miniIsoId": np.where(isolated, 2 + (grade * 3), grade * 2).astype(np.uint8),
        "pfRelIso04_all": coarse(isolation, 8),
        "genPartFlav": np.where(prompt, 1, 5).astype(np.uint8),
    }
    return ordered(present, columns["pt"], columns)


def _electrons(hard: HardEvents, rng: Generator) -> Collection:
    eta = pseudorapidity(hard.electrons)
    pt = _smear(transverse(hard.electrons), 0.3, 0.02, rng)
    present = (pt > ELECTRON_PT) & (np.abs(eta) < LEPTON_ETA) & (hard.electrons[..., 3] > 0)
    columns: dict[str, Column] = {
        "pt": coarse(pt),
        "eta": coarse(eta),
        "phi": coarse(azimuth(hard.electrons)),
        "mass": np.full(pt.shape, ELECTRON_MASS, dtype=np.float32),
        "charge": np.ascontiguousarray(hard.electron_charge, dtype=np.int32),
        "cutBased": rng.choice(np.arange(5, dtype=np.int32), size=pt.shape),
    }
    return ordered(present, columns["pt"], columns)


def _link_to_jets(muons: Collection, jets: Collection) -> Collection:
    """Add `jetIdx`: the nearest jet within 0.4, or -1."""
    deta = muons.columns["eta"][:, :, None] - jets.columns["eta"][:, None, :]
    dphi = np.abs(muons.columns["phi"][:, :, None] - jets.columns["phi"][:, None, :])
    dphi = np.minimum(dphi, np.float32(2 * np.pi) - dphi)
    distance = np.where(jets.present[:, None, :], np.hypot(deta, dphi), np.inf)
    nearest = distance.argmin(axis=2)
    close = distance.min(axis=2) < 0.4  # noqa: PLR2004 -- the jets' radius
    index = np.where(close, nearest, -1).astype(np.int32)
    return Collection(muons.present, dict(muons.columns) | {"jetIdx": index})


def _missing_momentum(
    hard: HardEvents, interactions: FloatArray, rng: Generator
) -> dict[str, Column]:
    size = len(interactions)
    hadronic = scalar_sum(hard)
    width = np.sqrt(12.0**2 + 6.0 * interactions) + 0.02 * hadronic
    columns: dict[str, Column] = {"HT": coarse(hadronic)}
    noise = rng.standard_normal((size, 2))
    for name, worse in (("PuppiMET", 1.0), ("MET", 1.2), ("RawMET", 1.4)):
        x = hard.neutrinos[:, 0] + worse * width * noise[:, 0]
        y = hard.neutrinos[:, 1] + worse * width * noise[:, 1]
        columns[f"{name}_pt"] = coarse(np.hypot(x, y), 14)
        columns[f"{name}_phi"] = coarse(np.arctan2(y, x), 14)
    return columns


def _vertices(interactions: FloatArray, rng: Generator) -> dict[str, Column]:
    vertices = 1 + rng.poisson(0.85 * interactions)
    return {
        "PV_npvs": vertices.astype(np.int32),
        "PV_npvsGood": (1 + rng.binomial(vertices - 1, 0.92)).astype(np.int32),
        "Pileup_nTrueInt": coarse(interactions, 20),
        "Pileup_nPU": rng.poisson(interactions).astype(np.int32),
    }


def _triggers(muons: Collection, rng: Generator, *, data: bool) -> dict[str, Column]:
    """Return trigger decisions; the hardest muon alone decides."""
    pt, eta = muons.columns["pt"][:, 0], muons.columns["eta"][:, 0]
    known = truth.MUON["muon_trigger"]
    efficiency = _lose(
        np.full(len(pt), known.efficiency), known.scale_factor.at(eta, pt), data=data
    )
    fires = muons.present[:, 0] & (pt > TRIGGER_PT)
    isolated = muons.columns["miniIsoId"][:, 0] > 1
    soft = muons.present[:, 0] & (pt > 24.0)  # noqa: PLR2004 -- the threshold in the path's name
    return {
        "HLT_TkMu50": fires & (rng.random(len(pt)) < efficiency),
        "HLT_Mu50": fires & (rng.random(len(pt)) < efficiency),
        "HLT_IsoMu24": soft & isolated & (rng.random(len(pt)) < efficiency),
    }
