"""Significance: closed form, pyhf, deficits and blinding."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from hepflow.statistics import load_model, significance
from tests.unit.statistics.models import all_modifiers, counting, normsys, precise_pyhf

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def asimov_z(s, b):
    """Eq. 97 of arXiv:1007.1727."""
    return math.sqrt(2 * ((s + b) * math.log(1 + s / b) - s))


@pytest.mark.parametrize(("s", "b"), [(5.0, 10.0), (30.0, 10.0), (0.2, 100.0)])
def test_one_bin_has_its_closed_form(s, b):
    found = significance(*load_model(counting(s, b, b + 2 * s)))
    assert found.expected_z == pytest.approx(asimov_z(s, b), rel=1e-4)
    assert found.observed_z == pytest.approx(asimov_z(2 * s, b), rel=1e-4)
    assert found.observed_p == pytest.approx(norm.sf(found.observed_z))
    assert found.expected_p == pytest.approx(norm.sf(found.expected_z))


def test_deficit_has_no_significance():
    found = significance(*load_model(counting(5.0, 10.0, 3.0)))
    assert found.observed_z == 0.0
    assert found.observed_p == 0.5


def test_excess_beyond_the_bounds_counts():
    found = significance(*load_model(counting(0.1, 10.0, 10.5, bounds=(0.0, 10.0))))
    assert found.observed_z == pytest.approx(asimov_z(0.5, 10.0), rel=1e-4)


def test_is_that_of_pyhf():
    model, data = load_model(all_modifiers())
    found = significance(model, data)
    with precise_pyhf() as pyhf:
        observed, expected = pyhf.infer.hypotest(
            0.0, data, model, test_stat="q0", return_expected=True
        )
    assert found.observed_p == pytest.approx(float(observed), abs=1e-4)
    assert found.expected_p == pytest.approx(float(expected), abs=1e-4)


def test_expected_only_does_not_look_at_the_data():
    model, data = load_model(counting(5.0, 10.0, 25.0, normsys("a", 1.2, 0.8)))
    blind = significance(model, data, expected_only=True)
    assert blind == significance(model, None)
    assert blind.observed_p is None
    assert blind.observed_z is None
    assert 0 < blind.expected_z < asimov_z(5.0, 10.0)
