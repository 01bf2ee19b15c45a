"""From raw sums to expected events: cross-section times luminosity over the sum of weights."""

from __future__ import annotations

import numpy as np
import pytest
import uproot

from hepflow.errors import NormalisationError
from hepflow.events import sum_of_runs
from hepflow.normalisation import (
    check_runs,
    denominator,
    event_weights,
    generator_weights,
    normalise,
    scale_of,
)
from hepflow.records import Axis, Block, Cutflow, Ledger, PartCounts, RawHistograms
from tests.builders import make_dataset, shared

AXIS = Axis("x", "x", (0.0, 1.0, 2.0))


def part(dataset, file, nevts, sum_weights, sum_signs=None, start=0):
    signs = sum_weights if sum_signs is None else sum_signs
    return PartCounts(dataset, file, start, start + nevts, nevts, sum_weights, signs)


def raw(contents, *parts, **ledger):
    """Raw histograms with one row of [under, bin, bin, over] for each dataset."""
    blocks = {
        ("SR", "x", key): Block(("nominal",), np.array([sumw]), np.array([sumw2]))
        for key, (sumw, sumw2) in contents.items()
    }
    flows = {
        ("SR", key): Cutflow(("all",), np.array([3]), np.array([6.0]), np.array([12.0]))
        for key in contents
    }
    known = Ledger(parts={one.item_key: one for one in parts}, **ledger)
    return RawHistograms({("SR", "x"): AXIS}, blocks, flows, known)


FILLED = (np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 4.0, 9.0, 16.0]))


def test_the_scale_is_cross_section_times_luminosity_over_the_sum_of_weights():
    mc = make_dataset(k_factor=1.2, filter_efficiency=0.5)
    filled = raw({mc.key: FILLED}, part(mc.key, "a", 100, 40.0), part(mc.key, "b", 50, 10.0))
    scale = 10.0 * 1.2 * 0.5 * 100.0 / 50.0
    found = normalise(filled, [mc], "generator", {"": 100.0})
    template = found.template("SR", "x", "mc")
    assert template.sumw == pytest.approx(FILLED[0] * scale)  # flow included
    assert template.sumw2 == pytest.approx(FILLED[1] * scale**2)
    flow = found.cutflows["SR", mc.key]
    assert (flow.counts[0], flow.sumw[0], flow.sumw2[0]) == (3, 6.0 * scale, 12.0 * scale**2)
    assert found.luminosity == {"": 100.0}
    assert found.process_of == {mc.key: "mc"}


def test_slices_of_a_process_are_scaled_apart_and_add_up():
    low = make_dataset("wjets_low__nominal", process="wjets", cross_section=50.0)
    high = make_dataset("wjets_high__nominal", process="wjets", cross_section=2.0)
    filled = raw(
        {low.key: FILLED, high.key: FILLED},
        part(low.key, "a", 100, 1000.0),
        part(high.key, "b", 100, 10.0),
    )
    found = normalise(filled, [low, high], "generator", {})
    scales = np.array([50.0 * 100.0 / 1000.0, 2.0 * 100.0 / 10.0])
    assert found.template("SR", "x", "wjets").sumw == pytest.approx(FILLED[0] * scales.sum())
    squares = (scales**2).sum()
    assert found.template("SR", "x", "wjets").sumw2 == pytest.approx(FILLED[1] * squares)
    assert found.processes("SR", "x") == ("wjets",)


def test_a_part_in_which_nothing_was_selected_counts_in_the_sum():
    mc = make_dataset()
    alone = raw({mc.key: FILLED}, part(mc.key, "a", 100, 40.0))
    empty = raw({}, part(mc.key, "a", 60, 60.0, start=100))
    scale = normalise(alone, [mc], "generator", {}).template("SR", "x", "mc").sumw[1] / 2.0
    both = normalise(alone + empty, [mc], "generator", {}).template("SR", "x", "mc").sumw[1] / 2.0
    assert both == pytest.approx(scale * 40.0 / 100.0)


def test_only_what_was_processed_counts():
    mc = make_dataset()
    known = {"file_events": {mc.key: {"a": 100, "b": 100}}, "files_expected": {mc.key: 2}}
    ledger = raw({}, part(mc.key, "a", 100, 40.0), **known).ledger
    assert denominator(mc, ledger, "generator") == 40.0


def test_the_sum_of_weights_is_no_count_and_may_be_of_signs():
    mc = make_dataset()
    ledger = raw({}, part(mc.key, "a", 100, 250.0, 60.0)).ledger
    assert denominator(mc, ledger, "generator") == 250.0
    assert denominator(mc, ledger, "sign") == 60.0
    assert scale_of(mc, ledger, "sign") == pytest.approx(10.0 * 100.0 / 60.0)


def test_the_weight_of_an_event_or_its_sign():
    weights = np.array([225892.0, -225892.0, 0.0, 0.5])
    assert event_weights(weights, "generator").tolist() == weights.tolist()
    assert event_weights(weights, "sign").tolist() == [1.0, -1.0, 0.0, 1.0]


def test_generator_weights_are_double_precision_and_ones_for_data():
    found = generator_weights(np.array([0.1], np.float32), 1)
    assert found.dtype == np.float64
    assert generator_weights(None, 3).tolist() == [1.0, 1.0, 1.0]


def test_data_is_not_scaled():
    data = make_dataset(
        "data", is_data=True, cross_section=None, luminosity=None, weight_branch=None
    )
    filled = raw({"data": FILLED}, part("data", "a", 100, 100.0))
    found = normalise(filled, [data], "generator", {})
    assert found.template("SR", "x", "data").sumw.tolist() == FILLED[0].tolist()
    assert found.data_processes == {"data"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cross_section": None}, "no cross-section"),
        ({"luminosity": None}, "no luminosity"),
    ],
)
def test_simulation_without_what_it_needs_is_an_error(changes, message):
    mc = make_dataset(**changes)
    with pytest.raises(NormalisationError, match=f"'mc__nominal' .*{message}"):
        scale_of(mc, raw({}, part(mc.key, "a", 1, 1.0)).ledger, "generator")


def test_weights_that_cancel_are_an_error_but_no_event_is_none():
    mc = make_dataset()
    with pytest.raises(NormalisationError, match="add up to zero"):
        scale_of(mc, raw({}, part(mc.key, "a", 2, 0.0)).ledger, "generator")
    assert scale_of(mc, raw({}, part(mc.key, "a", 0, 0.0)).ledger, "generator") == 0.0
    assert scale_of(mc, Ledger(), "generator") == 0.0


def test_years_have_their_own_luminosity():
    one = make_dataset("mc_2016__nominal", process="mc", year="2016", luminosity=36.0)
    two = make_dataset("mc_2018__nominal", process="mc", year="2018", luminosity=60.0)
    filled = raw(
        {one.key: FILLED, two.key: FILLED}, part(one.key, "a", 1, 5.0), part(two.key, "b", 1, 5.0)
    )
    found = normalise(filled, [one, two], "generator", {"2016": 36.0, "2018": 60.0})
    assert found.template("SR", "x", "mc").sumw == pytest.approx(FILLED[0] * 10.0 * 96.0 / 5.0)


# -- the Runs tree -----------------------------------------------------------------------


def runs_ledger(mc, *, processed=100, **changes):
    known = {
        "file_events": {mc.key: {"a": 100, "b": 50}},
        "runs_sums": {mc.key: {"a": 1000.0, "b": 500.0}},
        **changes,
    }
    return raw({}, part(mc.key, "a", processed, 1.0), **known).ledger


def test_the_sum_of_the_runs_trees_is_that_of_the_files_that_were_read():
    mc = make_dataset(sumw_source="runs")
    assert denominator(mc, runs_ledger(mc), "generator") == 1000.0
    both = runs_ledger(mc) + raw({}, part(mc.key, "b", 50, 1.0)).ledger
    assert denominator(mc, both, "generator") == 1500.0
    halves = runs_ledger(mc, processed=60) + raw({}, part(mc.key, "a", 40, 1.0, start=60)).ledger
    assert denominator(mc, halves, "generator") == 1000.0


def test_the_runs_trees_need_complete_files():
    mc = make_dataset(sumw_source="runs")
    with pytest.raises(NormalisationError, match="complete files, but of a 60 of 100 events"):
        denominator(mc, runs_ledger(mc, processed=60), "generator")
    with pytest.raises(NormalisationError, match="a has no Runs tree"):
        denominator(mc, runs_ledger(mc, runs_sums={}), "generator")
    with pytest.raises(NormalisationError, match="no sum of signs"):
        denominator(mc, runs_ledger(mc), "sign")


@pytest.mark.parametrize(
    ("events", "runs", "fine"),
    [(1000.0, 1000.9, True), (1000.0, 1001.2, False), (1000.0, 998.9, False), (0.0, 0.0, True),
     (-1000.0, 1000.0, False), (0.0, 1.0, False)],
)  # fmt: skip
def test_a_difference_above_one_per_mille_names_both_numbers(events, runs, fine):
    if fine:
        check_runs("tt", events, runs)
        return
    with pytest.raises(NormalisationError) as caught:
        check_runs("tt", events, runs)
    for text in ("'tt'", f"{events:.6g}", f"{runs:.6g}", "sumw_source", "'runs'", "'events'"):
        assert text in str(caught.value)


def test_a_real_file_that_was_skimmed_is_noticed():
    with uproot.open(shared("nanoaod/DY_M50_2016.root")) as file:
        runs = sum_of_runs(file)
        events = float(file["Events"]["genWeight"].array(library="np").sum(dtype=np.float64))
    assert runs == pytest.approx(2.58007e10, rel=1e-5)
    with pytest.raises(NormalisationError, match=r"2\.58007e\+10"):
        check_runs("dy", events, runs)
