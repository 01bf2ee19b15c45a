import numpy as np

from hepflow.plotting.fit_numbers import FEW, MANY, correlation_numbers, pull_numbers
from hepflow.records import FitResult


def fit(labels, correlation=None, uncertainty=None):
    n = len(labels)
    return FitResult(
        "mu",
        tuple(labels),
        np.arange(n, dtype=float),
        np.ones(n) if uncertainty is None else uncertainty,
        np.eye(n) if correlation is None else correlation,
        0.0,
        None,
        converged=True,
    )


def test_free_factors_and_nuisances_are_apart_and_bin_statistics_left_out():
    numbers = pull_numbers(fit(["jes", "mu", "staterror_SR[0]", "norm", "lumi"]), ["norm"])
    assert numbers.nuisances.labels == ("jes", "lumi")
    assert numbers.nuisances.values.tolist() == [0.0, 4.0]
    assert numbers.factors.labels == ("mu", "norm")
    assert numbers.factors.values.tolist() == [1.0, 3.0]


def test_a_small_model_shows_all_but_statistics_and_constants():
    labels = ["mu", "jes", "staterror_SR[bin_0]", "fixed"]
    matrix = np.array([[1, 0.5, 0.9, 0], [0.5, 1, 0, 0], [0.9, 0, 1, 0], [0, 0, 0, 1.0]])
    numbers = correlation_numbers(fit(labels, matrix, np.array([1, 1, 1, 0.0])))
    assert numbers.labels == ("mu", "jes")
    np.testing.assert_array_equal(numbers.matrix, [[1, 0.5], [0.5, 1]])
    assert numbers.left_out == 0


def test_a_large_model_shows_what_is_correlated_and_the_poi():
    labels = ["mu", *(f"p{i}" for i in range(FEW + 10))]
    matrix = np.eye(len(labels))
    matrix[3, 7] = matrix[7, 3] = -0.6
    numbers = correlation_numbers(fit(labels, matrix), threshold=0.2)
    assert numbers.labels == ("mu", "p2", "p6")
    assert numbers.matrix[1, 2] == -0.6
    assert numbers.left_out == len(labels) - 3


def test_a_huge_model_shows_the_strongest():
    labels = ["mu", *(f"p{i}" for i in range(100))]
    matrix = np.eye(101)
    for i in range(1, 100, 2):
        matrix[i, i + 1] = matrix[i + 1, i] = 0.3 + 0.005 * i
    numbers = correlation_numbers(fit(labels, matrix))
    assert len(numbers.labels) == MANY
    assert {"mu", "p97", "p98"} <= set(numbers.labels)
    assert "p0" not in numbers.labels
