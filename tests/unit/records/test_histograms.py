"""Closed forms of templates, blocks, cutflows and histogram sets."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.records import (
    Axis,
    Block,
    Cutflow,
    HistogramSet,
    Ledger,
    PartCounts,
    RawHistograms,
    Template,
    fold_flow,
)

AXIS = Axis("mass", "m [GeV]", (0.0, 1.0, 3.0))


def block(**rows):
    """Make a block from rows of sums of weights; squares are ten times that."""
    sumw = np.array(list(rows.values()), dtype=float)
    return Block(tuple(rows), sumw, 10 * sumw)


def part(dataset="a", start=0):
    return PartCounts(dataset, "f.root", start, start + 10, 10, 9.0, 8.0)


def full_set(**blocks):
    return HistogramSet(
        axes={("SR", "mass"): AXIS},
        blocks={("SR", "mass", process): one for process, one in blocks.items()},
        cutflows={},
        data_processes=frozenset({"data"}),
        luminosity={"": 10.0},
        ledger=Ledger(),
        process_of={},
    )


def test_an_axis():
    assert AXIS.n_bins == 2
    assert AXIS.widths.tolist() == [1.0, 2.0]


def test_folding_moves_the_flow_into_the_edge_bins():
    content = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 1.0, 0.0]])
    before = content.copy()
    assert fold_flow(content).tolist() == [[0, 3, 7, 0], [0, 1, 1, 0]]
    assert (content == before).all()


def test_folding_with_one_bin_keeps_everything():
    assert fold_flow(np.array([1.0, 2.0, 4.0])).tolist() == [0.0, 7.0, 0.0]


def test_a_template():
    template = Template(np.array([1.0, 2, 3, 4]), np.array([5.0, 6, 7, 8]))
    assert template.values.tolist() == [2, 3]
    assert template.variances.tolist() == [6, 7]
    assert template.folded().values.tolist() == [3, 7]
    assert template.folded().variances.tolist() == [11, 15]
    assert template.folded().sumw[[0, -1]].tolist() == [0, 0]


def test_an_absent_variation_reads_as_nominal():
    one = block(nominal=[0, 1, 2, 0], jes_up=[0, 3, 4, 0])
    assert one.template("jes_up").values.tolist() == [3, 4]
    assert one.template("jes_down").values.tolist() == [1, 2]
    assert one.template().values.tolist() == [1, 2]


def test_a_missing_variation_is_filled_with_its_own_nominal_before_adding():
    left = block(nominal=[0, 1, 2, 0], jes_up=[0, 3, 4, 0])
    right = block(nominal=[0, 10, 20, 0], pu_up=[0, 50, 60, 0])
    total = left + right
    assert total.variations == ("nominal", "jes_up", "pu_up")
    assert total.template("jes_up").values.tolist() == [13, 24]
    assert total.template("pu_up").values.tolist() == [51, 62]
    assert total.template("jes_up").variances.tolist() == [130, 240]
    assert total.template().values.tolist() == [11, 22]


def test_scaling_a_block():
    scaled = block(nominal=[0, 1, 2, 0]).scaled(3.0)
    assert scaled.template().values.tolist() == [3, 6]
    assert scaled.template().variances.tolist() == [90, 180]


def test_a_block_that_is_none():
    with pytest.raises(ValueError, match="'nominal'"):
        block(jes_up=[0, 1])
    with pytest.raises(ValueError, match="shape"):
        Block(("nominal",), np.zeros((1, 4)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="shape"):
        Block(("nominal", "jes_up"), np.zeros((1, 4)), np.zeros((1, 4)))


def test_cutflows():
    one = Cutflow(("all", "jets"), np.array([4, 2]), np.array([4.0, 2.0]), np.array([4.0, 2.0]))
    total = one + one
    assert total.counts.tolist() == [8, 4]
    assert total.scaled(0.5).sumw.tolist() == [4.0, 2.0]
    assert total.scaled(0.5).sumw2.tolist() == [2.0, 1.0]
    assert total.scaled(0.5).counts.tolist() == [8, 4]
    with pytest.raises(ValueError, match="different cuts"):
        one + Cutflow(("all",), np.array([1]), np.array([1.0]), np.array([1.0]))


def test_a_part_in_both_would_count_twice():
    one = RawHistograms(ledger=Ledger.of_parts([part()]))
    with pytest.raises(ValueError, match="is in both"):
        one + one
    total = one + RawHistograms(ledger=Ledger.of_parts([part(start=10)]))
    assert total.ledger.totals("a").nevts == 20


def test_other_bin_edges_cannot_be_added():
    one = RawHistograms(axes={("SR", "mass"): AXIS})
    other = RawHistograms(axes={("SR", "mass"): Axis("mass", "", (0.0, 2.0, 3.0))})
    with pytest.raises(ValueError, match="SR/mass have different bin edges"):
        one + other


def test_an_empty_start_changes_nothing():
    one = RawHistograms(
        axes={("SR", "mass"): AXIS},
        blocks={("SR", "mass", "a"): block(nominal=[0, 1, 2, 0])},
        ledger=Ledger.of_parts([part()]),
    )
    total = RawHistograms() + one
    assert total.axes == one.axes
    assert total.blocks.keys() == one.blocks.keys()
    assert total.ledger == one.ledger


def test_names_in_a_set():
    found = full_set(
        signal=block(nominal=[0, 1, 2, 0], jes_up=[0, 3, 4, 0]),
        data=block(nominal=[0, 5, 6, 0]),
    )
    assert found.channels == ("SR",)
    assert found.observables("SR") == ("mass",)
    assert found.processes("SR", "mass") == ("signal", "data")
    assert found.variations("SR", "mass") == ("nominal", "jes_up")


def test_a_total_reads_absent_variations_as_nominal():
    found = full_set(
        signal=block(nominal=[0, 1, 2, 0], jes_up=[0, 3, 4, 0]),
        wjets=block(nominal=[0, 10, 20, 0]),
    )
    total = found.total("SR", "mass", ["signal", "wjets"], "jes_up")
    assert total.values.tolist() == [13, 24]
    assert total.variances.tolist() == [130, 240]
    assert found.total("SR", "mass", []).values.tolist() == [0, 0]


def test_the_sum_of_two_years():
    first = full_set(wjets=block(nominal=[0, 1, 2, 0], jes_up=[0, 3, 4, 0]))
    second = full_set(wjets=block(nominal=[0, 10, 20, 0]), data=block(nominal=[0, 1, 1, 0]))
    total = first + second
    assert total.template("SR", "mass", "wjets", "jes_up").values.tolist() == [13, 24]
    assert total.template("SR", "mass", "data").values.tolist() == [1, 1]
    assert total.data_processes == {"data"}


def test_a_histogram_holds_what_the_blocks_hold():
    found = full_set(
        signal=block(nominal=[9, 1, 2, 8], jes_up=[7, 3, 4, 6]),
        wjets=block(nominal=[1, 10, 20, 2]),
    )
    histogram = found.hist("SR", "mass")
    assert histogram.axes.name == ("observable", "process", "variation")
    assert histogram.axes["observable"].edges.tolist() == [0, 1, 3]
    view = histogram[:, "signal", "jes_up"].view(flow=True)
    assert view["value"].tolist() == [7, 3, 4, 6]
    assert view["variance"].tolist() == [70, 30, 40, 60]
    view = histogram[:, "wjets", "jes_up"].view(flow=True)
    assert view["value"].tolist() == [1, 10, 20, 2]
    assert histogram.sum(flow=True).value == 20 + 20 + 2 * 33
