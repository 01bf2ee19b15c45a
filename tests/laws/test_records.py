"""Laws of addition: any grouping, absent variations as nominal, nothing twice."""

from __future__ import annotations

import functools
import json
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.records import (
    Axis,
    Block,
    Cutflow,
    HistogramSet,
    Ledger,
    Loss,
    PartCounts,
    RawHistograms,
    fold_flow,
)

N_FLOW = 5
AXIS = Axis("x", "x", (0.0, 1.0, 2.0, 4.0))
NAMES = ("a_up", "a_down", "b_up")
DATASETS = ("d1", "d2")
# integers as floats, so that sums are exact and any order must agree to the bit
WEIGHTS = st.integers(-(2**20), 2**20).map(float)


@st.composite
def blocks(draw):
    """Draw a block with some of the variations."""
    names = ("nominal", *draw(st.permutations(NAMES)))[: draw(st.integers(1, len(NAMES) + 1))]
    rows = st.lists(WEIGHTS, min_size=N_FLOW, max_size=N_FLOW)
    sumw = np.array([draw(rows) for _ in names])
    return Block(names, sumw, np.abs(sumw) + 1)


@st.composite
def raw_parts(draw):
    """Draw histograms of disjoint parts, one part each."""
    parts = []
    for start in range(draw(st.integers(3, 4))):
        dataset = draw(st.sampled_from(DATASETS))
        counts = PartCounts(dataset, "f", start, start + 1, draw(st.integers(0, 9)), 1.0, 1.0)
        cuts = np.arange(2, dtype=np.int64) + start
        parts.append(
            RawHistograms(
                {("SR", "x"): AXIS},
                {("SR", "x", dataset): draw(blocks())} if draw(st.booleans()) else {},
                {("SR", dataset): Cutflow(("all", "cut"), cuts, cuts * 1.0, cuts * 2.0)},
                Ledger.of_parts([counts]),
            )
        )
    return parts


def same_block(left: Block, right: Block) -> bool:
    """Equal for every variation, whatever the order of the rows."""
    names = set(left.variations) | set(right.variations)
    return all(
        np.array_equal(left.template(name).sumw, right.template(name).sumw)
        and np.array_equal(left.template(name).sumw2, right.template(name).sumw2)
        for name in names
    )


def same(left, right) -> bool:
    """Equal contents of two sets of histograms."""
    return (
        left.axes == right.axes
        and left.blocks.keys() == right.blocks.keys()
        and all(same_block(left.blocks[key], right.blocks[key]) for key in left.blocks)
        and left.cutflows.keys() == right.cutflows.keys()
        and all(
            np.array_equal(left.cutflows[key].counts, right.cutflows[key].counts)
            and np.array_equal(left.cutflows[key].sumw, right.cutflows[key].sumw)
            for key in left.cutflows
        )
        and left.ledger == right.ledger
    )


@given(blocks(), blocks(), blocks())
def test_blocks_add_in_any_grouping_and_order(one, two, three):
    assert same_block((one + two) + three, one + (two + three))
    assert same_block(one + two, two + one)


@given(blocks(), blocks(), st.sampled_from((*NAMES, "nominal", "elsewhere")))
def test_a_sum_reads_each_absent_variation_as_that_ones_nominal(one, two, name):
    total = (one + two).template(name)
    for field in ("sumw", "sumw2"):
        parts = [getattr(block.template(name), field) for block in (one, two)]
        assert np.array_equal(getattr(total, field), parts[0] + parts[1])


@given(blocks(), blocks())
def test_adding_changes_neither(one, two):
    before = one.sumw.copy(), two.sumw.copy()
    one + two
    assert np.array_equal(one.sumw, before[0])
    assert np.array_equal(two.sumw, before[1])


@given(blocks(), blocks(), st.sampled_from((0.0, 0.5, 2.0, -1.0)))
def test_scaling_distributes_over_addition(one, two, factor):
    assert same_block((one + two).scaled(factor), one.scaled(factor) + two.scaled(factor))


@given(raw_parts(), st.randoms(use_true_random=False))
def test_raw_histograms_add_in_any_grouping_and_order(parts, random):
    forwards = functools.reduce(operator.add, parts)
    grouped = parts[0] + functools.reduce(operator.add, parts[1:])
    shuffled = parts.copy()
    random.shuffle(shuffled)
    assert same(forwards, grouped)
    assert same(forwards, functools.reduce(operator.add, shuffled, RawHistograms()))


@given(raw_parts(), st.data())
def test_a_part_that_both_hold_is_refused(parts, data):
    total = functools.reduce(operator.add, parts)
    with pytest.raises(ValueError, match="is in both"):
        total + data.draw(st.sampled_from(parts))


@given(st.lists(blocks(), min_size=3, max_size=3), st.lists(blocks(), min_size=1, max_size=3))
def test_sets_add_in_any_grouping(first, second):
    def full(found):
        return HistogramSet(
            {("SR", "x"): AXIS},
            {("SR", "x", f"p{i}"): block for i, block in enumerate(found)},
            {}, frozenset(), {"2018": 1.0}, Ledger(), {},
        )  # fmt: skip

    one, two, three = full(first), full(second), full(first[::-1])
    assert same((one + two) + three, one + (two + three))
    total = (one + two).total("SR", "x", ["p0"], "a_up")
    assert np.array_equal(
        total.sumw, first[0].template("a_up").sumw + second[0].template("a_up").sumw
    )


@given(st.lists(st.lists(WEIGHTS, min_size=4, max_size=4), min_size=1, max_size=4))
def test_folding_keeps_the_sum_and_is_done_once(rows):
    content = np.array(rows)
    folded = fold_flow(content)
    assert np.array_equal(folded.sum(axis=-1), content.sum(axis=-1))
    assert np.array_equal(fold_flow(folded), folded)
    assert not folded[..., [0, -1]].any()


PARTS = st.builds(
    PartCounts,
    st.sampled_from(DATASETS), st.sampled_from(("f", "g")), st.integers(0, 3),
    st.just(10), st.integers(0, 9), st.integers(-9, 9).map(float), st.integers(-9, 9).map(float),
)  # fmt: skip
LEDGERS = st.builds(
    lambda parts, losses, files, counts: Ledger(
        {one.item_key: one for one in parts}, tuple(dict.fromkeys(losses)), files, files, counts
    ),
    st.lists(PARTS, max_size=4),
    st.lists(st.builds(Loss, st.sampled_from(DATASETS), st.just("f"), st.just(0), st.just(1),
                       st.text(max_size=3)), max_size=3),
    st.dictionaries(
        st.sampled_from(DATASETS), st.dictionaries(st.sampled_from(("f", "g")), st.integers(0, 9))
    ),
    st.dictionaries(st.sampled_from(DATASETS), st.integers(0, 99)),
)  # fmt: skip


@given(LEDGERS, LEDGERS, LEDGERS)
def test_ledgers_add_in_any_grouping_and_once(one, two, three):
    assert (one + two) + three == one + (two + three)
    assert one + one == one
    assert one + Ledger() == one == Ledger() + one


@given(LEDGERS)
def test_a_ledger_as_json_and_back(ledger):
    assert Ledger.from_json(json.loads(json.dumps(ledger.to_json()))) == ledger


@given(st.lists(blocks(), min_size=1, max_size=3))
def test_a_histogram_equals_its_blocks(found):
    histogram_set = HistogramSet(
        {("SR", "x"): AXIS},
        {("SR", "x", f"p{i}"): block for i, block in enumerate(found)},
        {}, frozenset(), {}, Ledger(), {},
    )  # fmt: skip
    histogram = histogram_set.hist("SR", "x")
    for i, block in enumerate(found):
        for name in histogram_set.variations("SR", "x"):
            view = histogram[:, f"p{i}", name].view(flow=True)
            assert np.array_equal(view["value"], block.template(name).sumw)
            assert np.array_equal(view["variance"], block.template(name).sumw2)
