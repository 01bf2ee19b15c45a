from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hepflow.errors import InputError
from hepflow.plotting import goodness_numbers, likelihood_numbers, limit_band
from hepflow.plotting.scan_numbers import excluded, rise
from tests.figures.example import limit
from tests.figures.inference import goodness, scan, scan_of_two


@pytest.mark.parametrize("level", [0.5, 0.6827, 0.95, 0.99])
@pytest.mark.parametrize("degrees", [1, 2])
def test_rises_are_quantiles_of_chi_squared(level, degrees):
    assert rise(level, degrees) == pytest.approx(stats.chi2.ppf(level, degrees))


def test_levels_are_those_of_the_intervals():
    own = replace(scan(), intervals=(replace(scan().intervals[0], confidence_level=0.9),))
    assert [level for level, _ in likelihood_numbers([own]).rises] == [0.9]
    none = replace(scan(), intervals=())
    assert [round(level, 4) for level, _ in likelihood_numbers([none]).rises] == [0.6827, 0.95]


def test_the_finer_scan_goes_through_the_points():
    numbers = likelihood_numbers([scan_of_two()])
    assert numbers.delta.shape == (65, 81)
    np.testing.assert_allclose(numbers.delta[::8, ::8].T.ravel(), scan_of_two().delta, atol=1e-9)
    exact = ((numbers.x - 0.8) / 0.2) ** 2 + ((numbers.y[:, None] - 1) / 0.1) ** 2
    np.testing.assert_allclose(numbers.delta, exact, atol=1e-8)


def test_a_failed_point_is_left_out_of_the_contour():
    delta = list(scan_of_two().delta)
    delta[5] = float("nan")
    numbers = likelihood_numbers([replace(scan_of_two(), delta=tuple(delta))])
    assert numbers.delta.shape == (9, 11)
    assert np.isnan(numbers.delta).sum() == 1


def test_scans_that_do_not_fit_together():
    with pytest.raises(InputError, match="one figure cannot hold the scans of mu, k"):
        likelihood_numbers([scan(), scan(parameter="k")])
    with pytest.raises(InputError, match="mu/k, mu/k"):
        likelihood_numbers([scan_of_two(), scan_of_two()])


def limits(*sizes, **fields):
    return [
        replace(limit(), expected=tuple(k * size for k in (0.5, 0.7, 1, 1.4, 2)), observed=size)
        for size in sizes
    ]


def test_a_band_is_sorted():
    band = limit_band([3.0, 1.0, 2.0], limits(0.3, 0.1, 0.2))
    assert band.x == (1.0, 2.0, 3.0)
    np.testing.assert_allclose(band.observed, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(band.expected[:, 0], [0.05, 0.1, 0.15])


def test_one_blind_limit_leaves_the_observed_ones_out():
    found = limits(0.1, 0.2)
    assert limit_band([1, 2], [found[0], replace(found[1], observed=None)]).observed is None


@pytest.mark.parametrize(
    ("sizes", "ranges"),
    [
        ((0.1, 0.5, 0.9), [(1.0, 3.0)]),
        ((2.0, 3.0, 4.0), []),
        ((0.1, 1.0, 10.0), [(1.0, 2.0)]),
        ((0.1, 10.0, 0.1), [(1.0, 1.5), (2.5, 3.0)]),
        ((10.0, 0.1, 10.0), [(1.5, 2.5)]),
    ],
)
def test_excluded_ranges(sizes, ranges):
    band = limit_band([1.0, 2.0, 3.0], limits(*sizes))
    assert excluded(band) == tuple(pytest.approx(one) for one in ranges)
    assert excluded(band, expected=True) == excluded(band)


def test_without_observed_limit_or_prediction_nothing_is_excluded():
    band = limit_band([1.0, 2.0], limits(0.1, 0.2))
    assert excluded(replace(band, observed=None)) == ()
    assert excluded(replace(band, theory=None)) == ()
    assert band.to_json()["excluded"] == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("x", "found", "fields", "message"),
    [
        ([1.0], limits(0.1, 0.2), {}, "2 limits and 1 values"),
        ([1.0, 2.0], limits(0.1, 0.2), {"cross_sections": [1.0]}, "2 limits and 1 cross-sections"),
        ([1.0, 1.0], limits(0.1, 0.2), {}, "occurs twice"),
        (
            [1.0, 2.0],
            [limits(0.1)[0], replace(limits(0.1)[0], confidence_level=0.9)],
            {},
            "mu at 90 % CL, mu at 95 % CL",
        ),
    ],
)
def test_limits_that_make_no_band(x, found, fields, message):
    with pytest.raises(InputError, match=message):
        limit_band(x, found, **fields)


def test_every_toy_is_counted_and_the_asymptotic_curve_has_their_area():
    numbers = goodness_numbers(goodness(5000))
    assert numbers.toys.sum() == 5000
    area = np.trapezoid(numbers.asymptotic, numbers.x) / (numbers.edges[1] - numbers.edges[0])
    assert area == pytest.approx(5000, rel=0.02)
    expected = 5000 * (numbers.edges[1] - numbers.edges[0]) * stats.chi2.pdf(numbers.x, 6)
    np.testing.assert_allclose(numbers.asymptotic, expected)
    assert numbers.edges[0] <= 9.0 <= numbers.edges[-1]


def test_an_observed_statistic_beyond_all_toys_is_on_the_axis():
    numbers = goodness_numbers(replace(goodness(), statistic=500.0))
    assert numbers.edges[-1] > 500.0


def test_without_toys_there_is_nothing_to_draw():
    with pytest.raises(InputError, match="no toys to draw"):
        goodness_numbers(replace(goodness(), toys=()))
