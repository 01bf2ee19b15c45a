"""Lists of entries, also of those that were chosen from larger ones."""

from __future__ import annotations

import gc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hepflow.events import Lists, owners


def plain(offsets):
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)).tolist()


@given(st.lists(st.integers(0, 4)), st.data())
def test_owners_of_a_choice_are_those_of_its_offsets(counts, data):
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    lists = Lists(offsets, None)
    for _ in range(3):
        size = int(lists.offsets[-1])
        mask = np.array(
            data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=bool
        )
        kept, _ = lists.chosen(mask)
        assert owners.owners_of(kept).tolist() == plain(kept)
        lists = Lists(kept, None)


def test_nothing_is_kept_of_lists_that_are_gone():
    gc.collect()
    before = len(owners._choices), len(owners._owners)
    lists = Lists(np.array([0, 2, 5]), None)
    kept, _ = lists.chosen(np.array([True, False, True, True, False]))
    owners.owners_of(kept)
    assert (len(owners._choices), len(owners._owners)) == (before[0] + 1, before[1] + 1)
    del lists, kept
    gc.collect()
    assert (len(owners._choices), len(owners._owners)) == before
