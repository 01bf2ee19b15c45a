"""Sources of parameter points."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.priors import Normal, Points, Product, Uniform, benchmark_points, grid
from tests.unit.inference.toys import BENCHMARKS


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_moments():
    points = Normal((1.0, -2.0), (0.5, 0.0)).draw(100_000, rng())
    np.testing.assert_allclose(points.mean(axis=0), [1, -2], atol=0.01)
    np.testing.assert_allclose(points.std(axis=0), [0.5, 0], atol=0.01)
    points = Uniform((0.0, 2.0), (1.0, 2.0)).draw(100_000, rng())
    np.testing.assert_allclose(points.mean(axis=0), [0.5, 2.0], atol=0.01)
    assert points[:, 0].min() >= 0
    assert points[:, 0].max() < 1


def test_side_by_side():
    points = Product((Normal((5.0,), (0.1,)), Uniform((0.0,), (1.0,)))).draw(1000, rng())
    assert points.shape == (1000, 2)
    assert points[:, 0].mean() == pytest.approx(5.0, abs=0.02)


def test_points_side_by_side_are_independent():
    two = Points(np.array([[0.0], [1.0]]))
    points = Product((two, two)).draw(4000, rng())
    found, counts = np.unique(points, axis=0, return_counts=True)
    assert len(found) == 4
    np.testing.assert_allclose(counts, 1000, atol=5 * np.sqrt(1000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal((0.0,), (-1.0,)), "widths not negative"),
        (lambda: Normal((0.0,), (1.0, 1.0)), "expected one of each per parameter"),
        (lambda: Uniform((1.0,), (0.0,)), "in this order"),
        (lambda: grid([[]]), "a grid without points"),
        (lambda: benchmark_points(BENCHMARKS, ["pluss"]), "Did you mean 'plus'"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
