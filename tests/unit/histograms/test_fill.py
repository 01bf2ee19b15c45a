"""Filling: sums of weights and squared weights, flow included, as boost-histogram has them."""

from __future__ import annotations

import awkward as ak
import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import UserFunctionError
from hepflow.histograms.fill import (
    _FEW,
    Owners,
    Step,
    bin_indices,
    fill_block,
    fill_cutflow,
    fill_rows,
    observable_values,
)
from hepflow.records import Axis

AXIS = Axis("x", "x", (0.0, 1.0, 2.5, 4.0))


def test_edges_belong_to_the_bin_above_and_the_rest_to_the_flow():
    values = np.array([-np.inf, -0.1, 0.0, 0.999, 1.0, 2.5, 3.999, 4.0, 9.0, np.inf])
    assert bin_indices(values, AXIS).tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4, 4]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(
        [(0.0, 1.0), (0.1, 0.7), (100.0, 1100.0), (-3.0, 3.0), (1e9, 1e9 + 1.0), (-1e300, 1e300)]
    ),
    st.integers(1, 60),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_computed_bins_are_those_that_are_looked_for(ends, n_bins, uneven, seed):
    rng = np.random.default_rng(seed)
    edges = np.linspace(*ends, n_bins + 1)
    if uneven:
        edges = np.sort(rng.choice(edges, rng.integers(2, n_bins + 2), replace=False))
    width = (ends[1] - ends[0]) / n_bins if ends[1] < 1e300 else 0.0
    near = [np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)]
    far = [-np.inf, np.inf, 1e308, -1e308, 0.0]
    values = np.concatenate([*near, far, rng.uniform(ends[0] - width, ends[1], _FEW)])
    axis = Axis("x", "x", tuple(edges))
    assert np.array_equal(bin_indices(values, axis), np.searchsorted(edges, values, side="right"))


def test_computed_bins_do_not_mind_what_numpy_raises():
    axis = Axis("x", "x", (0.0, 1e6, 2e6))
    with np.errstate(all="raise"):
        assert set(bin_indices(np.full(_FEW, 5e-324), axis).tolist()) == {1}


def test_closed_form():
    values = observable_values(np.array([0.5, 0.5, 1.0, -1.0, 9.0]), 5, "x")
    weights = {"nominal": np.array([1.0, 2.0, 4.0, 8.0, -1.0]), "a_up": np.ones(5)}
    block = fill_block(values, weights, AXIS).as_block()
    assert block.variations == ("nominal", "a_up")
    assert block.sumw.tolist() == [[8.0, 3.0, 4.0, 0.0, -1.0], [1.0, 2.0, 1.0, 0.0, 1.0]]
    assert block.sumw2.tolist() == [[64.0, 5.0, 16.0, 0.0, 1.0], [1.0, 2.0, 1.0, 0.0, 1.0]]


def test_each_value_of_an_event_is_filled_with_the_weight_of_the_event():
    values = observable_values(ak.Array([[0.5, 1.5], [], [3.0]]), 3, "x")
    block = fill_block(values, {"nominal": np.array([2.0, 100.0, 3.0])}, AXIS).as_block()
    assert block.sumw.tolist() == [[0.0, 2.0, 2.0, 3.0, 0.0]]
    assert block.sumw2.tolist() == [[0.0, 4.0, 4.0, 9.0, 0.0]]


def test_as_boost_histogram():
    rng = np.random.default_rng(5)
    numbers, weight = rng.normal(2, 2, 5000), rng.normal(1, 2, 5000)
    values = observable_values(numbers, 5000, "x")
    block = fill_block(values, {"nominal": weight}, AXIS).as_block()
    theirs = bh.Histogram(bh.axis.Variable(AXIS.edges), storage=bh.storage.Weight())
    view = theirs.fill(numbers, weight=weight).view(flow=True)
    assert block.sumw[0] == pytest.approx(view["value"], rel=1e-12)
    assert block.sumw2[0] == pytest.approx(view["variance"], rel=1e-12)


def test_no_event_gives_zeros():
    block = fill_block(observable_values([], 0, "x"), {"nominal": np.zeros(0)}, AXIS).as_block()
    assert block.sumw.tolist() == [[0.0] * 5]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones(2), "gave 2 values for 3 events"),
        (ak.Array([1.0, None, 2.0]), "1 of 3 values are missing"),
        (ak.Array([[1.0], [None], []]), "1 of 2 values are missing"),
        (np.array([1.0, np.nan, np.nan]), "2 of 3 values are not a number"),
        (2.0, "returned 2.0, expected one number, or a list of numbers, for each event"),
        (None, "returned None"),
        (np.ones(3) * 1j, "returned an array of shape .* and type complex128"),
        (np.array(["2020-01-01"] * 3, dtype="datetime64[D]"), "type datetime64"),
        (["a", "b", "c"], "returned a list, which is an array of 3 texts"),
        (ak.Array([{"pt": 1.0}] * 3), "returned an array of 3 records with pt"),
        ({"a": 1.0}, "returned a value of type dict"),
        (np.array(3.0), "returned an array of shape .. and type float64"),
        (ak.Array([[1.0], None, [2.0, 3.0]]), "the lists of 1 of 3 events are missing as a whole"),
    ],
)
def test_values_that_cannot_be_filled_are_errors(result, message):
    with pytest.raises(UserFunctionError, match=f"here: .*{message}"):
        observable_values(result, 3, "here")


def test_lists_with_room_for_missing_ones_are_values_where_none_is():
    lists = ak.Array([[1.0], None, [], [2.0, 3.0]])[[0, 2, 3]]
    values = observable_values(lists, 3, "x")
    assert values.flat.tolist() == [1.0, 2.0, 3.0]
    assert list(values.counts) == [1, 0, 2]


@pytest.mark.parametrize("result", [[1, 2, 3], np.array([True, False, True]), ak.Array([1, 2, 3])])
def test_whole_numbers_and_truth_values_are_values(result):
    assert observable_values(result, 3, "x").flat.dtype == np.float64


def step(name, passed, part=(0, 0, 0), parts=1):
    weights, passed = np.array([1.0, 2.0, -4.0]), np.array(passed)
    return Step(name, weights[passed], Owners(np.array(part)[passed], parts))


def test_the_cutflow_counts_and_sums():
    (flow,) = fill_cutflow([step("all", [True] * 3), step("last", [True, False, True])])
    assert flow.names == ("all", "last")
    assert flow.counts.tolist() == [3, 2]
    assert flow.sumw.tolist() == [-1.0, -3.0]
    assert flow.sumw2.tolist() == [21.0, 17.0]


def test_each_part_has_its_own_cutflow():
    part = (0, 2, 2)
    flows = fill_cutflow(
        [step("all", [True] * 3, part, 3), step("last", [False, True, True], part, 3)]
    )
    assert [flow.counts.tolist() for flow in flows] == [[1, 0], [0, 0], [2, 2]]
    assert [flow.sumw.tolist() for flow in flows] == [[1.0, 0.0], [0.0, 0.0], [-2.0, -2.0]]


def test_parts_that_are_filled_together_are_as_filled_alone():
    rng = np.random.default_rng(5)
    counts = [3, 0, 40, 7]
    values, weights = rng.uniform(-1, 6, sum(counts)), rng.normal(1, 0.7, sum(counts))
    owners = Owners(np.repeat(np.arange(4), counts), 4)
    shift = rng.integers(0, 2, sum(counts))
    flat = observable_values(values, len(values), "x")
    block = fill_block(flat, {"nominal": weights}, AXIS, owners)
    rows = fill_rows(flat, weights, shift, ("a_up", "a_down"), AXIS, owners)
    for part, start in enumerate(np.cumsum([0, *counts[:-1]])):
        here = slice(start, start + counts[part])
        alone = observable_values(values[here], counts[part], "x")
        own = fill_block(alone, {"nominal": weights[here]}, AXIS).as_block()
        assert np.array_equal(block.as_block(part).sumw, own.sumw)
        assert np.array_equal(block.as_block(part).sumw2, own.sumw2)
        mine = Owners.one(counts[part])
        other = fill_rows(alone, weights[here], shift[here], ("a_up", "a_down"), AXIS, mine)
        assert np.array_equal(rows.sumw[part], other.sumw[0])
        assert np.array_equal(rows.sumw2[part], other.sumw2[0])
