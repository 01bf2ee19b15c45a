"""The toy of the VHbb chain: archived data and background, and a signal of two b jets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hepflow.reinterpretation.spectra import Spectrum, write_spectra

EDGES = np.linspace(0.0, 500.0, 21)


def spectrum(name: str, values: object, variances: object = None) -> Spectrum:
    """A histogram of 20 bins of 25 GeV without under- and overflow."""
    content = np.asarray(values, dtype=np.float64)
    spread = content if variances is None else np.asarray(variances, dtype=np.float64)
    return Spectrum(name, EDGES, np.pad(content, 1), np.pad(spread, 1), "m(jj) [GeV]")


def archive(folder: Path) -> Path:
    """File with `data` and `background`: 50 000 events, falling with 150 GeV."""
    rng = np.random.default_rng(20)
    counts, _ = np.histogram(rng.exponential(150.0, 50_000), EDGES)
    data = rng.poisson(counts)
    spectra = [spectrum("data", data), spectrum("background", counts)]
    return write_spectra(folder / "archive.root", spectra, {"luminosity": 140_100.0})


def signal(folder: Path, total: float = 500.0) -> Path:
    """File with `h_mjj`, raw weights around 125 GeV."""
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    shape = np.exp(-0.5 * ((centres - 125.0) / 20.0) ** 2)
    content = total * shape / shape.sum()
    return write_spectra(folder / "signal.root", [spectrum("h_mjj", content)], {})
