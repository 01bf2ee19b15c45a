"""What is told of estimates that cannot be made, or of which nothing is left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.estimates import (
    NO_FACTOR,
    estimate_remarks,
    nominal_problems,
    varied_problems,
    with_estimates,
)
from hepflow.records import HistogramSet
from tests.unit.estimates.histograms import BINNED, DATA, JES_UP, MC, SPEC, histograms

NOTHING = [0, 0, 0, 0]
BOTTOM = "as the denominator BOTTOM/x sums to -6 (data 4, simulation 10)"
TOP = "nothing is left of it, as the numerator TOP/x sums to -7 (data 3, simulation 10)"


def told(found: HistogramSet, spec=SPEC) -> list[str]:
    """Remarks once the estimate is made, as in a run."""
    return list(estimate_remarks(with_estimates(found, [spec]), [spec]))


def problems(found: HistogramSet, spec=SPEC, *, flow=False):
    return [
        *nominal_problems(found, spec, "x", flow=flow),
        *varied_problems(found, spec, "x", flow=flow),
    ]


def two_observables(found: HistogramSet) -> HistogramSet:
    """The same with a second observable."""
    axes = {(name, "y"): axis for (name, _), axis in found.axes.items()}
    blocks = {(name, "y", process): one for (name, _, process), one in found.blocks.items()}
    return replace(found, axes={**found.axes, **axes}, blocks={**found.blocks, **blocks})


@pytest.mark.parametrize("spec", [SPEC, BINNED], ids=["one", "binned"])
def test_without_a_factor_the_denominator_is_named_with_its_numbers(spec):
    found = histograms(DATA | {"BOTTOM": [0, 2, 2, 0]}, jes_up=JES_UP)
    assert told(found, spec) == [f"without fakes in SR: no transfer factor, {BOTTOM}"]
    (one,) = problems(found, spec)
    assert (one.kind, one.variation, one.bins) == (NO_FACTOR, "nominal", ())


def test_an_empty_denominator_is_told_where_simulation_is_empty_too():
    zero = {"BOTTOM": NOTHING}
    sums = "the denominator BOTTOM/x sums to 0 (data 0, simulation 0)"
    expected = [f"without fakes in SR: no transfer factor, as {sums}"]
    assert told(histograms(DATA | zero, MC | zero)) == expected


def test_a_numerator_that_is_not_a_number_is_named():
    found = histograms(DATA | {"TOP": [0, np.nan, 1, 0]})
    (remark,) = told(found)
    assert "no transfer factor, as the numerator TOP/x sums to nan" in remark


@pytest.mark.parametrize("spec", [SPEC, BINNED], ids=["one", "binned"])
def test_a_numerator_that_is_not_positive_is_told(spec):
    found = histograms(DATA | {"TOP": [0, 1, 2, 0]}, jes_up=JES_UP)
    assert told(found, spec) == [f"fakes in SR: {TOP}"]
    (one,) = problems(found, spec)  # that of nominal, not of the variation as well
    assert (one.told, one.kind, one.excess) == (TOP, "numerator", pytest.approx(7 / np.sqrt(8)))


def test_an_empty_shape_is_told_where_simulation_is_empty_too():
    """A selection that leaves nothing of either has no negative bins to tell of."""
    zero = {"SHAPE": NOTHING}
    found = histograms(DATA | zero, MC | zero)
    text = "nothing is left of it, as the shape SHAPE/x sums to 0 (data 0, simulation 0)"
    assert told(found) == [f"fakes in SR: {text}"]
    assert [(one.told, one.kind, one.excess) for one in problems(found)] == [(text, "shape", 0.0)]


def test_a_region_is_told_once_for_all_observables():
    found = two_observables(histograms(DATA | {"TOP": [0, 1, 2, 0]}))
    assert told(found) == [f"fakes in SR: {TOP}"]
    found = two_observables(histograms(DATA | {"BOTTOM": [0, 2, 2, 0]}))
    assert told(found) == [f"without fakes in SR: no transfer factor, {BOTTOM}"]


def test_bins_without_a_factor_are_told_where_they_have_events():
    text = (
        "no transfer factor for 20 of 51 events of the shape SHAPE/x, as the denominator BOTTOM/x "
        "is not positive in their bins"
    )
    found = histograms(DATA | {"BOTTOM": [0, 60, 4, 0]})  # as the overflow, with its one event
    assert told(found, BINNED) == [f"fakes in SR: {text}"]
    assert [(one.told, one.bins) for one in problems(found, BINNED)] == [(text, (1,))]
    (one,) = problems(found, BINNED, flow=True)
    assert "for 21 of 51 events" in one.told
    assert problems(histograms(), BINNED) == []
    assert (
        problems(histograms(DATA | {"SHAPE": [0, 40, 3, 0], "BOTTOM": [0, 60, 4, 0]}), BINNED) == []
    )


def test_a_variation_without_a_factor_is_told():
    up = JES_UP | {"BOTTOM": [0, 70, 50, 0]}
    found = histograms(jes_up=up, jes_down=JES_UP)
    assert told(found) == ["fakes in SR: nominal for jes_up, without a transfer factor"]
    (one,) = problems(found)
    assert one.told == (
        "no transfer factor with jes_up, as the denominator BOTTOM/x sums to -10 (data 110, "
        "simulation 120); nominal is taken"
    )
    assert (one.kind, one.variation) == (NO_FACTOR, "jes_up")


def test_bins_of_a_variation_without_a_factor_are_told():
    found = histograms(jes_up=JES_UP | {"BOTTOM": [0, 70, 4, 0]})
    assert told(found, BINNED) == ["fakes in SR: nominal for jes_up, without a transfer factor"]
    (one,) = problems(found, BINNED)
    assert one.bins == (0,)
    assert one.told.startswith("no transfer factor with jes_up for 30 of 51 events")


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("TOP", "the numerator TOP/x sums to -10 (data 50, simulation 60)"),
        ("SHAPE", "the shape SHAPE/x sums to -5 (data 65, simulation 70)"),
    ],
)
def test_a_variation_that_leaves_nothing_is_told(region, expected):
    counts = {"TOP": [0, 30, 30, 0], "SHAPE": [0, 40, 30, 0]}
    found = histograms(jes_up=JES_UP | {region: counts[region]})
    (one,) = problems(found)
    assert one.told == f"with jes_up nothing is left of it, as {expected}"
    assert told(found) == []


def test_without_data_there_is_no_problem_of_this_kind():
    found = histograms({name: counts for name, counts in DATA.items() if name != "TOP"})
    assert problems(found) == []
