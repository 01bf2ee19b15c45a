"""Morphing: components, coefficients, gradients, and benchmarks that span nothing."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.inference.benchmarks import complete
from hepflow.inference.morphing import (
    Morphing,
    component_name,
    find_components,
    points_of,
    undetermined,
)
from hepflow.inference.records import Benchmark, EventTable, Parameter
from tests.unit.inference.toys import BENCHMARKS, MORPHING, PARAMETERS, sigma, table, weights


def named(*powers: int) -> tuple[Parameter, ...]:
    return tuple(Parameter(f"p{i}", -1.0, 1.0, power) for i, power in enumerate(powers))


@pytest.mark.parametrize(
    ("powers", "count"), [((2,), 3), ((2, 2), 6), ((2,) * 5, 21), ((4,), 5), ((1, 1), 3), ((0,), 1)]
)
def test_number_of_components(powers, count):
    components = find_components(named(*powers))
    assert len(components) == count
    assert not components[0].any()  # the constant comes first
    assert components.sum(axis=1).max() <= max(powers)
    assert (components <= powers).all()


def test_a_square_of_linear_couplings_has_no_third_power():
    names = {component_name(row, PARAMETERS) for row in find_components(PARAMETERS)}
    assert names == {"1", "a", "b", "a^2", "a b", "b^2"}


def test_one_parameter_in_closed_form():
    # Lagrange's polynomials through -1, 0 and 1
    points = [Benchmark(str(v), (v,)) for v in (-1.0, 0.0, 1.0)]
    morphing = Morphing.of(named(2), points)
    t = 0.3
    np.testing.assert_allclose(
        morphing.coefficients([t]), [t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2], rtol=1e-14
    )
    np.testing.assert_allclose(morphing.gradient([t])[:, 0], [t - 0.5, -2 * t, t + 0.5], rtol=1e-14)


thetas = st.tuples(st.floats(-3, 3), st.floats(-3, 3))


@given(theta=thetas)
def test_weights_at_any_point_are_those_of_the_model(theta):
    events = table(50)
    point = np.array(theta)
    wanted = weights(events.x, point[None])[:, 0]
    found = MORPHING.weights(events, point)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12 * wanted.max())
    slope = events.weights @ MORPHING.gradient(point)
    exact = (1 + events.x @ point / 2)[:, None] * events.x / len(events)
    np.testing.assert_allclose(slope, exact, rtol=0, atol=1e-10 * np.abs(exact).max())


@given(seed=st.integers(0, 100), powers=st.lists(st.integers(1, 3), min_size=1, max_size=3))
@settings(max_examples=20)
def test_each_benchmark_is_reproduced(seed, powers):
    parameters = named(*powers)
    benchmarks = complete(parameters, seed=seed, candidates=30, sweeps=1)
    morphing = Morphing.of(parameters, benchmarks)
    found = morphing.coefficients(points_of(parameters, benchmarks))
    np.testing.assert_allclose(found, np.eye(len(benchmarks)), atol=1e-10)


def test_gradient_is_exact_for_five_operators():
    # The gradient of a polynomial with rational coefficients, in exact arithmetic.
    parameters = named(2, 2, 2, 2, 2)
    benchmarks = complete(parameters, seed=3, candidates=50, sweeps=2)
    morphing = Morphing.of(parameters, benchmarks)
    rng = np.random.default_rng(1)
    factors = [Fraction(int(k), 7) for k in rng.integers(-20, 20, len(morphing.components))]

    def polynomial(point, lowered=None):
        total = Fraction(0)
        for factor, row in zip(factors, morphing.components.tolist(), strict=True):
            powers = list(row)
            scale = 1
            if lowered is not None:
                scale, powers[lowered] = powers[lowered], max(powers[lowered] - 1, 0)
            term = factor * scale
            for value, power in zip(point, powers, strict=True):
                term *= Fraction(value) ** power
            total += term
        return total

    at_benchmarks = np.array([float(polynomial(b.values)) for b in benchmarks])
    point = (0.25, -0.5, 0.125, 0.75, -0.375)
    exact = [float(polynomial(point, lowered=k)) for k in range(5)]
    np.testing.assert_allclose(at_benchmarks @ morphing.gradient(point), exact, rtol=1e-10)
    value = at_benchmarks @ morphing.coefficients(point)
    np.testing.assert_allclose(value, float(polynomial(point)), rtol=1e-10)


def test_more_benchmarks_than_components_are_least_squares():
    more = (*BENCHMARKS, Benchmark("far", (0.9, -1.7)), Benchmark("near", (0.1, 0.1)))
    morphing = Morphing.of(PARAMETERS, more)
    rng = np.random.default_rng(1)
    noisy = rng.normal(size=len(more))  # not a polynomial of second order: no exact solution
    point = np.array([0.3, -0.4])
    basis = np.array([[a**i * b**j for i, j in morphing.components] for a, b in
                      points_of(PARAMETERS, more)])  # fmt: skip
    fitted = np.linalg.lstsq(basis, noisy, rcond=None)[0]
    own = np.array([point[0] ** i * point[1] ** j for i, j in morphing.components])
    np.testing.assert_allclose(noisy @ morphing.coefficients(point), own @ fitted, rtol=1e-10)
    model = weights(table(20).x, points_of(PARAMETERS, more))
    np.testing.assert_allclose(
        model @ morphing.coefficients(points_of(PARAMETERS, more)).T, model, rtol=1e-10
    )


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_relabelling_parameters_permutes_results(order):
    parameters = [PARAMETERS[k] for k in order]
    benchmarks = [Benchmark(b.name, tuple(b.values[k] for k in order)) for b in BENCHMARKS]
    relabelled = Morphing.of(parameters, benchmarks)
    point = np.array([0.37, -1.2])
    np.testing.assert_allclose(
        relabelled.coefficients(point[list(order)]), MORPHING.coefficients(point), rtol=1e-12
    )
    np.testing.assert_allclose(
        relabelled.gradient(point[list(order)]),
        MORPHING.gradient(point)[:, list(order)],
        atol=1e-12,
    )


@given(units=st.tuples(*[st.floats(-8, 8)] * 2))
def test_units_of_the_parameters_do_not_matter(units):
    unit = 10 ** np.array(units)
    benchmarks = [Benchmark(b.name, tuple(np.array(b.values) * unit)) for b in BENCHMARKS]
    other = Morphing.of(PARAMETERS, benchmarks)
    point = np.array([0.37, -1.2])
    np.testing.assert_allclose(
        other.coefficients(point * unit), MORPHING.coefficients(point), atol=1e-11
    )
    np.testing.assert_allclose(
        other.gradient(point * unit) * unit, MORPHING.gradient(point), atol=1e-11
    )


def test_benchmarks_that_do_not_span_are_refused_by_name():
    line = [Benchmark(str(v), (v, 0.0)) for v in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0)]
    with pytest.raises(InputError, match=r"3 are missing \(b, b\^2, a b\)"):
        Morphing.of(PARAMETERS, line)
    with pytest.raises(InputError, match=r"1 are missing \(p0\^2\)"):
        Morphing.of(named(2), [Benchmark("0", (0.0,)), Benchmark("1", (1.0,))])


def test_points_count_not_weights():
    # An event sample that knows nothing of b has weights of lower rank; the points do span.
    events = table(100)
    flat = events.weights.copy()
    flat[:] = flat[:, :1]
    assert np.linalg.matrix_rank(flat) == 1
    assert undetermined(points_of(PARAMETERS, BENCHMARKS), MORPHING.components) == []


def test_cross_section_at_many_points():
    events = table(40_000)
    points = np.array([[0.0, 0.0], [0.5, -0.5], [1.0, 2.0]])
    found = MORPHING.cross_section(events, points)
    np.testing.assert_allclose(found, sigma(points), rtol=0.02)
    assert MORPHING.weights(events, points).shape == (40_000, 3)


def test_given_components_are_taken():
    components = [[0, 0], [1, 0], [0, 1]]
    points = [Benchmark(str(k), v) for k, v in enumerate([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])]
    morphing = Morphing.of(PARAMETERS, points, np.array(components))
    np.testing.assert_allclose(morphing.coefficients([0.2, 0.3]), [0.5, 0.2, 0.3], atol=1e-14)


def test_wrong_benchmarks_and_points():
    with pytest.raises(InputError, match="two benchmarks are named 'sm'"):
        points_of(PARAMETERS, [BENCHMARKS[0], BENCHMARKS[0]])
    with pytest.raises(InputError, match="expected 2 finite numbers, for a, b"):
        points_of(PARAMETERS, [Benchmark("odd", (1.0, float("nan")))])
    with pytest.raises(InputError, match="nothing to morph"):
        find_components(())
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        MORPHING.coefficients([1.0, 2.0, 3.0])


def test_events_without_a_benchmark_are_refused():
    events = table(10)
    more = (*BENCHMARKS, Benchmark("absent", (0.2, 0.3)))
    with pytest.raises(InputError, match="no weights of benchmark 'absent'"):
        Morphing.of(PARAMETERS, more).weights(events, [0.0, 0.0])
    moved = (*BENCHMARKS[:-1], Benchmark("both", (0.8, 0.9)))
    with pytest.raises(InputError, match="but the weights of the events are those at"):
        Morphing.of(PARAMETERS, moved).weights(events, [0.0, 0.0])


def test_order_of_the_table_does_not_matter():
    events = table(10)
    turned = Morphing.of(PARAMETERS, BENCHMARKS[::-1])
    point = [0.2, 0.4]
    np.testing.assert_allclose(
        turned.weights(events, point), MORPHING.weights(events, point), rtol=1e-12
    )


def test_points_of_small_units_are_told_apart():
    # in 1/GeV^2, 1e-9 and 2e-9 are as different as 1 and 2
    parameters = (Parameter("c", -1e-9, 1e-9, max_power=1),)
    here = [Benchmark("sm", (0.0,)), Benchmark("far", (1e-9,))]
    there = (here[0], Benchmark("far", (2e-9,)))
    events = EventTable(
        parameters, there, ("x",), np.zeros((1, 1)), np.array([[1.0, 2.0]]), np.zeros(1, dtype=int)
    )
    with pytest.raises(InputError, match="benchmark 'far' is at"):
        Morphing.of(parameters, here).ordered(events)
