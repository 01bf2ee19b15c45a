"""Configuration of the built-in analysis: a search for Z' -> ttbar in the muon+jets channel."""

from __future__ import annotations

import functools
import os
from typing import Any

from hepflow.output_manager import default_cache_dir
from hepflow.samples import describe_sample, prepare_sample
from user import cuts, observables, systematics
from user.skim import skim

# The built-in sample is made once and kept. Its size is the number of events in all datasets.
EVENTS = int(os.environ.get("HEPFLOW_SAMPLE_EVENTS", "500000"))
FOLDER = default_cache_dir() / "samples"
SAMPLE = describe_sample(FOLDER, EVENTS)
LISTINGS = {name: str(dataset.listing) for name, dataset in SAMPLE.datasets.items()}

MUON, JET, FATJET, MET = ("Muon", None), ("Jet", None), ("FatJet", None), ("PuppiMET", None)


def _simulation(name: str) -> dict[str, Any]:
    dataset = SAMPLE.datasets[name]
    return {"name": name, "files": [LISTINGS[name]], "cross_section": dataset.cross_section}


def _shape(name: str, binning: str, label: str) -> dict[str, Any]:
    """A computed column as observable."""
    return {
        "name": name,
        "binning": binning,
        "label": label,
        "function": observables.itself,
        "use": [("shapes", name)],
    }


OBSERVABLES: list[dict[str, Any]] = [
    {
        "name": "zprime_mass",
        "binning": "200,3000,20",
        "label": r"$m(\mu, t\mathrm{-jet}, j, p_T^{miss})$ [GeV]",
        "function": observables.zprime_mass,
        "use": [MUON, JET, FATJET, MET],
    },
    {
        "name": "muon_pt",
        "binning": "50,650,24",
        "label": r"Muon $p_T$ [GeV]",
        "function": observables.muon_pt,
        "use": [MUON],
    },
    {
        "name": "muon_eta",
        "binning": "-2.4,2.4,16",
        "label": r"Muon $\eta$",
        "function": observables.muon_eta,
        "use": [MUON],
    },
    {
        "name": "met",
        "binning": "50,650,24",
        "label": r"$p_T^{miss}$ [GeV]",
        "function": observables.missing_pt,
        "use": [MET],
    },
    {
        "name": "jet_pt",
        "binning": "0,1200,24",
        "label": r"Leading jet $p_T$ [GeV]",
        "function": observables.leading_jet_pt,
        "use": [JET],
    },
    {
        "name": "fatjet_pt",
        "binning": "500,1300,20",
        "label": r"Top-tagged jet $p_T$ [GeV]",
        "function": observables.fatjet_pt,
        "use": [FATJET],
    },
    {
        "name": "fatjet_msoftdrop",
        "binning": "0,300,20",
        "label": r"Top-tagged jet $m_{SD}$ [GeV]",
        "function": observables.fatjet_softdrop_mass,
        "use": [FATJET],
    },
    _shape("n_jet", "1.5,9.5,8", "Number of jets"),
    _shape("scalar_sum", "500,3000,20", r"$S_T$ [GeV]"),
    _shape("sphericity_z", "0,1,20", r"$\Sigma p_z^2 / \Sigma p^2$"),
    _shape("min_dr", "0,4,20", r"min $\Delta R(\mu, j)$"),
    _shape("relative_pt", "0,300,20", r"$p_T^{rel}(\mu, j)$ [GeV]"),
]

config: dict[str, Any] = {
    "general": {
        "lumi": SAMPLE.luminosity,
        "lumifile": str(SAMPLE.golden_json),
        "output_dir": "outputs",
    },
    "datasets": {
        "prepare": functools.partial(prepare_sample, FOLDER, EVENTS),
        "datasets": [
            *(
                _simulation(name)
                for name in ("signal", "ttbar_semilep", "ttbar_had", "ttbar_lep", "wjets")
            ),
            {"name": "data", "files": [LISTINGS["data"]], "is_data": True},
        ],
    },
    "preprocess": {
        "branches": {
            "event": ["run", "luminosityBlock", "event"],
            "HLT": ["TkMu50"],
            "PuppiMET": ["pt", "phi"],
            "Muon": ["pt", "eta", "phi", "mass", "charge", "tightId", "miniIsoId"],
            "Jet": ["pt", "eta", "phi", "mass", "jetId", "btagDeepB"],
            "FatJet": ["pt", "eta", "phi", "mass", "msoftdrop", "particleNet_TvsQCD"],
        },
        "mc_branches": {
            "event": ["genWeight"],
            "Pileup": ["nTrueInt"],
            "Jet": ["hadronFlavour"],
            "FatJet": ["hadronFlavour"],
        },
        "skimming": {
            "function": skim,
            "use": [("HLT", None), ("PuppiMET", None)],
            "chunk_size": 100_000,
        },
    },
    "good_object_masks": {
        "analysis": [
            {"object": "Muon", "function": cuts.good_muons, "use": [MUON]},
            {"object": "Jet", "function": cuts.good_jets, "use": [JET]},
            {"object": "FatJet", "function": cuts.good_fatjets, "use": [FATJET]},
        ]
    },
    "baseline_selection": {"function": cuts.baseline, "use": [MUON, JET]},
    "ghost_observables": [
        {
            "names": [
                "n_jet",
                "jet_mass",
                "fatjet_mass",
                "scalar_sum",
                "sphericity_z",
                "min_dr",
                "relative_pt",
            ],
            "collections": "shapes",
            "function": observables.event_shapes,
            "use": [MUON, JET, FATJET, MET],
        }
    ],
    "channels": [
        {
            "name": "SR",
            "label": "Signal region",
            "kind": "signal",
            "selection": {"function": cuts.signal_region, "use": [MUON, JET, FATJET, MET]},
            "observables": OBSERVABLES,
            "fit_observable": "zprime_mass",
        },
        {
            "name": "CR",
            "label": "Control region",
            "kind": "control",
            "selection": {"function": cuts.control_region, "use": [MUON, JET, FATJET, MET]},
            "observables": OBSERVABLES,
            "fit_observable": "zprime_mass",
        },
    ],
    "corrections": systematics.corrections(SAMPLE.corrections),
    "systematics": systematics.systematics(),
    "statistics": {
        "poi": "zprime_norm",
        "norm_factors": [
            {"name": "zprime_norm", "processes": ["signal"], "bounds": (0.0, 10.0)},
            {
                "name": "ttbar_norm",
                "processes": ["ttbar_semilep", "ttbar_had", "ttbar_lep"],
                "bounds": (0.0, 5.0),
            },
            {"name": "wjets_norm", "processes": ["wjets"], "bounds": (0.0, 5.0)},
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
        "process_order": ["ttbar_had", "ttbar_lep", "wjets", "ttbar_semilep"],
        "signal_processes": ["signal"],
        "experiment": "hepflow",
        "status": "built-in sample",
    },
}
