from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood import (
    Grid,
    Likelihood,
    Unbinned,
    adaptive,
    limits,
    observed,
    on_grid,
    p_value,
    region,
    rise,
    zoomed,
)
from hepflow.inference.likelihood.minima import lowest, minima
from hepflow.inference.likelihood.profiling import interval, parts
from hepflow.inference.likelihood.profiling import profiled as profile
from hepflow.inference.records import Parameter
from tests.unit.inference.likelihood.sbi_models import GAUSSIAN, PARAMETERS

ONE = 0.6826894921370859


def quadratic(centre, covariance):
    inverse = np.linalg.inv(covariance)

    def function(theta):
        away = theta - centre
        return np.einsum("mi,ij,mj->m", away, inverse, away) + 7.0

    return function


COVARIANCE = np.array([[0.04, 0.01], [0.01, 0.02]])
CENTRE = np.array([0.13, -0.07])
FUNCTION = quadratic(CENTRE, COVARIANCE)


@pytest.mark.parametrize("degrees", [1, 2, 3])
@pytest.mark.parametrize("level", [0.5, ONE, 0.95])
def test_rises_are_quantiles(level, degrees):
    assert rise(level, degrees) == pytest.approx(stats.chi2.ppf(level, degrees))
    assert float(p_value(rise(level, degrees), degrees)) == pytest.approx(1 - level)


def test_two_parameters_are_not_one():
    assert rise(ONE, 2) == pytest.approx(2.30, abs=0.01)
    assert float(p_value(2.30, 2)) == pytest.approx(0.317, abs=1e-3)
    assert float(p_value(1.0, 2)) == pytest.approx(0.607, abs=1e-3)


@pytest.mark.parametrize("level", [0.0, 1.0, 68.0])
def test_a_level_that_is_none(level):
    with pytest.raises(InputError, match="between 0 and 1"):
        rise(level, 1)


def test_the_minimum_lies_between_the_points():
    surface = on_grid(FUNCTION, Grid.over(PARAMETERS, 25))
    np.testing.assert_allclose(surface.best.theta[0], CENTRE, atol=1e-8)
    np.testing.assert_allclose(surface.best.covariance[0], COVARIANCE, rtol=1e-6)
    assert surface.minimum == pytest.approx(7.0)
    assert surface.evaluated == 625


def test_a_minimum_beyond_the_range_stays_at_its_end():
    function = quadratic([1.7, 0.2], COVARIANCE)
    best = on_grid(function, Grid.over(PARAMETERS, 9)).best
    # At a = 1 the other one goes along: b = 0.2 - 0.7 C_ab / C_aa.
    np.testing.assert_allclose(best.theta[0], [1.0, 0.2 - 0.7 * 0.25], atol=1e-6)
    assert best.at_bound.tolist() == [[1.0, 0.0]]
    assert best.converged


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-0.95, 0.95), st.floats(0.05, 0.5))
@settings(max_examples=40, deadline=None)
def test_minima_of_parabolas_are_exact(x, y, correlation, width):
    covariance = np.array([[1.0, correlation * 0.3], [correlation * 0.3, 0.09]]) * width**2
    surface = on_grid(quadratic([x, y], covariance), Grid.over(PARAMETERS, 9))
    np.testing.assert_allclose(surface.best.theta[0], [x, y], atol=1e-5)


def test_minima_with_noise():
    rng = np.random.default_rng(5)

    def noisy(theta):
        return FUNCTION(theta) + 1e-4 * rng.standard_normal(len(theta))

    surface = on_grid(noisy, Grid.over(PARAMETERS, 25))
    np.testing.assert_allclose(surface.best.theta[0], CENTRE, atol=0.02)
    np.testing.assert_allclose(surface.best.covariance[0], COVARIANCE, rtol=0.02)


def test_one_parameter_is_held():
    found = minima(
        FUNCTION,
        np.array([[0.5, 0.0], [-0.2, 0.0]]),
        np.full(2, 0.1),
        np.array([[-1] * 2, [1] * 2]),
        [1],
    )
    away = np.array([0.5, -0.2]) - CENTRE[0]
    np.testing.assert_allclose(found.theta[:, 0], [0.5, -0.2])
    np.testing.assert_allclose(found.theta[:, 1], CENTRE[1] + 0.25 * away, atol=1e-6)
    np.testing.assert_allclose(found.value - 7.0, away**2 / 0.04)


def test_a_value_that_is_not_finite_is_named():
    def broken(theta):
        return np.where(theta[:, 0] > 0.9, np.nan, FUNCTION(theta))

    with pytest.raises(FitError, match=r"not finite at \(1, -0.8\)"):
        on_grid(broken, Grid.over(PARAMETERS, 5))


def test_grids_need_points():
    with pytest.raises(InputError, match="at least 4"):
        Grid.over(PARAMETERS, 3)
    with pytest.raises(InputError, match=r"\[5\] points for 2 parameters"):
        Grid.over(PARAMETERS, [5])


def test_an_adaptive_grid_finds_the_same_with_fewer_points():
    surface = adaptive(FUNCTION, PARAMETERS)
    assert surface.stable
    assert surface.evaluated < 300
    for level in (ONE, 0.95):
        found = region(surface, level)
        expected = np.pi * rise(level, 2) * np.sqrt(np.linalg.det(COVARIANCE))
        assert found.area == pytest.approx(expected, rel=0.01)


def test_an_adaptive_grid_refines_where_it_must():
    def narrow(theta):  # a crescent, a hundredth of the range wide
        x, y = theta.T
        return ((y - 0.6 * x**2) / 0.02) ** 2 + (x / 0.3) ** 2

    surface = adaptive(narrow, PARAMETERS, tolerance=0.02)
    assert surface.stable
    ends = np.array([[one.low, one.high] for one in PARAMETERS])
    assert surface.evaluated < 0.4 * np.prod(np.ptp(ends, axis=1) / surface.grid.steps)
    # The tips were beyond the first grid that was fine enough.
    reach = 0.3 * np.sqrt(rise(0.95, 2))
    assert region(surface, 0.95).ends[0] == pytest.approx((-reach, reach), rel=2e-3)
    # The map (x, y) -> (x, y - 0.6 x^2) keeps areas.
    assert region(surface, ONE).area == pytest.approx(np.pi * 2.2957 * 0.02 * 0.3, rel=0.02)


def test_a_border_that_moves_to_the_end_is_said():
    def ragged(theta):
        return FUNCTION(theta) + 0.6 * np.sin(400.0 * theta[:, 0])

    surface = adaptive(ragged, PARAMETERS, tolerance=1e-3, finest=33)
    assert not surface.stable


def test_one_parameter_adaptively():
    one = (PARAMETERS[0],)
    surface = adaptive(lambda theta: (theta[:, 0] / 0.1) ** 2, one)
    assert region(surface, ONE).ends[0] == pytest.approx((-0.1, 0.1), rel=1e-3)
    assert region(surface, 0.95).area == pytest.approx(2 * 0.196, rel=0.02)


def test_three_parameters_have_no_adaptive_grid():
    three = (*PARAMETERS, Parameter("c", -1, 1))
    with pytest.raises(InputError, match="one or two parameters, not 3"):
        adaptive(FUNCTION, three)


def test_regions_are_ellipses_with_their_ends():
    surface = on_grid(FUNCTION, Grid.over(PARAMETERS, 25))
    found = region(surface, ONE)
    assert (found.degrees_of_freedom, found.calculator, found.closed) == (2, "asymptotic", True)
    assert found.p_value == pytest.approx(0.3173, abs=1e-4)
    assert found.units == ("1/TeV$^2$", "1/TeV$^2$")
    for i, (low, high) in enumerate(found.ends):
        half = np.sqrt(rise(ONE, 2) * COVARIANCE[i, i])
        assert (low, high) == pytest.approx((CENTRE[i] - half, CENTRE[i] + half), abs=1e-3)
    half_of_range = replace(PARAMETERS[0], high=0.2)
    cut = region(on_grid(FUNCTION, Grid.over((half_of_range, PARAMETERS[1]), 25)), ONE)
    assert cut.ends[0][1] is None
    assert not cut.closed


def test_a_constant_critical_value_is_the_asymptotic_region():
    surface = on_grid(FUNCTION, Grid.over(PARAMETERS, 25))
    plain, toys = region(surface, 0.95), region(surface, 0.95, np.full((25, 25), rise(0.95, 2)))
    assert toys.area == pytest.approx(plain.area)
    assert (toys.calculator, toys.rise, len(toys.critical)) == ("neyman", None, 625)


def test_profiles_are_marginal_widths():
    surface = on_grid(FUNCTION, Grid.over(PARAMETERS, 15))
    for i, name in enumerate("ab"):
        curve = profile(FUNCTION, surface, i)
        np.testing.assert_allclose(
            curve[1], (curve[0] - CENTRE[i]) ** 2 / COVARIANCE[i, i], atol=1e-6
        )
        found = interval(name, curve, ONE)
        width = np.sqrt(COVARIANCE[i, i])
        assert (found.low, found.high) == pytest.approx(
            (CENTRE[i] - width, CENTRE[i] + width), abs=1e-3
        )


def test_an_interval_that_leaves_the_range_has_no_end():
    values = np.linspace(-1, 1, 21)
    found = interval("a", np.stack([values, ((values - 0.9) / 0.3) ** 2]), ONE)
    assert found.high is None
    assert found.low == pytest.approx(0.6, abs=1e-6)


def test_many_minima_at_once():
    rng = np.random.default_rng(3)
    centres = rng.uniform(-0.7, 0.7, (50, 2))
    grid = Grid.over(PARAMETERS, 17)
    values = np.stack(
        [quadratic(one, COVARIANCE)(grid.points).reshape(grid.shape) for one in centres]
    )
    theta, value = lowest(values, grid.axes)
    np.testing.assert_allclose(theta, centres, atol=1e-9)
    np.testing.assert_allclose(value, 7.0)


def events(n=400, seed=2):
    return observed(GAUSSIAN.draw([0.2, -0.1])(np.random.default_rng(seed), n))


def test_limits_of_gaussian_events_are_exact():
    data = events()
    likelihood = Likelihood(PARAMETERS, Unbinned(GAUSSIAN.log_ratio))
    found = limits("exact", likelihood, data)
    covariance = GAUSSIAN.covariance / 400
    np.testing.assert_allclose(found.fit.bestfit, data.x.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.fit.uncertainty, np.sqrt(np.diag(covariance)), rtol=1e-4)
    assert found.fit.correlation[0, 1] == pytest.approx(1 / np.sqrt(8), rel=1e-3)
    assert found.fit.converged
    assert found.fit.notes == ()
    assert [one.parameter for one in found.fit.intervals] == ["a", "a", "b", "b"]
    slices = {one.parameters[0]: one.intervals[0] for one in found.slices}
    width = 1 / np.sqrt(np.linalg.inv(covariance)[0, 0])
    assert slices["a"].high - slices["a"].low == pytest.approx(2 * width, rel=1e-3)
    assert [scan.model.get("other_parameters") for scan in found.scans] == [
        None, "profiled", "profiled", "held", "held"
    ]  # fmt: skip


def test_limits_survive_json():
    found = limits("exact", Likelihood(PARAMETERS, Unbinned(GAUSSIAN.log_ratio)), events())
    again = type(found).from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.regions == found.regions


@given(st.permutations([0, 1]), st.integers(0, 20))
@settings(max_examples=5, deadline=None)
def test_relabelling_parameters_permutes_results(order, seed):
    data = events(seed=seed)
    plain = limits(
        "x", Likelihood(PARAMETERS, Unbinned(GAUSSIAN.log_ratio)), data, Grid.over(PARAMETERS, 11)
    )
    parameters = tuple(PARAMETERS[i] for i in order)
    back = np.argsort(order)

    def log_ratio(x, theta):
        return GAUSSIAN.log_ratio(x, theta[:, back])

    other = limits(
        "x", Likelihood(parameters, Unbinned(log_ratio)), data, Grid.over(parameters, 11)
    )
    np.testing.assert_allclose(other.fit.bestfit, plain.fit.bestfit[order], atol=1e-6)
    shape = np.reshape(plain.scan.delta, (11, 11)).transpose(order)
    np.testing.assert_allclose(np.reshape(other.scan.delta, (11, 11)), shape, atol=1e-6)
    for one, two in zip(plain.regions, other.regions, strict=True):
        assert two.area == pytest.approx(one.area, rel=1e-6)


@pytest.mark.parametrize("centre", [[0.3, -0.2], [0.999, 0.0], [-1.0, -0.8]])
def test_narrow_regions_are_found_in_wide_ranges(centre):
    covariance = np.array([[0.9, 0.43], [0.43, 0.25]]) * 1e-4  # correlation 0.91
    surface = zoomed(quadratic(centre, covariance), PARAMETERS)
    widths = np.sqrt(rise(0.95, 2) * np.diag(covariance))
    low, high = surface.grid.bounds
    assert (low <= np.maximum(centre - widths, [-1.0, -0.8])).all()
    assert (high >= np.minimum(centre + widths, [1.0, 0.8])).all()
    assert (high - low < 6.0 * widths).all()
    assert surface.evaluated < 1000


def test_an_interval_of_several_parts_is_noted():
    curve = np.stack([np.linspace(-1, 1, 41), 30 * (np.linspace(-1, 1, 41) ** 2 - 0.4) ** 2])
    assert parts(curve, 0.68) == 2
    assert parts(curve, 0.9999) == 1


def test_a_number_of_points_is_put_where_the_regions_are():
    data = events(10_000)
    likelihood = Likelihood(PARAMETERS, Unbinned(GAUSSIAN.log_ratio))
    found = limits("exact", likelihood, data, 25)
    assert len(found.scan.delta) == 625
    assert found.fit.notes == ()
    assert found.regions[1].area == pytest.approx(
        np.pi * rise(0.95, 2) * np.sqrt(7.0) / 10_000, rel=0.01
    )
    wide = limits("exact", likelihood, events(10_000), Grid.over(PARAMETERS, 9))
    assert wide.fit.notes[0].startswith("the grid is wider than the uncertainty of a, b")


def test_three_parameters_are_profiled():
    covariance = np.diag([0.01, 0.02, 0.03]) + 0.005
    three = (*PARAMETERS, Parameter("c", -1.0, 1.0))
    function = quadratic([0.1, 0.0, -0.1], covariance)

    class Known:
        def on(self, x, counts):
            return lambda theta: -0.5 * function(theta)[None, :]

    found = limits("exact", Likelihood(three, Known()), observed(np.zeros((1, 1))))
    assert found.scan is None
    np.testing.assert_allclose(found.fit.bestfit, [0.1, 0.0, -0.1], atol=1e-6)
    for i, scan in enumerate(found.profiles):
        one = scan.intervals[0]
        assert one.high - one.low == pytest.approx(2 * np.sqrt(covariance[i, i]), rel=1e-3)
    assert found.regions[0].degrees_of_freedom == 3


def test_what_a_reader_must_know_is_noted():
    function = quadratic([1.7, 0.2], COVARIANCE)

    class Known:
        def on(self, x, counts):
            return lambda theta: -0.5 * function(theta)[None, :]

    found = limits("exact", Likelihood(PARAMETERS, Known()), observed(np.zeros((1, 1))), 9)
    assert found.fit.notes[0] == "a at the end of the range: widen it"

    class Flat:
        def on(self, x, counts):
            return lambda theta: 0.0 * theta[:, 0][None, :]

    flat = limits("exact", Likelihood(PARAMETERS, Flat()), observed(np.zeros((1, 1))), 9)
    assert not flat.fit.converged
    assert any("not curved upwards" in note for note in flat.fit.notes)
    assert not flat.regions[0].closed
