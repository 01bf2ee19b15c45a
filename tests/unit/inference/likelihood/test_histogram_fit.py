from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood import (
    Binned,
    Binning,
    Grid,
    Likelihood,
    Rate,
    Simulation,
    Unbinned,
    asimov,
    histogram_likelihood,
    limits,
    observed,
    on_grid,
    rate_of,
    score_shape,
)
from hepflow.inference.nuisances import Response
from hepflow.inference.records import Parameter
from tests.unit.inference.likelihood.sbi_models import PARAMETERS, SQUARED

SIMULATION = SQUARED.simulation(6000)
POINTS = np.array([[0.0, 0.0], [0.3, -0.2], [-0.5, 0.4]])


def test_edges_and_what_lies_outside():
    binning = Binning.of_edges([[0.0, 1.0, 2.0, 5.0]])
    assert binning.shape == (3,)
    x = np.array([[-7.0], [0.5], [1.0], [1.9], [2.0], [9.0]])
    assert binning.index(x).tolist() == [0, 0, 1, 1, 2, 2]


def test_equal_shares_are_equal():
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(5000, 2)), rng.uniform(0.5, 2.0, 5000)
    x[:, 1] += x[:, 0]
    binning = Binning.equal_shares(x, w, [5, 8])
    filled = np.bincount(binning.index(x), w, binning.size) / w.sum()
    np.testing.assert_allclose(filled, 1 / 40, rtol=0.05)
    assert binning.index(x).reshape(-1).max() == 39


def test_binnings_that_cannot_be_made():
    with pytest.raises(InputError, match="bin edges must increase"):
        Binning.of_edges([[0.0, 2.0, 1.0]])
    with pytest.raises(InputError, match="cannot be put into 10 x 10 bins"):
        Binning.equal_shares(np.zeros((50, 2)), np.ones(50), [10, 10])


def counting(n):
    """A single bin in effect: the number of events alone."""
    likelihood = Likelihood(PARAMETERS[:1], rate=Rate(lambda t: 2.0 + t[:, 0] + t[:, 0] ** 2, 50.0))
    return likelihood, observed(np.zeros((n, 1)))


@given(st.integers(80, 180))
@settings(max_examples=20, deadline=None)
def test_the_rate_is_an_exact_poisson(n):
    likelihood, data = counting(n)
    theta = np.linspace(-0.2, 0.9, 7)[:, None]
    expected = -2 * stats.poisson.logpmf(n, 50 * (2 + theta[:, 0] + theta[:, 0] ** 2))
    found = likelihood.function(data)(theta)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-8)


def test_the_histogram_fit_is_a_product_of_poissons():
    edges = [[-1.0, -0.4, 0.2, 1.0], [-1.0, 0.0, 1.0]]
    binning = Binning.of_edges(edges)
    likelihood = histogram_likelihood(SIMULATION, [0, 1], binning, 300.0)
    x = SQUARED.draw([0.2, 0.1])(np.random.default_rng(4), 620)
    counts = np.histogram2d(*x.T, bins=edges)[0]
    total = np.zeros(len(POINTS))
    for i, theta in enumerate(POINTS):
        nu = np.histogram2d(*SIMULATION.x.T, bins=edges, weights=300 * SIMULATION.at(theta))[0]
        total[i] = -2 * stats.poisson.logpmf(counts, nu).sum()
    found = likelihood.function(observed(x))(POINTS)
    np.testing.assert_allclose(found - found[0], total - total[0], atol=1e-8)


def test_without_rate_it_is_multinomial():
    binning = Binning.of_edges([[-1.0, 0.0, 1.0]])
    likelihood = histogram_likelihood(SIMULATION, [0], binning, 300.0, rate=False)
    assert likelihood.rate is None
    x = np.array([[-0.5, 0.0]] * 30 + [[0.5, 0.0]] * 50)
    upper = [
        SIMULATION.at(t)[SIMULATION.x[:, 0] > 0].sum() / SIMULATION.at(t).sum() for t in POINTS
    ]
    expected = -2 * stats.binom.logpmf(50, 80, upper)
    found = likelihood.function(observed(x))(POINTS)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-8)


def test_events_where_nothing_is_expected():
    binning = Binning.of_edges([[-1.0, 1.0, 2.0]])
    likelihood = histogram_likelihood(SIMULATION, [0], binning, 300.0)
    with pytest.raises(FitError, match="1 of 2 bins have events where the simulation expects none"):
        likelihood.function(observed([[1.5, 0.0]]))(POINTS)


def test_finer_histograms_come_to_the_unbinned_likelihood():
    simulation = SQUARED.lattice(90)
    data = asimov(simulation, [0.1, 0.0], 500.0)
    rate = Rate(SQUARED.cross_section, 500.0)
    exact = Likelihood(PARAMETERS, Unbinned(SQUARED.log_ratio), rate).function(data)(POINTS)
    distance = []
    for n in (2, 6, 18):
        edges = [np.linspace(-1, 1, n + 1)] * 2
        binned = histogram_likelihood(simulation, [0, 1], Binning.of_edges(edges), 500.0)
        found = binned.function(data)(POINTS)
        distance.append(abs((found - found[0]) - (exact - exact[0]))[1])
    assert distance[0] > 3 * distance[1] > 6 * distance[2]
    assert distance[2] < 0.02 * (exact - exact[0])[1]


def test_asimov_data_have_their_truth_as_best_fit():
    truth, simulation = [0.15, -0.1], SQUARED.lattice(50)
    data = asimov(simulation, truth, 2000.0)
    assert data.n_events == pytest.approx(2000 * SQUARED.cross_section(truth), rel=1e-3)
    likelihood = Likelihood(PARAMETERS, Unbinned(SQUARED.log_ratio), rate_of(simulation, 2000.0))
    fit = limits("exact", likelihood, data, Grid.over(PARAMETERS, 17)).fit
    np.testing.assert_allclose(fit.bestfit, truth, atol=1e-3)


@pytest.mark.parametrize("kind", ["sally", "sallino"])
def test_the_local_model_of_the_score(kind):
    data = asimov(SIMULATION, [0.0, 0.0], 500.0)
    shape = score_shape(SQUARED.score, SIMULATION, np.zeros(2), kind=kind)
    found = on_grid(Likelihood(PARAMETERS, shape).function(data), Grid.over(PARAMETERS, 9))
    np.testing.assert_allclose(found.best.theta[0], 0.0, atol=0.02)
    # Curvature: L sigma E[t t^T] = 500 x 2 x 4/3; the histogram loses little of it.
    inner = on_grid(
        Likelihood(PARAMETERS, shape).function(data),
        Grid.over([Parameter("a", -0.1, 0.1), Parameter("b", -0.1, 0.1)], 5),
    )
    curvature = np.array(inner.delta)[[0, -1, 2, 2], [2, 2, 0, -1]] / 0.1**2
    np.testing.assert_allclose(curvature, 500 * 2 * 4 / 3, rtol=0.12)


def test_a_local_model_of_another_kind():
    with pytest.raises(InputError, match="'sally' or 'sallino'; 'alice' is neither"):
        score_shape(SQUARED.score, SIMULATION, np.zeros(2), kind="alice")


def test_a_bin_of_the_score_without_expectation():
    def none_above(theta):
        found = SQUARED.coefficients(theta)
        return found if not np.any(theta) else found * 0.0

    empty = Simulation(PARAMETERS, SIMULATION.x, SIMULATION.weights, none_above, SQUARED.gradient)
    shape = score_shape(SQUARED.score, empty, np.zeros(2), kind="sallino")
    with pytest.raises(FitError, match="a bin of the score has no expectation at"):
        shape.on(SIMULATION.x[:3], np.ones((1, 3)))(POINTS)


def with_nuisance(size=0.1):
    linear = np.full((len(SIMULATION), 1), np.log1p(size))
    response = Response(linear, np.zeros_like(linear))
    parameters = (*PARAMETERS, Parameter("norm", -5.0, 5.0))
    return Simulation(
        parameters,
        SIMULATION.x,
        SIMULATION.weights,
        SQUARED.coefficients,
        SQUARED.gradient,
        response,
    )


def test_weights_with_nuisance_parameters():
    simulation = with_nuisance()
    theta = np.array([0.2, 0.1, 1.0])
    np.testing.assert_allclose(simulation.at(theta), 1.1 * SIMULATION.at(theta[:2]))
    np.testing.assert_allclose(simulation.at(theta[:2]), SIMULATION.at(theta[:2]))
    np.testing.assert_allclose(
        simulation.cross_section(np.stack([theta, -theta])),
        SIMULATION.cross_section(np.array([theta[:2], -theta[:2]])) * [1.1, 1 / 1.1],
    )
    step = 1e-6
    for i, one in enumerate(np.eye(3)):
        slope = (simulation.at(theta + step * one) - simulation.at(theta - step * one)) / (2 * step)
        np.testing.assert_allclose(simulation.derivative(theta)[:, i], slope, atol=1e-9)
    with pytest.raises(InputError, match="has 1 values; expected 3: a, b, norm"):
        simulation.at([0.1])


def test_contents_of_bins_are_sums_of_the_weights_of_events():
    rng = np.random.default_rng(3)
    linear = np.stack([np.full(len(SIMULATION), 0.1), rng.normal(0, 0.2, len(SIMULATION))], axis=1)
    response = Response(linear, 0.1 * linear)
    parameters = (*PARAMETERS, Parameter("norm", -5, 5), Parameter("shape", -5, 5))
    simulation = replace(SIMULATION, parameters=parameters, response=response)
    binning = Binning.of_edges([[-1.0, 0.0, 1.0]])
    shape = Binned.of(simulation, binning, lambda x: x[:, :1])
    nu = np.array([[0, 0], [1, 0], [0, 1], [-2, 1], [0.5, -1]])
    theta = np.concatenate([rng.uniform(-0.3, 0.3, (5, 2)), nu], axis=1)
    each = [simulation.at(one) for one in theta]
    binned = [np.bincount(shape.index, one, binning.size) for one in each]
    np.testing.assert_allclose(shape.expected(theta), binned, rtol=1e-12)
    totals = np.sum(each, axis=1)
    np.testing.assert_allclose(simulation.cross_section(theta), totals, rtol=1e-12)
    both = simulation.cross_section(theta[:4].reshape(2, 2, 4))
    np.testing.assert_allclose(both, totals[:4].reshape(2, 2), rtol=1e-12)


def test_a_normalisation_uncertainty_widens_what_the_rate_tells():
    # Counting only, in one parameter: the variance is that of the counts and of the norm.
    simulation = with_nuisance(0.02)
    binning = Binning.of_edges([[-1.0, 0.0, 1.0]])
    luminosity = 5000.0
    data = asimov(simulation, [0.0, 0.3], luminosity)
    likelihood = histogram_likelihood(simulation, [0], binning, luminosity)
    assert likelihood.constraints == {"norm": (0.0, 1.0)}
    narrow = [Parameter("a", -0.15, 0.15), Parameter("b", 0.0, 0.6)]
    plain = histogram_likelihood(SIMULATION, [0], binning, luminosity)
    with_it = limits("histogram", likelihood, data, Grid.over(narrow, 9))
    without = limits("histogram", plain, data, Grid.over(narrow, 9))
    assert with_it.fit.labels == ("a", "b", "norm")
    assert with_it.fit.value("norm")[0] == pytest.approx(0.0, abs=0.02)
    assert with_it.fit.value("norm")[1] == pytest.approx(1.0, rel=0.05)
    slope = luminosity * SIMULATION.derivative([0.0, 0.3])[:, 1].sum()
    n = data.n_events
    sizes = {"plain": n, "norm": n + (np.log(1.02) * n) ** 2}
    for fit, size in ((without.fit, sizes["plain"]), (with_it.fit, sizes["norm"])):
        assert fit.value("b")[1] == pytest.approx(np.sqrt(size) / slope, rel=0.1)
    assert with_it.regions[0].degrees_of_freedom == 2


def test_constraints_come_last():
    with pytest.raises(InputError, match="constraint is on 'c', which is no parameter"):
        Likelihood(PARAMETERS, rate=Rate(SQUARED.cross_section, 1.0), constraints={"c": (0, 1)})
    with pytest.raises(InputError, match="constrained parameters come after the others"):
        Likelihood(PARAMETERS, rate=Rate(SQUARED.cross_section, 1.0), constraints={"a": (0, 1)})
    with pytest.raises(InputError, match=r"densities \(shape\), their number \(rate\)"):
        Likelihood(PARAMETERS)


def test_ratios_and_rates_that_are_unusable():
    data = asimov(SIMULATION, [0.0, 0.0], 10.0)
    flat = Unbinned(lambda x, theta: np.zeros(len(x)))
    with pytest.raises(InputError, match=r"log ratio has shape \(6000,\)"):
        Likelihood(PARAMETERS, flat).function(data)(POINTS)
    bad = Unbinned(lambda x, theta: np.full((len(theta), len(x)), np.nan))
    with pytest.raises(FitError, match=r"not finite for 6000 of 6000 events at \(0, 0\)"):
        Likelihood(PARAMETERS, bad).function(data)(POINTS)
    negative = Likelihood(PARAMETERS, rate=Rate(lambda theta: theta[:, 0], 1.0))
    with pytest.raises(FitError, match=r"expected number of events at \(-0.5, 0.4\) is -0.5"):
        negative.function(data)(POINTS)


def test_data_that_are_unusable():
    with pytest.raises(InputError, match="1 of 2 observed events have an observable that is not"):
        observed([[0.0, np.nan], [1.0, 1.0]])
    with pytest.raises(InputError, match="0 events are expected at"):
        asimov(SIMULATION, [0.0, 0.0], 0.0)
    wrong = Simulation(
        PARAMETERS, SIMULATION.x, -SIMULATION.weights, SQUARED.coefficients, SQUARED.gradient
    )
    with pytest.raises(InputError, match="add up to -2 pb"):
        wrong.probabilities([0.0, 0.0])
    weights = SIMULATION.weights.copy()
    weights[:100] *= -1
    mixed = Simulation(PARAMETERS, SIMULATION.x, weights, SQUARED.coefficients, SQUARED.gradient)
    with pytest.raises(InputError, match="100 of 6000 simulated events have a negative weight"):
        mixed.probabilities([0.0, 0.0])


def test_binned_contents_are_those_of_the_benchmarks():
    shape = Binned.of(SIMULATION, Binning.of_edges([[-1.0, 0.0, 1.0]]), lambda x: x[:, :1])
    found = shape.expected(POINTS)
    np.testing.assert_allclose(found.sum(axis=1), SIMULATION.cross_section(POINTS))
