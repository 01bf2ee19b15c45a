"""Laws of the templates of the fit: merging keeps sums, smoothing keeps yields."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.records import Block
from hepflow.statistics import build_workspace, fit, load_likelihood, predict
from hepflow.statistics.binning import fit_channels, merged_block, starts_of_bins
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.smoothing import smoothed
from tests.unit.statistics.models import EDGES, histograms, spec

# integers as floats, so that sums are exact
WEIGHTS = st.integers(-(2**20), 2**20).map(float)
N_BINS = 7
FILLED = tuple(float(edge) for edge in range(N_BINS + 1))


def some_of(edges, least=2):
    """Draw edges that stay."""
    return st.lists(st.sampled_from(edges), min_size=least, unique=True).map(sorted).map(tuple)


@st.composite
def blocks(draw):
    """Draw a block with two variations."""
    rows = st.lists(WEIGHTS, min_size=N_BINS + 2, max_size=N_BINS + 2)
    sumw, sumw2 = (np.array([draw(rows) for _ in range(3)]) for _ in range(2))
    return Block(("nominal", "a_up", "a_down"), sumw, np.abs(sumw2))


@given(blocks(), some_of(FILLED))
def test_merging_keeps_the_sums_of_weights_and_of_their_squares(block, edges):
    merged = merged_block(block, FILLED, edges)
    for before, after in ((block.sumw, merged.sumw), (block.sumw2, merged.sumw2)):
        assert after.shape == (3, len(edges) + 1)
        np.testing.assert_array_equal(after.sum(axis=1), before.sum(axis=1))
        inside = [
            before[:, 1:-1][:, FILLED.index(low) : FILLED.index(high)].sum(axis=1)
            for low, high in itertools.pairwise(edges)
        ]
        np.testing.assert_array_equal(after[:, 1:-1].T, inside)


@given(blocks(), blocks(), some_of(FILLED), st.data())
def test_merging_commutes_with_addition_folding_and_itself(one, other, edges, data):
    together = merged_block(one + other, FILLED, edges)
    apart = merged_block(one, FILLED, edges) + merged_block(other, FILLED, edges)
    np.testing.assert_array_equal(together.sumw, apart.sumw)
    fewer = data.draw(some_of(edges))
    twice = merged_block(merged_block(one, FILLED, edges), edges, fewer)
    np.testing.assert_array_equal(twice.sumw, merged_block(one, FILLED, fewer).sumw)
    if (edges[0], edges[-1]) == (FILLED[0], FILLED[-1]):
        folded = merged_block(one, FILLED, edges).template().folded()
        other_way = one.template().folded()
        again = Block(("nominal",), other_way.sumw[np.newaxis], other_way.sumw2[np.newaxis])
        np.testing.assert_array_equal(
            folded.sumw, merged_block(again, FILLED, edges).template().sumw
        )


@given(st.lists(st.integers(-3, 40).map(float), min_size=1, max_size=12), st.integers(1, 60))
def test_each_merged_bin_expects_enough_or_is_alone(expected, least):
    contents = np.array(expected)
    edges = starts_of_bins(contents, least)
    assert edges[0] == 0
    assert edges[-1] == len(contents)
    assert edges == sorted(set(edges))
    merged = np.add.reduceat(contents, edges[:-1])
    if len(merged) > 1:
        assert merged[1:].min() >= least  # what is left at the low end may be negative
        last = contents[edges[-2] + 1 :]
        assert np.all(np.cumsum(last[::-1]) < least)  # no bin was merged in vain
    if contents.min() >= 0 and len(merged) > 1:
        assert starts_of_bins(merged, least) == list(range(len(merged) + 1))


def by_hand(found, edges):
    """Histograms as if they had been filled in these bins."""
    blocks = {
        key: merged_block(block, found.axes[key[:2]].edges, edges)
        for key, block in found.blocks.items()
    }
    axes = {key: replace(axis, edges=edges) for key, axis in found.axes.items()}
    return replace(found, blocks=blocks, axes=axes)


def workspace_of(found, wanted):
    return build_workspace(found, wanted, generate(found, wanted, "h", "f"))


def with_edges(edges, *, rebinned):
    channels = tuple(replace(one, edges=edges, rebinned=rebinned) for one in spec().channels)
    return spec(channels=channels)


@settings(max_examples=15)
@given(some_of(EDGES[1:-1], least=1), st.booleans())
def test_merging_for_the_fit_is_filling_in_fewer_bins(inner, fold):
    edges = (EDGES[0], *inner, EDGES[-1])
    merging = replace(with_edges(edges, rebinned=True), fold_overflow=fold)
    plain = replace(with_edges(edges, rebinned=False), fold_overflow=fold)
    merged = workspace_of(histograms(), merging)
    assert merged == workspace_of(by_hand(histograms(), edges), plain)
    # and of what is expected in all bins together, merging changes nothing
    fine = predict(
        load_likelihood(workspace_of(histograms(), replace(spec(), fold_overflow=fold)))[0], None
    )
    coarse = predict(load_likelihood(merged)[0], None)
    for one in fine.channels:
        other = coarse.channel(one.name)
        for name, values in one.samples.items():
            assert other.samples[name].sum() == pytest.approx(values.sum(), rel=1e-12)
        assert other.total_uncertainty == pytest.approx(one.total_uncertainty, rel=1e-9)


def test_the_fit_of_merged_bins_is_that_of_templates_merged_by_hand():
    wanted = spec(min_expectation=60.0)
    first, second = fit_channels(histograms(), wanted)
    assert len(first.edges) < len(EDGES)
    one = fit(*load_likelihood(workspace_of(histograms(), wanted)))
    found = by_hand(histograms(), first.edges)
    region = by_hand(histograms(), second.edges)
    blocks = {**found.blocks, **{k: b for k, b in region.blocks.items() if k[0] == "cr"}}
    axes = {**found.axes, ("cr", "mass"): region.axes["cr", "mass"]}
    plain = spec(channels=tuple(replace(c, rebinned=False) for c in (first, second)))
    other = fit(*load_likelihood(workspace_of(replace(found, blocks=blocks, axes=axes), plain)))
    assert one.to_json() == other.to_json()
    assert one.converged


POSITIVE = st.floats(0.1, 1e4)


@given(
    st.lists(POSITIVE, min_size=3, max_size=15),
    st.floats(0.2, 5.0),
    st.lists(st.floats(0.5, 2.0), min_size=15, max_size=15),
)
def test_smoothing_keeps_the_yield_and_a_flat_ratio(contents, factor, ratios):
    nominal = np.array(contents)
    flat = factor * nominal
    np.testing.assert_allclose(smoothed(flat[np.newaxis], nominal)[0], flat, rtol=1e-9)
    varied = nominal * np.array(ratios[: len(nominal)])
    found = smoothed(varied[np.newaxis], nominal)[0]
    assert found.sum() == pytest.approx(varied.sum(), rel=1e-9)
    assert np.all(found >= 0)
    twice = smoothed(2.0 * varied[np.newaxis], nominal)[0]
    np.testing.assert_allclose(twice, 2.0 * found, rtol=1e-9)
