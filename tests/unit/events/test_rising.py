"""Cuts that can only fail where objects are taken away are told from those that may not."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.events.quick import quick
from hepflow.events.rising import Given, is_rising

MOVES, STAYS = Given("Jet", fixed=False), Given("Jet", fixed=True)

RISING = [
    lambda _, tag: ak.num(tag) >= 4,
    lambda pt, _: ak.num(pt, axis=1) > 3.5,
    lambda pt, _: ak.num(pt * 2, axis=-1) >= 2,
    lambda pt, _: np.less(2, ak.num(pt)),
    lambda _, tag: ak.any(tag > 0.5, axis=1),
    lambda _, tag: ak.any((tag > 0.5) & ~(tag < 0.1), -1),
    lambda _, tag: ak.sum(tag > 0.5, axis=1) >= 2,
    lambda pt, tag: (ak.num(pt) >= 3) & ak.any(tag > 0.7, axis=1) | (ak.num(pt) > 5),
    lambda pt, tag: ak.num(pt[tag > 0.5], axis=1) >= 1,
    lambda _, tag: ak.any(tag[tag > 0.5] > 0.9, axis=1),
]
NOT = [
    lambda pt, _: ak.num(pt) == 4,
    lambda pt, _: ak.num(pt) <= 4,
    lambda pt, _: np.greater_equal(4, ak.num(pt)),
    lambda pt, _: ak.num(pt) - 4 >= 0,
    lambda pt, _: ~(ak.num(pt) >= 4),
    lambda pt, _: (ak.num(pt) >= 4) ^ (ak.num(pt) >= 5),
    lambda pt, _: (ak.num(pt) >= 4) & True,
    lambda pt, _: ak.any(pt > 30.0, axis=1),
    lambda pt, _: ak.num(pt[pt > 30.0]) >= 2,
    lambda pt, tag: ak.any(tag[pt > 30.0] > 0.5, axis=1),
    lambda _, tag: ak.any(tag > 0.5),
    lambda _, tag: ak.all(tag > 0.5, axis=1),
    lambda _, tag: ak.sum(tag, axis=1) > 3.0,
    lambda _, tag: ak.sum(tag > 0.5, axis=1) < 2,
    lambda _, tag: ak.any(tag > 0.5, axis=1, keepdims=True),
    lambda _, tag: ak.any(tag[:, :2] > 0.5, axis=1),
    lambda _, tag: ak.any(tag > ak.mean(tag), axis=1),
    lambda _, tag: ak.max(tag, axis=1) > 0.5,
    lambda _, tag: np.any(tag > 0.5, axis=1),
    lambda _, tag: ak.num(tag) >= len(tag),
    lambda _, tag: tag > 0.5,
    lambda _, tag: ak.num(tag, axis=0) >= 4,
    lambda _, tag: ak.any(tag[ak.num(tag) > 2] > 0.5, axis=1),
    lambda pt, tag: ak.num(pt) >= ak.num(tag),
    lambda _pt, _tag: True,
    lambda _, tag: ak.num(tag) >= 2 if hasattr(tag, "layout") else ak.num(tag) >= 1,
]


@pytest.mark.parametrize("cut", RISING)
def test_rising(cut):
    assert is_rising(cut, [MOVES, STAYS])


@pytest.mark.parametrize("cut", NOT)
def test_not_rising(cut):
    assert not is_rising(cut, [MOVES, STAYS])


def test_columns_of_two_objects_are_joined_by_events_only():
    other = Given("Muon", fixed=True)
    assert not is_rising(lambda a, b: ak.any(a > b, axis=1), [STAYS, other])
    assert is_rising(lambda a, b: (ak.num(a) > 2) & ak.any(b > 1, axis=1), [STAYS, other])


def test_an_error_that_is_caught_is_none_the_less_seen():
    def cut(pt):
        try:
            return ak.num(pt) + 1 > 3
        except ValueError:
            return ak.num(pt) > 2

    assert not is_rising(cut, [STAYS])


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(RISING), st.integers(0, 2**32 - 1))
def test_more_objects_never_fail_what_fewer_pass(cut, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, 40)
    pt, moved, tag = (ak.unflatten(values, counts) for values in rng.random((3, int(counts.sum()))))
    kept = ak.unflatten(rng.random(int(counts.sum())) < 0.7, counts)
    few = ak.to_numpy(cut(quick(moved[kept]), quick(tag[kept])))
    many = ak.to_numpy(cut(quick(pt), quick(tag)))
    assert not (few & ~many).any()
