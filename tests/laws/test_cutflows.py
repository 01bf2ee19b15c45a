"""Laws of cutflows by variation: addition, and the same sums as the histograms."""

from __future__ import annotations

import functools
import operator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.histograms import cutflow_table, read_histograms, write_lossless
from hepflow.histograms.cutflows import by_dataset, by_process
from hepflow.histograms.raw import read_raw, write_raw
from hepflow.normalisation import normalise
from hepflow.records import (
    Axis,
    Block,
    Cutflow,
    Ledger,
    PartCounts,
    RawHistograms,
    Source,
)
from hepflow.records.cutflow import completed
from tests.builders import make_dataset

NAMES = ("a_up", "a_down", "b_up")
WHOLE = st.integers(-(2**20), 2**20)  # as floats, so that sums are exact


@st.composite
def flows(draw):
    """Draw a cutflow of two steps with some of the variations, or with nominal only."""

    def one(varied=None):
        steps = draw(st.lists(WHOLE, min_size=2, max_size=2))
        sumw = np.array(steps, dtype=np.float64)
        return Cutflow(("all", "last"), np.abs(np.array(steps)), sumw, np.abs(sumw) + 1, varied)

    names = draw(st.none() | st.lists(st.sampled_from(NAMES), unique=True))
    return one(None if names is None else {name: one() for name in names})


def same(left, right):
    if (left.varied is None) != (right.varied is None):
        return False
    return (left.varied or {}).keys() == (right.varied or {}).keys() and all(
        np.array_equal(getattr(left.of(name), column), getattr(right.of(name), column))
        for name in ("nominal", *(left.varied or ()))
        for column in ("counts", "sumw", "sumw2")
    )


@given(flows(), flows(), flows())
def test_cutflows_add_in_any_grouping_and_order(one, two, three):
    assert same((one + two) + three, one + (two + three))
    assert same(one + two, two + one)


@given(flows(), flows())
def test_an_absent_variation_counts_as_nominal(one, two):
    total = one + two
    for name in total.varied or ():
        assert np.array_equal(total.of(name).sumw, one.of(name).sumw + two.of(name).sumw)
    assert np.array_equal(total.of("other").sumw, one.sumw + two.sumw)


@st.composite
def ending(draw):
    """Draw a cutflow, and at which of its steps it ends, as no event is left; 3 is none."""
    steps, end = ("all", "first", "second", "corrected"), draw(st.integers(0, 3))
    counts = draw(st.lists(WHOLE, min_size=4, max_size=4))
    if end < 3:
        counts[end:] = [0] * (4 - end)
    sumw = np.array(counts, dtype=np.float64)
    whole = Cutflow(steps, np.abs(np.array(counts)), sumw, np.abs(sumw))
    early = Cutflow(steps[: end + 1], *(one[: end + 1] for one in columns(whole)))
    varied = draw(st.booleans())
    names = {"a_up": early} if varied else None
    full = {"a_up": whole} if varied else None
    return replace(early, varied=names), replace(whole, varied=full)


def columns(flow):
    return flow.counts, flow.sumw, flow.sumw2


@given(st.lists(ending(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_cutflow_that_ends_early_counts_zero_behind_that(drawn, random):
    random.shuffle(drawn)
    early, whole = (functools.reduce(operator.add, some) for some in zip(*drawn, strict=True))
    n = len(early.names)
    assert early.names == whole.names[:n] == max((one.names for one, _ in drawn), key=len)
    assert same(early.extended(whole.names), whole)
    assert early.counts.dtype == np.int64


@given(ending())
def test_cutflows_of_other_cuts_do_not_add(drawn):
    early, whole = drawn
    assert early.fits(whole)
    other = replace(whole, names=("all", "other", "second", "corrected"))
    if len(early.names) > 1:
        assert not early.fits(other)
        with pytest.raises(ValueError, match="cutflows of different cuts"):
            _ = early + other
    more = Cutflow(("all",), np.array([1]), np.array([1.0]), np.array([1.0]))
    assert not more.fits(whole)  # its event is not counted behind


def test_a_dataset_that_ends_early_has_the_steps_of_its_process_or_of_others_alike():
    def flow(*names):
        zeros = np.zeros(len(names))
        return Cutflow(names, zeros.astype(np.int64), zeros, zeros)

    datasets = {
        "a": make_dataset("a", process="p"),
        "b": make_dataset("b", process="p"),
        "c": make_dataset("c", process="q"),
        "d": make_dataset("d", process="data", is_data=True),
        "e": make_dataset("e", process="r"),
    }
    flows = {
        ("SR", "a"): flow("skimmed", "kept"),
        ("SR", "b"): flow("skimmed", "kept", "base", "cut", "corrected"),
        ("SR", "c"): flow("skimmed", "base"),
        ("SR", "d"): flow("skimmed", "base", "certified"),
        ("SR", "e"): flow("skimmed", "base", "cut", "more", "and more", "corrected"),
        ("CR", "d"): flow("corrected"),
    }
    found = completed(flows, datasets)
    assert found["SR", "a"].names == ("skimmed", "kept", "base", "cut", "corrected")
    assert found["SR", "c"].names == flows["SR", "e"].names
    for key in (("SR", "b"), ("SR", "d"), ("SR", "e"), ("CR", "d")):  # no other data to compare
        assert found[key].names == flows[key].names
    assert found.keys() == flows.keys()


@given(flows(), st.integers(-4, 4))
def test_a_factor_scales_all_variations_and_no_count(one, factor):
    found = one.scaled(factor)
    for name in ("nominal", *(one.varied or ())):
        assert np.array_equal(found.of(name).counts, one.of(name).counts)
        assert np.array_equal(found.of(name).sumw, one.of(name).sumw * factor)
        assert np.array_equal(found.of(name).sumw2, one.of(name).sumw2 * factor**2)


# -- against histograms ------------------------------------------------------------------

AXIS = Axis("x", "x", (0.0, 1.0, 2.0))
DATASETS = [
    make_dataset("low__nominal", process="top"),
    make_dataset("high__nominal", process="top", cross_section=3.0),
    make_dataset("other__nominal"),
    make_dataset("low__shower_up", process="top", variation="shower_up",
                 replaces=("low__nominal", "high__nominal")),
    make_dataset("alone__gen_down", process="top", variation="gen_down", cross_section=7.0,
                 replaces=("high__nominal",)),
]  # fmt: skip
SOURCES = [
    Source("jes", "object", ("top", "other"), symmetrise=True),
    Source("id", "weight", ("top",)),
    Source(
        "xsec",
        "normalisation",
        ("top", "other"),
        sizes={"high__nominal": 0.2},
        downs={"high__nominal": 0.1},
    ),
    Source("shower", "sample", ("top",), symmetrise=True),
    Source("gen", "sample", ("top",)),
    Source("gone", "sample", ("top",), channels=("CR",)),
]
VARIED = {
    "low__nominal": ("jes_up", "id_up", "id_down"),
    "high__nominal": ("id_up",),
    "other__nominal": ("jes_down",),
}


def filled(*, varied=True):
    """Raw histograms whose cutflows end with the sums of their bins."""
    rng = np.random.default_rng(7)
    blocks, cutflows, parts = {}, {}, []
    for one in DATASETS:
        names = ("nominal", *VARIED.get(one.key, ()))
        sumw = rng.normal(5.0, 2.0, (len(names), 4))
        sumw2 = rng.uniform(1.0, 2.0, (len(names), 4))
        blocks["SR", "x", one.key] = Block(names, sumw, sumw2)
        rows = {
            name: Cutflow(
                ("skimmed", "corrected"),
                np.array([9, 4 + i]),
                np.array([50.0, sumw[i].sum()]),
                np.array([80.0, sumw2[i].sum()]),
            )
            for i, name in enumerate(names)
        }
        nominal = rows.pop("nominal")
        for name, row in rows.items() if varied else ():
            nominal = nominal.with_variation(name, row)
        if varied and nominal.varied is None:
            nominal = Cutflow(nominal.names, nominal.counts, nominal.sumw, nominal.sumw2, {})
        cutflows["SR", one.key] = nominal
        parts.append(PartCounts(one.key, "f", 0, 9, 9, 20.0, 20.0))
    return RawHistograms({("SR", "x"): AXIS}, blocks, cutflows, Ledger.of_parts(parts))


def normalised(**options):
    return normalise(filled(**options), DATASETS, "generator", {"": 100.0}, SOURCES)


@pytest.mark.parametrize("process", ["top", "other"])
def test_the_last_step_is_the_sum_of_the_template_whatever_the_source(process):
    found = normalised()
    names = found.variations("SR", "x")
    assert set(names) >= {
        "jes_up", "jes_down", "id_up", "id_down", "xsec_up", "xsec_down", "shower_up",
        "shower_down", "gen_down",
    }  # fmt: skip
    for name in names:
        template = found.template("SR", "x", process, name)
        flow = by_process(found, "SR", name)[process]
        assert flow.sumw[-1] == pytest.approx(template.sumw.sum(), rel=1e-12)
        assert flow.sumw2[-1] == pytest.approx(template.sumw2.sum(), rel=1e-12)


def test_an_alternative_sample_counts_once_in_the_place_of_the_first_it_replaces():
    found = normalised()
    raw, scales = filled(), {"low": 10.0 * 100.0 / 20.0, "alone": 7.0 * 100.0 / 20.0}
    shower = by_dataset(found, "SR", "shower_up")
    assert shower["low__nominal"].sumw == pytest.approx(
        raw.cutflows["SR", "low__shower_up"].sumw * scales["low"]
    )
    assert shower["high__nominal"].counts.tolist() == [0, 0]
    other = by_dataset(found, "SR", "gen_down")
    assert other["high__nominal"].sumw == pytest.approx(
        raw.cutflows["SR", "alone__gen_down"].sumw * scales["alone"]
    )
    assert np.array_equal(other["low__nominal"].sumw, found.cutflows["SR", "low__nominal"].sumw)
    table = cutflow_table(found, "SR", by="dataset", weighted=False, variation="shower_up")
    assert table.columns == ("low__nominal", "high__nominal", "other__nominal")
    assert table.rows == (("skimmed", "9", "0", "9"), ("corrected", "4", "0", "4"))


def test_nothing_is_added_where_only_nominal_was_counted():
    found = normalised(varied=False)
    assert all(flow.varied is None for flow in found.cutflows.values())


def test_files_give_back_every_variation(tmp_path):
    raw, found = filled(), normalised()
    write_raw(tmp_path / "raw.pkl", raw)
    for key, flow in read_raw(tmp_path / "raw.pkl").cutflows.items():
        assert same(flow, raw.cutflows[key])
    again = read_histograms(write_lossless(found, tmp_path / "x.zip"))
    for key, flow in again.cutflows.items():
        assert same(flow, found.cutflows[key])
        assert flow.counts.dtype == np.int64
    bare = filled(varied=False)
    write_raw(tmp_path / "bare.pkl", bare)
    assert all(one.varied is None for one in read_raw(tmp_path / "bare.pkl").cutflows.values())
