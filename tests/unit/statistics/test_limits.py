"""Limits: exact formula in one bin, pyhf's hypothesis test, laws, published numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from hepflow.errors import FitError, LimitError
from hepflow.records import LimitResult
from hepflow.statistics import Cls, Likelihood, fit, limits, load_model, upper_limit
from tests.unit.statistics.models import (
    all_modifiers,
    counting,
    normsys,
    precise_pyhf,
    shared,
    zprime_without_broken,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
REFERENCE = (1.2426, 1.7624, 2.6579, 4.1367, 6.2969)  # ATLAS SUSY-2018-31, expected


def exact_log_cls(mu, s, b, n):
    """Logarithm of CLs of one bin without uncertainty, eq. 16 and 64 to 67 of arXiv:1007.1727."""

    def qtilde(count):
        best = max((count - b) / s, 0.0)
        if best > mu:
            return 0.0
        rate, top = mu * s + b, best * s + b
        return max(2 * (rate - top - (count * math.log(rate / top) if count else 0.0)), 0.0)

    q, asimov = qtilde(n), qtilde(b)
    root = math.sqrt(asimov)
    statistic = math.sqrt(q) - root if q <= asimov else (q - asimov) / (2 * root)
    return norm.logsf(statistic + root) - norm.logsf(statistic)


def exact_limit(s, b, n, alpha=0.05):
    def miss(mu):
        return exact_log_cls(mu, s, b, n) - math.log(alpha)

    return brentq(miss, 1e-6 / s, 1e4 / s, rtol=1e-10)


def test_a_range_that_leaves_out_no_signal_is_used_from_there_and_said(caplog):
    usual = upper_limit(*load_model(counting(3.0, 10.0, 12.0)))
    assert caplog.text == ""
    result = upper_limit(*load_model(counting(3.0, 10.0, 12.0, bounds=(0.1, 10.0))))
    assert result.observed == pytest.approx(usual.observed, rel=1e-5)
    assert "the range of mu starts at 0.1; CLs compares with no signal" in caplog.text


@pytest.mark.parametrize(("s", "b", "n"), [(3.0, 10.0, 12.0), (3.0, 10.0, 5.0), (1.0, 2.0, 0.0)])
def test_one_bin_has_its_exact_limit(s, b, n):
    result = upper_limit(*load_model(counting(s, b, n)))
    assert result.observed == pytest.approx(exact_limit(s, b, n), rel=1e-4)
    assert result.expected[2] == pytest.approx(exact_limit(s, b, b), rel=1e-4)
    assert result.cls_at_observed == pytest.approx(0.05, abs=1e-4)
    assert result.expected_kind == "a_posteriori"
    assert (result.test_statistic, result.calculator) == ("qtilde", "asymptotic")
    assert result.model["background_uncertainty"] == "none"


def test_other_confidence_level():
    result = upper_limit(*load_model(counting(3.0, 10.0, 12.0)), confidence_level=0.9)
    assert result.observed == pytest.approx(exact_limit(3.0, 10.0, 12.0, 0.1), rel=1e-4)
    with pytest.raises(LimitError, match="between 0 and 1"):
        upper_limit(*load_model(counting(3.0, 10.0, 12.0)), confidence_level=95)


@settings(max_examples=12, deadline=None)
@given(scale=st.floats(-4, 4), observed=st.floats(3, 40))
def test_limit_scales_with_the_signal(scale, observed):
    """Far beyond the bounds of the parameter of interest as well as far inside them."""
    signal = 10.0**scale
    result = upper_limit(*load_model(counting(signal, 10.0, observed)))
    assert result.observed * signal == pytest.approx(exact_limit(1.0, 10.0, observed), rel=3e-4)


@settings(max_examples=8, deadline=None)
@given(low=st.integers(0, 30), more=st.integers(1, 20))
def test_more_events_never_give_a_stronger_limit(low, more):
    first, second = (
        upper_limit(*load_model(counting(3.0, 10.0, float(n), normsys("a", 1.2, 0.8)))).observed
        for n in (low, low + more)
    )
    assert second > first


@pytest.mark.parametrize("mu", [0.4, 1.0, 3.0])
@pytest.mark.parametrize(
    "workspace",
    [
        counting(3.0, 10.0, 12.0, normsys("a", 1.2, 0.8)),
        counting(3.0, 10.0, 4.0, normsys("a", 1.2, 0.8)),
        counting(3.0, 50.0, 63.0, normsys("a", 1.3, 0.9), normsys("b", 0.9, 1.1)),
        all_modifiers(),
    ],
    ids=["excess", "deficit", "two", "all"],
)
def test_cls_is_that_of_pyhf(workspace, mu):
    model, data = load_model(workspace)
    point = Cls(Likelihood(model), np.asarray(data)).point(mu)
    with precise_pyhf() as pyhf:
        observed, expected = pyhf.infer.hypotest(
            mu, data, model, test_stat="qtilde", return_expected_set=True
        )
    assert point.observed == pytest.approx(float(observed), abs=1e-4)
    assert point.expected == pytest.approx([float(one) for one in expected], abs=1e-4)


def test_limit_without_an_observed_event_is_that_of_pyhf():
    import pyhf

    model = pyhf.simplemodels.uncorrelated_background([5.0, 3.0], [10.0, 12.0], [1.0, 1.5])
    data = [0.0, 0.0, *model.config.auxdata]
    assert fit(model, data).converged
    found = upper_limit(model, data).observed
    with precise_pyhf() as reference:
        cls = reference.infer.hypotest(found, data, model, test_stat="qtilde")
    assert float(cls) == pytest.approx(0.05, abs=1e-4)


def test_expected_only_does_not_look_at_the_data():
    model, data = load_model(counting(3.0, 10.0, 25.0, normsys("a", 1.2, 0.8)))
    blind = upper_limit(model, data, expected_only=True, scan_points=5)
    assert blind == upper_limit(model, None, scan_points=5)
    assert blind.observed is None
    assert blind.cls_at_observed is None
    assert blind.scan.observed is None
    assert blind.expected_kind == "a_priori"
    assert blind.expected != upper_limit(model, data).expected
    nominal = load_model(counting(3.0, 10.0, 10.0, normsys("a", 1.2, 0.8)))
    assert blind.expected == pytest.approx(upper_limit(*nominal).expected, rel=1e-4)


def test_observed_without_data_is_refused():
    with pytest.raises(LimitError, match="no observed data"):
        Cls(Likelihood(load_model(counting(3.0, 10.0, 25.0))[0]), None).observed(1.0)


def test_scan_starts_at_one_and_holds_the_limits():
    result = upper_limit(*load_model(counting(3.0, 10.0, 12.0)), scan_points=41)
    scan = result.scan
    assert len(scan.poi_values) == 41
    assert scan.poi_values[0] == 0.0
    assert scan.observed[0] == 1.0
    assert result.poi_range == (0.0, scan.poi_values[-1])
    assert scan.poi_values[-1] > max(*result.expected, result.observed)
    for limit, curve in zip(
        (result.observed, *result.expected), (scan.observed, *scan.expected), strict=True
    ):
        assert np.all(np.diff(curve) < 0)
        interpolated = np.interp(-math.log(0.05), -np.log(curve), scan.poi_values)
        assert interpolated == pytest.approx(limit, rel=2e-2)
    exact = [math.exp(exact_log_cls(mu, 3.0, 10.0, 12.0)) for mu in scan.poi_values[1:]]
    np.testing.assert_allclose(scan.observed[1:], exact, atol=1e-5)


def test_signal_without_effect_has_no_limit():
    model, data = load_model(counting(0.0, 10.0, 12.0, normsys("a", 1.1, 0.9)))
    with pytest.raises(LimitError, match="does not depend on mu"):
        upper_limit(model, data)


def test_limit_above_the_bounds_of_the_parameter():
    model, data = load_model(counting(0.05, 10.0, 20.0, bounds=(0.0, 10.0)))
    result = upper_limit(model, data)
    assert result.observed == pytest.approx(exact_limit(0.05, 10.0, 20.0), rel=1e-4)
    assert result.observed > 100


@pytest.mark.parametrize("optimizer", ["newton", "minuit", "scipy"])
def test_bounds_of_the_parameter_of_interest_do_not_matter(optimizer):
    """Minuit moves even a fixed parameter into its limits."""
    results = [
        upper_limit(*load_model(workspace), optimizer=optimizer)
        for workspace in (
            counting(3.0, 10.0, 30.0, normsys("a", 1.2, 0.8), bounds=(0.0, high))
            for high in (7.0, 1000.0)
        )
    ]
    assert results[0].observed > 10
    assert results[0].observed == pytest.approx(results[1].observed, rel=1e-4)
    assert results[0].expected == pytest.approx(results[1].expected, rel=1e-4)


def test_missed_minimum_is_not_believed(monkeypatch):
    """A fit that stops early at one point must not decide the limit."""
    from hepflow.statistics.profile import Profile

    model, data = load_model(counting(3.0, 10.0, 12.0, normsys("a", 1.2, 0.8)))
    truth = upper_limit(model, data).observed
    honest = Profile.at

    def early(self, mu):
        found = honest(self, mu)
        if 0.5 < mu < truth and not getattr(self, "spoiled", False):
            self.spoiled = True
            found = replace(found, value=found.value + 9)
            self._known[float(mu)] = [found]
        return found

    monkeypatch.setattr(Profile, "at", early)
    assert upper_limit(model, data).observed == pytest.approx(truth, rel=1e-3)


def test_free_fit_that_missed_its_minimum_is_made_again(monkeypatch):
    from hepflow.statistics.profile import Profile

    model, data = load_model(counting(3.0, 10.0, 12.0, normsys("a", 1.2, 0.8)))
    truth = Cls(Likelihood(model), np.asarray(data)).observed(2.0)
    honest, calls = Profile.free, []

    def early(self, low, high):
        calls.append(high)
        found = honest(self, low, high)
        return found if len(calls) > 1 else replace(found, value=found.value + 9)

    monkeypatch.setattr(Profile, "free", early)
    assert Cls(Likelihood(model), np.asarray(data)).observed(2.0) == pytest.approx(truth, abs=1e-6)
    assert len(calls) == 2


def test_a_limit_that_does_not_verify_is_no_limit(monkeypatch):
    monkeypatch.setattr(limits, "CLS_TOLERANCE", -1.0)
    with pytest.raises(LimitError, match=r"expected limit at -2 sigma .* does not verify"):
        upper_limit(*load_model(counting(3.0, 10.0, 12.0)))


def test_no_bracket():
    with pytest.raises(LimitError, match=r"no bracket for the limit: CLs stays above"):
        limits._root(lambda mu: -1.0, 1.0, "limit")

    def fails(mu):
        raise FitError("did not converge")

    with pytest.raises(LimitError, match=r"no bracket for the limit: at 1, did not converge"):
        limits._root(fails, 1.0, "limit")
    assert limits._root(lambda mu: mu - 1e-6, 1.0, "limit") == pytest.approx(1e-6, rel=1e-4)
    assert limits._narrowed(lambda mu: 1.0, 1.0)[0] == 0.0


@pytest.mark.parametrize("optimizer", ["newton", "minuit", "scipy"])
def test_real_workspace_without_its_broken_systematics(optimizer):
    model, data = load_model(zprime_without_broken())
    result = upper_limit(model, data, optimizer=optimizer)
    assert result.observed == pytest.approx(0.1937, rel=1e-3)
    assert result.expected[2] == pytest.approx(0.1127, rel=1e-3)
    assert LimitResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_published_likelihood():
    """ATLAS SUSY-2018-31, region A; values computed with pyhf."""
    import jsonpatch

    folder = "likelihoods/sbottom_regionA"
    background = json.loads(shared(f"{folder}/BkgOnly.json").read_text())
    patch = json.loads(shared(f"{folder}/patch.sbottom_1300_205_60.json").read_text())
    model, data = load_model(jsonpatch.apply_patch(background, patch))
    likelihood = Likelihood(model)
    point = Cls(likelihood, np.asarray(data)).point(1.0)
    assert point.observed == pytest.approx(0.24443627759, abs=1e-4)
    cls_expected = (0.0902251, 0.1937839, 0.3843234, 0.6557757, 0.8910421)
    assert point.expected == pytest.approx(cls_expected, abs=1e-4)
    result = upper_limit(likelihood, data)
    assert result.observed == pytest.approx(2.0102, rel=1e-3)
    assert result.expected == pytest.approx(REFERENCE, rel=1e-3)
