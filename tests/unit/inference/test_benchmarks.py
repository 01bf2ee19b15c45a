"""Choice of benchmarks."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.benchmarks import complete, expected_size
from hepflow.inference.morphing import Morphing, points_of
from hepflow.inference.records import Benchmark, Parameter
from tests.unit.inference.toys import BENCHMARKS, PARAMETERS

SM = Benchmark("sm", (0.0, 0.0))


def test_the_given_ones_stay_and_the_rest_spans():
    found = complete(PARAMETERS, [SM], seed=1)
    assert found[0] == SM
    assert len(found) == 6
    assert [b.name for b in found[1:]] == [f"morphing_basis_vector_{k}" for k in range(1, 6)]
    Morphing.of(PARAMETERS, found)
    for benchmark in found:
        for value, parameter in zip(benchmark.values, PARAMETERS, strict=True):
            assert parameter.low <= value <= parameter.high


def test_nothing_is_added_to_what_spans():
    assert complete(PARAMETERS, BENCHMARKS, seed=1) == BENCHMARKS


def test_points_that_repeat_each_other_do_not_count():
    line = [Benchmark(str(v), (v, 0.0)) for v in (-1.0, 0.0, 0.5, 1.0)]
    found = complete(PARAMETERS, line, seed=1)
    assert len(found) == 4 + 3
    Morphing.of(PARAMETERS, found)


def test_the_same_seed_gives_the_same():
    assert complete(PARAMETERS, [SM], seed=4) == complete(PARAMETERS, [SM], seed=4)
    assert complete(PARAMETERS, [SM], seed=4) != complete(PARAMETERS, [SM], seed=5)


def test_expected_size_is_the_average_over_the_region():
    points = points_of(PARAMETERS, BENCHMARKS)
    rng = np.random.default_rng(1)
    drawn = np.array([-1.0, -2.0]) + np.array([2.0, 4.0]) * rng.random((200_000, 2))
    squares = (Morphing.of(PARAMETERS, BENCHMARKS).coefficients(drawn) ** 2).sum(axis=1)
    assert expected_size(PARAMETERS, points) == pytest.approx(squares.mean(), rel=0.01)


def test_one_parameter_finds_the_best_points():
    # Brute force over all symmetric triples; the optimum is near the ends of the range.
    parameter = (Parameter("a", -1.0, 1.0),)
    sizes = [
        expected_size(parameter, np.array([[-v], [0.0], [v]])) for v in np.linspace(0.3, 1, 71)
    ]
    chosen = complete(parameter, [Benchmark("sm", (0.0,))], seed=1, sweeps=5)
    assert expected_size(parameter, points_of(parameter, chosen)) < min(sizes) * 1.02


def test_the_search_beats_random_points():
    rng = np.random.default_rng(0)
    points = np.concatenate([np.zeros((50, 1, 2)), rng.uniform(-1, 1, (50, 5, 2)) * [1, 2]], 1)
    best = min(expected_size(PARAMETERS, one) for one in points)
    found = expected_size(PARAMETERS, points_of(PARAMETERS, complete(PARAMETERS, [SM], seed=1)))
    assert found < best


def test_an_empty_range_is_refused():
    with pytest.raises(InputError, match=r"parameter 'a' has the range \[1, 1\]"):
        complete([Parameter("a", 1, 1)], seed=1)
