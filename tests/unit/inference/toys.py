"""Events of a made-up squared amplitude, of which everything is known in closed form.

Latent z is normal in two dimensions and the weight at theta is (1 + theta.z / 2)^2 / n, so that the
cross-section is 1 + |theta|^2 / 4 pb and the mean of z at theta is theta / sigma(theta).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hepflow.inference.morphing import Morphing
from hepflow.inference.records import Benchmark, EventTable, Parameter

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
PARAMETERS = (
    Parameter("a", -1.0, 1.0, lha_block="smeft", lha_id=1, unit="1/TeV$^2$"),
    Parameter("b", -2.0, 2.0, lha_block="smeft", lha_id=2, label="$b$"),
)
BENCHMARKS = tuple(
    Benchmark(name, values)
    for name, values in {
        "sm": (0.0, 0.0),
        "plus": (1.0, 0.0),
        "minus": (-1.0, 0.0),
        "up": (0.0, 1.5),
        "down": (0.0, -1.5),
        "both": (0.7, 0.9),
    }.items()
)
MORPHING = Morphing.of(PARAMETERS, BENCHMARKS)


def shared(path: str) -> Path:
    """A file of the shared data, or a skip that names it."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"{found} is not there")
    return found


def weights(z: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Weights of `z` (n, 2) at points (m, 2): (n, m) [pb], if all come from the Standard Model."""
    return np.asarray((1 + z @ theta.T / 2) ** 2 / len(z))


def sigma(theta: np.ndarray) -> np.ndarray:
    """Cross-section [pb] of an infinite number of events."""
    return np.asarray(1 + (np.asarray(theta) ** 2).sum(axis=-1) / 4)


def table(n: int = 2000, seed: int = 1) -> EventTable:
    """Events from the Standard Model, with z itself as observables."""
    z = np.random.default_rng(seed).normal(size=(n, 2))
    points = np.array([benchmark.values for benchmark in BENCHMARKS])
    return EventTable(
        PARAMETERS, BENCHMARKS, ("z_0", "z_1"), z, weights(z, points), np.zeros(n, dtype=np.int64)
    )
