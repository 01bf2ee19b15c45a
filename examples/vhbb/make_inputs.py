# ruff: noqa: INP001 - a script, no package
"""Make the inputs of the example: a simulated signal, and the archive of the analysis."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from hepflow.reinterpretation.spectra import Spectrum, write_spectra
from hepflow.samples.write import Jagged, write_tree

SEED = 125
EVENTS = 20_000
B_JETS = 2  # of each event; the others are lighter
SUM_OF_WEIGHTS = 6813.0258  # of the generator weights of all events
HIGGS = 125.0  # [GeV]
RESOLUTION = 0.16  # of the energy of a jet
LUMINOSITY = 140_100.0  # [1/pb]
EDGES = np.linspace(0.0, 500.0, 21)  # [GeV]


def archive(rng: np.random.Generator) -> list[Spectrum]:
    """Background of 50 000 events that falls with 150 GeV, and data drawn from it."""
    counts, _ = np.histogram(rng.exponential(150.0, 50_000), EDGES)
    observed = rng.poisson(counts)
    contents = {"data": observed, "background": counts}
    return [
        Spectrum(
            name, EDGES, np.pad(one, 1).astype(float), np.pad(one, 1).astype(float), "m(jj) [GeV]"
        )
        for name, one in contents.items()
    ]


def two_b_jets(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Momenta (pt, eta, phi) of the two b quarks of each event, each of shape (events, 2)."""
    cosine, angle = rng.uniform(-1, 1, EVENTS), rng.uniform(-np.pi, np.pi, EVENTS)
    sine = np.sqrt(1 - cosine**2)
    one = HIGGS / 2 * np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    boost_pt, boost_phi = rng.exponential(90.0, EVENTS), rng.uniform(-np.pi, np.pi, EVENTS)
    flight = np.stack(
        [boost_pt * np.cos(boost_phi), boost_pt * np.sin(boost_phi), rng.normal(0, 100, EVENTS)],
        axis=1,
    )
    momenta = np.stack([_boosted(one, flight), _boosted(-one, flight)], axis=1)
    momenta *= np.clip(rng.normal(1.0, RESOLUTION, (EVENTS, 2)), 0.3, 1.7)[..., None]
    pt = np.hypot(momenta[..., 0], momenta[..., 1])
    return pt, np.arcsinh(momenta[..., 2] / pt), np.arctan2(momenta[..., 1], momenta[..., 0])


def _boosted(momentum: np.ndarray, flight: np.ndarray) -> np.ndarray:
    """Momentum of a massless particle of the Higgs boson's rest frame as seen in flight."""
    energy = np.linalg.norm(momentum, axis=1)
    total = np.sqrt((flight**2).sum(axis=1) + HIGGS**2)
    along = (momentum * flight).sum(axis=1)
    return momentum + flight * ((energy + along / (total + HIGGS)) / HIGGS)[:, None]


def jets(rng: np.random.Generator) -> Jagged:
    """The two b jets and some lighter ones, ordered by transverse momentum."""
    pt, eta, phi = two_b_jets(rng)
    others = rng.poisson(0.7, EVENTS)
    counts = others + B_JETS
    event = np.repeat(np.arange(EVENTS), counts)
    place = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts)
    light, size = place >= B_JETS, int(others.sum())
    columns: dict[str, Any] = {name: np.empty(len(event)) for name in ("pt", "eta", "phi")}
    drawn = {
        "pt": 20 + rng.exponential(25.0, size),
        "eta": rng.uniform(-4, 4, size),
        "phi": rng.uniform(-np.pi, np.pi, size),
    }
    for name, own in {"pt": pt, "eta": eta, "phi": phi}.items():
        columns[name][~light], columns[name][light] = own.ravel(), drawn[name]
    columns["mass"] = 0.1 * columns["pt"]
    tags = rng.beta(1, 8, len(event)), rng.beta(8, 2, len(event))
    columns["btagDeepFlavB"] = np.where(light, *tags)
    order = np.lexsort((-columns["pt"], event))
    return Jagged(counts, {name: one[order].astype(np.float32) for name, one in columns.items()})


def write_signal(path: Path, rng: np.random.Generator) -> None:
    """Write a file in the layout of NanoAOD, with the trees Events and Runs."""
    weights = rng.normal(1.0, 0.1, EVENTS)
    weights = (weights * SUM_OF_WEIGHTS / weights.sum()).astype(np.float32)
    plain = {
        "run": np.ones(EVENTS, dtype=np.uint32),
        "luminosityBlock": (1 + np.arange(EVENTS) // 1000).astype(np.uint32),
        "event": np.arange(1, EVENTS + 1, dtype=np.uint64),
        "genWeight": weights,
    }
    runs = {
        "run": np.ones(1, dtype=np.uint32),
        "genEventCount": np.array([EVENTS], dtype=np.int64),
        "genEventSumw": np.array([weights.sum(dtype=np.float64)]),
        "genEventSumw2": np.array([(weights.astype(np.float64) ** 2).sum()]),
    }
    with uproot.recreate(path, compression=uproot.ZLIB(1)) as file:
        write_tree(file, "Events", plain, {"Jet": jets(rng)})
        write_tree(file, "Runs", runs, {})


def main() -> None:
    """Make both files in the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("inputdata"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    signal, background = map(np.random.default_rng, np.random.SeedSequence(SEED).spawn(2))
    write_signal(folder / "signal.root", signal)
    write_spectra(folder / "archive.root", archive(background), {"luminosity": LUMINOSITY})


if __name__ == "__main__":
    main()
