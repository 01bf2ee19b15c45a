from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hepflow.errors import InputError
from hepflow.inference.likelihood import (
    Grid,
    Likelihood,
    Rate,
    Unbinned,
    asimov,
    coverage,
    critical_values,
    fresh,
    limits,
    on_scan,
    resampled,
    rise,
    statistics,
)
from hepflow.inference.likelihood.neyman import events_at, quantile
from hepflow.inference.records import Parameter
from hepflow.records.sbi import Coverage, Critical
from tests.unit.inference.likelihood.sbi_models import GAUSSIAN, PARAMETERS, SQUARED

ONE = 0.6826894921370859
TOYS = 300
TRUTH = np.array([0.2, -0.1])
# Fixed before anything was looked at: of the toys to count, of the Neyman construction.
SEED, OTHER = 20240, 20241
POOL = SQUARED.simulation(20_000)
LUMINOSITY = 100.0
EXACT = Likelihood(PARAMETERS, Unbinned(SQUARED.log_ratio), Rate(SQUARED.cross_section, LUMINOSITY))


def overconfident(x, theta):
    """Ratio of an estimator that sees twice the information that there is."""
    return 2.0 * SQUARED.log_ratio(x, theta)


def expected(theta=TRUTH):
    return LUMINOSITY * float(SQUARED.cross_section(theta))


def test_the_statistic_of_gaussian_toys_is_chi_squared():
    rng = np.random.default_rng(SEED)
    toys = fresh(GAUSSIAN.draw(TRUTH), 400, TOYS, rng)
    likelihood = Likelihood(PARAMETERS, Unbinned(GAUSSIAN.log_ratio))
    found = statistics(likelihood, toys, TRUTH, Grid.over(PARAMETERS, 17))
    sizes = toys.counts.sum(axis=1)
    means = (toys.counts @ toys.x) / sizes[:, None]
    inverse = np.linalg.inv(GAUSSIAN.covariance)
    exact = sizes * np.einsum("ni,ij,nj->n", means - TRUTH, inverse, means - TRUTH)
    np.testing.assert_allclose(found, exact, atol=1e-6)
    assert stats.kstest(found, stats.chi2(2).cdf).pvalue > 0.01


def test_asymptotic_regions_cover():
    rng = np.random.default_rng(SEED)
    toys = fresh(GAUSSIAN.draw(TRUTH), 400, TOYS, rng)
    likelihood = Likelihood(PARAMETERS, Unbinned(GAUSSIAN.log_ratio))
    grid = Grid.over(PARAMETERS, 17)
    found = coverage(likelihood, toys, TRUTH, grid, method="exact", seed=SEED)
    assert [one.confidence_level for one in found] == pytest.approx([ONE, 0.95])
    for one in found:
        assert (one.toys, one.calculator) == (TOYS, "asymptotic")
        assert abs(one.pull) <= 3.0


@pytest.mark.parametrize("ratio", [SQUARED.log_ratio, overconfident])
def test_regions_of_toys_cover_whatever_the_estimator(ratio):
    grid = Grid.over(PARAMETERS, 17)
    likelihood = replace(EXACT, shape=Unbinned(ratio))
    toys = fresh(SQUARED.draw(TRUTH), expected(), TOYS, np.random.default_rng(SEED))
    critical = critical_values(likelihood, POOL, [TRUTH], grid, n_toys=1000, seed=OTHER)
    found = coverage(likelihood, toys, TRUTH, grid, critical, method="x", seed=SEED)
    asymptotic = [one for one in found if one.calculator == "asymptotic"]
    neyman = [one for one in found if one.calculator == "neyman"]
    assert len(asymptotic) == len(neyman) == 2
    for one in neyman:
        assert abs(one.pull) <= 3.0
    for one in asymptotic:
        assert (abs(one.pull) <= 3.0) == (ratio == SQUARED.log_ratio)


def test_critical_values_come_to_those_of_chi_squared():
    grid = Grid.over(PARAMETERS, 17)
    for one in critical_values(EXACT, POOL, [TRUTH, [0.0, 0.0]], grid, n_toys=800, seed=3):
        assert one.effective > 15_000
        for value, low, high in zip(one.value, one.low, one.high, strict=True):
            assert low < value < high
            assert abs(value - rise(one.confidence_level, 2)) < 4 * (high - low)


def test_points_have_their_own_random_numbers():
    grid = Grid.over(PARAMETERS, 9)
    one, two = (
        critical_values(EXACT, POOL, points, grid, n_toys=50, levels=[0.5], seed=3)[0]
        for points in ([TRUTH, TRUTH], [TRUTH])
    )
    assert one.value[0] == two.value[0] != one.value[1]


def test_a_region_of_the_neyman_construction_is_larger_where_it_must_be():
    coarse, grid = Grid.over(PARAMETERS, 4), Grid.over(PARAMETERS, 13)
    likelihood = replace(EXACT, shape=Unbinned(overconfident))
    critical = critical_values(
        likelihood, POOL, coarse.points, grid, n_toys=30, levels=[0.8], seed=1
    )
    on_grid = {one.confidence_level: on_scan(one, coarse, grid) for one in critical}
    assert on_grid[0.8].shape == (13, 13)
    np.testing.assert_allclose(on_grid[0.8][0, 0], critical[0].value[0])
    data = asimov(SQUARED.lattice(40), TRUTH, LUMINOSITY)
    found = limits("x", likelihood, data, grid, levels=[0.8], critical=on_grid)
    asymptotic, neyman = found.regions
    assert (asymptotic.calculator, neyman.calculator) == ("asymptotic", "neyman")
    assert neyman.area > asymptotic.area
    assert type(found).from_json(found.to_json()).regions == found.regions


def test_toys_that_cannot_be_had():
    grid = Grid.over(PARAMETERS, 9)
    with pytest.raises(InputError, match=r"10 toys cannot tell a level of 95 %\. Use 200 or more"):
        critical_values(EXACT, POOL, [TRUTH], grid, n_toys=10)
    with pytest.raises(InputError, match=r"9 toys cannot tell a level of 90 %\. Use 100 or more"):
        critical_values(EXACT, POOL, [TRUTH], grid, n_toys=9, levels=[0.9])
    (enough,) = critical_values(EXACT, POOL, [TRUTH], grid, n_toys=10, levels=[0.9])
    assert enough.toys == 10
    shape = Likelihood(PARAMETERS, Unbinned(SQUARED.log_ratio))
    with pytest.raises(InputError, match="without rate need a number of events"):
        critical_values(shape, POOL, [TRUTH], grid)
    assert events_at(shape, TRUTH, 12.0) == 12.0
    with pytest.raises(InputError, match="5 toys with 0 events each cannot be drawn"):
        resampled(POOL, TRUTH, 0.0, 5, np.random.default_rng(1))


def test_toys_are_drawn_with_the_weights():
    toys = resampled(POOL, TRUTH, 200.0, 500, np.random.default_rng(2), fluctuate=False)
    assert set(toys.counts.sum(axis=1)) == {200.0}
    drawn = np.asarray(toys.counts.sum(axis=0)).ravel() @ toys.x / 100_000
    mean = 2 * TRUTH / 3 / (1 + TRUTH @ TRUTH / 3)
    np.testing.assert_allclose(drawn, mean, atol=0.015)
    varied = resampled(POOL, TRUTH, 200.0, 500, np.random.default_rng(2)).counts.sum(axis=1)
    assert np.var(varied) == pytest.approx(200, rel=0.3)


def test_the_same_seed_gives_the_same_toys():
    one, two = (resampled(POOL, TRUTH, 20.0, 5, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    assert (one.counts != two.counts).nnz == 0


def test_quantiles_with_their_uncertainty():
    rng = np.random.default_rng(6)
    found = np.array([quantile(np.sort(rng.chisquare(2, 400)), ONE) for _ in range(300)])
    assert found[:, 0].mean() == pytest.approx(rise(ONE, 2), rel=0.02)
    assert (found[:, 2] - found[:, 1]).mean() / 2 == pytest.approx(found[:, 0].std(), rel=0.2)


def test_records_survive_json():
    (critical,) = critical_values(
        EXACT, POOL, [TRUTH], Grid.over(PARAMETERS, 9), n_toys=20, levels=[0.5], seed=1
    )
    assert Critical.from_json(critical.to_json()) == critical
    one = Coverage("alices", "neyman", (0.1, 0.2), 0.95, 280, 300, 7, {"rate": True})
    assert Coverage.from_json(one.to_json()) == one
    assert one.fraction == pytest.approx(280 / 300)
    assert one.uncertainty == pytest.approx(np.sqrt(0.95 * 0.05 / 300))
    assert one.pull == pytest.approx((280 / 300 - 0.95) / one.uncertainty)


def test_quantiles_of_few_toys_cover_on_average():
    rng = np.random.default_rng(12)
    toys = np.sort(rng.random((4000, 100)), axis=1)
    covered = [quantile(one, 0.95)[0] for one in toys]  # of a flat statistic
    assert np.mean(covered) == pytest.approx(0.95, abs=0.0015)


def test_critical_values_beyond_the_coarse_grid_are_those_at_its_border():
    line = (Parameter("a", -1.0, 1.0),)
    coarse = Grid(line, (np.linspace(-0.5, 0.5, 5),))
    fine = Grid(line, (np.linspace(-1.0, 1.0, 9),))
    values = (4.0, 3.0, 3.5, 3.0, 4.2)
    one = Critical(("a",), tuple(map(tuple, coarse.points)), 0.95, values, values, values, 9, 1, 0)
    found = on_scan(one, coarse, fine)
    np.testing.assert_allclose(found[[0, 1, 2]], 4.0)
    np.testing.assert_allclose(found[[6, 7, 8]], 4.2)
