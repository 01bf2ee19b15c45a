"""Events of real files, and the corrections that they are tested with."""

from __future__ import annotations

import functools

import awkward as ak
import correctionlib
import numpy as np
import uproot

from hepflow.corrections import Choice, cms, correction_values
from hepflow.events import build_events
from hepflow.events.branches import branch_name
from hepflow.records import NOMINAL
from hepflow.schema import Correction
from hepflow.variations import correct_objects
from tests.builders import make_dataset, shared

JET = (
    *("pt", "eta", "phi", "mass", "area", "rawFactor", "muonSubtrFactor", "neEmEF", "chEmEF"),
    "btagDeepFlavB",
)
EVENT = ("run", "luminosityBlock", "event")
MC_JET = (*JET, "genJetIdx", "hadronFlavour")
V12 = cms.Jets(rho=("Rho", "fixedGridRhoFastjetAll"))
# File, where its energy density stands, and the files of corrections that it is tested with.
FILES = {
    "nano_dy.root": (cms.AK4, "2018"),
    "nano_tt_v12.root": (V12, "2018"),
    "nanoAOD_2015_CMS_Open_Data_ttbar.root": (cms.AK4, "2018"),
    "DY_M50_2016.root": (cms.AK4, "2016postVFP"),
}
JET_FILES = ["nano_dy.root", "nano_tt_v12.root", "nanoAOD_2015_CMS_Open_Data_ttbar.root"]
MUON_KEYS = ("NUM_TightID_DEN_TrackerMuons", "NUM_TightRelIso_DEN_TightIDandIPCut")


@functools.cache
def real_events(name, *, data=False):
    """Events of a real file with what the corrections read."""
    rho = FILES[name][0].rho if name in FILES else cms.AK4.rho
    branches = {
        "Jet": JET if data else MC_JET,
        "Muon": ("pt", "eta"),
        "MET": ("pt", "phi"),
        "event": (*EVENT, rho[1]) if rho[0] == "event" else EVENT,
    }
    branches |= {} if rho[0] == "event" else {rho[0]: (rho[1],)}
    branches |= {} if data else {"GenJet": ("pt", "eta", "phi"), "Pileup": ("nTrueInt",)}
    with uproot.open(shared(f"nanoaod/{name}")) as file:
        tree = file["Events"]
        names = [branch_name(one, field) for one, fields in branches.items() for field in fields]
        columns = {one: tree[one].array() for one in names}
        return build_events(columns, branches, tree.num_entries)


@functools.cache
def corrections_of(year, name):
    """Path of a file, and what correctionlib makes of it."""
    path = str(shared(f"corrections/{year}/{name}.json.gz"))
    return path, correctionlib.CorrectionSet.from_file(path)


def values_of(entry, events, source=None, direction="up"):
    one = Correction(**entry)
    choice = Choice() if source is None else Choice(source, direction)
    return correction_values(one, "", events, choice, "here")


def jets_of(events):
    """Each jet as numbers by column, with the number of its event."""
    counts = ak.num(events.Jet.pt)
    owners = np.repeat(np.arange(len(events)), counts).tolist()
    return list(zip(owners, ak.to_list(ak.flatten(ak.zip(
        {field: events.Jet[field] for field in events.Jet.fields}))), strict=True))  # fmt: skip


def corrected(events, corrections, variation=NOMINAL, dataset=None):
    """Events with corrected objects."""
    dataset = dataset or make_dataset()
    return correct_objects(events, corrections, [], variation, dataset, {})
