"""Fits: closed forms, comparison with cabinetry, and fits that must not pass as results."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import FitError
from hepflow.records import FitResult
from hepflow.statistics import (
    Likelihood,
    fit,
    from_cabinetry,
    goodness_of_fit,
    load_likelihood,
    load_model,
    require_good,
    run_fit,
    to_cabinetry,
)
from hepflow.statistics.minimise import Task, curvature
from tests.unit.statistics.models import (
    all_modifiers,
    counting,
    normsys,
    zprime_without_broken,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
OPTIMIZERS = pytest.mark.parametrize("optimizer", ["newton", "minuit", "scipy"])


def fitted(workspace, **options):
    return fit(*load_model(workspace), **options)


@OPTIMIZERS
def test_one_bin_without_nuisance_parameter(optimizer):
    result = fitted(counting(4.0, 10.0, 16.0), optimizer=optimizer)
    assert result.value("mu") == pytest.approx(((16 - 10) / 4, math.sqrt(16) / 4), rel=1e-3)
    assert result.converged
    assert result.notes == ()
    assert result.model["background_uncertainty"] == "none"
    assert result.model["optimizer"] == optimizer


@settings(max_examples=25, deadline=None)
@given(signal=st.floats(0.5, 50), background=st.floats(0.5, 500), excess=st.floats(0.5, 9))
def test_one_bin_has_its_closed_form(signal, background, excess):
    observed = background + excess * signal
    result = fitted(counting(signal, background, observed))
    width = math.sqrt(observed) / signal
    assert result.value("mu")[0] == pytest.approx(excess, abs=2e-3 * width)
    assert result.value("mu")[1] == pytest.approx(width, rel=2e-3)


@OPTIMIZERS
def test_on_off(optimizer):
    """Signal and control region with a free background: n_on - tau * n_off."""
    n_on, n_off, tau = 30.0, 200.0, 0.1
    workspace = counting(10.0, 20.0, n_on, {"name": "b", "type": "normfactor", "data": None})
    control = {
        "name": "background",
        "data": [20.0 / tau],
        "modifiers": [{"name": "b", "type": "normfactor", "data": None}],
    }
    workspace["channels"].append({"name": "zz", "samples": [control]})
    workspace["observations"].append({"name": "zz", "data": [n_off]})
    result = fitted(workspace, optimizer=optimizer)
    expected = ((n_on - tau * n_off) / 10, math.sqrt(n_on + tau**2 * n_off) / 10)
    assert result.value("mu") == pytest.approx(expected, rel=1e-3)
    assert result.value("b") == pytest.approx(
        (n_off * tau / 20, math.sqrt(n_off) * tau / 20), rel=1e-3
    )
    correlation = result.correlation[result.labels.index("mu"), result.labels.index("b")]
    spread = tau**2 * n_off
    assert correlation == pytest.approx(-math.sqrt(spread / (n_on + spread)), rel=1e-3)


@pytest.mark.parametrize("strength", [0.7, 2.0])
def test_asimov_data_give_their_parameters_back(strength):
    likelihood = Likelihood(load_model(all_modifiers())[0])
    truth = likelihood.nominal()
    truth[likelihood.poi] = strength
    result = fit(likelihood, likelihood.expected_data(truth))
    np.testing.assert_allclose(result.bestfit, truth, atol=1e-3)
    assert result.converged


def test_agrees_with_cabinetry():
    import cabinetry.fit

    workspace = all_modifiers()  # wide: Minuit's own uncertainties are distorted near a bound
    wide = {"name": "mu", "bounds": [[-100.0, 100.0]]}
    workspace["measurements"][0]["config"]["parameters"].append(wide)
    model, data = load_model(workspace)
    ours, theirs = fit(model, data), cabinetry.fit.fit(model, data, goodness_of_fit=True)
    width = np.where(theirs.uncertainty > 0, theirs.uncertainty, 1.0)
    np.testing.assert_allclose((ours.bestfit - theirs.bestfit) / width, 0, atol=5e-3)
    np.testing.assert_allclose(ours.uncertainty, theirs.uncertainty, rtol=2e-2, atol=1e-6)
    free = np.flatnonzero(theirs.uncertainty)
    where = np.ix_(free, free)
    np.testing.assert_allclose(ours.correlation[where], theirs.corr_mat[where], atol=1e-2)
    assert ours.twice_nll <= theirs.best_twice_nll + 1e-6


def test_goodness_of_fit_is_that_of_cabinetry():
    import cabinetry.fit

    model, data = load_model(zprime_without_broken())
    result = fit(model, data)
    theirs = cabinetry.fit._goodness_of_fit(model, data, result.twice_nll)
    assert result.goodness_of_fit == pytest.approx(theirs, rel=1e-9)


def test_goodness_of_fit_counts_degrees_of_freedom():
    one_bin = counting(4.0, 10.0, 16.0)
    assert fitted(one_bin).goodness_of_fit is None
    constrained = counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9))
    assert fitted(constrained).goodness_of_fit is None
    constrained["measurements"][0]["config"]["parameters"][0]["fixed"] = True
    result = fitted(constrained)
    model, data = load_model(constrained)
    assert result.goodness_of_fit == pytest.approx(goodness_of_fit(model, data, result.twice_nll))
    assert 0 < result.goodness_of_fit < 1


def test_signal_strength_of_exactly_zero_is_a_result():
    result = require_good(fitted(counting(4.0, 10.0, 3.0, normsys("a", 1.1, 0.9))))
    assert result.value("mu")[0] == 0.0
    assert result.value("mu")[1] > 0
    assert result.notes == ("mu is at its bound 0: its uncertainty is one-sided",)
    exact = require_good(fitted(counting(4.0, 10.0, 10.0, bounds=(-5.0, 5.0))))
    assert exact.value("mu")[0] == pytest.approx(0.0, abs=1e-3)


@OPTIMIZERS
def test_no_observed_event_is_a_result(optimizer):
    """The likelihood 2 (mu s + b) is a straight line: it rises by one until mu = 1 / (2 s)."""
    for modifiers in ((), (normsys("a", 1.1, 0.9),)):
        result = require_good(fitted(counting(4.0, 10.0, 0.0, *modifiers), optimizer=optimizer))
        assert result.value("mu") == (0.0, pytest.approx(0.125, rel=0.11 if modifiers else 1e-6))
        assert result.notes == ("mu is at its bound 0: its uncertainty is one-sided",)


def test_no_observed_event_does_not_hide_a_parameter_without_effect():
    twin = {"name": "twin", "type": "normfactor", "data": None}
    workspace = counting(4.0, 10.0, 0.0)
    workspace["channels"][0]["samples"][0]["modifiers"].append(twin)
    result = fitted(workspace)  # twin acts on a signal of strength zero
    assert not result.converged
    assert "twin" in result.notes[0]
    likelihood = Likelihood(load_model(counting(0.0, 10.0, 0.0))[0])
    task = Task.free(likelihood, np.zeros(1), "minuit")
    assert not curvature(task, np.zeros(1)).positive_definite  # no signal: nothing pushes it there


def test_parameter_of_interest_at_its_upper_bound_is_no_result():
    result = fitted(counting(4.0, 10.0, 100.0, bounds=(0.0, 2.0)))
    assert not result.converged
    with pytest.raises(FitError, match="mu is at its bound 2"):
        require_good(result)


def test_norm_factor_at_a_bound_is_no_result():
    workspace = counting(4.0, 10.0, 12.0, {"name": "k", "type": "normfactor", "data": None})
    control = {**workspace["channels"][0]["samples"][1]}
    workspace["channels"].append({"name": "cr", "samples": [control]})
    workspace["observations"].append({"name": "cr", "data": [80.0]})
    parameters = workspace["measurements"][0]["config"]["parameters"]
    parameters.append({"name": "k", "inits": [1.0], "bounds": [[0.0, 3.0]]})
    result = fitted(workspace)
    assert not result.converged
    assert any("k is at its bound 3" in note for note in result.notes)


@OPTIMIZERS
def test_flat_likelihood_is_no_result(optimizer):
    workspace = counting(0.0, 10.0, 12.0, normsys("a", 1.1, 0.9))
    result = fitted(workspace, optimizer=optimizer)
    assert not result.converged
    assert np.isfinite(result.uncertainty).all()
    with pytest.raises(FitError, match="not positive definite; the data do not fix mu"):
        require_good(result)


def empty_bin(observed):
    """A bin without expectation beside that of `counting`."""
    workspace = counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9))
    for sample in workspace["channels"][0]["samples"]:
        sample["data"].append(0.0)
    workspace["observations"][0]["data"].append(observed)
    return workspace


def test_data_in_a_bin_without_expectation_are_no_result():
    for load in (load_model, load_likelihood):
        result = fit(*load(empty_bin(3.0)))
        with pytest.raises(FitError, match="sr expects no event in bin 1, where 3 are observed"):
            require_good(result)


def test_a_bin_without_anything_does_not_matter():
    result = require_good(fit(*load_likelihood(empty_bin(0.0))))
    without = fitted(counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9)))
    np.testing.assert_allclose(result.bestfit, without.bestfit, atol=1e-6)
    np.testing.assert_allclose(result.uncertainty, without.uncertainty, rtol=1e-6)


def test_two_factors_on_one_bin_are_no_result():
    workspace = counting(4.0, 10.0, 16.0, {"name": "k", "type": "normfactor", "data": None})
    result = fitted(workspace)
    assert not result.converged
    assert any("mu" in note and "k" in note for note in result.notes)


def test_everything_fixed():
    workspace = counting(4.0, 10.0, 16.0)
    workspace["measurements"][0]["config"]["parameters"][0]["fixed"] = True
    result = fitted(workspace)
    assert result.value("mu") == (1.0, 0.0)
    assert result.converged


@OPTIMIZERS
def test_real_workspace_without_its_broken_systematics(optimizer):
    """Reference: pyhf with minuit on the same workspace."""
    result = require_good(fitted(zprime_without_broken(), optimizer=optimizer))
    assert result.value("zprime_norm") == pytest.approx((0.0947, 0.0577), abs=1e-3)
    assert result.value("ttbar_norm") == pytest.approx((0.7772, 0.029), abs=1e-3)


def test_result_survives_json_and_cabinetry():
    result = fitted(zprime_without_broken())
    again = FitResult.from_json(result.to_json())
    assert again.to_json() == result.to_json()
    back = from_cabinetry(to_cabinetry(result), result.poi, model=dict(result.model))
    np.testing.assert_array_equal(back.bestfit, result.bestfit)
    np.testing.assert_array_equal(back.correlation, result.correlation)
    assert back.goodness_of_fit == result.goodness_of_fit
    without = to_cabinetry(fitted(counting(4.0, 10.0, 16.0)))
    assert without.goodness_of_fit == -1
    assert from_cabinetry(without, "mu").goodness_of_fit is None


def test_run_fit_gives_what_cabinetry_draws():
    model, data = load_model(all_modifiers())
    returned, results, prefit, postfit = run_fit(model, data)
    assert returned == data
    assert results.labels == model.config.par_names
    assert (prefit.label, postfit.label) == ("pre-fit", "post-fit")
    assert postfit.model is model
    np.testing.assert_allclose(
        np.concatenate([np.sum(channel, axis=0) for channel in postfit.model_yields]),
        model.expected_data(results.bestfit, include_auxdata=False),
    )


def test_run_fit_raises_where_there_is_no_result():
    model, data = load_model(counting(0.0, 10.0, 12.0, normsys("a", 1.1, 0.9)))
    with pytest.raises(FitError):
        run_fit(model, data)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_fit_that_fails_is_tried_again(monkeypatch, failures):
    from hepflow.statistics import minimise

    honest, calls = minimise._minuit, []

    def failing(task, start, strategy):
        calls.append(strategy)
        found = honest(task, start, strategy)
        return found if len(calls) > failures else replace(found, valid=False)

    monkeypatch.setattr(minimise, "_minuit", failing)
    result = require_good(fitted(counting(4.0, 10.0, 16.0), optimizer="minuit"))
    assert calls == [0, 1, 2, 2][: failures + 1]
    assert result.value("mu")[0] == pytest.approx(1.5, abs=1e-3)


@pytest.mark.parametrize("early", [1, 3])
def test_a_minimiser_that_stops_early_is_not_believed(monkeypatch, early):
    from hepflow.statistics import minimise

    honest, calls = minimise._minuit, []

    def stopping(task, start, strategy):
        calls.append(strategy)
        value = task.likelihood.twice_nll(start, task.data)
        stopped = minimise.Minimum(start, value, valid=True)
        return stopped if len(calls) <= early else honest(task, start, strategy)

    monkeypatch.setattr(minimise, "_minuit", stopping)
    monkeypatch.setattr(minimise, "_NEWTON_STEPS", 0)
    result = fitted(counting(4.0, 10.0, 26.0), optimizer="minuit")
    assert calls == [0, 1, 2][: early + 1]
    assert result.converged == (early == 1)
    if early == 1:
        assert result.value("mu")[0] == pytest.approx(4.0, abs=1e-3)
    else:
        assert result.notes == ("the minimiser stopped before the minimum",)


def test_a_fit_that_always_fails_is_no_result(monkeypatch):
    from hepflow.statistics import minimise, upper_limit

    honest = minimise._minuit
    monkeypatch.setattr(minimise, "_minuit", lambda *args: replace(honest(*args), valid=False))
    workspace = counting(4.0, 10.0, 16.0, normsys("a", 1.1, 0.9))
    with pytest.raises(FitError, match="did not converge"):
        require_good(fitted(workspace, optimizer="minuit"))
    with pytest.raises(FitError, match="mu held at 0 did not converge"):
        upper_limit(*load_model(workspace), optimizer="minuit")
