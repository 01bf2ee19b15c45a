"""Closure and coverage with a trained estimator, on toys that it has not seen."""

import numpy as np
import pytest

from hepflow.inference.likelihood import (
    Grid,
    Likelihood,
    Simulation,
    Unbinned,
    coverage,
    critical_values,
    fresh,
    rate_of,
    ratio_closure,
)
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from hepflow.inference.morphing import Morphing
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS, PARAMETERS
from hepflow.inference.priors import Normal
from hepflow.inference.records import Benchmark
from hepflow.inference.sampling import ratio_sample, split

TRUTH = (0.2, 0.1)
LUMINOSITY = 300.0
POINTS = np.array([[0.3, 0.0], [0.0, 0.3], [-0.3, 0.2], [0.2, -0.3], [-0.15, -0.15]])
SEED, OTHER, TRAINING = 20240, 20241, 20242  # fixed before anything was looked at


@pytest.mark.nightly
def test_a_trained_estimator_closes_and_covers():
    process = DrellYan(DrellYanSettings(pdf="analytic"))
    morphing = Morphing.of(PARAMETERS, BENCHMARKS)
    parts = split(process.table(300_000, BENCHMARKS, 7), (0.6, 0.1, 0.3), 1)
    prior = Normal((0.0, 0.0), (0.4, 0.4))
    rng = np.random.default_rng(TRAINING)
    sample = ratio_sample(parts.train, morphing, prior, np.zeros(2), 200_000, rng)
    structure = Structure(
        process.features, ("C_LL", "C_RR"), tuple(map(tuple, morphing.components))
    )
    estimator = train("alices", sample, TrainingSettings(), TRAINING, structure=structure)
    simulation = Simulation.of(parts.test, morphing)
    for one in ratio_closure(estimator.log_ratio, simulation, np.zeros(2), POINTS):
        assert abs(one.mean - 1.0) < 0.01, one
    likelihood = Likelihood(
        PARAMETERS, Unbinned(estimator.log_ratio), rate_of(simulation, LUMINOSITY)
    )
    grid = Grid(PARAMETERS, tuple(np.linspace(t - 0.5, t + 0.5, 15) for t in TRUTH))
    point = (Benchmark("truth", TRUTH),)

    def draw(rng, n):
        return process.table(n, point, int(rng.integers(2**31)), sampled_from=[0]).x

    mean = LUMINOSITY * float(process.cross_section(np.array(TRUTH)))
    toys = fresh(draw, mean, 300, np.random.default_rng(SEED))
    critical = critical_values(likelihood, simulation, [TRUTH], grid, n_toys=500, seed=OTHER)
    found = coverage(likelihood, toys, TRUTH, grid, critical, method="alices", seed=SEED)
    for one in found:
        assert abs(one.pull) <= 3.0, found
