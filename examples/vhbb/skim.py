# ruff: noqa: INP001 - a script, no package
"""Step 1 of the example: from simulated events to a histogram of raw weights, ``h_mjj``.

``python skim.py skimmed.root signal.root`` selects events with two b jets. The weights are those of
the generator, and the sum over all events, selected or not, is printed and stored in the file: it
is what step 2 divides by.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from typing import Any

import awkward as ak
import numpy as np

from hepflow.analysis import Analysis
from hepflow.execution import configured_executor
from hepflow.pipeline.stages import make_output_manager, make_skims
from hepflow.reinterpretation.spectra import Spectrum, write_spectra
from hepflow.schema import Config

JET_PT = 25.0  # [GeV]
JET_ETA = 2.5
B_TAG = 0.6
B_JETS = 2
JET = [("Jet", None)]


def enough_jets(jets: Any) -> Any:
    """Events that are kept: two jets, tagged or not."""
    return ak.num(jets) >= B_JETS


def b_jets(jets: Any) -> Any:
    """Central jets with the b tag."""
    return (jets.pt > JET_PT) & (abs(jets.eta) < JET_ETA) & (jets.btagDeepFlavB > B_TAG)


def two_b_jets(jets: Any) -> Any:
    """Two b jets; `jets` are those that `b_jets` has left."""
    return ak.num(jets) >= B_JETS


def mass(jets: Any) -> Any:
    """Mass [GeV] of the two leading b jets."""
    return (jets[:, 0] + jets[:, 1]).mass


def configuration(files: list[str], folder: str) -> Config:
    """What is processed, selected and histogrammed."""
    return Config.of(
        {
            "general": {
                "lumi": 1.0,  # raw weights do not depend on it
                "run_statistics": False,
                "output_dir": folder,
                "cache_dir": f"{folder}/cache",
            },
            "execution": {"backend": "inprocess"},
            "datasets": {"datasets": [{"name": "signal", "files": files, "cross_section": 1.0}]},
            "preprocess": {
                "branches": {
                    "event": ["run", "luminosityBlock", "event"],
                    "Jet": ["pt", "eta", "phi", "mass", "btagDeepFlavB"],
                },
                "mc_branches": {"event": ["genWeight"]},
                "skimming": {"function": enough_jets, "use": JET},
            },
            "good_object_masks": {
                "analysis": [{"object": "Jet", "function": b_jets, "use": JET}],
            },
            "baseline_selection": {"function": two_b_jets, "use": JET},
            "channels": [
                {
                    "name": "SR",
                    "selection": {"function": two_b_jets, "use": JET},
                    "fit_observable": "mjj",
                    "observables": [
                        {
                            "name": "mjj",
                            "binning": "0,500,20",
                            "label": "m(jj) [GeV]",
                            "function": mass,
                            "use": JET,
                        }
                    ],
                }
            ],
        }
    )


def histogram(files: list[str]) -> tuple[Spectrum, float]:
    """Sums of raw weights, and the sum over all events of the files."""
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(files, folder)
        folders = make_output_manager(config)
        with configured_executor(config.datasets.execution_args) as executor:
            skims = make_skims(config, folders, executor)
            analysis = Analysis(config, skims, folders)
            analysis.fill_histograms(executor)
        raw = analysis.raw
        ((where, block),) = raw.blocks.items()
    axis, content = raw.axes[where[:2]], block.template()
    edges = np.asarray(axis.edges)
    filled = Spectrum("h_mjj", edges, content.sumw, content.sumw2, axis.label)
    return filled, raw.ledger.totals(where[2]).sum_weights


def main() -> None:
    """Read the files that are named and write the histogram."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", help="ROOT file to be made")
    parser.add_argument("files", nargs="+", help="files of the signal, in the layout of NanoAOD")
    options = parser.parse_args()
    spectrum, total = histogram(options.files)
    write_spectra(options.output, [spectrum], {"sum_of_weights": total})
    told = f"sum of weights {total:.4f}, selected {spectrum.sumw.sum():.4f}\n"
    sys.stdout.write(told)


if __name__ == "__main__":
    main()
