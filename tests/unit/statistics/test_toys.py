"""Toys: their distributions, that they do not depend on batches, limits and significance."""

from __future__ import annotations

import json
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from hepflow.errors import FitError, InputError, LimitError
from hepflow.records import LimitResult
from hepflow.statistics import load_likelihood, significance, toys, upper_limit
from hepflow.statistics.batch import Fits
from hepflow.statistics.toy_cls import ToyCls
from hepflow.statistics.toy_discovery import significance_with_toys
from hepflow.statistics.toy_limits import upper_limit_with_toys
from hepflow.statistics.toys import ToySpec, fit_toys, make_toys, poisson_quantile, uniform
from tests.unit.statistics.inference_models import fitted, shapes
from tests.unit.statistics.models import all_modifiers, counting, normsys

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@settings(max_examples=40, deadline=None)
@given(rate=st.floats(1e-6, 1e7), seed=st.integers(0, 100))
def test_quantiles_are_those_of_scipy(rate, seed):
    uniforms = np.random.default_rng(seed).random(20)
    uniforms[:2] = 2.0**-40, 1 - 2.0**-40  # nearer to 1 rounding decides
    assert poisson_quantile(rate, uniforms) == pytest.approx(poisson.ppf(uniforms, rate))


def test_quantiles_at_the_ends():
    uniforms = np.array([2.0**-54, 0.5, 1 - 2.0**-53])
    assert poisson_quantile(0.0, uniforms).tolist() == [0.0, 0.0, 0.0]
    assert poisson_quantile(-1.0, uniforms).tolist() == [0.0, 0.0, 0.0]
    large = poisson_quantile(1e12, uniforms)
    assert large == pytest.approx(1e12 + 1e6 * norm.ppf(uniforms), abs=1.0)


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(0, 12), seed=st.integers(0, 2**32), ensemble=st.integers(0, 3))
def test_toys_do_not_depend_on_how_many_are_made_at_a_time(cut, seed, ensemble):
    spec = ToySpec(20, seed)
    whole = uniform(spec, ensemble, 0, 12, 5)
    parts = [uniform(spec, ensemble, 0, cut, 5), uniform(spec, ensemble, cut, 12 - cut, 5)]
    assert np.concatenate(parts).tolist() == whole.tolist()
    assert uniform(spec, ensemble + 1, 0, 12, 5).tolist() != whole.tolist()
    assert uniform(ToySpec(20, seed + 1), ensemble, 0, 12, 5).tolist() != whole.tolist()


def test_counts_and_auxiliary_data_have_their_distributions():
    """Each constraint with its own kind: mean and width within 4.5 standard deviations."""
    likelihood, _ = load_likelihood(all_modifiers())
    parameters = likelihood.nominal()
    parameters += np.where(likelihood.constrained, 0.3 * likelihood.prefit_uncertainty(), 0.0)
    n_toys = 4000
    found = make_toys(likelihood, parameters, ToySpec(n_toys, 3))
    assert found.shape == (n_toys, likelihood.n_data)
    expected = likelihood.expected_data(parameters)
    n_bins = likelihood.yields.n_bins
    counted = [*range(n_bins)]
    variance = np.array(expected)
    position = n_bins
    spec = {"jes": 1.0, "lumi": 0.02**2, "id": 1.0}
    for name in likelihood.labels:
        index = likelihood.labels.index(name)
        if not likelihood.constrained[index]:
            continue
        base = name.split("[")[0]
        if base == "iso":
            counted.append(position)
        else:
            width = likelihood.prefit_uncertainty()[index] ** 2
            variance[position] = spec.get(base, width or variance[position])
        position += 1
    moving = expected > 0
    error = np.sqrt(variance / n_toys)
    assert (np.abs(found.mean(axis=0) - expected) < 4.5 * error)[moving].all()
    assert found.var(axis=0)[moving] == pytest.approx(
        variance[moving], rel=4.5 * math.sqrt(3 / n_toys)
    )
    assert (found[:, counted] == np.round(found[:, counted])).all()


def exact_cls(mu, s, b, n):
    """One bin without uncertainty: qtilde falls with the count, until it is 0."""
    if n >= mu * s + b:
        return 1.0
    return poisson.cdf(n, mu * s + b) / poisson.cdf(n, b)


@pytest.mark.parametrize(("b", "n"), [(3.0, 4.0), (0.5, 0.0)])
def test_one_bin_has_its_exact_limit(b, n):
    """A signal strength of exactly zero, too."""
    likelihood, data = load_likelihood(counting(1.0, b, n))
    found = upper_limit_with_toys(likelihood, data, toys=ToySpec(4000, 2))
    exact = brentq(lambda mu: exact_cls(mu, 1.0, b, n) - 0.05, n - b + 0.1 if n > b else 0.1, 40.0)
    about = found.model["toys"]
    assert found.observed == pytest.approx(exact, abs=3.5 * about["observed_uncertainty"])
    assert about["observed_uncertainty"] < 0.25 * exact
    assert found.cls_at_observed == pytest.approx(0.05, rel=0.3)
    assert (found.calculator, found.test_statistic) == ("toys", "qtilde")
    assert (about["number"], about["seed"], about["failed"]) == (4000, 2, 0)
    for k, band in enumerate((-2, -1, 0, 1, 2)):
        count = poisson.ppf(norm.cdf(band), b)
        wanted = brentq(lambda mu, n=count: exact_cls(mu, 1.0, b, n) - 0.05,
                        max(count - b, 0.0) + 0.1, 60.0)  # fmt: skip
        error = 3.5 * about["expected_uncertainty"][k] + 0.02 * wanted
        assert found.expected[k] == pytest.approx(wanted, abs=error), band
    text = json.dumps(found.to_json(), allow_nan=False)
    assert LimitResult.from_json(json.loads(text)) == found


def test_many_events_have_the_asymptotic_limit():
    likelihood, data, _ = fitted(shapes(3, 2))
    found = upper_limit_with_toys(likelihood, data, toys=ToySpec(1000))
    near = upper_limit(likelihood, data)
    about = found.model["toys"]
    assert found.observed == pytest.approx(near.observed, abs=3.5 * about["observed_uncertainty"])
    for k in range(5):
        error = 3.5 * about["expected_uncertainty"][k]
        assert found.expected[k] == pytest.approx(near.expected[k], abs=error)
    assert found.scan is not None
    assert set(found.scan.poi_values) >= set(near.expected)


def test_expected_limits_without_data():
    likelihood, _ = load_likelihood(counting(1.0, 3.0, 100.0))
    found = upper_limit_with_toys(likelihood, None, toys=ToySpec(2000), expected_only=True)
    assert (found.observed, found.cls_at_observed) == (None, None)
    assert found.expected_kind == "a_priori"
    assert found.scan is not None
    assert found.scan.observed is None
    assert found.expected[2] == pytest.approx(5.15, rel=0.15)  # 3 events seen
    assert list(found.expected) == sorted(found.expected)


def test_the_same_seed_gives_the_same_limit():
    likelihood, data = load_likelihood(counting(1.0, 3.0, 4.0, normsys("b", 1.2, 0.8)))
    one, same, other = (
        upper_limit_with_toys(likelihood, data, toys=ToySpec(1000, seed)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one.observed != other.observed


def test_too_few_toys_for_the_limit():
    likelihood, data = load_likelihood(counting(1.0, 3.0, 4.0))
    with pytest.raises(LimitError, match="no bracket for the expected limit at -2 sigma: with 100"):
        upper_limit_with_toys(likelihood, data, toys=ToySpec(100))


def test_a_limit_that_does_not_verify(monkeypatch):
    from hepflow.statistics import toy_limits

    likelihood, data = load_likelihood(counting(1.0, 3.0, 4.0))
    monkeypatch.setattr(toy_limits, "_TOO_FAR", 0.0)
    with pytest.raises(LimitError, match=r"the observed limit .* does not verify"):
        upper_limit_with_toys(likelihood, data, toys=ToySpec(1000))


def test_observed_values_need_data():
    from hepflow.logging import progress
    from hepflow.statistics import toy_limits

    likelihood, _ = load_likelihood(counting(1.0, 3.0, 4.0))
    with progress("toys") as task:
        point = ToyCls(likelihood, None, ToySpec(100), task).at(2.0)
    assert point.observed is None
    with pytest.raises(LimitError, match="no observed data were given"):
        toy_limits._observed(point)


@pytest.mark.parametrize(("b", "n"), [(3.0, 7.0), (0.8, 2.0), (20.0, 24.0)])
def test_one_bin_has_its_exact_significance(b, n):
    likelihood, data = load_likelihood(counting(4.0, b, n))
    found = significance_with_toys(likelihood, data, toys=ToySpec(6000, 4))
    exact, about = poisson.sf(n - 1, b), found.model["toys"]
    assert found.observed_p == pytest.approx(exact, abs=3.5 * about["observed_p_uncertainty"])
    assert found.observed_z == pytest.approx(norm.isf(found.observed_p), rel=1e-9)
    wanted = poisson.sf(poisson.median(b + 4.0) - 1, b)
    assert found.expected_p == pytest.approx(wanted, abs=3.5 * about["expected_p_uncertainty"])
    assert found.calculator == "toys"
    assert not about["observed_p_is_bound"]


def test_a_deficit_has_no_significance():
    likelihood, data = load_likelihood(counting(4.0, 10.0, 2.0, normsys("b", 1.1, 0.9)))
    found = significance_with_toys(likelihood, data, toys=ToySpec(200))
    assert (found.observed_p, found.observed_z) == (1.0, 0.0)


def test_more_than_toys_can_tell(caplog):
    likelihood, data = load_likelihood(counting(30.0, 3.0, 33.0))
    with caplog.at_level(logging.WARNING):
        found = significance_with_toys(likelihood, data, toys=ToySpec(200))
    assert (found.observed_p, found.model["toys"]["observed_p_is_bound"]) == (1 / 200, True)
    assert "0 of 200 toys reach the observed value of q0: the p-value is below 0.005" in caplog.text
    json.dumps(found.model, allow_nan=False)


def test_many_events_have_the_asymptotic_significance():
    likelihood, data, _ = fitted(shapes(3, 2))
    found = significance_with_toys(likelihood, data, toys=ToySpec(1500))
    near, about = significance(likelihood, data), found.model["toys"]
    assert found.observed_p == pytest.approx(
        near.observed_p, abs=4 * about["observed_p_uncertainty"]
    )
    nothing = significance_with_toys(likelihood, data, toys=ToySpec(50), expected_only=True)
    assert nothing.observed_p is None


def test_a_flat_likelihood_is_said():
    free = {"name": "k", "type": "normfactor", "data": None}  # whatever mu does, k does as well
    likelihood, data = load_likelihood(counting(1.0, 50.0, 50.0, free))
    with pytest.raises(FitError, match="does not depend on mu in any of 100 toys"):
        significance_with_toys(likelihood, data, toys=ToySpec(50))
    workspace = counting(1.0, 50.0, 50.0)
    workspace["channels"][0]["samples"][0]["data"] = [0.0]
    likelihood, data = load_likelihood(workspace)
    with pytest.raises(LimitError, match="does not depend on mu"):
        upper_limit_with_toys(likelihood, data, toys=ToySpec(50))


def test_toys_whose_fit_fails_are_counted(monkeypatch):
    """Up to 1 % are left out, more are an error."""
    likelihood, data = load_likelihood(counting(4.0, 10.0, 14.0))
    real = toys.fit_many
    share = [0.0]

    def sometimes(likelihood, data, start, **settings):
        found = real(likelihood, data, start, **settings)
        n_bad = int(share[0] * len(found.valid))
        values = found.value.copy()
        values[:n_bad] = np.nan
        return Fits(found.parameters, values, found.valid)

    monkeypatch.setattr(toys, "fit_many", sometimes)
    share[0] = 0.01
    found = significance_with_toys(likelihood, data, toys=ToySpec(200))
    assert found.model["toys"]["failed"] == 4
    assert np.isfinite([found.observed_p, found.expected_p]).all()
    share[0] = 0.02
    with pytest.raises(FitError, match="4 of 200 toys for the significance have a fit"):
        significance_with_toys(likelihood, data, toys=ToySpec(200))
    with pytest.raises(FitError, match="toys for the limit"):
        upper_limit_with_toys(likelihood, data, toys=ToySpec(200))


def test_fits_of_toys_hold_or_limit_the_signal():
    likelihood, _, result = fitted(shapes(4, 2))
    made = make_toys(likelihood, result.bestfit, ToySpec(30))
    held = fit_toys(likelihood, made, result.bestfit, poi=0.0)
    within = fit_toys(likelihood, made, result.bestfit, poi=(0.0, 0.5))
    free = fit_toys(likelihood, made, result.bestfit)
    assert (held.parameters[:, likelihood.poi] == 0.0).all()
    assert (within.parameters[:, likelihood.poi] <= 0.5).all()
    assert (free.value <= within.value + 1e-6).all()
    assert (within.value <= held.value + 1e-6).all()


def test_too_few_toys():
    likelihood, data = load_likelihood(counting(4.0, 10.0, 14.0))
    with pytest.raises(InputError, match="Expected 20 toys or more"):
        significance_with_toys(likelihood, data, toys=ToySpec(3))


def test_more_freedom_is_never_worse():
    """A source whose two sides lie on the same side of nominal gives two minima."""
    likelihood, _ = load_likelihood(all_modifiers())
    background = likelihood.nominal()
    background[likelihood.poi] = 0.0
    made = make_toys(likelihood, background, ToySpec(150))
    free = fit_toys(likelihood, made, background, poi=(0.0, 10.0))
    elsewhere = fit_toys(likelihood, made, likelihood.init, poi=(0.0, 10.0)).parameters
    held = fit_toys(likelihood, made, elsewhere, poi=0.7)
    assert (held.value < free.value - 1e-3).any()
    better = toys.improved(likelihood, made, free, held, (0.0, 10.0))
    assert (better.value <= held.value + 1e-6).all()
    assert (better.value <= free.value).all()
    assert toys.improved(likelihood, made, better, held, (0.0, 10.0)) is better
