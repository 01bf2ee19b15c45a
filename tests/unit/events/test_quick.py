"""Quick arithmetic gives what awkward gives, value and type, and leaves the rest to it."""

from __future__ import annotations

import pickle
from unittest import mock

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events import quick as module
from hepflow.events.quick import QuickArray, quick, taken_apart

KINDS = ["float32", "float64", "int32", "int64", "uint8", "bool"]
WAYS = {
    "formula": lambda x, y: 1.0 + 0.5 * abs(x - y) + 2 / (y * y + 1),
    "one number": lambda x, _: np.minimum(x, np.float32(2.5)),
    "strong number": lambda x, _: x * np.float64(0.1),
    "truth": lambda x, y: (x > 1) & ~(y >= 2) | (x == y),
    "sides": lambda x, y: 2 - x + y,
    "num": lambda x, _: ak.num(x, axis=1),
    "any": lambda x, _: ak.any(x > 1, axis=1),
    "all": lambda x, y: ak.all(x > y, axis=-1),
    "all of all": lambda x, _: ak.all(x > -9),
    "sum": lambda x, _: ak.sum(ak.values_astype(x, "float64"), axis=1),
    "single sum": lambda x, _: ak.sum(x, axis=1),
    "kept dimension": lambda x, _: ak.sum(x, axis=1, keepdims=True),
    "largest": lambda x, _: ak.fill_none(ak.max(x, axis=1), 0),
    "some": lambda x, y: x[y > 1],
    "events": lambda x, y: x[ak.num(y) > 1],
    "events, then": lambda x, y: x[ak.num(y) > 1] * 2 + y[ak.num(y) > 1],
    "first": lambda x, _: ak.firsts(x),
    "first of those": lambda x, y: x[ak.num(x) > 0][:, 0] + y[ak.num(x) > 0][:, 0],
    "last of those": lambda x, _: x[ak.num(x) > 0][:, -1],
    "some events": lambda x, _: x[np.array([0]), :2],
    "of none": lambda x, _: x[:, 0:0],
    "pairs": lambda x, y: ak.cartesian([x, y]),
    "records": lambda x, y: ak.zip({"x": x, "y": y}),
    "where": lambda x, y: ak.where(x > y, x, y),
    "of each event": lambda x, y: x * ak.sum(y, axis=1),
    "whole numbers": lambda x, _: ak.values_astype(x, np.int32) + 1,
    "two results": lambda x, _: np.divmod(x, 2)[1],
    "reversed": lambda x, _: x[::-1] + 1,
}


@st.composite
def columns(draw):
    """Two columns of one structure, packed or as they are after a selection."""
    counts = draw(st.lists(st.integers(0, 4), min_size=1, max_size=8))
    flat = [
        np.array(draw(st.lists(st.integers(0, 5), min_size=sum(counts), max_size=sum(counts))))
        for _ in range(2)
    ]
    kinds = draw(st.tuples(st.sampled_from(KINDS[:4]), st.sampled_from(KINDS)))
    found = [ak.unflatten(one.astype(kind), counts) for one, kind in zip(flat, kinds, strict=True)]
    kept = np.array(draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))))
    if draw(st.booleans()):
        found = [ak.zip({"a": one})[kept].a for one in found]
    elif draw(st.booleans()):
        indexed = [ak.contents.IndexedArray(ak.index.Index64(np.flatnonzero(kept)), one.layout)
                   for one in found]  # fmt: skip
        found = [ak.Array(one) for one in indexed]
    return found


def same(one, other):
    return one.type == other.type and ak.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("name", WAYS)
@settings(deadline=None, max_examples=12)
@given(columns())
def test_it_is_what_awkward_gives(name, pair):
    way = WAYS[name]
    try:
        expected = way(*pair)
    except (IndexError, TypeError, ValueError, OverflowError):  # then neither
        with pytest.raises((IndexError, TypeError, ValueError, OverflowError)):
            way(*map(quick, pair))
        return
    found = way(*map(quick, pair))
    if isinstance(expected, ak.Array):
        assert same(found, expected)
    else:
        assert found == expected


def test_arithmetic_does_not_go_through_awkward():
    column = quick(ak.Array([[1.0, 2.0], [3.0]]))
    with mock.patch.object(ak.Array, "__array_ufunc__", side_effect=AssertionError):
        found = (1 + abs(column) > 2.5) & (column * 2 < 7)
    assert found.tolist() == [[False, True], [True]]
    assert isinstance(found, QuickArray)


@pytest.mark.parametrize(
    "array",
    [
        ak.Array(["a", "bc"]),
        ak.Array([1.0, None]),
        ak.Array([[1.0, None], []]),
        ak.Array([{"pt": 1.0}]),
        ak.Array([[[1.0]], []]),
        ak.Array([]),
        ak.Array(np.zeros((2, 2))),
        ak.Array([1.0 + 2.0j]),
        ak.with_parameter(ak.Array([1.0]), "unit", "GeV"),
        ak.Array([1.0], attrs={"from": "here"}),
    ],
)
def test_other_arrays_stay_what_they_are(array):
    assert quick(array) is array
    assert taken_apart(array) is None


def test_lists_of_other_lengths_are_an_error_as_ever():
    one, other = quick(ak.Array([[1.0], []])), quick(ak.Array([[], [1.0]]))
    with pytest.raises(ValueError, match="cannot broadcast nested list"):
        one + other


def test_an_object_that_is_not_there_is_an_error_as_ever():
    with pytest.raises(IndexError, match="index out of range"):
        quick(ak.Array([[1.0], []]))[:, 0]


def test_a_record_is_made_of_its_columns_by_awkward():
    found = module._called(ak.zip, (), ({"x": quick(ak.Array([1.0]))},), {})
    assert found.fields == ["x"]
    assert not module._state.left


def test_after_an_error_of_awkward_it_is_quick_again():
    column = quick(ak.Array([[1.0], []]))
    with pytest.raises(ValueError, match="axis"):
        ak.max(column, axis=7)
    assert isinstance(ak.num(column), QuickArray)


def test_it_travels():
    column = quick(ak.Array([[1.0, 2.0], [3.0]]))
    assert ak.array_equal(pickle.loads(pickle.dumps(column)), column)


@pytest.mark.parametrize(("kept", "apart"), [([0, 1, 3], False), ([2], True)])
def test_the_sums_of_most_events_are_chosen_from_those_of_all(kept, apart, monkeypatch):
    pt = ak.Array([[1.5, 2.5], [], [4.0], [8.0, 16.0, 32.0]])
    chosen = ak.contents.IndexedArray(ak.index.Index64(np.array(kept)), pt.layout)
    numbers = quick(ak.values_astype(ak.Array(chosen), "float32"))
    taken = mock.Mock(wraps=module._apart)
    monkeypatch.setattr(module, "_apart", taken)
    sums = ak.sum(ak.values_astype(quick(ak.Array(chosen)), "float64"), axis=1)
    assert sums.tolist() == ak.sum(pt, axis=1)[kept].tolist()
    assert taken.called == apart
    assert ak.values_astype(numbers, "float64").tolist() == pt[kept].tolist()
