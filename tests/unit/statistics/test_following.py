"""Minima that are followed are those that a minimiser finds."""

import json

import numpy as np
import pytest

from hepflow.statistics import Likelihood, load_model
from hepflow.statistics.following import follow, nearby_covariance
from hepflow.statistics.minimise import Task, curvature, minimise
from hepflow.statistics.profile import Profile
from tests.unit.statistics.models import all_modifiers, counting, normsys

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def likelihood_of(workspace):
    model, data = load_model(workspace)
    likelihood = Likelihood(model)
    return likelihood, likelihood.checked(data)


def test_one_bin_with_one_constraint_in_closed_form():
    likelihood, data = likelihood_of(counting(5.0, 50.0, 62.0, normsys("a", 0.9, 1.1)))
    task = Task.free(likelihood, data, "minuit").with_poi_fixed()
    start = likelihood.init.copy()
    covariance = nearby_covariance(task, start)
    found = follow(task, start, covariance)
    # the derivative vanishes: (1 - n / rate) d(rate) + alpha = 0
    (other,) = set(range(2)) - {likelihood.poi}
    alpha = found.parameters[other]
    rate = likelihood.yields.bins(found.parameters)[0]
    step = 1e-5
    up, down = found.parameters.copy(), found.parameters.copy()
    up[other] += step
    down[other] -= step
    slope = (likelihood.yields.bins(up)[0] - likelihood.yields.bins(down)[0]) / (2 * step)
    assert (1 - 62.0 / rate) * slope + alpha == pytest.approx(0, abs=1e-5)
    assert found.parameters[likelihood.poi] == start[likelihood.poi]


def test_profile_has_no_gradient_left_and_is_not_above_minuits():
    likelihood, data = likelihood_of(all_modifiers())
    profile = Profile(likelihood, data)
    profile.at(0.0)
    task = Task.free(likelihood, data, "minuit").with_poi_fixed()
    for mu in (0.1, 0.3, 0.6, 1.0):
        found = profile.at(mu)
        again = minimise(task, np.where(task.fixed, found.parameters, likelihood.init))
        assert found.value <= again.value + 1e-7
        bent = curvature(task, found.parameters)
        gradient = np.where(task.fixed, 0.0, likelihood.gradient(found.parameters, data))
        assert gradient @ bent.covariance @ gradient / 4 < 1e-9


def test_followed_minima_need_no_minimiser(monkeypatch):
    likelihood, data = likelihood_of(all_modifiers())
    profile = Profile(likelihood, data)
    profile.at(0.5)
    monkeypatch.setattr("hepflow.statistics.profile.minimise", None)
    assert profile.at(0.7).valid


def test_a_parameter_at_its_bound_is_left_to_the_minimiser():
    free = {"name": "k", "type": "normfactor", "data": None}
    workspace = json.loads(json.dumps(counting(5.0, 50.0, 3.0, free)))
    parameters = workspace["measurements"][0]["config"]["parameters"]
    parameters.append({"name": "k", "inits": [1.0], "bounds": [[0.8, 2.0]]})
    likelihood, data = likelihood_of(workspace)
    task = Task.free(likelihood, data, "minuit").with_poi_fixed()
    start = likelihood.init
    assert follow(task, start, nearby_covariance(task, start)) is None
    profile = Profile(likelihood, data)
    for mu in (0.5, 0.6):
        assert profile.at(mu).parameters[1 - likelihood.poi] == pytest.approx(0.8)


def test_without_curvature_there_is_nothing_to_follow():
    workspace = counting(5.0, 0.0, 0.0, {"name": "k", "type": "normfactor", "data": None})
    likelihood, data = likelihood_of(workspace)
    task = Task.free(likelihood, data, "minuit").with_poi_fixed()
    assert nearby_covariance(task, likelihood.init) is None
