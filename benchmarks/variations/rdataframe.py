"""The same search with ROOT's RDataFrame and `Vary`; runs in an environment that has ROOT only.

``python -m benchmarks.variations.rdataframe FILE --variations --output FOLDER``
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.variations import physics
from benchmarks.variations.cpu import measured
from benchmarks.variations.physics import HT_BINS, HT_HIGH, HT_LOW, JET_SOURCES, WEIGHT_SOURCES
from benchmarks.variations.records import Found

_COLUMNS = {
    physics.PILEUP: "Pileup_nTrueInt",
    physics.MUON_PTS: "muon_pt",
    physics.MUON_ETAS: "muon_eta",
    physics.JET_PTS: "std::min(hard_pt[0], 500.0f)",
}


def _number(value: float) -> str:
    """Write a number of single precision in C++."""
    return f"{float(np.float32(value))!r}f"


def _jet_factor(flat: float, slope: float, noise: float) -> str:
    first = _number(1.0 + flat)  # as Python adds the two numbers before the columns come
    return f"({first} + {_number(slope)} * abs_eta + {_number(noise)} / jet_pt)"


def jet_variations() -> tuple[str, list[str]]:
    """Expression with all momenta of jets, and the names of the variations."""
    factors, names = [], []
    for one in JET_SOURCES:
        for direction, sign in (("up", 1), ("down", -1)):
            factor = _jet_factor(sign * one.flat, sign * one.slope, sign * one.noise)
            factors.append(f"jet_pt * {factor}")
            names.append(f"{one.name}_{direction}")
    joined = ", ".join(f"ROOT::RVecF({one})" for one in factors)
    return f"ROOT::RVec<ROOT::RVecF>{{{joined}}}", names


def weight_variations() -> tuple[str, list[str]]:
    """Expression with all varied weights, and the names of the variations."""
    factors, names = [], []
    for one in WEIGHT_SOURCES:
        for direction, sign in (("up", 1), ("down", -1)):
            x, centre = _COLUMNS[one.use], _number(one.centre)
            factors.append(f"weight * (1.0f + {_number(sign * one.slope)} * ({x} - {centre}))")
            names.append(f"{one.name}_{direction}")
    return f"ROOT::RVecD{{{', '.join(factors)}}}", names


def _unvaried(frame: Any) -> Any:
    """Events and columns after all cuts that no source changes."""
    return (
        frame.Filter(f"HLT_IsoMu24 && MET_pt > {_number(physics.MET_PT)}")
        .Define(
            "good_muon",
            f"Muon_pt > {_number(physics.MUON_PT)} && abs(Muon_eta) < {_number(physics.ETA)} && "
            f"Muon_tightId && Muon_pfRelIso04_all < {_number(physics.ISOLATION)}",
        )
        .Filter("Sum(good_muon) == 1")
        .Define("muon_pt", "Muon_pt[good_muon][0]")
        .Define("muon_eta", "Muon_eta[good_muon][0]")
        .Define(
            "tight_jet",
            f"abs(Jet_eta) < {_number(physics.ETA)} && Jet_jetId >= {physics.TIGHT_JET} && "
            f"Jet_muEF < {_number(physics.MUON_FRACTION)}",
        )
        .Define("jet_pt", "Jet_pt[tight_jet]")
        .Define("jet_b", "Jet_btagDeepFlavB[tight_jet]")
        .Define("abs_eta", "ROOT::RVecF(abs(Jet_eta[tight_jet]))")
    )


def graph(root: Any, path: str, *, variations: bool) -> Any:
    """Histograms of a file, by the names that RDataFrame gives them; nothing has run yet."""
    frame = _unvaried(root.RDataFrame("Events", path))
    if variations:
        expression, names = jet_variations()
        frame = frame.Vary("jet_pt", expression, names, "jet")
    frame = (
        frame.Define("hard_jet", f"jet_pt > {_number(physics.JET_PT)}")
        .Filter(f"Sum(hard_jet) >= {physics.JETS}")
        .Define("hard_pt", "jet_pt[hard_jet]")
        .Filter(f"Any(jet_b[hard_jet] > {_number(physics.B_TAG)})")
        .Define("ht", "double sum = 0; for (float pt : hard_pt) sum += pt; return sum;")
        .Define(
            "weight",
            "double(genWeight) * (1.1f - Pileup_nTrueInt / 320.0f) * "
            "(0.98f - 0.005f * std::abs(muon_eta) + muon_pt / 10000.0f)",
        )
    )
    if variations:
        expression, names = weight_variations()
        frame = frame.Vary("weight", expression, names, "weight")
    filled = frame.Histo1D(("ht", "", HT_BINS, HT_LOW, HT_HIGH), "ht", "weight")
    return root.RDF.Experimental.VariationsFor(filled) if variations else filled


def histograms(filled: Any, *, variations: bool) -> Found:
    """Run the event loop, and take w and w^2."""
    if not variations:
        return Found({"nominal": _contents(filled.GetValue())})
    names = [str(name) for name in filled.GetKeys()]
    return Found({name.partition(":")[2] or name: _contents(filled[name]) for name in names})


def _contents(histogram: Any) -> tuple[Any, Any]:
    bins = range(HT_BINS + 2)
    squares = histogram.GetSumw2()
    return (
        np.array([histogram.GetBinContent(i) for i in bins]),
        np.array([squares[i] for i in bins]),
    )


def main() -> None:
    """Run twice, and measure the second time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--variations", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel says of itself that it is young
        import ROOT  # type: ignore[import-not-found]  # it is in another environment

    def once() -> Found:
        filled = graph(ROOT, given.file, variations=given.variations)
        return histograms(filled, variations=given.variations)

    measured(once, once, given.output)


if __name__ == "__main__":
    main()
