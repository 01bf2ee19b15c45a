"""The built-in analysis with all its variations once more, in plain numpy.

Nothing of the framework or of ``user`` is used: files are read with uproot, objects sit in padded
arrays of shape (events, objects), every variation is calculated from the file's columns by itself.
Columns keep the float type of the file, also after a correction, so that no value lies on another
side of a bin's edge because of rounding. Weights are float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import awkward as ak
import numpy as np
import uproot

from tests.unit.samples.reference_selection import certified

PI = float(np.pi)
BINS = {  # low, high, number
    "zprime_mass": (200.0, 3000.0, 20),
    "muon_pt": (50.0, 650.0, 24),
    "muon_eta": (-2.4, 2.4, 16),
    "met": (50.0, 650.0, 24),
    "jet_pt": (0.0, 1200.0, 24),
    "fatjet_pt": (500.0, 1300.0, 20),
    "fatjet_msoftdrop": (0.0, 300.0, 20),
    "n_jet": (1.5, 9.5, 8),
    "scalar_sum": (500.0, 3000.0, 20),
    "sphericity_z": (0.0, 1.0, 20),
    "min_dr": (0.0, 4.0, 20),
    "relative_pt": (0.0, 300.0, 20),
}
CHANNELS = ("SR", "CR")
OBJECT_SHIFTS: Mapping[str, Mapping[str, object]] = {  # what differs from nominal
    "nominal": {},
    "jes_absolute_up": {"jes": "jes_absolute_up"},
    "jes_absolute_down": {"jes": "jes_absolute_down"},
    "jes_pileup_up": {"jes": "jes_pileup_up"},
    "jes_pileup_down": {"jes": "jes_pileup_down"},
    "fatjet_scale_up": {"fatjet": 1.01},
    "fatjet_scale_down": {"fatjet": 0.99},
}
# variation -> the factor that it replaces, and what the correction file calls its value
WEIGHT_SHIFTS: Mapping[str, tuple[str, str]] = {
    "pileup_up": ("pileup", "up"),
    "pileup_down": ("pileup", "down"),
    "muon_id_up": ("muon_id", "systup"),
    "muon_id_down": ("muon_id", "systdown"),
    "muon_iso_up": ("muon_iso", "systup"),
    "muon_iso_down": ("muon_iso", "systdown"),
    "muon_trigger_up": ("muon_trigger", "systup"),
    "muon_trigger_down": ("muon_trigger", "systdown"),
    "btag_hf_up": ("btag", "up_hf"),
    "btag_hf_down": ("btag", "down_hf"),
    "btag_lf_up": ("btag", "up_lf"),
    "btag_lf_down": ("btag", "down_lf"),
    "toptag_up": ("toptag", "up"),
    "toptag_down": ("toptag", "down"),
}
SLOPE = ("ttbar_slope_up", "ttbar_slope_down")  # of the weight of top pairs
VARIATIONS = (*OBJECT_SHIFTS, *WEIGHT_SHIFTS, *SLOPE)
EVENT = ("run", "luminosityBlock", "PuppiMET_pt", "PuppiMET_phi")
OBJECTS = {
    "Muon": ("pt", "eta", "phi", "mass", "tightId", "miniIsoId"),
    "Jet": ("pt", "eta", "phi", "mass", "jetId", "btagDeepB"),
    "FatJet": ("pt", "eta", "phi", "mass", "msoftdrop", "particleNet_TvsQCD"),
}


@dataclass(frozen=True)
class Objects:
    """One collection: every column has the shape (events, objects)."""

    there: np.ndarray
    columns: Mapping[str, np.ndarray]

    def __getitem__(self, name):
        return self.columns[name]

    def only(self, mask):
        return Objects(self.there & mask, self.columns)

    def rows(self, index):
        return Objects(self.there[index], {k: v[index] for k, v in self.columns.items()})

    def changed(self, **columns):
        return Objects(self.there, {**self.columns, **columns})

    def by_pt(self):
        """Sort objects by falling pt; equal ones keep their order."""
        key = np.where(self.there, -self["pt"], np.inf)
        order = np.argsort(key, axis=1, kind="stable")
        columns = {k: np.take_along_axis(v, order, axis=1) for k, v in self.columns.items()}
        return Objects(np.take_along_axis(self.there, order, axis=1), columns)

    def first(self, name):
        """Column of the first object in each event; meaningless where there is none."""
        return self[name][np.arange(len(self.there)), self.there.argmax(axis=1)]

    def sum(self, values):
        """Add up values of the objects one after the other, in the type of the values."""
        total = np.zeros(len(self.there), dtype=values.dtype)
        for column in np.where(self.there, values, np.zeros((), values.dtype)).T:
            total = total + column
        return total

    def product(self, weights):
        values = np.ones(self.there.shape)
        values[self.there] = weights
        return values.prod(axis=1)


def pad(array):
    counts = ak.to_numpy(ak.num(array))
    there = np.arange(max(counts.max(initial=0), 1)) < counts[:, None]
    flat = ak.to_numpy(ak.flatten(array))
    padded = np.zeros(there.shape, dtype=flat.dtype)
    padded[there] = flat
    return there, padded


def read(path, *, is_data):
    """Events that pass trigger and MET above 30 GeV, and weights of all."""
    with uproot.open(path) as file:
        tree = file["Events"]
        names = EVENT if is_data else (*EVENT, "genWeight", "Pileup_nTrueInt")
        event = {name: tree[name].array(library="np") for name in names}
        weights = np.ones(tree.num_entries) if is_data else event["genWeight"].astype(np.float64)
        passed = tree["HLT_TkMu50"].array(library="np") & (event["PuppiMET_pt"] > 30)
        objects = {}
        for kind, fields in OBJECTS.items():
            more = () if is_data or kind == "Muon" else ("hadronFlavour",)
            padded = {name: pad(tree[f"{kind}_{name}"].array()) for name in (*fields, *more)}
            there = next(iter(padded.values()))[0]
            objects[kind] = Objects(there, {k: v for k, (_, v) in padded.items()}).rows(passed)
    return {name: values[passed] for name, values in event.items()}, objects, weights


def scaled(objects, factor):
    """Objects whose pt is multiplied by `factor`, and the mass by what pt really changed by."""
    pt = (objects["pt"] * factor).astype(np.float32)
    before = np.where(objects["pt"] == 0, 1.0, objects["pt"].astype(np.float64))
    ratio = pt.astype(np.float64) / before
    mass = (objects["mass"] * np.where(objects["pt"] == 0, 1.0, ratio)).astype(np.float32)
    return objects.changed(pt=pt, mass=mass).by_pt()


def correct_objects(objects, files, shift):
    """Simulated jets and fat jets on the energy scale of data, or shifted from it."""
    jets, fat = objects["Jet"], objects["FatJet"]
    factor = np.ones(jets.there.shape)
    eta, pt = (jets[k][jets.there].astype(np.float64) for k in ("eta", "pt"))
    factor[jets.there] = files["jes"]["jes"].evaluate(shift.get("jes", "nominal"), eta, pt)
    scale = np.float32(1.02)
    moved = scale * np.float32(shift["fatjet"]) if "fatjet" in shift else scale
    fat = scaled(fat, np.full(fat.there.shape, moved, dtype=np.float32))
    fat = fat.changed(msoftdrop=fat["msoftdrop"] * scale)
    return {**objects, "Jet": scaled(jets, factor), "FatJet": fat}


def mask_objects(objects):
    muon, jet, fat = objects["Muon"], objects["Jet"], objects["FatJet"]
    return {
        "Muon": muon.only(
            (muon["pt"] > 55)
            & (np.abs(muon["eta"]) < 2.4)
            & (muon["tightId"] > 0)
            & (muon["miniIsoId"] > 1)
        ),
        "Jet": jet.only((jet["pt"] > 30) & (np.abs(jet["eta"]) < 2.4) & (jet["jetId"] >= 4)),
        "FatJet": fat.only(fat["pt"] > 500),
    }


def distance(objects, eta, phi):
    dphi = (objects["phi"] - phi[:, None] + PI) % (2 * PI) - PI
    return np.hypot(objects["eta"] - eta[:, None], dphi)


def tagged(good):
    return good["FatJet"].only(good["FatJet"]["particleNet_TvsQCD"] > 0.5)


def jets_outside(good):
    fat, jet = tagged(good), good["Jet"]
    return jet.only(distance(jet, fat.first("eta"), fat.first("phi")) > 0.8)


def cuts(event, good, golden) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (channel or "", name, mask) of each requirement by itself."""
    muon, jet, fat = good["Muon"], good["Jet"], tagged(good)
    met = event["PuppiMET_pt"]
    yield "", "one_muon", muon.there.sum(axis=1) == 1
    yield "", "two_jets", jet.there.sum(axis=1) >= 2
    if golden is not None:
        yield "", "certified", certified(event, golden)
    outside = jets_outside(good)
    b_jet = outside.there & (outside["btagDeepB"] > 0.5)
    for channel in CHANNELS:
        yield channel, "met", met > 50
        yield channel, "leptonic_pt", muon.first("pt") + met > 150
        yield channel, "one_top_tag", fat.there.sum(axis=1) == 1
    yield "SR", "b_tag_outside", b_jet.any(axis=1)
    yield "CR", "jet_outside", outside.there.any(axis=1)
    yield "CR", "no_b_tag", ~(jet.there & (jet["btagDeepB"] > 0.5)).any(axis=1)


def momentum(objects):
    """Components (px, py, pz, E) of the first object."""
    pt, eta, phi, mass = (objects.first(k) for k in ("pt", "eta", "phi", "mass"))
    return cartesian(pt, eta, phi, mass)


def cartesian(pt, eta, phi, mass):
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + mass**2)


def system_mass(event, good):
    met, phi = event["PuppiMET_pt"], event["PuppiMET_phi"]
    parts = [momentum(one) for one in (good["Muon"], tagged(good), jets_outside(good))]
    parts.append((met * np.cos(phi), met * np.sin(phi), 0.0 * met, met))
    px, py, pz, energy = (sum(one) for one in zip(*parts, strict=True))
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))


def relative_pt(muon, jet, index):
    """Muon momentum transverse to the jet at `index` of each event."""
    rows = np.arange(len(index))
    mx, my, mz, _ = momentum(muon)
    jx, jy, jz, _ = cartesian(*(jet[k][rows, index] for k in ("pt", "eta", "phi", "mass")))
    cross = (my * jz - mz * jy, mz * jx - mx * jz, mx * jy - my * jx)
    numerator = np.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
    return numerator / np.sqrt(jx**2 + jy**2 + jz**2)


def scalar_sum(event, good):
    jet = good["Jet"]
    return jet.sum(jet["pt"]) + good["Muon"].first("pt") + event["PuppiMET_pt"]


def observables(event, good):
    muon, jet, fat = good["Muon"], good["Jet"], tagged(good)
    met = event["PuppiMET_pt"]
    to_muon = distance(jet, muon.first("eta"), muon.first("phi"))
    to_muon = np.where(jet.there, to_muon, np.inf)
    pz, p = jet["pt"] * np.sinh(jet["eta"]), jet["pt"] * np.cosh(jet["eta"])
    return {
        "zprime_mass": system_mass(event, good),
        "muon_pt": muon.first("pt"),
        "muon_eta": muon.first("eta"),
        "met": met,
        "jet_pt": jet.first("pt"),
        "fatjet_pt": fat.first("pt"),
        "fatjet_msoftdrop": fat.first("msoftdrop"),
        "n_jet": jet.there.sum(axis=1),
        "scalar_sum": scalar_sum(event, good),
        "sphericity_z": jet.sum(pz**2) / jet.sum(p**2),
        "min_dr": to_muon.min(axis=1),
        "relative_pt": relative_pt(muon, jet, to_muon.argmin(axis=1)),
    }


def factors(event, good, files, moved: tuple[str, str] = ("", "")) -> dict[str, np.ndarray]:
    """Corrections of the event weight, one of them with another value than nominal."""

    def called(name, nominal="nominal"):
        return moved[1] if moved[0] == name else nominal

    muon, at = good["Muon"], good["Muon"].there
    pileup = files["pileup"]["puWeights"]
    found = {"pileup": pileup.evaluate(event["Pileup_nTrueInt"].astype(float), called("pileup"))}
    for name in ("muon_id", "muon_iso", "muon_trigger"):
        eta, pt = (muon[k][at].astype(np.float64) for k in ("eta", "pt"))
        found[name] = muon.product(files["muon"][name].evaluate(eta, pt, called(name)))
    for name, kind, score, nominal in (
        ("btag", "Jet", "btagDeepB", "central"),
        ("toptag", "FatJet", "particleNet_TvsQCD", "nominal"),
    ):
        part = good[kind]
        flavour = part["hadronFlavour"][part.there].astype(int)
        pt, value = (part[k][part.there].astype(np.float64) for k in ("pt", score))
        weights = files[name][name].evaluate(called(name, nominal), flavour, pt, value)
        found[name] = part.product(weights)
    return found
