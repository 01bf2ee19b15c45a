"""Laws of object corrections: who points to what survives any sorting and any mask."""

from __future__ import annotations

from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events import Lists
from hepflow.object_order import falling, reorder
from tests.builders import mask_object

EVENT = st.lists(st.integers(0, 10_000), max_size=5, unique=True)


@st.composite
def pointing(draw):
    """Events with jets that carry a label, and muons that point to some of them."""
    labels = draw(st.lists(EVENT, min_size=1, max_size=4))
    pointers = [
        draw(st.lists(st.integers(-1, len(one) - 1), max_size=4)) if one else [-1] for one in labels
    ]
    jets = ak.zip({"pt": ak.values_astype(ak.Array([[], *labels])[1:], float),
                   "label": ak.values_astype(ak.Array([[], *labels])[1:], int)})  # fmt: skip
    muons = ak.zip({"jetIdx": ak.values_astype(ak.Array([[], *pointers])[1:], np.int16)})
    return ak.zip({"Jet": jets, "Muon": muons}, depth_limit=1)


def targets(events):
    """Label of the jet that each muon points to; None without one."""
    return [
        [None if i < 0 else labels[i] for i in indices]
        for labels, indices in zip(
            events.Jet.label.tolist(), events.Muon.jetIdx.tolist(), strict=True
        )
    ]


@settings(deadline=None, max_examples=40)
@given(pointing(), st.randoms(use_true_random=False))
def test_sorting_keeps_who_points_to_what(events, random):
    new_pt = ak.Array([[], *([random.random() for _ in one] for one in events.Jet.pt.tolist())])[1:]
    target = ak.with_field(events.Jet, ak.values_astype(new_pt, float), "pt")
    found = reorder(events, "Jet", Lists.of(target))
    assert targets(found) == targets(events)
    pts = found.Jet.pt
    assert ak.all(pts[:, :-1] >= pts[:, 1:])
    assert ak.all(ak.sort(found.Jet.label) == ak.sort(events.Jet.label))


@settings(deadline=None, max_examples=40)
@given(pointing(), st.integers(0, 10_000))
def test_masking_keeps_who_points_to_what_is_left(events, threshold):
    found = mask_object(events, "Jet", events.Jet.label > threshold)
    expected = [
        [label if label is not None and label > threshold else None for label in one]
        for one in targets(events)
    ]
    assert targets(found) == expected


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, -0.0, 0.0, np.inf, -np.inf]), max_size=14),
        min_size=1,
        max_size=8,
    )
)
def test_lists_fall_as_a_stable_sort_makes_them(lists):
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in lists])))
    pt = np.array([value for one in lists for value in one], dtype=np.float64)
    order = np.arange(len(pt))
    taken, places = falling(pt, offsets)
    order[places] = taken
    for first, last in pairwise(offsets):
        expected = first + np.argsort(-pt[first:last], kind="stable")
        assert np.array_equal(order[first:last], expected)


@pytest.mark.parametrize("others", [[], [np.arange(12.0)], [np.array([5.0, 4.0])]])
def test_what_is_not_a_number_goes_last_whatever_else_there_is(others):
    lists = [np.array([1.0, np.nan, 2.0, 3.0]), *others]
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in lists])))
    order = np.arange(offsets[-1])
    taken, places = falling(np.concatenate(lists), offsets)
    order[places] = taken
    assert order[:4].tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize("events", [slice(0, 2), slice(0, 1), slice(1, 2)])
def test_an_index_beyond_its_collection_stays_in_any_chunk(events):
    jets = ak.Array([[{"pt": 1.0}, {"pt": 2.0}], [{"pt": 5.0}, {"pt": 4.0}]])
    muons = ak.Array([[{"jetIdx": 0}, {"jetIdx": 7}], [{"jetIdx": 1}, {"jetIdx": 9}]])
    given_ = ak.zip({"Jet": jets, "Muon": muons}, depth_limit=1)[events]
    found = reorder(given_, "Jet", Lists.of(given_.Jet))
    assert found.Muon.jetIdx.tolist() == [[1, 7], [1, 9]][events]
