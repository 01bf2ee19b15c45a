"""Laws of filling: how events are cut into parts, and in which order, does not show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.histograms.fill import fill_block, observable_values
from hepflow.records import Axis, Block, Ledger, PartCounts, RawHistograms
from tests.builders import make_dataset

AXIS = Axis("x", "x", (0.0, 1.0, 2.5, 4.0))
KEY = ("SR", "x", make_dataset().key)
RNG = np.random.default_rng(4)
VALUES = RNG.normal(2.0, 2.0, 90)
WEIGHTS = {"nominal": RNG.normal(0.5, 1.0, 90), "a_up": RNG.normal(0.5, 1.0, 90)}
COUNTS = {"nominal": np.ones(90), "a_up": np.ones(90)}


def fill(weights, start, stop):
    """One part as it comes from a worker."""
    values = observable_values(VALUES[start:stop], stop - start, "x")
    chosen = {name: one[start:stop] for name, one in weights.items()}
    count = PartCounts(KEY[2], "a", start, stop, stop - start, 1.0, 1.0)
    block = fill_block(values, chosen, AXIS).as_block()
    return RawHistograms({KEY[:2]: AXIS}, {KEY: block}, {}, Ledger.of_parts([count]))


CUTS = st.lists(st.integers(1, 89), max_size=6)


@settings(deadline=None, max_examples=50)
@given(CUTS, st.randoms(use_true_random=False))
def test_any_chunking_in_any_order_gives_the_same_sums(cuts, random):
    edges = sorted({0, *cuts, 90})
    parts = list(pairwise(edges))
    random.shuffle(parts)
    whole = fill(WEIGHTS, 0, 90).blocks[KEY]
    total = RawHistograms(axes={KEY[:2]: AXIS})
    for start, stop in parts:
        total = total + fill(WEIGHTS, start, stop)
    found = total.blocks[KEY]
    assert found.variations == whole.variations
    limit = 1e-12 * sum(np.abs(one).sum() for one in WEIGHTS.values())
    assert np.abs(found.sumw - whole.sumw).max() <= limit
    assert np.abs(found.sumw2 - whole.sumw2).max() <= 1e-12 * whole.sumw2.sum()
    counts = sum((fill(COUNTS, a, b) for a, b in parts), start=RawHistograms())
    assert np.array_equal(counts.blocks[KEY].sumw, fill(COUNTS, 0, 90).blocks[KEY].sumw)


@settings(deadline=None, max_examples=30)
@given(CUTS)
def test_every_value_is_in_a_bin_or_in_the_flow(cuts):
    stop = min(cuts, default=90)
    block = fill(WEIGHTS, 0, stop).blocks[KEY]
    for name, weight in WEIGHTS.items():
        row = block.template(name)
        assert row.sumw.sum() == pytest.approx(weight[:stop].sum())
        assert row.sumw2.sum() == pytest.approx((weight[:stop] ** 2).sum())


NAMES = st.lists(st.sampled_from(["a_up", "a_down", "b_up", "b_down"]), unique=True)


@st.composite
def blocks(draw):
    """A block with some of the variations, small whole numbers as contents."""
    names = ("nominal", *draw(NAMES))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = (len(names), 5)
    return Block(names, rng.integers(-9, 9, shape) * 1.0, rng.integers(0, 9, shape) * 1.0)


@settings(deadline=None, max_examples=60)
@given(blocks(), blocks(), blocks())
def test_a_missing_variation_is_filled_with_that_blocks_nominal(one, two, three):
    left, right = (one + two) + three, one + (two + three)
    swapped = three + two + one
    names = {name for block in (one, two, three) for name in block.variations}
    assert set(left.variations) == names
    for name in names:
        expected = sum(block.template(name).sumw for block in (one, two, three))
        squares = sum(block.template(name).sumw2 for block in (one, two, three))
        for found in (left, right, swapped):
            assert np.array_equal(found.template(name).sumw, expected)
            assert np.array_equal(found.template(name).sumw2, squares)


def test_the_same_part_cannot_be_added_twice():
    part = fill(WEIGHTS, 0, 10)
    with pytest.raises(ValueError, match="in both histograms"):
        part + part
