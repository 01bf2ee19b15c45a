"""Estimates against the exact marginal truth of the built-in process at parton level."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from hepflow.inference.methods.losses import loss_of
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from hepflow.inference.methods.weighted import weighted_score_sample
from hepflow.inference.morphing import Morphing
from hepflow.inference.physics.drell_yan import DrellYan
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.priors import Normal
from hepflow.inference.records import Floats
from hepflow.inference.sampling import ratio_sample, split

EVENTS = 200_000  # for training; the numbers of the others follow
WIDTH = 0.4  # of each coefficient [1/TeV^2]


@dataclass(frozen=True)
class Accuracy:
    """Mean squared errors over the variance of the truth, and what it took."""

    score: tuple[float, float]  # C_LL, C_RR
    log_ratio: float  # nan of score methods
    eigenvalues: tuple[float, float]  # of the exact information's inverse times the estimated one
    cpu: float  # of the training [s]


@dataclass(frozen=True)
class Truth:
    """Test events with what is exactly true of them."""

    x: Floats  # of the Standard Model
    theta: Floats
    score: Floats
    log_ratio: Floats
    many: Floats  # from all benchmarks, with their probabilities
    share: Floats
    information: Floats  # of one event

    @classmethod
    def of(cls, process: DrellYan, n_events: int = 20_000, n_points: int = 40) -> Truth:
        x = process.table(n_events, BENCHMARKS[:1], 77).x
        theta = np.random.default_rng(5).normal(0.0, WIDTH, (n_points, 2))
        many = process.table(200_000, BENCHMARKS, 99)
        share = many.weights[:, 0] / many.weights[:, 0].sum()
        zero = np.zeros(2)
        information = process.information(zero).kinematics / process.cross_section(zero)
        return cls(
            x, theta, process.score(x), process.log_ratio(x, theta), many.x, share, information
        )


def measure(method: str, settings: TrainingSettings, seed: int, truth: Truth) -> Accuracy:
    """Draw events, train, and compare; everything with this seed."""
    table = DrellYan().table(round(EVENTS / 0.6), BENCHMARKS, seed)
    morphing = Morphing.of(table.parameters, table.benchmarks)
    parts = split(table, (0.6, 0.2, 0.2), seed)
    rng = np.random.default_rng(seed)
    prior, zero = Normal((0.0, 0.0), (WIDTH, WIDTH)), np.zeros(2)
    pair = [
        weighted_score_sample(part, morphing, zero, n, rng)
        if loss_of(method).kind == "score"
        else ratio_sample(part, morphing, prior, zero, n, rng)
        for part, n in ((parts.train, EVENTS), (parts.validation, EVENTS // 3 // 2 * 2))
    ]
    powers = tuple(tuple(int(p) for p in row) for row in morphing.components)
    start = time.process_time()
    found = train(method, pair[0], settings, seed, pair[1], structure=Structure(powers=powers))
    cpu = time.process_time() - start
    error = np.mean((found.score(truth.x) - truth.score) ** 2, axis=0) / truth.score.var(axis=0)
    ratio = np.nan
    if found.kind != "score":
        difference = found.log_ratio(truth.x, truth.theta) - truth.log_ratio
        ratio = float(np.mean(difference**2) / truth.log_ratio.var())
    scores = found.score(truth.many)
    half = np.linalg.inv(np.linalg.cholesky(truth.information))
    estimated = (scores * truth.share[:, None]).T @ scores
    low, high = np.linalg.eigvalsh(half @ estimated @ half.T)
    return Accuracy((float(error[0]), float(error[1])), ratio, (float(low), float(high)), cpu)


def table_of(method: str, settings: TrainingSettings, seeds: range, truth: Truth) -> list[Accuracy]:
    """Measure with several seeds and print a line for each, and for the medians."""
    rows = [measure(method, settings, seed, truth) for seed in seeds]
    numbers = np.array([(*r.score, r.log_ratio, *r.eigenvalues, r.cpu) for r in rows])
    for name, row in [*zip(seeds, numbers, strict=True), ("median", np.median(numbers, axis=0))]:
        print(  # noqa: T201 - it is what a person who runs this wants
            f"{method:8s} {name!s:7s} score {row[0]:.3%} {row[1]:.3%}  log ratio {row[2]:.3%}  "
            f"information {row[3]:.3f} {row[4]:.3f}  training {row[5]:.1f} s",
            flush=True,
        )
    return rows


if __name__ == "__main__":
    import sys

    methods = sys.argv[1:] or ["sally", "alice", "alices"]
    exact = Truth.of(DrellYan())
    for one in methods:
        table_of(one, TrainingSettings(), range(1, 6), exact)
