"""Event files written here open in the madminer package, and say the same there."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from benchmarks.sbi.environment import existing_python
from benchmarks.variations.sample import CACHE
from hepflow.inference.event_file import write_events
from hepflow.inference.morphing import Morphing
from hepflow.inference.physics.drell_yan import DrellYan
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS as DRELL_YAN
from hepflow.inference.records import Benchmark, EventTable, Nuisance, Parameter

pytest.importorskip("h5py")

PARAMETERS = (
    Parameter("C_LL", -1.0, 1.0, lha_block="SMEFT", lha_id=7),
    Parameter("C_RR", -2.0, 2.0, lha_block="SMEFT", lha_id=9),
)
BENCHMARKS = tuple(
    Benchmark(name, values)
    for name, values in {
        "sm": (0.0, 0.0),
        "left": (0.5, 0.0),
        "right": (0.0, 0.7),
        "against": (-0.5, 0.3),
        "both": (0.6, 0.6),
        "down": (0.1, -0.8),
    }.items()
)
POINTS = ((0.2, -0.1), (-0.7, 1.3))
NUISANCES = (
    Nuisance("scale", "scale_up", "scale_down"),
    Nuisance("luminosity", "luminosity_up", kind="normalisation"),
)


def densities(z: np.ndarray) -> np.ndarray:
    """Of a made-up squared amplitude at the benchmarks, shape (n_events, n_benchmarks)."""
    theta = np.array([one.values for one in BENCHMARKS])
    return np.asarray((1 + z[:, :2] @ theta.T) ** 2 + (0.2 + z[:, 2:] @ theta.T) ** 2)


def events(mixture: bool, nuisances: bool, n: int = 600) -> EventTable:
    """Events with the weights that a generator gives at each benchmark, or those of a mixture."""
    rng = np.random.default_rng(3)
    z = rng.uniform(-1, 1, (n, 4))
    sampled = np.full(n, -1) if mixture else rng.integers(0, len(BENCHMARKS), n)
    weights = densities(z)
    if not mixture:  # the same for all events at the benchmark that they are from
        weights = weights / weights[np.arange(n), sampled][:, None]
    table = EventTable(
        PARAMETERS, BENCHMARKS, ("mass", "angle"), z[:, :2], weights / n, sampled
    )  # fmt: skip
    if not nuisances:
        return table
    factors = {"scale_up": 1 + 0.1 * z[:, 0], "scale_down": 1 - 0.08 * z[:, 0]}
    factors["luminosity_up"] = np.full(n, 1.025)
    varied = {name: weights[:, 0] / n * factor for name, factor in factors.items()}
    setup = (table.parameters, table.benchmarks, table.observables)
    return EventTable(*setup, table.x, table.weights, sampled, NUISANCES, varied)


@dataclass(frozen=True)
class Opened:
    """What madminer said."""

    setup: dict[str, Any]
    arrays: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def tables() -> dict[str, EventTable]:
    """What is written to a file each."""
    return {
        "own_benchmark": events(mixture=False, nuisances=False),
        "mixture": events(mixture=True, nuisances=False),
        "nuisances": events(mixture=False, nuisances=True),
        "built_in": DrellYan().table(6000, DRELL_YAN, seed=1),
    }


@pytest.fixture(scope="module")
def opened(tables, tmp_path_factory) -> dict[str, Opened]:
    """All files as madminer sees them, in one process: it takes seconds to start."""
    # `HEPFLOW_BENCHMARK_CACHE` is where benchmarks have it, and tests have a cache of their own
    cache = os.environ.get(CACHE) or platformdirs.user_cache_path("hepflow") / "benchmarks"
    python = existing_python(Path(cache))
    if python is None:
        pytest.skip("no environment with madminer; `python -m benchmarks.sbi` makes it")
    folder = tmp_path_factory.mktemp("files")
    files = {name: folder / f"{name}.h5" for name in tables}
    for name, table in tables.items():
        write_events(files[name], table)
    script = str(Path(__file__).with_name("opened_by_madminer.py"))
    command = [str(python), script, json.dumps(POINTS), *map(str, files.values())]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: read_back(path) for name, path in files.items()}


def read_back(path: Path) -> Opened:
    setup = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with np.load(path.with_suffix(".npz")) as arrays:
        return Opened(setup, dict(arrays))


@pytest.mark.parametrize("name", ["own_benchmark", "mixture"])
def test_madminer_finds_the_same(opened, tables, name):
    found, table = opened[name], tables[name]
    assert found.setup == {
        "parameters": [[p.name, p.lha_block, p.lha_id, 2, p.low, p.high] for p in PARAMETERS],
        "benchmarks": {one.name: list(one.values) for one in BENCHMARKS},
        "observables": ["mass", "angle"],
        "reference": "sm",
        "nuisances": {},
    }
    arrays = found.arrays
    np.testing.assert_array_equal(arrays["x"], table.x)
    np.testing.assert_allclose(arrays["weights"], table.weights, rtol=1e-12)
    np.testing.assert_array_equal(arrays["sampled_from"], table.sampled_from)
    assert_same_morphing(arrays, table)
    assert_same_scores(arrays, table)


def assert_same_morphing(arrays: dict[str, np.ndarray], table: EventTable) -> None:
    """Coefficients, their gradients and cross-sections at the points."""
    morphing, points = Morphing.of(table.parameters, table.benchmarks), np.array(POINTS)
    n = len(table.benchmarks)
    same = functools.partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10)
    same(arrays["coefficients"][:, :n], morphing.coefficients(points))
    same(np.swapaxes(arrays["gradients"][:, :, :n], 1, 2), morphing.gradient(points))
    sums = morphing.coefficients(points) @ table.weights.sum(axis=0)
    np.testing.assert_allclose(arrays["cross_sections"], sums, rtol=1e-10)


def assert_same_scores(arrays: dict[str, np.ndarray], table: EventTable) -> None:
    """Scores of the events that madminer drew are those that the weights give."""
    morphing = Morphing.of(table.parameters, table.benchmarks)
    point = np.array(POINTS[0])
    rows = [int(np.argmin(np.abs(table.x - one).sum(axis=1))) for one in arrays["drawn"]]
    slope = table.weights @ morphing.gradient(point)
    value = table.weights @ morphing.coefficients(point)
    shape = slope[rows] / value[rows][:, None]
    # the rate's part is of the events of the partition that madminer draws from: the same for all
    offset = arrays["score"] - shape
    np.testing.assert_allclose(offset, np.broadcast_to(offset[0], offset.shape), atol=1e-9)


def test_built_in_events_are_the_right_sample_in_madminer(opened):
    found, exact = opened["built_in"].arrays, DrellYan().cross_section(POINTS)
    np.testing.assert_allclose(found["cross_sections"], exact, rtol=0.05)
    np.testing.assert_allclose(found["near"], exact, rtol=0.05)


def test_madminer_finds_the_same_nuisance_parameters(opened, tables):
    found, table = opened["nuisances"], tables["nuisances"]
    assert {name: tuple(one[1:]) for name, one in found.setup["nuisances"].items()} == {
        "scale": ("scale_up", "scale_down"),
        "luminosity": ("luminosity_up", None),
    }
    every = np.concatenate(
        [table.weights, *(one[:, None] for one in table.nuisance_weights.values())], axis=1
    )
    np.testing.assert_allclose(found.arrays["weights"], every, rtol=1e-12)
    assert_same_morphing(found.arrays, table)
