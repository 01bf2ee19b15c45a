"""Counting of chosen objects by bits, against adding them up."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events.segments import chosen_before


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from([0, 1, 2, 61, 64, 65, 200]), max_size=8),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_counts_are_those_of_a_running_sum(counts, share, seed):
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    mask = np.random.default_rng(seed).random(int(offsets[-1])) < share
    found = chosen_before(mask, offsets)
    assert found.dtype == np.int64
    assert found.tolist() == np.concatenate([[0], np.cumsum(mask)])[offsets].tolist()
    assert found[-1] == np.count_nonzero(mask)
