"""Scans of the likelihood: closed form, default grid, contours, what is refused."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.records import LikelihoodScan
from hepflow.statistics import scans
from hepflow.statistics.bestfit import BestFit
from hepflow.statistics.intervals import ONE_SIGMA, minos
from hepflow.statistics.scans import Grid, scan
from tests.unit.statistics.inference_models import fitted, shapes
from tests.unit.statistics.models import all_modifiers, counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def two_bins():
    """Each of two factors scales its own bin: the likelihood is a product."""
    workspace = counting(10.0, 0.0, 100.0, bounds=(0.0, 50.0))
    factor = {"name": "k", "type": "normfactor", "data": None}
    samples = [{"name": "background", "data": [20.0], "modifiers": [factor]}]
    workspace["channels"].append({"name": "cr", "samples": samples})
    workspace["observations"].append({"name": "cr", "data": [400.0]})
    k = {"name": "k", "bounds": [[0.0, 100.0]]}
    workspace["measurements"][0]["config"]["parameters"].append(k)
    return workspace


def rise_of(value, scale, count):
    rate = value * scale
    return 2 * (rate - count - count * math.log(rate / count))


def test_one_bin_has_its_profile():
    likelihood, data, result = fitted(two_bins())
    found = scan(likelihood, data, result, ["poi"])
    assert found.parameters == ("mu",)
    assert found.data == "observed"
    (values,) = found.values
    assert (values[0], values[-1]) == pytest.approx((7.0, 13.0), rel=1e-4)
    exact = [rise_of(mu, 10.0, 100.0) for mu in values]
    assert found.delta == pytest.approx(exact, abs=1e-6)
    assert [one.confidence_level for one in found.intervals] == [ONE_SIGMA, 0.95]
    for one, level in zip(found.intervals, (1.0, 3.841459), strict=True):
        for end in (one.low, one.high):
            assert rise_of(end, 10.0, 100.0) == pytest.approx(level, abs=1e-4)
    assert found.model["levels"] == pytest.approx({"0.6827": 1.0, "0.95": 3.8415}, abs=1e-4)
    assert LikelihoodScan.from_json(found.to_json()) == found


def test_two_parameters_and_their_contours():
    likelihood, data, result = fitted(two_bins())
    found = scan(likelihood, data, result, ["mu", "k"], grid=Grid(points=7), expected_only=True)
    assert (found.parameters, found.data, found.intervals) == (("mu", "k"), "asimov", ())
    exact = [rise_of(a, 10.0, 100.0) + rise_of(b, 20.0, 400.0)
             for a in found.values[0] for b in found.values[1]]  # fmt: skip
    assert found.delta == pytest.approx(exact, abs=1e-6)
    assert found.bestfit == pytest.approx((10.0, 20.0))
    assert found.model["levels"] == pytest.approx({"0.6827": 2.30, "0.95": 5.99}, abs=5e-3)


def test_others_are_refitted():
    likelihood, data, result = fitted(all_modifiers())
    found = scan(likelihood, data, result, ["mu"], grid=Grid(points=13))
    (values,) = found.values
    assert values[0] == 0.0  # the range of the parameter ends there
    best = BestFit.of(likelihood, data, result)
    frozen = result.bestfit.copy()
    for mu, rise in zip(values, found.delta, strict=True):
        frozen[likelihood.poi] = mu
        assert rise <= likelihood.twice_nll(frozen, data) - best.value + 1e-6
    (interval,) = minos(likelihood, data, result, ["mu"])
    assert found.intervals[0] == interval


def test_a_grid_of_ones_own():
    likelihood, data, result = fitted(shapes(5, 2))
    found = scan(likelihood, data, result, ["mu"], grid=Grid(ranges={"poi": (-1.0, 3.0)}, points=5))
    assert found.values == ((-1.0, 0.0, 1.0, 2.0, 3.0),)


@pytest.mark.parametrize(
    ("names", "grid", "message"),
    [
        ([], Grid(), "a scan was asked for in no parameter"),
        (["mu", "poi"], Grid(), "mu, poi. Expected one parameter, or two that differ"),
        (["mu", "k", "shape0"], Grid(), "one parameter, or two that differ"),
        (["mu"], Grid(points=1), "1 points were asked for. Expected 2 to 1000"),
        (["mu"], Grid({"k": (0.0, 1.0)}), "a range was given for k, which is not a parameter"),
        (["mu"], Grid({"mu": (2.0, 1.0)}), "2 to 1 of mu is not a range within that of the model"),
        (["mu"], Grid({"mu": (0.0, 99.0)}), "within that of the model, -5 to 10"),
        (["mu"], Grid({"mu": (0.0, math.nan)}), "0 to nan of mu is not a range"),
        (["shape"], Grid(), "no parameter 'shape'. Did you mean 'shape0'"),
    ],
)
def test_what_is_refused(names, grid, message):
    likelihood, data, result = fitted(shapes(5, 2))
    with pytest.raises(InputError, match=message):
        scan(likelihood, data, result, names, grid=grid)


def test_another_part_of_the_region_is_said(caplog):
    likelihood, data, result = fitted(two_bins())
    best = BestFit.of(likelihood, data, result)
    axis = np.array([9.0, 10.0, 11.0, 15.0])
    with caplog.at_level(logging.WARNING):
        scans._intervals(best, likelihood.poi, axis, np.array([2.0, 0.0, 2.0, 0.5]))
    assert "the region of mu at 68.27 % confidence has another part, at 15" in caplog.text
