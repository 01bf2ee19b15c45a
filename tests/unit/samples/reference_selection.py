"""The built-in analysis once more, in plain numpy, without any part of the framework.

An independent calculation to compare with: files are read with uproot, objects sit in padded
arrays of shape (events, objects) with a mask of what is there, and everything is float64.

Order: object corrections, object masks, baseline, certified blocks (data), regions, observable,
weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import correctionlib
import numpy as np
import uproot

EDGES = np.linspace(200.0, 3000.0, 21)  # GeV, of the fit observable
REGIONS = ("signal_region", "control_region")
BRANCHES = {
    "event": ["HLT_TkMu50", "PuppiMET_pt", "PuppiMET_phi", "run", "luminosityBlock"],
    "Muon": ["pt", "eta", "phi", "mass", "tightId", "miniIsoId"],
    "Jet": ["pt", "eta", "phi", "mass", "jetId", "btagDeepB"],
    "FatJet": ["pt", "eta", "phi", "mass", "particleNet_TvsQCD"],
}
SIMULATED = {
    "event": ["genWeight", "Pileup_nTrueInt"],
    "Muon": [],
    "Jet": ["hadronFlavour"],
    "FatJet": ["hadronFlavour"],
}


@dataclass(frozen=True)
class Objects:
    """One collection: every column has the shape (events, objects)."""

    there: np.ndarray
    columns: Mapping[str, np.ndarray]

    def __getitem__(self, name):
        return self.columns[name]

    def only(self, mask):
        """The same objects, those outside the mask no longer there."""
        return Objects(self.there & mask, self.columns)

    def rows(self, index):
        return Objects(self.there[index], {k: v[index] for k, v in self.columns.items()})

    def leading(self):
        """Index of the object of highest pt in each event."""
        return np.where(self.there, self["pt"], -np.inf).argmax(axis=1)

    def vector(self, index):
        """(px, py, pz, E) of one object an event, zero where it is not there."""
        rows = np.arange(len(index))
        pt, eta, phi, mass = (self[k][rows, index] for k in ("pt", "eta", "phi", "mass"))
        vector = np.stack(
            [
                pt * np.cos(phi),
                pt * np.sin(phi),
                pt * np.sinh(eta),
                np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2),
            ],
            axis=1,
        )
        return np.where(self.there[rows, index][:, None], vector, 0.0)


@dataclass(frozen=True)
class Result:
    """Selected events of one dataset."""

    region: np.ndarray  # index into REGIONS
    mass: np.ndarray  # GeV; NaN without a jet outside the fat jet
    generator_weight: np.ndarray  # 1 for data
    factors: Mapping[str, np.ndarray]  # corrections, 1 where there is none
    run_block_event: np.ndarray  # (selected, 3)
    sum_weights: float  # over all events, selected or not
    events: int

    def weights(self, scale=1.0, skip=()):
        total = scale * self.generator_weight
        for name, factor in self.factors.items():
            if name not in skip:
                total = total * factor
        return total

    def histogram(self, region, scale=1.0, skip=()):
        """Sums of w and of w^2 in the bins of the observable."""
        chosen = self.region == REGIONS.index(region)
        w = self.weights(scale, skip)[chosen]
        first = np.histogram(self.mass[chosen], EDGES, weights=w)[0]
        second = np.histogram(self.mass[chosen], EDGES, weights=w**2)[0]
        return first, second


def pad(array):
    counts = ak.to_numpy(ak.num(array))
    there = np.arange(max(counts.max(initial=0), 1)) < counts[:, None]
    padded = np.zeros(there.shape)
    padded[there] = ak.to_numpy(ak.flatten(array)).astype(np.float64)
    return there, padded


def read(path, *, is_data):
    def wanted(kind):
        return BRANCHES[kind] + ([] if is_data else SIMULATED[kind])

    with uproot.open(path) as file:
        tree = file["Events"]
        event = {name: tree[name].array(library="np") for name in wanted("event")}
        objects = {}
        for kind in ("Muon", "Jet", "FatJet"):
            padded = {name: pad(tree[f"{kind}_{name}"].array()) for name in wanted(kind)}
            there = next(iter(padded.values()))[0]
            objects[kind] = Objects(there, {name: values for name, (_, values) in padded.items()})
    return event, objects


def correct_objects(objects, corrections):
    """Put simulated jets and fat jets on the energy scale of data."""
    jets = objects["Jet"]
    jes = correctionlib.CorrectionSet.from_file(str(corrections["jes"]))["jes"]
    factor = np.ones(jets.there.shape)
    factor[jets.there] = jes.evaluate("nominal", jets["eta"][jets.there], jets["pt"][jets.there])
    fat = objects["FatJet"]
    return objects | {
        "Jet": _scaled(jets, factor, ("pt", "mass")),
        "FatJet": _scaled(fat, 1.02, ("pt", "mass")),
    }


def _scaled(objects, factor, names):
    return Objects(
        objects.there,
        {k: v * factor if k in names else v for k, v in objects.columns.items()},
    )


def certified(event, golden):
    listing = json.loads(Path(golden).read_text())
    ranges = {int(run): np.asarray(blocks) for run, blocks in listing.items()}
    keep = np.zeros(len(event["run"]), dtype=bool)
    for run in np.unique(event["run"]):
        for first, last in ranges.get(int(run), ()):
            block = event["luminosityBlock"]
            keep |= (event["run"] == run) & (block >= first) & (block <= last)
    return keep


def distance(objects, eta, phi):
    dphi = np.abs(objects["phi"] - phi[:, None])
    return np.hypot(objects["eta"] - eta[:, None], np.minimum(dphi, 2 * np.pi - dphi))


def select(event, objects):
    """Return the masked objects, the region of each event (-1: none), and jets outside."""
    muon = objects["Muon"]
    muon = muon.only(
        (muon["pt"] > 55)
        & (np.abs(muon["eta"]) < 2.4)
        & (muon["tightId"] > 0)
        & (muon["miniIsoId"] > 1)
    )
    jet = objects["Jet"]
    jet = jet.only((jet["pt"] > 30) & (np.abs(jet["eta"]) < 2.4) & (jet["jetId"] >= 4))
    high = objects["FatJet"].only(objects["FatJet"]["pt"] > 500)
    fat = high.only(high["particleNet_TvsQCD"] > 0.5)
    met = event["PuppiMET_pt"].astype(np.float64)

    rows = np.arange(len(met))
    baseline = event["HLT_TkMu50"] & (met > 30)
    baseline &= (muon.there.sum(axis=1) == 1) & (jet.there.sum(axis=1) >= 2)
    lead_fat, lead_muon = fat.leading(), muon.leading()
    kinematic = (met > 50) & (muon["pt"][rows, lead_muon] + met > 150)
    kinematic &= fat.there.sum(axis=1) == 1
    away = distance(jet, fat["eta"][rows, lead_fat], fat["phi"][rows, lead_fat]) > 0.8
    tagged = jet.there & (jet["btagDeepB"] > 0.5)
    region = np.full(len(met), -1)
    region[baseline & kinematic & (tagged & away).any(axis=1)] = 0
    region[baseline & kinematic & ~tagged.any(axis=1)] = 1
    return {"Muon": muon, "Jet": jet, "FatJet": fat, "HighFatJet": high}, region, jet.only(away)


def system_mass(event, good, outside):
    """Mass [GeV] of muon, fat jet, leading jet outside it and MET; NaN without such a jet."""
    met = event["PuppiMET_pt"].astype(np.float64)
    phi = event["PuppiMET_phi"].astype(np.float64)
    total = np.stack([met * np.cos(phi), met * np.sin(phi), np.zeros_like(met), met], axis=1)
    total = total + good["Muon"].vector(good["Muon"].leading())
    total += good["FatJet"].vector(good["FatJet"].leading())
    total += outside.vector(outside.leading())
    squared = total[:, 3] ** 2 - (total[:, :3] ** 2).sum(axis=1)
    return np.where(outside.there.any(axis=1), np.sqrt(np.maximum(squared, 0.0)), np.nan)


def product(objects, weights):
    values = np.ones(objects.there.shape)
    values[objects.there] = weights
    return values.prod(axis=1)


def correction_factors(event, good, corrections, shift=None):
    """Event weights of simulation; `shift` maps a factor to the string of its variation."""
    shift = {} if shift is None else shift
    files = {k: correctionlib.CorrectionSet.from_file(str(v)) for k, v in corrections.items()}
    pileup = files["pileup"]["puWeights"].evaluate(
        event["Pileup_nTrueInt"].astype(np.float64), shift.get("pileup", "nominal")
    )
    muon = good["Muon"]
    at = muon.there
    factors = {"pileup": pileup}
    for name in ("muon_id", "muon_iso", "muon_trigger"):
        variation = shift.get(name, "nominal")
        value = files["muon"][name].evaluate(muon["eta"][at], muon["pt"][at], variation)
        factors[name] = product(muon, value)
    for name, kind, score, nominal in (
        ("btag", "Jet", "btagDeepB", "central"),
        ("toptag", "HighFatJet", "particleNet_TvsQCD", "nominal"),
    ):
        part = good[kind]
        value = files[name][name].evaluate(
            shift.get(name, nominal),
            part["hadronFlavour"][part.there].astype(int),
            part["pt"][part.there],
            part[score][part.there],
        )
        factors[name] = product(part, value)
    return factors


def process(path, corrections, golden, *, is_data, correct_energy=True):
    """Run the selection on one file."""
    event, objects = read(path, is_data=is_data)
    sum_weights = float(len(event["run"]))
    if not is_data:
        sum_weights = float(event["genWeight"].astype(np.float64).sum())
        if correct_energy:
            objects = correct_objects(objects, corrections)
    good, region, outside = select(event, objects)
    if is_data and golden is not None:
        region = np.where(certified(event, golden), region, -1)
    chosen = np.flatnonzero(region >= 0)
    picked = {name: values[chosen] for name, values in event.items()}
    good = {name: part.rows(chosen) for name, part in good.items()}
    ones = np.ones(len(chosen))
    return Result(
        region=region[chosen],
        mass=system_mass(picked, good, outside.rows(chosen)),
        generator_weight=ones if is_data else picked["genWeight"].astype(np.float64),
        factors={} if is_data else correction_factors(picked, good, corrections),
        run_block_event=np.stack(
            [picked["run"], picked["luminosityBlock"], np.zeros(len(chosen), dtype=np.uint32)],
            axis=1,
        ),
        sum_weights=sum_weights,
        events=len(event["run"]),
    )


def merge(results):
    """Return the files of one dataset as one."""
    first = results[0]
    return Result(
        region=np.concatenate([r.region for r in results]),
        mass=np.concatenate([r.mass for r in results]),
        generator_weight=np.concatenate([r.generator_weight for r in results]),
        factors={
            name: np.concatenate([r.factors[name] for r in results]) for name in first.factors
        },
        run_block_event=np.concatenate([r.run_block_event for r in results]),
        sum_weights=sum(r.sum_weights for r in results),
        events=sum(r.events for r in results),
    )


def process_sample(layout, *, golden=True, correct_energy=True):
    """Return, by dataset, the selected events and the scale to expected events."""
    results = {}
    for name, info in layout.datasets.items():
        merged = merge(
            [
                process(
                    path,
                    layout.corrections,
                    layout.golden_json if golden else None,
                    is_data=info.is_data,
                    correct_energy=correct_energy,
                )
                for path in info.files
            ]
        )
        scale = 1.0 if info.is_data else info.cross_section * layout.luminosity / merged.sum_weights
        results[name] = (merged, scale)
    return results
