"""The normal distribution and roots, against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from hepflow.statistics.normal import cdf, log_cdf, quantile
from hepflow.statistics.roots import root


@given(x=st.floats(-1e4, 8.0))
def test_logarithm_of_the_distribution(x):
    assert log_cdf(x) == pytest.approx(special.log_ndtr(x), rel=1e-12)


@given(probability=st.floats(1e-12, 1 - 1e-12))
def test_quantile_is_the_inverse(probability):
    assert cdf(quantile(probability)) == pytest.approx(probability, rel=1e-9)
    assert quantile(probability) == pytest.approx(special.ndtri(probability), rel=1e-9, abs=1e-12)


@given(where=st.floats(0.05, 0.95), steep=st.floats(0.1, 30.0))
def test_root_is_that_of_brent(where, steep):
    calls = []

    def function(x):
        calls.append(x)
        return math.tanh(steep * (x - where))

    found = root(function, 0.0, 1.0, 1e-8)
    assert found == pytest.approx(where, rel=1e-7)
    assert found == pytest.approx(optimize.brentq(function, 0.0, 1.0), rel=1e-6)
    assert len([x for x in calls if 0 <= x <= 1]) < 120


def test_few_evaluations_are_enough():
    calls = []

    def function(x):
        calls.append(x)
        return np.log(x)

    assert root(function, 0.3, 2.0, 1e-6) == pytest.approx(1.0, rel=1e-6)
    assert len(calls) < 10
    assert root(lambda x: -1.0 if x < 0.5 else 1.0, 0.0, 1.0, 1e-6) == pytest.approx(0.5, rel=1e-5)
    assert root(lambda x: x - 1.0, 0.0, 1.0, 1e-6) == 1.0


def test_no_sign_change():
    with pytest.raises(ValueError, match="the function is 2 at 1 and 1 at 0"):
        root(lambda x: x + 1, 0.0, 1.0, 1e-6)
