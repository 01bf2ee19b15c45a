"""The likelihood and its gradient against pyhf and against differences."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import WorkspaceError
from hepflow.statistics import Likelihood, load_model
from tests.unit.statistics.models import all_modifiers, counting, normsys, shared

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@pytest.fixture(scope="module")
def everything():
    model, data = load_model(all_modifiers())
    return Likelihood(model), np.asarray(data)


def moved(likelihood, shifts):
    width = likelihood.prefit_uncertainty()
    width = np.where(width > 0, width, 0.2)
    start = likelihood.nominal()
    return start + np.where(likelihood.fixed, 0.0, width * np.resize(shifts, len(start)))


shifts = st.lists(st.floats(-2.5, 2.5), min_size=4, max_size=17)


@settings(max_examples=40, deadline=None)
@given(shifts=shifts)
def test_value_is_that_of_pyhf(everything, shifts):
    likelihood, data = everything
    parameters = moved(likelihood, shifts)
    theirs = float(-2 * likelihood.model.logpdf(parameters, data)[0])
    assert likelihood.twice_nll(parameters, data) == pytest.approx(theirs, rel=1e-11, abs=1e-8)
    cells = likelihood.yields.bins(parameters)
    np.testing.assert_allclose(
        cells, likelihood.model.expected_data(parameters, include_auxdata=False), rtol=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(shifts=shifts)
def test_gradient_is_that_of_differences(everything, shifts):
    likelihood, data = everything
    parameters = moved(likelihood, shifts)
    steps = 1e-6 * np.eye(len(parameters))
    numeric = [
        (likelihood.twice_nll(parameters + h, data) - likelihood.twice_nll(parameters - h, data))
        / 2e-6
        for h in steps
    ]
    np.testing.assert_allclose(likelihood.gradient(parameters, data), numeric, rtol=1e-4, atol=2e-3)


def test_gradient_at_a_signal_strength_of_exactly_zero():
    model, data = load_model(counting(3.0, 10.0, 12.0))
    likelihood = Likelihood(model)
    gradient = likelihood.gradient(np.array([0.0]), np.asarray(data))
    assert gradient[0] == pytest.approx(2 * (3.0 - 12.0 * 3.0 / 10.0))


def test_nominal_and_expected_data_are_those_of_cabinetry(everything):
    from cabinetry import model_utils

    likelihood, _ = everything
    np.testing.assert_allclose(
        likelihood.nominal(), model_utils.asimov_parameters(likelihood.model)
    )
    np.testing.assert_allclose(
        likelihood.prefit_uncertainty(), model_utils.prefit_uncertainties(likelihood.model)
    )
    parameters = moved(likelihood, [0.4, -0.7, 0.2])
    np.testing.assert_allclose(
        likelihood.expected_data(parameters), likelihood.model.expected_data(parameters), rtol=1e-12
    )


def test_saturated_is_below_every_other_value(everything):
    likelihood, data = everything
    for shift in ([0.0], [1.0, -1.0], [0.3]):
        assert likelihood.saturated(data) < likelihood.twice_nll(moved(likelihood, shift), data)
    asimov = likelihood.expected_data(likelihood.nominal())
    at_nominal = likelihood.twice_nll(likelihood.nominal(), asimov)
    assert at_nominal == pytest.approx(likelihood.saturated(asimov), abs=1e-9)


def test_negative_expectation_is_a_wall_and_not_nan():
    model, data = load_model(counting(3.0, 1.0, 4.0))
    likelihood = Likelihood(model)
    values = [likelihood.twice_nll(np.array([mu]), np.asarray(data)) for mu in (0.5, -0.2, -1.0)]
    assert np.isfinite(values).all()
    assert values[0] < values[1] < values[2]
    assert likelihood.gradient(np.array([-1.0]), np.asarray(data))[0] < 0


def test_a_model_whose_value_is_not_ours_is_refused():
    import pyhf

    workspace = counting(3.0, 10.0, 12.0, normsys("a", 1.5, 0.5))
    model = pyhf.Workspace(workspace).model(clip_bin_data=11.0)
    with pytest.raises(WorkspaceError, match=r"is \S+ in pyhf and \S+ here"):
        Likelihood(model)


def test_a_factor_that_is_not_positive_is_refused():
    model, _ = load_model(counting(3.0, 10.0, 12.0, normsys("jes", 1.5, 0.0)))
    with pytest.raises(WorkspaceError, match="normsys 'jes' of channel 'sr', sample 'background'"):
        Likelihood(model)


def test_a_model_without_parameter_of_interest_has_none():
    workspace = counting(3.0, 10.0, 12.0)
    workspace["measurements"][0]["config"]["poi"] = ""
    likelihood = Likelihood(load_model(workspace)[0])
    assert not likelihood.has_poi
    with pytest.raises(WorkspaceError, match="no parameter of interest"):
        _ = likelihood.poi


@pytest.mark.parametrize(
    ("data", "message"),
    [([1.0, 2.0], "expects 1 numbers"), ([-1.0], "negative"), ([float("nan")], "not finite")],
)
def test_data_that_do_not_fit(data, message):
    likelihood = Likelihood(load_model(counting(3.0, 10.0, 12.0))[0])
    with pytest.raises(WorkspaceError, match=message):
        likelihood.checked(data)


def test_digest_depends_on_the_model_only():
    one, same, other = (
        Likelihood(load_model(counting(signal, 10.0, n))[0]).digest()
        for signal, n in ((3.0, 12.0), (3.0, 8.0), (3.5, 12.0))
    )
    assert one == same != other


def test_a_real_workspace_of_five_channels():
    workspace = json.loads(shared("likelihoods/pyhf-tutorial_bkg_only.json").read_text())
    model, data = load_model(workspace)
    parameters = Likelihood(model).init + 0.1
    ours = Likelihood(model).twice_nll(parameters, np.asarray(data))
    assert ours == pytest.approx(float(-2 * model.logpdf(parameters, data)[0]), rel=1e-12)


def test_pyhf_refuses_a_broken_workspace():
    with pytest.raises(WorkspaceError, match="pyhf cannot use"):
        load_model({"channels": []})
