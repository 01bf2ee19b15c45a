"""Likelihoods from workspaces: equal to pyhf's, and wrong workspaces are refused."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hepflow.statistics import Likelihood, load_likelihood, load_model
from tests.unit.statistics.models import all_modifiers, counting, normsys, shared
from tests.unit.statistics.random_workspaces import CODES, random_workspace

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
seeds = st.integers(0, 2**32 - 1)


def around(likelihood, rng, n_points=3, spread=1.2):
    """Parameters near nominal; alphas beyond one as well."""
    width = likelihood.prefit_uncertainty()
    width = np.where(width > 0, width, np.where(likelihood.fixed, 0.0, 0.3))
    return likelihood.nominal() + spread * width * rng.normal(size=(n_points, len(width)))


def assert_same(likelihood, model):
    config = model.config
    assert likelihood.labels == tuple(config.par_names)
    np.testing.assert_array_equal(likelihood.init, config.suggested_init())
    np.testing.assert_array_equal(likelihood.bounds, config.suggested_bounds())
    np.testing.assert_array_equal(likelihood.fixed, config.suggested_fixed())
    np.testing.assert_allclose(likelihood.auxdata, config.auxdata, rtol=1e-14)
    assert likelihood.channels == config.channel_slices
    assert (likelihood.poi if likelihood.has_poi else None) == config.poi_index


@settings(max_examples=25, deadline=None)
@given(seed=seeds, codes=st.sampled_from(CODES))
def test_random_models_are_those_of_pyhf(seed, codes):
    import pyhf

    workspace = random_workspace(seed)
    likelihood, data = load_likelihood(workspace, modifier_settings=codes)
    given = {} if codes is None else {"modifier_settings": copy.deepcopy(codes)}
    loaded = pyhf.Workspace(workspace, validate=False)
    model = loaded.model(validate=False, **given)
    assert_same(likelihood, model)
    np.testing.assert_allclose(data, loaded.data(model), rtol=1e-14)
    points = around(likelihood, np.random.default_rng(seed))
    rows = data[np.newaxis]
    ours = likelihood.values(points, rows) + likelihood.constants(rows)
    for point, value in zip(points, ours, strict=True):
        rate = model.expected_data(point, include_auxdata=False)
        if (rate > 0).all():  # elsewhere pyhf has no number
            theirs = float(-2 * model.logpdf(point, data)[0])
            if np.isfinite(theirs):
                assert value == pytest.approx(theirs, rel=1e-9, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, codes=st.sampled_from([CODES[0], CODES[3]]))
@example(seed=278969, codes=None)  # 1e9 away from its minimum
def test_derivatives_are_those_of_differences(seed, codes):
    likelihood, data = load_likelihood(random_workspace(seed), modifier_settings=codes)
    point = around(likelihood, np.random.default_rng(seed), 1, 0.4)[0]
    point[np.abs(point) < 1e-4] += 1e-3  # code 0 has a kink at 0, no step may cross it
    n_par, rows, step = len(point), data[np.newaxis], 1e-5
    both = np.concatenate([point + step * np.eye(n_par), point - step * np.eye(n_par)])

    def slope(of):
        """Central differences, and what 16 digits of large numbers leave uncertain of them."""
        rounding = 64 * np.finfo(float).eps * np.abs(of).max() / step
        return (of[:n_par] - of[n_par:]) / (2 * step), rounding

    gradient, rounding = slope(likelihood.values(both, rows))
    found = likelihood.gradient(point, data)
    np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-3 + rounding)
    hessian, (second, rounding) = (
        likelihood.hessian(point, data),
        slope(likelihood.gradients(both, rows)),
    )
    small = 1e-6 * np.abs(hessian).max()
    np.testing.assert_allclose(hessian, second, rtol=1e-4, atol=small + rounding)


@pytest.mark.parametrize(
    "path",
    [
        "likelihoods/pyhf-tutorial_bkg_only.json",
        "zprime_opendata_run/workspace.json",
        "sbottom",
    ],
)
def test_real_workspaces_are_those_of_pyhf(path):
    if path == "sbottom":
        import jsonpatch

        folder = "likelihoods/sbottom_regionA"
        background = json.loads(shared(f"{folder}/BkgOnly.json").read_text())
        patch = json.loads(shared(f"{folder}/patch.sbottom_1300_205_60.json").read_text())
        workspace = jsonpatch.apply_patch(background, patch)
    else:
        workspace = json.loads(shared(path).read_text())
    likelihood, data = load_likelihood(workspace)
    model, theirs = load_model(workspace)
    assert_same(likelihood, model)
    np.testing.assert_allclose(data, theirs, rtol=1e-14)
    for point in around(likelihood, np.random.default_rng(5), 3, 0.5):
        value = likelihood.twice_nll(point, data)
        assert value == pytest.approx(float(-2 * model.logpdf(point, data)[0]), rel=1e-9)
    assert likelihood.digest() == Likelihood(model).digest()


def test_another_measurement_and_parameter_of_interest():
    workspace = all_modifiers()
    other = copy.deepcopy(workspace["measurements"][0])
    other["name"], other["config"]["poi"] = "other", "k"
    workspace["measurements"].append(other)
    first, second, chosen = (
        load_likelihood(workspace, **options)[0]
        for options in ({}, {"measurement": "other"}, {"poi": "k"})
    )
    assert first.labels[first.poi] == "mu"
    assert second.labels[second.poi] == chosen.labels[chosen.poi] == "k"


@pytest.mark.parametrize("settings", CODES[1:])
def test_codes_are_part_of_the_digest(settings):
    plain, other = (
        load_likelihood(all_modifiers(), modifier_settings=one)[0] for one in (None, settings)
    )
    assert plain.digest() != other.digest()


def test_nominal_is_the_centre_of_constraints_and_the_value_of_what_is_fixed():
    workspace = counting(3.0, 10.0, 12.0, normsys("a", 1.1, 0.9), normsys("b", 1.1, 0.9))
    workspace["measurements"][0]["config"]["parameters"] += [
        {"name": "a", "auxdata": [0.5]},
        {"name": "b", "inits": [0.7], "fixed": True},
    ]
    likelihood, _ = load_likelihood(workspace)
    found = dict(zip(likelihood.labels, likelihood.nominal(), strict=True))
    assert found == {"mu": 1.0, "a": 0.5, "b": 0.7}
