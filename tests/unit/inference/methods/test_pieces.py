"""Scalings, sizes of scores and polynomials by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.inference.methods.polynomials import Polynomial
from hepflow.inference.methods.scaling import fit_scaling
from hepflow.inference.methods.settings import Structure
from hepflow.inference.methods.sizes import fit_local_size, same_size

SQUARE = ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0))


def observables(n=4000):
    rng = np.random.default_rng(1)
    mass = 300 / (1 - rng.uniform(size=n)) ** 0.25
    return np.stack([mass, rng.uniform(-1, 1, n), rng.integers(0, 3, n)], axis=1).astype(float)


@pytest.mark.parametrize("kind", ["mixed", "quantile", "standard", "none"])
def test_scaled_observables_are_of_order_one(kind):
    x = observables()
    scaling = fit_scaling(x, kind, Structure())
    inputs = scaling.inputs(x)
    assert inputs.shape == (len(x), scaling.n_inputs)
    if kind == "none":
        np.testing.assert_array_equal(inputs, x)
        return
    assert np.abs(inputs.mean(axis=0)).max() < 0.1
    assert inputs.std(axis=0) == pytest.approx(1.0, abs=0.15)
    assert scaling.logarithm == (True, False, False)  # the long tail


@pytest.mark.parametrize("kind", ["mixed", "standard", "none"])
def test_the_jacobian_is_the_derivative_of_the_map(kind):
    x = observables()[:, :2]
    scaling = fit_scaling(x, kind, Structure())
    at, step = x[:50], 1e-5
    jacobian = scaling.one_to_one(at)[1]
    by_hand = np.zeros(len(at))
    for column in range(2):
        shift = step * np.eye(2)[column]
        up, down = scaling.one_to_one(at + shift)[0], scaling.one_to_one(at - shift)[0]
        by_hand += np.log((up - down)[:, column] / (2 * step))
    assert np.mean(np.abs(jacobian - by_hand) < 1e-3) > 0.95  # but at knots


def test_quantile_maps_go_on_straight_and_rise():
    x = observables()
    scaling = fit_scaling(x, "quantile", Structure())
    line = np.linspace(-1e3, 1e5, 400)
    mapped = scaling.quantile(np.stack([line, line, line], axis=1))
    assert (np.diff(mapped, axis=0) > 0).all()


def test_the_size_of_scores_follows_a_power_law():
    rng = np.random.default_rng(1)
    standard = rng.normal(size=(5000, 2))
    true = np.exp(0.8 * standard[:, 0])
    size = fit_local_size(standard, true[:, None] * rng.choice([-1.0, 1.0], size=(5000, 2)))
    ratio = size(standard) / true
    assert np.std(np.log(ratio[true > 0.5])) < 0.1
    # Outside of the range of the training it stays at its end.
    assert size(np.array([[50.0, 0.0]]))[0] == pytest.approx(size(standard).max())
    np.testing.assert_array_equal(same_size(2)(standard), 1.0)


def coefficients_of(polynomial: Polynomial, n: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, polynomial.n_coefficients))


@pytest.mark.parametrize(
    ("powers", "n_parameters", "n_coefficients"),
    [(SQUARE, 2, 5), (((0,), (1,), (2,), (3,), (4,)), 1, 5), (SQUARE, 3, 7), (((0,), (1,)), 1, 1)],
)
def test_all_points_at_once_are_as_each_alone(powers, n_parameters, n_coefficients):
    polynomial = Polynomial.of(powers, n_parameters)
    assert polynomial.n_coefficients == n_coefficients == len(polynomial.degrees)
    rows = coefficients_of(polynomial, 6)
    theta = np.random.default_rng(3).normal(size=(4, n_parameters))
    together = polynomial.log_grid(rows, theta)
    for point, found in zip(theta, together, strict=True):
        alone = polynomial.log_value(rows, np.tile(point, (6, 1)), np)
        np.testing.assert_allclose(found, alone, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5), st.floats(-2, 2), st.floats(-2, 2))
def test_a_sum_of_squares_is_a_polynomial_of_second_order_and_positive(numbers, a, b):
    polynomial = Polynomial.of(SQUARE, 2)
    rows = np.array([numbers])

    def value(*theta: float) -> float:
        return float(np.exp(polynomial.log_value(rows, np.array([theta]), np))[0])

    assert value(a, b) > 0
    assert value(0.0, 0.0) == pytest.approx(1.0)
    # The third difference of a polynomial of second order is zero.
    steps = [value(a + k * 0.5, b - k * 0.25) for k in range(4)]
    third = steps[3] - 3 * steps[2] + 3 * steps[1] - steps[0]
    assert abs(third) < 1e-8 * (1 + max(steps))


@pytest.mark.parametrize(("powers", "n"), [(SQUARE, 40), (SQUARE, 1), (((0,), (1,)), 40)])
def test_the_mean_of_polynomials_is_a_polynomial(powers, n):
    n_parameters = len(powers[0])
    polynomial = Polynomial.of(powers, n_parameters)
    rows, rng = 0.3 * coefficients_of(polynomial, n), np.random.default_rng(4)
    weights = rng.uniform(0.1, 2.0, n)
    sums = polynomial.sums(rows[: n // 2], weights[: n // 2])
    sums = polynomial.no_sums() + sums + polynomial.sums(rows[n // 2 :], weights[n // 2 :])
    mean = polynomial.mean_coefficients(sums / weights.sum(), np.zeros(polynomial.n_coefficients))
    theta = rng.uniform(-0.2, 0.2, size=(6, n_parameters))
    each = np.exp(polynomial.log_grid(rows, theta))
    expected = each @ weights / weights.sum()
    np.testing.assert_allclose(np.exp(polynomial.log_grid(mean[None], theta))[:, 0], expected, 1e-3)
    if polynomial.squares:
        np.testing.assert_allclose(
            np.exp(polynomial.log_grid(mean[None], theta))[:, 0], expected, rtol=1e-9
        )


def test_nuisance_parameters_multiply_by_an_exponential():
    polynomial = Polynomial.of(SQUARE, 3)
    rows = np.zeros((1, 7))
    rows[0, -2:] = 0.3, -0.1
    found = polynomial.log_value(rows, np.array([[0.0, 0.0, 2.0]]), np)
    assert found[0] == pytest.approx(0.3 * 2 - 0.1 * 4)


def test_an_interference_alone_stays_positive():
    polynomial = Polynomial.of(((0,), (1,)), 1)
    rows, theta = np.array([[1.0]]), np.array([[-5.0]])
    assert not polynomial.squares
    assert np.isfinite(polynomial.log_value(rows, theta, np)).all()
    assert polynomial.log_value(rows, -theta, np)[0] == pytest.approx(np.log(6.0), abs=1e-4)


def test_components_without_lower_ones_are_refused():
    with pytest.raises(InputError, match=r"powers \(2,\) is there but not \(1,\)"):
        Polynomial.of(((0,), (2,)), 1)
