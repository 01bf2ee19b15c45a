"""From event columns to the branches of a NanoAOD file.

Most branches are there because real files have them: constants and quantities derived from the
others, coarse enough to compress to next to nothing.
"""

from __future__ import annotations

import numpy as np

from hepflow.samples.columns import Column, EventColumns, coarse

_TRIGGER_PATHS = """
    IsoMu20 IsoMu22 IsoMu22_eta2p1 IsoTkMu20 IsoTkMu22 IsoTkMu24 Mu20 Mu27 Mu45_eta2p1 Mu55
    TkMu20 TkMu27 Ele25_eta2p1_WPTight_Gsf Ele27_WPTight_Gsf Ele27_eta2p1_WPLoose_Gsf
    Mu17_TrkIsoVVL_Mu8_TrkIsoVVL Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ PFHT125 PFHT200 PFHT250
    PFHT300 PFHT350 PFHT400 PFHT475 PFHT600 PFHT650 PFHT800 PFHT900 PFJet40 PFJet60 PFJet80
    PFMET90_PFMHT90_IDTight PFMET100_PFMHT100_IDTight PFMET110_PFMHT110_IDTight
    PFMET120_PFMHT120_IDTight PFMET170_HBHECleaned PFMET300 MET200 MonoCentralPFJet80 ZeroBias
"""
_FILTERS = """
    HBHENoiseFilter HBHENoiseIsoFilter CSCTightHaloFilter globalTightHalo2016Filter
    globalSuperTightHalo2016Filter EcalDeadCellTriggerPrimitiveFilter ecalBadCalibFilter
    goodVertices eeBadScFilter BadPFMuonFilter BadPFMuonDzFilter BadChargedCandidateFilter
    hfNoisyHitsFilter METFilters
"""
_SEEDS = """
    SingleMu16 SingleMu18 SingleMu20 SingleMu22 SingleMu25 SingleEG30 SingleEG36
    SingleJet170 SingleJet200 HTT300 ETM80 ZeroBias
"""
TRIGGER_PATHS = tuple(f"HLT_{name}" for name in _TRIGGER_PATHS.split())
FILTERS = tuple(f"Flag_{name}" for name in _FILTERS.split())
SEEDS = tuple(f"L1_{name}" for name in _SEEDS.split())
SIMULATION_ONLY = {  # columns of collections
    "Jet": ("hadronFlavour",),
    "FatJet": ("hadronFlavour", "nBHadrons"),
    "Muon": ("genPartFlav",),
}


def plain_branches(events: EventColumns, *, data: bool) -> dict[str, Column]:
    """Return the branches with one value an event."""
    own = dict(events.plain)
    hadronic = own.pop("HT")
    result = {
        name: values
        for name, values in own.items()
        if not data or not name.startswith(("Pileup_", "gen", "Generator_", "LHE"))
    }
    result |= _event_shape(own, hadronic) | _decisions(own, hadronic)
    if not data:
        result |= _generator(own, hadronic)
    return result


def _event_shape(own: dict[str, Column], hadronic: Column) -> dict[str, Column]:
    vertices = own["PV_npvs"]
    energy = coarse(hadronic + own["PuppiMET_pt"] + 20.0 * vertices, 6)
    density = coarse(0.6 * vertices, 6)
    zero = np.zeros(len(vertices), dtype=np.float32)
    return {
        "PuppiMET_sumEt": energy,
        "MET_sumEt": energy,
        "RawMET_sumEt": energy,
        "MET_covXX": coarse(0.6 * energy, 4),
        "MET_covXY": zero,
        "MET_covYY": coarse(0.6 * energy, 4),
        "MET_significance": coarse(own["MET_pt"] ** 2 / np.maximum(energy, 1.0), 4),
        "MET_MetUnclustEnUpDeltaX": zero,
        "MET_MetUnclustEnUpDeltaY": zero,
        "fixedGridRhoFastjetAll": density,
        "fixedGridRhoFastjetCentralNeutral": coarse(0.2 * density, 6),
        "PV_x": zero,
        "PV_y": zero,
        "PV_z": zero,
        "PV_chi2": zero + np.float32(1.0),
        "PV_ndof": coarse(4.0 * vertices, 6),
        "PV_score": coarse(hadronic, 4),
        "SoftActivityJetHT": coarse(0.1 * hadronic, 4),
        "SoftActivityJetNjets5": (vertices // 4).astype(np.int32),
    }


def _decisions(own: dict[str, Column], hadronic: Column) -> dict[str, Column]:
    size = len(hadronic)
    result: dict[str, Column] = {}
    for name in TRIGGER_PATHS:
        path = name.removeprefix("HLT_")
        if path.startswith("PFHT"):
            result[name] = hadronic > float(path.removeprefix("PFHT"))
        else:
            result[name] = np.zeros(size, dtype=bool)
    result |= {name: np.ones(size, dtype=bool) for name in FILTERS}
    result |= {name: own["HLT_TkMu50"].copy() for name in SEEDS if "SingleMu" in name}
    result |= {name: np.zeros(size, dtype=bool) for name in SEEDS if "SingleMu" not in name}
    return result


def _generator(own: dict[str, Column], hadronic: Column) -> dict[str, Column]:
    weight = own["genWeight"]
    size = len(weight)
    one, zero = np.ones(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    scale = coarse(0.5 * hadronic + 100.0, 5)
    return {
        "Generator_weight": weight,
        "Generator_scalePDF": scale,
        "Generator_x1": coarse(hadronic / 13000.0, 5),
        "Generator_x2": coarse(hadronic / 13000.0, 5),
        "Generator_xpdf1": one,
        "Generator_xpdf2": one,
        "Generator_id1": np.full(size, 21, dtype=np.int32),
        "Generator_id2": np.full(size, 21, dtype=np.int32),
        "Generator_binvar": zero,
        "LHEWeight_originalXWGTUP": weight,
        "LHE_HT": coarse(hadronic, 5),
        "LHE_Vpt": zero,
        "LHE_Njets": np.full(size, 2, dtype=np.uint8),
        "LHE_Nb": np.zeros(size, dtype=np.uint8),
        "LHE_NpNLO": np.full(size, 2, dtype=np.uint8),
        "Pileup_sumEOOT": (2 * own["Pileup_nPU"]).astype(np.int32),
        "Pileup_sumLOOT": (3 * own["Pileup_nPU"]).astype(np.int32),
        "GenMET_pt": coarse(own["PuppiMET_pt"], 6),
        "GenMET_phi": coarse(own["PuppiMET_phi"], 6),
        "genTtbarId": np.zeros(size, dtype=np.int32),
        "L1PreFiringWeight_Nom": one,
        "L1PreFiringWeight_Up": one,
        "L1PreFiringWeight_Dn": one,
        "btagWeight_DeepCSVB": one,
    }


def collection_branches(
    events: EventColumns, *, data: bool
) -> dict[str, tuple[Column, dict[str, Column]]]:
    """Return (counts, flat columns) of each collection."""
    result = {}
    for name, collection in events.collections.items():
        columns = collection.flat() | _EXTRAS[name](collection.flat())
        hidden = SIMULATION_ONLY.get(name, ()) if data else ()
        kept = {key: values for key, values in columns.items() if key not in hidden}
        result[name] = (collection.counts, kept)
    if not data:
        result |= _theory_weights(events)
    return result


def _theory_weights(events: EventColumns) -> dict[str, tuple[Column, dict[str, Column]]]:
    """Return the weights of other scales and showers, relative to the nominal one."""
    hardness = np.log10(np.maximum(events.plain["HT"], 100.0) / 1000.0)
    scales = np.array([1.25, 1.12, 1.02, 1.10, 1.0, 0.91, 0.98, 0.90, 0.82])
    showers = np.array([1.06, 1.02, 0.94, 0.97])
    result = {}
    for name, weights in (("LHEScaleWeight", scales), ("PSWeight", showers)):
        values = 1 + (weights - 1) * (1 + 0.5 * hardness[:, None])
        counts = np.full(len(hardness), len(weights))
        result[name] = (counts, {"": coarse(values.reshape(-1), 7)})
    return result


def _muon_extras(own: dict[str, Column]) -> dict[str, Column]:
    isolation, tight = own["pfRelIso04_all"], own["tightId"]
    zero = np.zeros(len(isolation), dtype=np.float32)
    yes = np.ones(len(isolation), dtype=bool)
    return {
        "pfRelIso03_all": isolation,
        "pfRelIso03_chg": coarse(0.5 * isolation, 4),
        "miniPFRelIso_all": coarse(0.5 * isolation, 4),
        "tkRelIso": coarse(0.5 * isolation, 4),
        "dxy": zero,
        "dz": zero,
        "sip3d": zero,
        "ptErr": coarse(0.015 * own["pt"], 4),
        "looseId": yes,
        "mediumId": tight | (own["pt"] > 100.0),  # noqa: PLR2004 -- looser than tight
        "softId": yes,
        "isGlobal": yes,
        "isTracker": yes,
        "isPFcand": yes,
        "highPtId": np.where(tight, 2, 1).astype(np.uint8),
        "pfIsoId": np.where(own["miniIsoId"] > 1, 4, 1).astype(np.uint8),
        "pdgId": (-13 * own["charge"]).astype(np.int32),
        "nStations": np.full(len(isolation), 4, dtype=np.int32),
        "nTrackerLayers": np.full(len(isolation), 14, dtype=np.int32),
        "tightCharge": np.full(len(isolation), 2, dtype=np.int32),
    }


def _electron_extras(own: dict[str, Column]) -> dict[str, Column]:
    size = len(own["pt"])
    zero, yes = np.zeros(size, dtype=np.float32), np.ones(size, dtype=bool)
    return {
        "dxy": zero,
        "dz": zero,
        "deltaEtaSC": zero,
        "pfRelIso03_all": zero,
        "convVeto": yes,
        "mvaFall17V2Iso_WP80": own["cutBased"] > 3,  # noqa: PLR2004 -- the tight identification
        "mvaFall17V2Iso_WP90": own["cutBased"] > 2,  # noqa: PLR2004 -- the medium one
        "pdgId": (-11 * own["charge"]).astype(np.int32),
    }


def _jet_extras(own: dict[str, Column]) -> dict[str, Column]:
    score = own["btagDeepB"]
    size = len(score)
    tenth = np.full(size, 0.1, dtype=np.float32)
    return {
        "area": np.full(size, 0.5, dtype=np.float32),
        "rawFactor": tenth,
        "btagDeepFlavB": coarse(score, 6),
        "btagDeepFlavQG": own["qgl"],
        "chHEF": np.full(size, 0.6, dtype=np.float32),
        "neHEF": tenth,
        "chEmEF": tenth,
        "neEmEF": tenth,
        "muEF": np.zeros(size, dtype=np.float32),
        "nConstituents": np.full(size, 30, dtype=np.int32),
        "nElectrons": np.zeros(size, dtype=np.int32),
        "nMuons": np.zeros(size, dtype=np.int32),
        "puId": np.full(size, 7, dtype=np.int32),
        "cleanmask": np.ones(size, dtype=np.uint8),
    }


def _fat_jet_extras(own: dict[str, Column]) -> dict[str, Column]:
    score = own["particleNet_TvsQCD"]
    size = len(score)
    return {
        "area": np.full(size, 2.0, dtype=np.float32),
        "jetId": np.full(size, 6, dtype=np.int32),
        "rawFactor": np.full(size, 0.05, dtype=np.float32),
        "particleNet_QCD": coarse(1.0 - score, 6),
        "particleNet_WvsQCD": coarse(0.5 * score, 5),
        "particleNet_mass": coarse(own["msoftdrop"], 6),
        "deepTag_TvsQCD": coarse(score, 6),
        "tau1": np.full(size, 0.3, dtype=np.float32),
        "tau2": np.full(size, 0.2, dtype=np.float32),
        "tau3": coarse(0.2 - 0.12 * score, 6),
        "n2b1": np.full(size, 0.25, dtype=np.float32),
        "nConstituents": np.full(size, 80, dtype=np.uint8),
    }


_EXTRAS = {
    "Muon": _muon_extras,
    "Electron": _electron_extras,
    "Jet": _jet_extras,
    "FatJet": _fat_jet_extras,
}
