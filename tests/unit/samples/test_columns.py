import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.samples.columns import Collection, EventColumns, coarse, concatenate, ordered


def events(pts):
    there = np.asarray(pts) > 0
    jets = ordered(there, np.asarray(pts), {"pt": np.asarray(pts)})
    return EventColumns({"event": np.arange(len(pts))}, {"Jet": jets})


def test_objects_are_sorted_and_flattened_in_order_of_events():
    jets = events([[10.0, 0.0, 30.0], [0.0, 0.0, 0.0], [0.0, 5.0, 7.0]]).collections["Jet"]
    assert jets.counts.tolist() == [2, 0, 2]
    assert jets.flat()["pt"].tolist() == [30.0, 10.0, 7.0, 5.0]


def test_taking_events_moves_all_columns_together():
    taken = events([[1.0, 2.0], [3.0, 0.0], [4.0, 5.0]]).take(np.array([2, 0]))
    assert taken.plain["event"].tolist() == [2, 0]
    assert taken.collections["Jet"].flat()["pt"].tolist() == [5.0, 4.0, 2.0, 1.0]


def test_concatenation_is_the_inverse_of_taking_parts():
    whole = events([[1.0, 2.0], [3.0, 0.0], [4.0, 5.0]])
    again = concatenate([whole.take(np.arange(2)), whole.take(np.arange(2, 3))])
    assert len(again) == 3
    assert again.plain["event"].tolist() == [0, 1, 2]
    jets: Collection = again.collections["Jet"]
    assert jets.flat()["pt"].tolist() == whole.collections["Jet"].flat()["pt"].tolist()


@given(st.floats(1e-3, 1e4), st.integers(4, 20))
def test_coarse_numbers_are_near_and_have_few_bits(value, bits):
    rounded = coarse([value], bits)[0]
    assert rounded == pytest.approx(value, rel=2.0 ** -(bits + 1) + 1e-7)
    assert rounded.view(np.uint32) & ((1 << (23 - bits)) - 1) == 0
