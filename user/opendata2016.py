"""Configuration of the search for Z' -> ttbar in CMS Open Data of 2016.

Run it with ``python analysis.py --config user.opendata2016:config``. The file lists come from the
CERN Open Data portal, the corrections and certified runs from where CMS publishes them; all are
kept in the user's cache. See ``docs/how-to/open_data.md``.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from hepflow.downloads import Published, fetch
from hepflow.logging import progress
from hepflow.opendata import Record, fetch_listing, listing_of
from hepflow.output_manager import default_cache_dir
from user import cuts
from user.observables import leading

LUMINOSITY = 16_400.0  # [1/pb] certified data of Run2016G and H
TTBAR = 831.76  # [pb] NNLO+NNLL
CROSS_SECTIONS = {  # [pb]
    "signal": 1.0,
    "ttbar_semilep": TTBAR * 0.438,
    "ttbar_had": TTBAR * 0.457,
    "ttbar_lep": TTBAR * 0.105,
    "wjets": 61_526.7,
}

LISTS = default_cache_dir() / "opendata" / "lists"
FILES = default_cache_dir() / "opendata" / "files"


def _simulated(recid: int, sample: str, files: int) -> tuple[Record]:
    return (Record(recid, f"/mc/RunIISummer20UL16NanoAODv9/{sample}/NANOAODSIM/", files),)


RECORDS: dict[str, tuple[Record, ...]] = {
    "signal": _simulated(
        75156, "ZprimeToTT_M2000_W20_TuneCP2_PSweights_13TeV-madgraph-pythiaMLM-pythia8", 4
    ),
    "ttbar_semilep": _simulated(67993, "TTToSemiLeptonic_TuneCP5_13TeV-powheg-pythia8", 138),
    "ttbar_had": _simulated(67841, "TTToHadronic_TuneCP5_13TeV-powheg-pythia8", 146),
    "ttbar_lep": _simulated(67801, "TTTo2L2Nu_TuneCP5_13TeV-powheg-pythia8", 49),
    "wjets": _simulated(69747, "WJetsToLNu_TuneCP5_13TeV-madgraphMLM-pythia8", 68),
    "data": (
        Record(30530, "/Run2016G/SingleMuon/NANOAOD/", 70),
        Record(30563, "/Run2016H/SingleMuon/NANOAOD/", 82),
    ),
}

_POG = "https://gitlab.cern.ch/cms-nanoAOD/jsonpog-integration/-/raw/master/POG"
MUON = Published(
    "muon_Z.json.gz",
    f"{_POG}/MUO/2016postVFP_UL/muon_Z.json.gz",
    "6c0b6d4e5cfd7c3d522429a1e81d9e6e7e0ff2abb92cc830c2a11258584bcbe5",
)
PILEUP = Published(
    "puWeights.json.gz",
    f"{_POG}/LUM/2016postVFP_UL/puWeights.json.gz",
    "e95e77a855093b6da926469c6001e54919d3390591efd426c75eb010e4e003d3",
)
CERTIFIED = Published(
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt",
    "https://opendata.cern.ch/record/14220/files/"
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt",
    "e63961f7d175746c3d1ba985d293de0a822d041094c7991c41cffa661d982e28",
)
PUBLISHED = (MUON, PILEUP, CERTIFIED)


def prepare() -> None:
    """Fetch what is not in the cache yet: file lists, corrections, certified runs."""
    records = [record for of_dataset in RECORDS.values() for record in of_dataset]
    with progress("fetching lists and corrections", len(records) + len(PUBLISHED)) as task:
        for published in PUBLISHED:
            task.note(published.name)
            fetch(published, FILES)
            task.advance()
        for record in records:
            task.note(str(record))
            fetch_listing(record, LISTS)
            task.advance()


def skim(trigger: Any, met: Any) -> Any:
    """Muon trigger and missing momentum; nothing here varies the latter, so it has no margin."""
    from coffea.analysis_tools import PackedSelection  # noqa: PLC0415  # slow to import

    selection = PackedSelection()
    selection.add("trigger", trigger.TkMu50)
    selection.add("met", met.pt > cuts.MET_PT)
    selection.add("skim", selection.all("trigger", "met"))
    return selection


def good_jets(jets: Any) -> Any:
    """B-tagged jets that pass the tight identification."""
    return (jets.jetId >= cuts.TIGHT_JET_ID) & (jets.btagDeepB > cuts.B_TAG)


def top_jets(fatjets: Any) -> Any:
    """Fat jets that can hold a top quark and carry the top tag."""
    return cuts.top_tagged(fatjets[cuts.good_fatjets(fatjets)])


def signal_region(muons: Any, jets: Any, fatjets: Any, met: Any) -> Any:
    """A jet, missing momentum, a hard leptonic side, and exactly one top-tagged fat jet."""
    from coffea.analysis_tools import PackedSelection  # noqa: PLC0415  # slow to import

    selection = PackedSelection()
    muon_pt = ak.sum(muons.pt, axis=1)  # exactly one after the baseline
    selection.add("jet", ak.num(jets, axis=1) >= 1)
    selection.add("met", met.pt > cuts.MET_PT)
    selection.add("leptonic_pt", muon_pt + met.pt > cuts.LEPTONIC_PT)
    selection.add("one_top_jet", ak.num(top_jets(fatjets), axis=1) == 1)
    selection.add("signal_region", selection.all(*selection.names))
    return selection


def zprime_mass(muons: Any, jets: Any, fatjets: Any, met: Any) -> Any:
    """Mass [GeV] of leading muon, top-tagged fat jet, leading jet and missing momentum.

    The missing momentum is taken as massless and without longitudinal component.
    """
    particles = [leading(muons), leading(top_jets(fatjets)), leading(jets)]
    px = sum(one.pt * np.cos(one.phi) for one in particles) + met.pt * np.cos(met.phi)
    py = sum(one.pt * np.sin(one.phi) for one in particles) + met.pt * np.sin(met.phi)
    pz = sum(one.pt * np.sinh(one.eta) for one in particles)
    energy = sum(np.hypot(one.pt * np.cosh(one.eta), one.mass) for one in particles) + met.pt
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))


def _files(dataset: str) -> list[str]:
    return [str(listing_of(record, LISTS)) for record in RECORDS[dataset]]


COLUMNS = [("Muon", None), ("Jet", None), ("FatJet", None), ("PuppiMET", None)]

config: dict[str, Any] = {
    "general": {
        "lumi": LUMINOSITY,
        "lumifile": str(FILES / CERTIFIED.name),
        "output_dir": "outputs/opendata2016",
    },
    "datasets": {
        "prepare": prepare,
        "tree_name": "Events",
        "datasets": [
            *(
                {"name": name, "files": _files(name), "cross_section": cross_section}
                for name, cross_section in CROSS_SECTIONS.items()
            ),
            {"name": "data", "files": _files("data"), "is_data": True},
        ],
    },
    "preprocess": {
        "branches": {
            "event": ["run", "luminosityBlock", "event"],
            "HLT": ["TkMu50"],
            "PuppiMET": ["pt", "phi"],
            "Muon": ["pt", "eta", "phi", "mass", "charge", "tightId", "miniIsoId"],
            "Jet": ["pt", "eta", "phi", "mass", "jetId", "btagDeepB"],
            "FatJet": ["pt", "eta", "phi", "mass", "particleNet_TvsQCD"],
        },
        "mc_branches": {"event": ["genWeight"], "Pileup": ["nTrueInt"]},
        "skimming": {
            "function": skim,
            "use": [("HLT", None), ("PuppiMET", None)],
            "chunk_size": 100_000,
        },
    },
    "good_object_masks": {
        "analysis": [
            {"object": "Muon", "function": cuts.good_muons, "use": [("Muon", None)]},
            {"object": "Jet", "function": good_jets, "use": [("Jet", None)]},
        ]
    },
    "baseline_selection": {"function": cuts.baseline, "use": [("Muon", None), ("Jet", None)]},
    "channels": [
        {
            "name": "SR",
            "label": "Signal region",
            "kind": "signal",
            "selection": {"function": signal_region, "use": COLUMNS},
            "observables": [
                {
                    "name": "zprime_mass",
                    "binning": "200,3000,20",
                    "label": r"$m(\mu, t\mathrm{-jet}, b, p_T^{miss})$ [GeV]",
                    "function": zprime_mass,
                    "use": COLUMNS,
                }
            ],
            "fit_observable": "zprime_mass",
        }
    ],
    "corrections": [
        {
            "name": "pileup",
            "type": "event",
            "file": str(FILES / PILEUP.name),
            "key": "Collisions16_UltraLegacy_goldenJSON",
            "use": [("Pileup", "nTrueInt")],
            "nominal_idx": "nominal",
            "up_and_down_idx": ("up", "down"),
        },
        {
            "name": "muon_id",
            "type": "event",
            "file": str(FILES / MUON.name),
            "key": "NUM_TightID_DEN_TrackerMuons",
            "use": [("Muon", "eta"), ("Muon", "pt")],  # the selected muons lie in its domain
            "nominal_idx": "nominal",
            "up_and_down_idx": ("systup", "systdown"),
        },
    ],
    "statistics": {
        "poi": "zprime_norm",
        "norm_factors": [
            {"name": "zprime_norm", "processes": ["signal"], "bounds": (0.0, 10.0)},
            {"name": "ttbar_norm", "processes": ["ttbar_semilep"], "bounds": (0.0, 10.0)},
        ],
    },
    "plotting": {
        "process_labels": {
            "signal": r"$Z'$ (2 TeV) $\to t\bar{t}$",
            "ttbar_semilep": r"$t\bar{t}$ semileptonic",
            "ttbar_had": r"$t\bar{t}$ hadronic",
            "ttbar_lep": r"$t\bar{t}$ dileptonic",
            "wjets": r"$W$ + jets",
            "data": "Data",
        },
        "process_order": ["ttbar_had", "wjets", "ttbar_lep", "ttbar_semilep"],
        "signal_processes": ["signal"],
        "experiment": "CMS",
        "status": "Open Data",
    },
}
