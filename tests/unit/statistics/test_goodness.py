"""Goodness of fit: asymptotic and with toys."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, kstest, poisson

from hepflow.errors import FitError, InputError
from hepflow.records import GoodnessOfFit
from hepflow.statistics import goodness, goodness_of_fit
from hepflow.statistics.batch import Fits
from hepflow.statistics.goodness import asymptotic, goodness_with_toys
from hepflow.statistics.toys import ToySpec
from tests.unit.statistics.inference_models import fitted, shapes
from tests.unit.statistics.models import counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def two_bins(first, second):
    """Two bins of 10 events each that one factor scales."""
    workspace = counting(10.0, 0.0, first, bounds=(0.0, 50.0))
    samples = [{"name": "signal", "data": [10.0],
                "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}]  # fmt: skip
    workspace["channels"].append({"name": "cr", "samples": samples})
    workspace["observations"].append({"name": "cr", "data": [second]})
    return workspace


def statistic(first, second):
    """Of two bins with the same expectation: closed form."""
    mean = (first + second) / 2
    return 2 * sum(n * math.log(n / mean) for n in (first, second) if n)


def test_closed_form():
    likelihood, data, result = fitted(two_bins(18.0, 6.0))
    found = asymptotic(likelihood, data, result.twice_nll)
    assert found.statistic == pytest.approx(statistic(18, 6), abs=1e-6)
    assert found.degrees_of_freedom == 1
    assert found.p_value == pytest.approx(chi2.sf(statistic(18, 6), 1), rel=1e-5)
    assert result.goodness_of_fit == found.p_value  # there is one formula
    assert goodness_of_fit(likelihood, data, result.twice_nll) == found.p_value


def test_toys_follow_the_exact_distribution():
    """Given the expectation of 12 a bin, all pairs of counts can be summed."""
    likelihood, data, result = fitted(two_bins(18.0, 6.0))
    found = goodness_with_toys(likelihood, data, result, ToySpec(4000, 5))
    counts = np.arange(60)
    weight = np.outer(poisson.pmf(counts, 12), poisson.pmf(counts, 12))
    reached = np.array([[statistic(a, b) >= statistic(18, 6) - 1e-9 if a + b else False
                         for b in counts] for a in counts])  # fmt: skip
    exact = float(weight[reached].sum())
    about = found.model["toys"]
    assert found.p_value == pytest.approx(exact, abs=3.5 * math.sqrt(exact * (1 - exact) / 4000))
    assert about["p_value_uncertainty"] == pytest.approx(math.sqrt(exact / 4000), rel=0.2)
    assert (found.calculator, found.failed, len(found.toys)) == ("toys", 0, 4000)
    assert (about["number"], about["seed"], about["failed"]) == (4000, 5, 0)
    assert GoodnessOfFit.from_json(found.to_json()) == found


def test_many_events_follow_chi_squared():
    likelihood, data, result = fitted(shapes(6, 4))
    found = goodness_with_toys(likelihood, data, result, ToySpec(400))
    assert found.degrees_of_freedom == 4
    assert kstest(found.toys, chi2(4).cdf).pvalue > 1e-3


def test_no_degree_of_freedom():
    likelihood, data, result = fitted(counting(10.0, 5.0, 12.0))
    found = asymptotic(likelihood, data, result.twice_nll)
    assert (found.degrees_of_freedom, found.p_value) == (0, None)
    assert goodness_with_toys(likelihood, data, result, ToySpec(50)).p_value == 1.0


def test_what_is_refused(monkeypatch):
    likelihood, data, result = fitted(two_bins(18.0, 6.0))
    with pytest.raises(FitError, match="is nan at the best fit: there is no goodness of fit"):
        asymptotic(likelihood, data, math.nan)
    with pytest.raises(InputError, match="5 toys with seed 1 were asked for"):
        goodness_with_toys(likelihood, data, result, ToySpec(5))
    with pytest.raises(InputError, match="with seed -1 were asked for"):
        goodness_with_toys(likelihood, data, result, ToySpec(50, -1))

    def some_fail(likelihood, toys, start, **_):
        valid = np.arange(len(toys)) >= 2
        return Fits(np.tile(start, (len(toys), 1)), np.full(len(toys), 1e3), valid)

    monkeypatch.setattr(goodness, "fit_toys", some_fail)
    with pytest.raises(FitError, match=r"2 of 100 toys for the goodness of fit.*at most 1% may"):
        goodness_with_toys(likelihood, data, result, ToySpec(100))
    found = goodness_with_toys(likelihood, data, result, ToySpec(200))
    assert (found.failed, len(found.toys)) == (2, 198)
