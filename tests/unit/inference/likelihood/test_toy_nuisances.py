"""Toys with nuisance parameters: closed forms, exact minima, and coverage."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hepflow.errors import InputError
from hepflow.inference.likelihood import (
    Binning,
    Grid,
    Likelihood,
    Rate,
    Unbinned,
    asimov,
    best_nuisances,
    coverage,
    critical_values,
    events_at,
    fresh,
    histogram_likelihood,
    limits,
    observed,
    rate_of,
    resampled,
    rise,
    statistics,
    with_auxiliary,
)
from hepflow.inference.likelihood.expansions import Expansion
from hepflow.inference.likelihood.minima import minima
from hepflow.inference.likelihood.profiling import without
from hepflow.inference.likelihood.toy_profiles import Curves
from hepflow.inference.nuisances import Response
from hepflow.inference.records import Parameter
from tests.unit.inference.likelihood.sbi_models import PARAMETERS, SQUARED

LEVELS = (0.6826894921370859, 0.95)
TRUTH = np.array([0.2, -0.1])
SEED, OTHER = 20250, 20251  # fixed before anything was looked at: of toys, of the construction
NEAR = (Parameter("a", -0.6, 0.6), Parameter("b", -0.6, 0.6))
PULLS = np.array([[0.1, 0.02], [0.03, -0.08]])  # of a mean per standard deviation


def nuisances(count):
    return tuple(Parameter(f"n{i}", -5.0, 5.0) for i in range(count))


def shifted(count):
    """Events x ~ N(theta + pulls nu, 1): profile likelihoods are known."""
    pulls = PULLS[:, :count]

    def log_ratio(x, theta):
        mean = theta[:, :2] + theta[:, 2:] @ pulls.T
        return mean @ x.T - 0.5 * (mean**2).sum(axis=1)[:, None]

    free = nuisances(count)
    constraints = {one.name: (0.0, 1.0) for one in free}
    return Likelihood((*PARAMETERS, *free), Unbinned(log_ratio), constraints=constraints), pulls


@pytest.mark.parametrize("count", [1, 2])
def test_the_statistic_adds_the_systematic_to_the_statistical_covariance(count):
    likelihood, pulls = shifted(count)
    nu = np.array([0.7, -0.4])[:count]
    truth, rng = np.concatenate([TRUTH, nu]), np.random.default_rng(SEED)
    toys = fresh(lambda rng, n: rng.normal(TRUTH + pulls @ nu, 1.0, (n, 2)), 200, 100, rng)
    toys = with_auxiliary(toys, likelihood, truth, rng)
    sizes = toys.counts.sum(axis=1)
    away = (toys.counts @ toys.x) / sizes[:, None] - TRUTH - toys.measured @ pulls.T
    covariance = np.eye(2) / sizes[:, None, None] + pulls @ pulls.T
    exact = np.einsum("ki,kij,kj->k", away, np.linalg.inv(covariance), away)
    found = statistics(likelihood, toys, truth, Grid.over(NEAR, 25))
    np.testing.assert_allclose(found, exact, atol=1e-9)
    assert stats.kstest(found, stats.chi2(2).cdf).pvalue > 0.01


def test_nuisances_that_fit_data_best():
    likelihood, pulls = shifted(1)
    x = np.random.default_rng(3).normal(0.1, 1.0, (50, 2))
    points = np.array([[0.0, 0.0], [0.3, -0.2]])
    found = best_nuisances(likelihood.function(observed(x)), points, *likelihood.apart())
    pull = pulls[:, 0]
    exact = (x.mean(axis=0) - points) @ pull / (1 / 50 + pull @ pull)
    np.testing.assert_allclose(found[:, 0], exact, atol=1e-3)
    assert best_nuisances(lambda theta: theta[:, 0], points, NEAR, ()).shape == (2, 0)


LINE = (Parameter("a", -0.5, 0.5),)
SIZE, LUMINOSITY = 0.1, 200.0


def counted(size=SIZE, width=1.0):
    """A number of events alone: sigma = 2 (1 + a) pb, with a log-normal uncertainty."""
    free = (Parameter("norm", -5.0, 5.0),) if size else ()

    def cross_section(theta):
        factor = np.log1p(size) * theta[:, 1] if theta.shape[1] > 1 else 0.0
        return 2.0 * (1.0 + theta[:, 0]) * np.exp(factor)

    constraints = {"norm": (0.0, width)} if size else {}
    return Likelihood((*LINE, *free), None, Rate(cross_section, LUMINOSITY), constraints)


def numbers(likelihood, theta, n_toys, seed=SEED):
    rng = np.random.default_rng(seed)
    mean = events_at(likelihood, theta, None)
    toys = fresh(lambda rng, n: rng.random((n, 1)), mean, n_toys, rng)
    return with_auxiliary(toys, likelihood, theta, rng)


def test_a_normalisation_widens_the_interval_in_quadrature():
    grid = Grid.over(LINE, 41)
    data = observed(np.zeros((400, 1)))
    halves = {}
    for size in (0.0, SIZE):
        found = limits("count", counted(size), data, grid, levels=LEVELS).fit.intervals[0]
        halves[size] = (found.high - found.low) / 2
    n = 400.0
    assert halves[0.0] == pytest.approx(1 / np.sqrt(n), rel=0.01)
    assert halves[SIZE] == pytest.approx(np.sqrt(1 / n + np.log1p(SIZE) ** 2), rel=0.02)


def test_regions_of_a_count_with_a_normalisation_cover():
    grid, likelihood = Grid.over(LINE, 41), counted()
    truth = np.array([0.05])
    toys = numbers(likelihood, truth, 1000)
    x = np.zeros((10, 1))
    pool = replace(
        SQUARED.simulation(10),
        parameters=likelihood.parameters,
        x=x,
        weights=np.full((10, 1), 0.2),
        coefficients=lambda theta: 1.0 + theta[..., :1],
        response=Response(np.full((10, 1), np.log1p(SIZE)), np.zeros((10, 1))),
    )
    critical = critical_values(likelihood, pool, [truth], grid, n_toys=2000, seed=OTHER)
    assert [one.parameters for one in critical] == [("a",), ("a",)]
    found = coverage(likelihood, toys, truth, grid, critical, method="count", seed=SEED)
    assert {one.calculator for one in found} == {"asymptotic", "neyman"}
    for one in found:
        assert one.theta == (0.05,)
        assert abs(one.pull) <= 3.0
    # What makes it cover is that auxiliary measurements differ from toy to toy, and that the
    # likelihood knows of them.
    fixed = replace(toys, measured=np.zeros_like(toys.measured))
    for wrong, likely in ((fixed, likelihood), (varied(likelihood, 1000), counted(0.0))):
        worse = coverage(likely, wrong, truth, grid, method="count", seed=SEED)
        assert all(abs(one.pull) > 5.0 for one in worse)


def varied(likelihood, n_toys):
    """Toys whose normalisation is one standard deviation off."""
    return replace(numbers(likelihood, [0.05, 1.0], n_toys), measured=None)


def test_critical_values_hardly_depend_on_the_nuisance_values_of_toys():
    likelihood, grid = shifted(1)[0], Grid.over(NEAR, 25)
    pool = gaussian_pool()
    points = np.array([[0.1, 0.0, -1.5], [0.1, 0.0, 0.0], [0.1, 0.0, 1.5]])
    for one in critical_values(likelihood, pool, points, grid, 60.0, n_toys=200, seed=OTHER):
        assert one.points == ((0.1, 0.0),) * 3
        for value, low, high in zip(one.value, one.low, one.high, strict=True):
            assert abs(value - rise(one.confidence_level, 2)) < 2 * (high - low)


def gaussian_pool(n=20_000):
    """Events of a wide normal distribution with weights to those of `shifted(1)`."""
    x = np.random.default_rng(1).normal(0.0, 1.3, (n, 2))
    pull = PULLS[:, 0]
    inside = np.exp(-0.5 * (x**2).sum(axis=1) * (1 - 1 / 1.69))

    class Pool(type(SQUARED.simulation(2))):
        def at(self, theta):
            mean = np.asarray(theta)[:2] + np.asarray(theta)[2] * pull
            return inside * np.exp(x @ mean)

    return Pool((*PARAMETERS, *nuisances(1)), x, np.ones((n, 1)), np.ones_like, np.ones_like)


def weighted(count, size=0.1, n=20_000):
    """Events of (1 + theta . x)^2 with weights that answer to nuisance parameters by event."""
    plain = SQUARED.simulation(n)
    u, v = plain.x.T
    linear = np.stack([size * u, size * (v * v - 0.3), np.full(n, size)], axis=1)[:, :count]
    return replace(
        plain,
        parameters=(*plain.parameters, *nuisances(count)),
        response=Response(linear, 0.05 * linear),
    )


def exact_likelihood(simulation, luminosity, size=0.1):
    def log_ratio(x, theta):
        u, v = x.T
        nu = theta[:, 2:]
        slopes = np.stack([size * u, size * (v * v - 0.3), np.full(len(x), size)])[: nu.shape[1]]
        weight = np.log((1.0 + theta[:, :2] @ x.T) ** 2) + (nu + 0.05 * nu**2) @ slopes
        return weight - np.log(simulation.cross_section(theta) / SQUARED.sigma0)[:, None]

    number = rate_of(simulation, luminosity)
    return Likelihood(simulation.parameters, Unbinned(log_ratio), number, simulation.constraints)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_statistics_are_those_of_exact_minima(count):
    simulation = weighted(count)
    likelihood = exact_likelihood(simulation, 200.0)
    truth = np.concatenate([TRUTH, np.array([0.5, -0.8, 0.3])[:count]])
    rng = np.random.default_rng(SEED)
    toys = resampled(simulation, truth, events_at(likelihood, truth, None), 6, rng)
    toys = with_auxiliary(toys, likelihood, truth, rng)
    ranges = [Parameter(p.name, t - 0.5, t + 0.5) for p, t in zip(PARAMETERS, TRUTH, strict=True)]
    grid = Grid.over(ranges, 25)
    found = statistics(likelihood, toys, truth, grid)
    exact = [exact_statistic(likelihood, toys, k, grid) for k in range(6)]
    np.testing.assert_allclose(found, exact, atol=0.03)


def exact_statistic(likelihood, toys, number, grid):
    row = toys.counts[[number]].toarray()[0]
    centres = zip(likelihood.constraints, toys.measured[number], strict=True)
    here = {name: (at, 1.0) for name, at in centres}
    sets = replace(likelihood, constraints=here).sets(toys.x[row > 0], row[row > 0][None])
    held, free = likelihood.apart()
    start = np.concatenate([TRUTH, np.zeros(len(free))])[None]
    ends = np.array([[one.low, one.high] for one in free]).T
    steps = np.concatenate([grid.steps, np.full(len(free), 0.5)])
    bounds = np.concatenate([grid.bounds, ends], axis=1)
    best = minima(lambda theta: sets(theta)[0], start, steps, bounds)
    assert best.converged
    return without(lambda theta: sets(theta)[0], held, free)(TRUTH[None])[0] - best.value[0]


@pytest.mark.parametrize("n_toys", [60, pytest.param(300, marks=pytest.mark.nightly)], ids=str)
def test_histograms_with_nuisance_parameters_cover(n_toys):
    simulation = weighted(2)
    binning = Binning.of_edges([np.linspace(-1, 1, 6), np.linspace(-1, 1, 6)])
    likelihood = histogram_likelihood(simulation, [0, 1], binning, 200.0)
    covers(likelihood, simulation, n_toys)


@pytest.mark.nightly
def test_events_with_nuisance_parameters_cover():
    simulation = weighted(2)
    covers(exact_likelihood(simulation, 200.0), simulation, 300)


def covers(likelihood, simulation, n_toys):
    """Asymptotic and Neyman regions, with toys made of nuisance values that data choose."""
    data = asimov(weighted(2, n=2000), TRUTH, 200.0)
    nu = best_nuisances(likelihood.function(data), TRUTH[None], *likelihood.apart())
    ranges = [Parameter(p.name, t - 0.6, t + 0.6) for p, t in zip(PARAMETERS, TRUTH, strict=True)]
    grid, point = Grid.over(ranges, 25), np.concatenate([TRUTH[None], nu], axis=1)
    critical = critical_values(
        likelihood, simulation, point, grid, n_toys=max(3 * n_toys, 200), seed=OTHER
    )
    rng = np.random.default_rng(SEED)
    toys = resampled(simulation, TRUTH, events_at(likelihood, TRUTH, None), n_toys, rng)
    toys = with_auxiliary(toys, likelihood, TRUTH, rng)
    found = coverage(likelihood, toys, TRUTH, grid, critical, method="x", seed=SEED)
    assert len(found) == 4
    for one in found:
        assert abs(one.pull) <= 3.0


def test_the_same_seed_gives_the_same_auxiliary_measurements():
    likelihood = counted(width=2.0)
    one, two = (numbers(likelihood, [0.0, 1.0], 500, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.measured, two.measured)
    assert one.measured.mean() == pytest.approx(1.0, abs=0.3)
    assert one.measured.std() == pytest.approx(2.0, rel=0.1)
    plain = counted(0.0)
    assert numbers(plain, [0.0], 5).measured is None


def test_toys_without_auxiliary_measurements_are_refused():
    likelihood = counted()
    toys = replace(numbers(likelihood, [0.0], 5), measured=None)
    with pytest.raises(InputError, match=r"no auxiliary measurements, but .* constraints on norm"):
        statistics(likelihood, toys, [0.0], Grid.over(LINE, 9))
    with pytest.raises(InputError, match="has 3 values; expected 2: a, norm"):
        with_auxiliary(toys, likelihood, [0.0, 0.0, 1.0], np.random.default_rng(1))


@pytest.mark.parametrize(("variables", "degree"), [(1, 4), (2, 4), (3, 3), (5, 2)])
def test_polynomials_go_through_their_nodes(variables, degree):
    expansion = Expansion.of(variables, degree)
    rng = np.random.default_rng(variables)
    wanted = rng.normal(size=len(expansion))
    values = expansion.terms(expansion.nodes) @ wanted
    np.testing.assert_allclose(expansion.coefficients(values), wanted, atol=1e-10)
    assert not expansion.nodes[0].any()
    at, step, v = rng.uniform(-1, 1, (4, variables)), 1e-4, variables

    def value(places):
        return expansion.terms(places) @ wanted

    found = expansion.derivatives(np.tile(wanted, (4, 1)), expansion.terms(at))
    ways = step * np.eye(variables)
    for i, one in enumerate(ways):
        slope = (value(at + one) - value(at - one)) / (2 * step)
        np.testing.assert_allclose(found[:, i], slope, atol=1e-6)
        for j, other in enumerate(ways):
            bend = value(at + one + other) + value(at - one - other)
            bend = bend - value(at + one - other) - value(at - one + other)
            np.testing.assert_allclose(found[:, v + i * v + j], bend / (4 * step**2), atol=1e-5)


def test_a_step_that_overflows_is_taken_back():
    expansion, one = Expansion.of(1, 2), np.ones(1)
    logs = np.array([[-50.0, 500.0, 0.0]])  # of the number of events, at u: -50 + 500 u
    shape, number, measured = np.zeros((1, 3)), 5.0 * one, np.zeros((1, 1))
    curves = Curves(expansion, 0.0 * one, one, one, shape, logs, np.array([0]), number, measured)
    with np.errstate(all="raise"):
        value, u = curves.lowest()
    assert u[0, 0] == pytest.approx((50.0 + np.log(5.0)) / 500.0, abs=1e-4)
    assert value[0] == pytest.approx(2 * (5.0 - 5.0 * np.log(5.0)) + u[0, 0] ** 2, abs=1e-4)


def test_polynomials_without_nodes():
    for degree in (1, 5):
        with pytest.raises(ValueError, match="expected 2, 3 or 4"):
            Expansion.of(1, degree)
