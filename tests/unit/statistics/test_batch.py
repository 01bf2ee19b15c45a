"""Many fits at once are the fits one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.statistics import fit_many, load_likelihood
from hepflow.statistics import newton as newton_module
from hepflow.statistics.minimise import Task, minimise
from hepflow.statistics.newton import settle
from tests.unit.statistics.models import all_modifiers, counting, normsys
from tests.unit.statistics.random_workspaces import random_workspace


def held_at(likelihood, values):
    start = np.tile(likelihood.init, (len(values), 1))
    start[:, likelihood.poi] = values
    fixed = likelihood.fixed.copy()
    fixed[likelihood.poi] = True
    return start, fixed


def test_one_bin_in_closed_form():
    likelihood, _ = load_likelihood(counting(4.0, 10.0, 16.0))
    data = np.array([[12.0], [16.0], [24.0], [3.0]])
    fits = fit_many(likelihood, data, likelihood.init)
    np.testing.assert_allclose(fits.parameters[:, 0], [0.5, 1.5, 3.5, 0.0], atol=1e-6)
    assert fits.valid.all()
    exact = [likelihood.twice_nll(one, row) for one, row in zip(fits.parameters, data, strict=True)]
    np.testing.assert_allclose(fits.value, exact, rtol=1e-12)


def test_a_scan_is_that_of_minuit():
    likelihood, data = load_likelihood(all_modifiers())
    start, fixed = held_at(likelihood, np.linspace(0.0, 4.0, 9))
    fits = fit_many(likelihood, data, start, fixed)
    assert fits.valid.all()
    np.testing.assert_array_equal(fits.parameters[:, likelihood.poi], start[:, likelihood.poi])
    for begin, value in zip(start, fits.value, strict=True):
        task = Task(likelihood, data, fixed, likelihood.bounds, "minuit")
        assert value <= minimise(task, begin).value + 1e-8


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_models_settle_where_minuit_does(seed):
    likelihood, data = load_likelihood(random_workspace(seed))
    if not likelihood.has_poi:
        return
    start, fixed = held_at(likelihood, [0.0, 0.8, 2.5])
    fits = fit_many(likelihood, data, start, fixed)
    assert fits.valid.all()
    slopes = likelihood.gradients(fits.parameters, data[np.newaxis])
    low, high = likelihood.bounds.T
    slopes = np.where(fixed, 0.0, slopes)
    slopes = np.where((fits.parameters <= low) & (slopes > 0), 0.0, slopes)
    slopes = np.where((fits.parameters >= high) & (slopes < 0), 0.0, slopes)
    assert np.abs(slopes).max() < 1e-2
    for index, begin in enumerate(start):
        task = Task(likelihood, data, fixed, likelihood.bounds, "minuit")
        again = minimise(task, fits.parameters[index])
        assert fits.value[index] <= again.value + 1e-6
        assert begin[likelihood.poi] == fits.parameters[index, likelihood.poi]


def test_each_fit_has_its_own_everything():
    likelihood, data = load_likelihood(counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9)))
    poi = likelihood.poi
    rows = np.array([data, data + np.array([4.0, 0.0]), data])
    fixed = np.zeros((3, 2), dtype=bool)
    fixed[2, poi] = True
    bounds = np.tile(likelihood.bounds, (3, 1, 1))
    bounds[1, poi] = 0.0, 2.0
    start = np.tile(likelihood.init, (3, 1))
    start[2, poi] = 0.7
    fits = fit_many(likelihood, rows, start, fixed, bounds)
    assert fits.parameters[:, poi] == pytest.approx([1.5, 2.0, 0.7], abs=1e-6)
    single = [
        fit_many(likelihood, rows[k], start[k], fixed[k], bounds[k]).value[0] for k in range(3)
    ]
    np.testing.assert_allclose(fits.value, single, rtol=1e-12)


def test_many_fits_in_small_parts_are_the_same(monkeypatch):
    likelihood, data = load_likelihood(all_modifiers())
    start, fixed = held_at(likelihood, np.linspace(0.0, 4.0, 7))
    whole = fit_many(likelihood, data, start, fixed)
    monkeypatch.setattr("hepflow.statistics.batch._AT_ONCE", 1)
    parts = fit_many(likelihood, data, start, fixed)
    np.testing.assert_allclose(parts.parameters, whole.parameters, atol=1e-6)


def test_everything_fixed():
    likelihood, data = load_likelihood(all_modifiers())
    fits = fit_many(likelihood, data, likelihood.init, np.ones(len(likelihood.init), dtype=bool))
    assert fits.valid.all()
    assert fits.value[0] == pytest.approx(likelihood.twice_nll(likelihood.init, data))


def test_what_does_not_settle_is_left_to_minuit(monkeypatch):
    likelihood, data = load_likelihood(all_modifiers())
    start, fixed = held_at(likelihood, [0.5, 1.0])
    honest = fit_many(likelihood, data, start, fixed)
    monkeypatch.setattr(newton_module, "_ITERATIONS", 1)
    again = fit_many(likelihood, data, start, fixed)
    assert again.valid.all()
    np.testing.assert_allclose(again.value, honest.value, atol=1e-6)


def test_a_fit_that_has_no_minimum_does_not_stop_the_others(monkeypatch):
    from hepflow.errors import FitError
    from hepflow.statistics import batch

    def failing(*_):
        raise FitError("nowhere finite")

    monkeypatch.setattr(newton_module, "_ITERATIONS", 4)
    monkeypatch.setattr(batch, "minimise", failing)
    likelihood, data = load_likelihood(counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9)))
    rows = np.array([data, [1e9, 0.0]])
    fits = fit_many(likelihood, rows, likelihood.init)
    assert fits.valid.tolist() == [True, False]
    assert np.isnan(fits.value[1])


def test_a_flat_likelihood_settles():
    likelihood, data = load_likelihood(counting(0.0, 10.0, 12.0, normsys("a", 1.1, 0.9)))
    rows = (data, likelihood.init, likelihood.fixed, likelihood.bounds)
    _, _, valid = settle(likelihood, *(one[np.newaxis] for one in rows))
    assert valid.all()


def test_numbers_that_are_not_finite_are_not_valid():
    likelihood, data = load_likelihood(counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9)))
    start = np.array([likelihood.init, np.full(2, np.nan)])
    fixed, bounds = (
        np.tile(one, (2, *[1] * one.ndim)) for one in (likelihood.fixed, likelihood.bounds)
    )
    _, values, valid = settle(likelihood, data[np.newaxis], start, fixed, bounds)
    assert valid.tolist() == [True, False]
    assert np.isnan(values[1])


def test_a_system_without_solution_is_solved_without_its_flat_direction():
    matrices = np.array([[[1.0, 1.0], [1.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]]])
    found = newton_module._solve(matrices, np.array([[1.0, 1.0], [1.0, 3.0]]))
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.5, 3.0]], atol=1e-12)


def test_what_bends_down_is_turned_up():
    matrices = np.array([[[1.0, 0.0], [0.0, -2.0]], [[1.0, 0.5], [0.5, 1.0]]])
    before = matrices.copy()
    newton_module._straighten(matrices)
    np.testing.assert_allclose(matrices[0], [[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(matrices[1], before[1])


def test_one_factor_too_many_is_no_obstacle():
    """Only the product of two free factors has an effect: a curved valley."""
    twin = {"name": "k", "type": "normfactor", "data": None}
    workspace = counting(4.0, 10.0, 26.0)
    workspace["channels"][0]["samples"][0]["modifiers"].append(twin)
    likelihood, data = load_likelihood(workspace)
    rows = (data, likelihood.init, likelihood.fixed, likelihood.bounds)
    parameters, _, valid = settle(likelihood, *(one[np.newaxis] for one in rows))
    assert valid.all()
    assert np.prod(parameters[0]) == pytest.approx(4.0, rel=1e-5)
