"""Laws of object corrections: who points to what survives any sorting and any mask."""

from __future__ import annotations

import awkward as ak
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events import Lists
from hepflow.object_order import reorder
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
