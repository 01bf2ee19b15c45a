import numpy as np
import pytest

from hepflow.inference.likelihood import (
    Grid,
    Likelihood,
    Unbinned,
    adaptive,
    limits,
    observed,
    region,
    rise,
)
from hepflow.inference.likelihood.regions import LEVELS
from tests.unit.inference.likelihood.sbi_models import PARAMETERS


def round_well(centre, width):
    """-2 ln L of a normal distribution."""
    return lambda theta: (((theta - np.asarray(centre)) / width) ** 2).sum(axis=1)


def test_two_separate_regions_stay_in_view():
    def twice(theta):
        near = [round_well([c, 0.0], 0.1)(theta) for c in (-0.5, 0.5)]
        return np.minimum(*near)

    surface = adaptive(twice, PARAMETERS)
    found = region(surface, 0.95)
    reach = 0.1 * np.sqrt(rise(0.95, 2))
    assert found.ends[0] == pytest.approx((-0.5 - reach, 0.5 + reach), abs=0.01)
    assert found.area == pytest.approx(2 * np.pi * reach**2, rel=0.03)


def narrow_pair(theta):
    """Two narrow minima of which no point of a coarse grid is near."""
    one, two = (round_well(centre, 0.01)(theta) for centre in ([0.313, 0.222], [-0.41, 0.1]))
    return np.minimum(one, two + 0.3)


def double_well(theta):
    """A sign that only a small linear term tells."""
    a, b = theta.T
    return 2.5e5 * (a**2 - 0.1) ** 2 + (b / 0.02) ** 2 + 0.2 * a


@pytest.mark.parametrize("function", [narrow_pair, double_well])
def test_a_second_narrow_region_is_not_lost(function):
    surface = adaptive(function, PARAMETERS)
    fine = Grid(PARAMETERS, tuple(np.linspace(a[0], a[-1], 1201) for a in surface.grid.axes))
    values = function(fine.points)
    for level in LEVELS:
        inside = values - surface.minimum <= rise(level, 2)
        found = region(surface, level)
        assert found.area == pytest.approx(inside.sum() * fine.steps.prod(), rel=0.02)
        ends = fine.points[inside]
        np.testing.assert_allclose(found.ends, np.stack([ends.min(0), ends.max(0)], 1), atol=2e-3)
    assert surface.evaluated < 4000


def test_a_flat_minimum_does_not_hinder_borders_from_resting():
    def banana(theta):  # quartic along a bent valley
        a, b = theta.T
        return ((b + 2.0 * a**2) / 0.05) ** 2 + (a / 0.3) ** 4

    surface = adaptive(banana, PARAMETERS)
    assert surface.stable
    fine = Grid.over(PARAMETERS, 1201)
    inside = banana(fine.points) <= rise(0.95, 2)
    assert region(surface, 0.95).area == pytest.approx(inside.sum() * fine.steps.prod(), rel=0.01)
    assert surface.evaluated < 3000


def test_intervals_of_one_parameter_are_as_fine_as_regions():
    def twice(theta):  # a crescent: along b = 0.6 a^2 it is a parabola
        a, b = theta.T
        return ((b - 0.6 * a**2) / 0.02) ** 2 + (a / 0.3) ** 2

    shape = Unbinned(lambda x, theta: -0.5 * np.repeat(twice(theta)[:, None], len(x), axis=1))
    data = observed(np.zeros((1, 1)))
    found = limits("any", Likelihood(PARAMETERS, shape), data)
    for one in found.profiles[0].intervals:
        reach = 0.3 * np.sqrt(rise(one.confidence_level, 1))
        np.testing.assert_allclose([one.low, one.high], [-reach, reach], atol=2e-4)


def test_a_region_within_the_ranges_is_all_on_the_grid():
    rng = np.random.default_rng(1)
    for _ in range(40):
        centre, widths = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.02, 0.1, 2)
        slope, bend = rng.uniform(-1, 1), rng.uniform(-2, 2)

        def twice(theta, centre=centre, widths=widths, slope=slope, bend=bend):
            u, v = ((theta - centre) / widths).T
            return u**2 + (v - slope * u - bend * widths[0] * u**2) ** 2

        assert region(adaptive(twice, PARAMETERS), 0.95).closed
