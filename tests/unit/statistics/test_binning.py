"""Bins of the fit, merged as configured and to an expectation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.records import Block
from hepflow.statistics import build_workspace, differs_from_filled, fit_templates
from hepflow.statistics.binning import fit_channels, merged_block, starts_of_bins
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.spec import NormFactorSpec
from tests.unit.statistics.models import EDGES, PROCESSES, histograms, spec

COARSE = EDGES[::4]  # 5 bins of 4


def rebinned(edges, **changes):
    """Two regions with these bins."""
    channels = tuple(replace(one, edges=edges, rebinned=True) for one in spec().channels)
    return spec(channels=channels, **changes)


def expected(edges_of):
    """Background of a region in its bins."""
    return fit_templates(histograms(), edges_of).total("sr", "mass", ("ttbar", "wjets")).values


def test_bins_are_collected_from_the_last_one_down():
    assert starts_of_bins(np.array([8.0, 4.0, 2.0, 1.0]), 3.0) == [0, 1, 2, 4]
    assert starts_of_bins(np.array([5.0, 5.0, 5.0]), 5.0) == [0, 1, 2, 3]
    assert starts_of_bins(np.array([1.0, 5.0, 5.0]), 5.0) == [0, 2, 3]  # what is left goes up
    assert starts_of_bins(np.array([1.0, 1.0]), 5.0) == [0, 2]  # nothing is enough
    assert starts_of_bins(np.array([4.0, -1.0, 1.0, 3.0]), 3.0) == [0, 3, 4]


def test_merged_bins_hold_the_sums():
    block = Block(("nominal",), np.array([[1.0, 2, 4, 8, 16, 32]]), np.arange(6.0)[np.newaxis])
    merged = merged_block(block, (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 2.0, 4.0))
    assert merged.sumw.tolist() == [[1, 6, 24, 32]]
    assert merged.sumw2.tolist() == [[0, 3, 7, 5]]
    part = merged_block(block, (0.0, 1.0, 2.0, 3.0, 4.0), (1.0, 3.0))
    assert part.sumw.tolist() == [[3, 12, 48]]  # what is outside is under- and overflow
    with pytest.raises(ValueError, match="cannot be merged"):
        merged_block(block, (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 1.5, 4.0))


def test_the_workspace_and_the_configuration_have_the_merged_bins():
    wanted = rebinned(COARSE)
    assert differs_from_filled(wanted)
    config = generate(histograms(), wanted, "h.root", "folder")
    assert config["Regions"][0]["Binning"] == list(COARSE)
    workspace = build_workspace(histograms(), wanted, config)
    signal = workspace["channels"][0]["samples"][0]
    filled = histograms().template("sr", "mass", "signal")
    np.testing.assert_allclose(signal["data"], filled.values.reshape(5, 4).sum(axis=1))
    stat = signal["modifiers"][0]["data"]
    np.testing.assert_allclose(stat, np.sqrt(filled.variances.reshape(5, 4).sum(axis=1)))
    observed = histograms().template("sr", "mass", "data").values.reshape(5, 4).sum(axis=1)
    assert workspace["observations"][0]["data"] == observed.tolist()


def test_what_is_outside_of_the_fit_is_folded_where_that_is_asked_for():
    inner = EDGES[2:7]
    wanted = rebinned(inner, fold_overflow=True)
    found = fit_templates(histograms(), wanted).template("sr", "mass", "ttbar")
    assert found.values.sum() == pytest.approx(
        histograms().blocks["sr", "mass", "ttbar"].sumw[0].sum()
    )
    wanted = rebinned(inner)
    found = fit_templates(histograms(), wanted).template("sr", "mass", "ttbar")
    assert (
        found.values.tolist() == histograms().template("sr", "mass", "ttbar").values[2:6].tolist()
    )


@pytest.mark.parametrize("fold", [False, True])
def test_each_bin_expects_enough_background(fold):
    least = 40.0
    wanted = spec(min_expectation=least, fold_overflow=fold)
    assert differs_from_filled(wanted)
    channel = fit_channels(histograms(), wanted)[0]
    assert channel.edges[0] == EDGES[0]
    assert channel.edges[-1] == EDGES[-1]
    assert set(channel.edges) < set(EDGES)
    values = expected(wanted)
    assert len(values) == len(channel.edges) - 1
    assert values.min() >= least
    filled = expected(spec(fold_overflow=fold))
    last = EDGES.index(channel.edges[-2])
    assert filled[last + 1 :].sum() < least  # no more than needed was merged


def test_merging_is_the_same_a_second_time():
    wanted = spec(min_expectation=40.0)
    once = fit_channels(histograms(), wanted)
    assert fit_channels(histograms(), replace(wanted, channels=once)) == once


def test_neither_data_nor_signal_change_the_bins():
    wanted = spec(min_expectation=40.0)
    found = histograms()
    blocks = {
        key: Block(one.variations, one.sumw * 1000, one.sumw2)
        if key[2] in {"data", "signal"}
        else one
        for key, one in found.blocks.items()
    }
    changed = replace(found, blocks=blocks)
    assert fit_channels(changed, wanted) == fit_channels(found, wanted)
    without = replace(found, blocks={k: v for k, v in found.blocks.items() if k[2] != "data"})
    assert fit_channels(without, wanted) == fit_channels(found, wanted)


def test_norm_factors_count_at_their_nominal_values():
    mu, ttbar = spec().norm_factors
    more = NormFactorSpec("ttbar_norm", ("ttbar",), 4.0, (0.0, 5.0), channels=("sr",))
    one = fit_channels(histograms(), spec(min_expectation=40.0))
    other = fit_channels(histograms(), spec(min_expectation=40.0, norm_factors=(mu, more)))
    assert len(other[0].edges) > len(one[0].edges)
    assert other[1] == one[1]  # it acts in the other region only
    assert ttbar.nominal == 1.0


def test_a_signal_without_background_counts_itself():
    both = NormFactorSpec("mu", PROCESSES, 1.0, (0.0, 10.0))
    wanted = spec(min_expectation=40.0, norm_factors=(both,))
    found = fit_templates(histograms(), wanted).total("sr", "mass", PROCESSES).values
    assert found.min() >= 40.0
    assert len(found) > 1


def test_a_region_without_histogram_keeps_its_bins():
    channel = replace(spec().channels[0], observable="pt")
    assert fit_channels(histograms(), spec(channels=(channel,), min_expectation=1e9)) == (channel,)
