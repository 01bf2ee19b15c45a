"""Intervals: closed form, iminuit's MINOS, bounds, several crossings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from hepflow.errors import FitError, InputError
from hepflow.records import Interval
from hepflow.statistics import intervals
from hepflow.statistics.bestfit import BestFit
from hepflow.statistics.intervals import minos, rise
from tests.unit.statistics.inference_models import fitted, shapes
from tests.unit.statistics.models import all_modifiers, counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def exact_ends(s, b, n, level):
    """Where the likelihood of one bin without uncertainty has risen by `level`."""

    def above(mu):
        rate = mu * s + b
        return 2 * (rate - n - n * math.log(rate / n)) - level

    best = (n - b) / s
    return brentq(above, -b / s + 1e-9, best), brentq(above, best, best + 20 * math.sqrt(n) / s)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 400), confidence=st.sampled_from([0.5, intervals.ONE_SIGMA, 0.95, 0.999]))
def test_one_bin_has_its_interval(n, confidence):
    likelihood, data, result = fitted(counting(5.0, 10.0, float(n), bounds=(-2.0, 300.0)))
    (found,) = minos(likelihood, data, result, ["poi"], confidence_level=confidence)
    low, high = exact_ends(5.0, 10.0, n, rise(confidence))
    assert found.parameter == "mu"
    assert found.high == pytest.approx(high, abs=1e-5 * result.uncertainty[0])
    if low < -2.0:
        assert found.low is None
    else:
        assert found.low == pytest.approx(low, abs=1e-5 * result.uncertainty[0])


def test_the_same_as_iminuit():
    import iminuit

    likelihood, data, result = fitted(all_modifiers())
    names = ["mu", "k", "jes", "iso[0]"]
    found = minos(likelihood, data, result, names)
    minuit = iminuit.Minuit(
        lambda x: likelihood.twice_nll(x, data),
        result.bestfit,
        grad=lambda x: likelihood.gradient(x, data),
        name=likelihood.labels,
    )
    minuit.limits, minuit.tol, minuit.errordef = likelihood.bounds, 1e-4, 1.0
    minuit.migrad()
    minuit.minos(*names)
    for one in found:
        theirs = minuit.merrors[one.parameter]
        best, width = result.value(one.parameter)
        assert one.high == pytest.approx(best + theirs.upper, abs=2e-3 * width)
        if one.low is None:
            assert theirs.at_lower_limit
        else:
            assert one.low == pytest.approx(best + theirs.lower, abs=2e-3 * width)
    assert [one.low is None for one in found] == [True, False, False, False]


def test_a_signal_strength_at_zero_has_no_lower_end():
    likelihood, data, result = fitted(counting(5.0, 10.0, 3.0))
    (found,) = minos(likelihood, data, result, ["mu"])
    assert (found.bestfit, found.low) == (0.0, None)
    excess = 2 * (10 - 3 * math.log(10))

    def above(mu):
        rate = 10 + 5 * mu
        return 2 * (rate - 3 * math.log(rate)) - excess - 1

    assert found.high == pytest.approx(brentq(above, 0.0, 5.0), abs=1e-5)


def test_many_parameters_at_once_are_those_one_by_one():
    likelihood, data, result = fitted(shapes(6, 4))
    together = minos(likelihood, data, result, likelihood.labels)
    for name, one in zip(likelihood.labels, together, strict=True):
        (alone,) = minos(likelihood, data, result, [name])
        assert (one.low, one.high) == pytest.approx((alone.low, alone.high), rel=1e-6)
        assert one.low < one.bestfit < one.high
        assert isinstance(one, Interval)


class Wavy:
    """A profile that falls again beyond its first crossings."""

    def __init__(self, monkeypatch, rises):
        likelihood, data, result = fitted(counting(5.0, 10.0, 20.0, bounds=(-1.9, 30.0)))
        self.best = BestFit.of(likelihood, data, result)

        def held(_, which, values):
            return type("Found", (), {"value": self.best.value + rises(values[:, 0])})

        monkeypatch.setattr(BestFit, "held", held)


def test_of_several_crossings_the_nearest_is_taken(monkeypatch):
    wavy = Wavy(monkeypatch, lambda mu: 2 * (1 - np.cos(2 * (mu - 2.0))))
    (one,) = intervals.profile_intervals(wavy.best, [(0, intervals.ONE_SIGMA)])
    assert (one.low, one.high) == pytest.approx((2 - math.pi / 6, 2 + math.pi / 6), abs=1e-4)


def test_a_likelihood_that_never_rises_has_no_end_within_the_range(monkeypatch):
    wavy = Wavy(monkeypatch, lambda mu: 0.0 * mu)
    (one,) = intervals.profile_intervals(wavy.best, [(0, 0.95)])
    assert (one.low, one.high) == (None, None)
    monkeypatch.setattr(intervals, "_ROUNDS", 1)
    with pytest.raises(FitError, match="no end of the interval of mu was found"):
        intervals.profile_intervals(wavy.best, [(0, 0.95)])


def test_what_is_refused():
    likelihood, data, result = fitted(all_modifiers())
    with pytest.raises(InputError, match=r"no parameter 'lum'\. Did you mean 'lumi'"):
        minos(likelihood, data, result, ["lum"])
    with pytest.raises(InputError, match="confidence level is 95"):
        minos(likelihood, data, result, ["lumi"], confidence_level=95)
    workspace = counting(5.0, 10.0, 20.0)
    workspace["channels"][0]["samples"][1]["modifiers"].append(
        {"name": "k", "type": "normfactor", "data": None}
    )
    workspace["measurements"][0]["config"]["parameters"].append({"name": "k", "fixed": True})
    likelihood, data, result = fitted(workspace)
    with pytest.raises(InputError, match="k is fixed in the fit: it has no interval"):
        minos(likelihood, data, result, ["k"])
