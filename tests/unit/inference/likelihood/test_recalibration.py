"""Ratios that are calibrated at any point."""

import numpy as np
import pytest

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood import (
    Likelihood,
    Recalibrated,
    Simulation,
    Unbinned,
    asimov,
    limits,
    rate_of,
    ratio_closure,
    recalibration,
)
from hepflow.inference.records import Parameter
from tests.unit.inference.likelihood.sbi_models import PARAMETERS, SQUARED

ZERO = (0.0, 0.0)
POINTS = np.array([[0.0, 0.3], [0.3, 0.0], [-0.3, 0.2], [0.05, -0.02], [0.003, 0.001]])
VALIDATION = SQUARED.simulation(30_000, seed=2)
X = SQUARED.simulation(5000, seed=9).x
EXACT = SQUARED.log_ratio(X, POINTS)


def bent(x, theta):
    """An estimator that exaggerates, and is off."""
    return 1.6 * SQUARED.log_ratio(x, theta) + 0.3


def odd(x, theta):
    """An estimator with a curve of its own, that exaggerates more near 0."""
    exact = SQUARED.log_ratio(x, theta)
    return exact + 0.2 * np.arcsinh(3 * exact) - 0.1


@pytest.mark.parametrize("estimate", [bent, odd])
def test_an_estimator_that_is_off_becomes_right_at_any_point(estimate):
    mended = Recalibrated(estimate, VALIDATION, ZERO)
    before = np.mean((estimate(X, POINTS) - EXACT) ** 2, axis=1)
    after = np.mean((mended(X, POINTS) - EXACT) ** 2, axis=1)
    assert (after < 0.02 * before).all()
    assert (after < 0.01 * EXACT.var(axis=1)).all()
    for one in ratio_closure(mended, SQUARED.simulation(50_000, seed=3), ZERO, POINTS):
        assert abs(one.mean - 1.0) < 0.01


def test_an_affine_change_of_the_estimate_changes_nothing():
    one, two = (Recalibrated(f, VALIDATION, ZERO) for f in (SQUARED.log_ratio, bent))
    np.testing.assert_allclose(one(X, POINTS), two(X, POINTS), atol=1e-6)


def test_it_is_one_at_the_denominator_and_needs_no_order():
    mended = Recalibrated(odd, VALIDATION, ZERO)
    assert np.abs(mended(X, np.zeros((1, 2)))).max() < 1e-12
    together = mended(X, POINTS)
    again = Recalibrated(odd, VALIDATION, ZERO)
    np.testing.assert_allclose(again(X[:7], POINTS[[3]])[0], together[3, :7], rtol=1e-12)
    assert mended.effective == pytest.approx(len(VALIDATION))


def test_regions_are_those_of_the_exact_ratio():
    pool = SQUARED.lattice(60)
    data = asimov(pool, ZERO, 60.0)
    rate = rate_of(pool, 60.0)
    areas = []
    for ratio in (SQUARED.log_ratio, Recalibrated(bent, VALIDATION, ZERO), bent):
        found = limits("any", Likelihood(PARAMETERS, Unbinned(ratio), rate), data)
        assert not any("still move" in note for note in found.fit.notes)
        areas.append([one.area for one in found.regions])
    exact, mended, off = np.array(areas)
    np.testing.assert_allclose(mended, exact, rtol=0.03)
    assert (np.abs(off / exact - 1) > 0.2).all()


def test_the_likelihood_stays_smooth():
    data = asimov(SQUARED.simulation(3000, seed=4), ZERO, 60.0)
    line = np.stack([np.linspace(-0.02, 0.02, 41), np.linspace(0.01, 0.03, 41)], axis=1)
    rough = []
    for ratio in (SQUARED.log_ratio, Recalibrated(odd, VALIDATION, ZERO)):
        values = Likelihood(PARAMETERS, Unbinned(ratio)).function(data)(line)
        rough.append(np.abs(np.diff(values, 3)).max() / np.ptp(values))
    assert rough[1] < rough[0] + 2e-3


def test_a_far_tail_hides_nothing():
    """Most events are alike: nodes and knots are where they are, and where the few are."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(0, 0.01, 20_000), rng.exponential(30.0, 200)])[:, None]

    def exact(x, theta):
        return theta[:, :1] * np.arcsinh(x[:, 0] * 100)[None, :]

    def weights(x, theta):
        return np.exp(exact(x, np.atleast_2d(theta))[0])

    table = np.stack([weights(x, [0.0]), weights(x, [0.5])], axis=1)
    found = Simulation((Parameter("a", 0, 1),), x, table, lambda t: np.concatenate([1 - 2 * t, 2 * t], -1), np.zeros_like)  # fmt: skip # noqa: E501 - two benchmarks
    half = np.array([[0.5]])
    truth = exact(x, half) - np.log(table[:, 1].sum() / table[:, 0].sum())
    mended = Recalibrated(lambda x, t: 3 * exact(x, t), found, (0.0,))(x, half)
    assert np.abs(mended - truth).max() < 1e-3


def test_no_event_is_told_more_than_any_simulated_one():
    """A line through the few events of a tail would go on to ratios that nothing has."""
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(0, 1, 2000), np.linspace(5, 50, 10)])[:, None]
    up = np.where(x[:, 0] < 5, 1.0, 0.02)
    down = np.where(x[:, 0] < 5, 1.0, 1e-3)
    found = Simulation((Parameter("a", 0, 1),), x, np.stack([down, up], axis=1), lambda t: np.concatenate([1 - t, t], -1), np.zeros_like)  # fmt: skip # noqa: E501 - two benchmarks
    mended = Recalibrated(lambda x, t: t[:, :1] * x[:, 0], found, (0.0,))
    told = mended(np.array([[0.0], [4.0], [30.0], [50.0], [500.0]]), np.array([[1.0]]))[0]
    largest = np.log(20.0 * down.sum() / up.sum())
    assert told[-1] == pytest.approx(largest)
    assert told.max() <= largest + 1e-12
    assert abs(told[0]) < 0.05


def test_what_cannot_be_calibrated(monkeypatch):
    negative = Simulation(PARAMETERS, X, -np.ones((len(X), 6)), SQUARED.coefficients, np.zeros_like)
    with pytest.raises(InputError, match=r"5000 of 5000 validation events have a negative weight"):
        Recalibrated(bent, negative, ZERO)(X, POINTS)

    def broken(x, theta):
        return np.where(x[:, 0] > 0.9, np.nan, SQUARED.log_ratio(x, theta))

    with pytest.raises(FitError, match=r"not finite for \d+ of 30000 validation events"):
        Recalibrated(broken, VALIDATION, ZERO)(X, POINTS)
    monkeypatch.setattr(recalibration, "STEPS", 1)
    with pytest.raises(FitError, match="no curve calibrates"):
        Recalibrated(bent, VALIDATION, ZERO)(X, POINTS)
