"""Numbers at the edges: excesses beyond the range of the model, very many events."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hepflow.errors import FitError, LimitError
from hepflow.statistics import Likelihood, load_model, significance, upper_limit
from hepflow.statistics.toy_discovery import significance_with_toys
from hepflow.statistics.toy_limits import upper_limit_with_toys
from hepflow.statistics.toys import ToySpec
from tests.unit.statistics.models import counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def exact_z(background, observed):
    """Root of q0 of one bin without uncertainty."""
    excess = observed - background
    return math.sqrt(2 * (observed * math.log(observed / background) - excess))


@pytest.mark.parametrize("signal", [1e-6, 1e-3, 0.1, 1.0, 1e4])
@pytest.mark.parametrize(("background", "observed"), [(3.0, 10.0), (0.1, 60.0), (50.0, 1000.0)])
def test_significance_does_not_depend_on_the_units_of_the_signal(signal, background, observed):
    """The best signal strength may lie far beyond the range of the model."""
    found = significance(*load_model(counting(signal, background, observed)))
    assert found.observed_z == pytest.approx(exact_z(background, observed), rel=1e-4)


def test_significance_with_toys_does_not_depend_on_them_either():
    toys = ToySpec(number=200, seed=3)
    near, far = (
        significance_with_toys(*load_model(counting(s, 3.0, 7.0)), toys=toys, signal_strength=5 / s)
        for s in (5.0, 0.005)
    )
    assert far.observed_p == near.observed_p
    assert far.expected_z == near.expected_z


def test_limit_far_beyond_the_width_verifies():
    """A million observed events over twice the background: CLs falls within 1e-3 of the limit."""
    result = upper_limit(*load_model(counting(1e6, 3e6, 6e6)))
    assert result.cls_at_observed == pytest.approx(0.05, abs=1e-5)
    width = math.sqrt(6e6) / 1e6
    assert result.observed == pytest.approx(3 + 1.645 * width, abs=0.05 * width)


@pytest.mark.parametrize("events", [1e7, 1e9])
def test_pyhf_model_with_very_many_events_is_accepted(events):
    """The likelihood is a difference of large numbers: both sides round."""
    import pyhf

    rng = np.random.default_rng(1)
    background = rng.uniform(0.5, 1.0, 40) * events
    bins = [(0.01 * background).tolist(), background.tolist(), (0.01 * background).tolist()]
    model = pyhf.simplemodels.uncorrelated_background(*bins)
    assert Likelihood(model).n_data == 80


def nothing_observed():
    """CLs of no event is exp(-mu s): the exact limit is 1; toys below it hardly ever occur."""
    return load_model(counting(3.0, 5.0, 0.0))


def test_limit_that_toys_are_too_few_for_is_told(caplog):
    found = upper_limit_with_toys(*nothing_observed(), toys=ToySpec(number=2000, seed=1))
    uncertainty = found.model["toys"]["observed_uncertainty"]
    assert uncertainty > 0.2 * found.observed
    assert "with 2000 toys some limits on mu are known badly: observed" in caplog.text


def test_limit_that_toys_know_well_needs_no_word(caplog):
    upper_limit_with_toys(*load_model(counting(3.0, 10.0, 12.0)), toys=ToySpec(6000, 1))
    assert "known badly" not in caplog.text


def without_signal():
    return load_model(counting(0.0, 10.0, 12.0))


def held():
    """The parameter of interest is fixed."""
    content = counting(3.0, 10.0, 12.0)
    content["measurements"][0]["config"]["parameters"][0]["fixed"] = True
    return load_model(content)


@pytest.mark.parametrize("make", [significance, significance_with_toys])
@pytest.mark.parametrize(
    ("model", "what"), [(without_signal, "does not depend on mu"), (held, "mu is fixed in the")]
)
def test_no_significance_without_a_signal_that_may_move(make, model, what):
    with pytest.raises(FitError, match=what):
        make(*model())


def test_no_limit_on_what_is_fixed():
    with pytest.raises(LimitError, match="mu is fixed in the model: no limit"):
        upper_limit(*held())
