"""The methods with hepflow, as ``hepflow sbi ml`` uses them.

``hepflow_side.py WORK METHOD SEED OUTPUT``. Imports do not count, nor does the drawing of samples;
what JAX compiles does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.inference.event_file import read_events
from hepflow.inference.likelihood.model import Likelihood, Unbinned, rate_of
from hepflow.inference.likelihood.simulation import Measurement, Simulation
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.losses import loss_of
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from hepflow.inference.methods.weighted import weighted_score_sample
from hepflow.inference.morphing import Morphing
from hepflow.inference.priors import Normal
from hepflow.inference.records import EventTable, RatioSample, ScoreSample
from hepflow.inference.sampling import Partitions, ratio_sample, split

SPLIT = (0.6, 0.2, 0.2)  # training, validation, test
VALIDATION = 0.1  # draws for validation, of those for training


def sample_of(
    table: EventTable, method: str, settings: Mapping[str, Any], n: int, rng: np.random.Generator
) -> ScoreSample | RatioSample:
    """Draw a sample for a method."""
    morphing = Morphing.of(table.parameters, table.benchmarks)
    reference = next(b.values for b in table.benchmarks if b.name == settings["reference"])
    if loss_of(method).kind == "score":
        return weighted_score_sample(table, morphing, reference, n, rng)
    prior = Normal(reference, (settings["prior_width"],) * len(reference))
    return ratio_sample(table, morphing, prior, reference, n, rng)


def trained(
    parts: Partitions, method: str, settings: Mapping[str, Any], seed: int
) -> tuple[Estimator, float]:
    """Draw the samples, and train; the estimator and the CPU time of the training [s]."""
    rng = np.random.default_rng(seed)
    sample = sample_of(parts.train, method, settings, settings["events"], rng)
    checks = round(VALIDATION * settings["events"])
    validation = sample_of(parts.validation, method, settings, checks, rng)
    table = parts.train
    powers = Morphing.of(table.parameters, table.benchmarks).components
    structure = Structure(
        observables=table.observables,
        parameters=tuple(one.name for one in table.parameters),
        powers=tuple(tuple(int(p) for p in row) for row in powers),
    )
    how = TrainingSettings(hidden=tuple(settings["hidden"]), epochs=settings["epochs"])
    start = time.process_time()
    found = train(method, sample, how, seed, validation=validation, structure=structure)
    return found, time.process_time() - start


def evaluate(estimator: Estimator, work: Path) -> dict[str, Any]:
    """Estimated scores at the reference, and log ratios at the points of the test."""
    with np.load(work / "test.npz") as test:
        found = {"score": estimator.score(test["x"]), "many": estimator.score(test["many"])}
        if estimator.kind == "ratio":
            found["log_ratio"] = estimator.log_ratio(test["x"], test["theta"])
            found["closure"] = estimator.log_ratio(test["many"], test["closure"])
        return found


def limits(
    estimator: Estimator, table: EventTable, work: Path, settings: Mapping[str, Any]
) -> tuple[Any, float]:
    """Log likelihood on the grid, with the rate, of the events of the test; and CPU time."""
    with np.load(work / "test.npz") as test:
        x = test["x"]
    start = time.process_time()
    number = settings["grid_points"]
    axes = [np.linspace(low, high, number) for low, high in settings["grid_ranges"]]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    simulation = Simulation.of(table, Morphing.of(table.parameters, table.benchmarks))
    rate = rate_of(simulation, settings["luminosity"])
    likelihood = Likelihood(table.parameters, Unbinned(estimator.log_ratio), rate)
    counts = np.full(len(x), settings["expected_events"] / len(x))
    twice = likelihood.function(Measurement(x, counts))(points)
    return -0.5 * twice, time.process_time() - start


def main(folder: str, method: str, seed: str, output: str) -> None:
    """Compute, and write figures and arrays."""
    work, target = Path(folder), Path(output)
    settings = json.loads((work / "settings.json").read_text(encoding="utf-8"))
    table = read_events(work / "events.h5")
    estimator, training = trained(split(table, SPLIT, seed=int(seed)), method, settings, int(seed))
    arrays = evaluate(estimator, work)
    figures: dict[str, Any] = {"training": training}
    if method == settings["grid_method"]:
        arrays["grid"], figures["grid"] = limits(estimator, table, work, settings)
    stored = target.with_suffix(".npz")
    np.savez(stored, **arrays)
    target.write_text(json.dumps({**figures, "arrays": str(stored)}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
