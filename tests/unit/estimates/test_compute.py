"""Estimates from data: numbers by hand, and laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.estimates import (
    closure,
    estimate_remarks,
    transfer_factor,
    with_estimates,
)
from hepflow.records import Block, Ledger, Loss, PartCounts
from tests.unit.estimates.histograms import BINNED, DATA, JES_UP, MC, SPEC, W2, block, histograms

FAKES = ("SR", "x", "fakes")


def estimate(found, spec=SPEC, variation="nominal"):
    """Template of the estimate."""
    return with_estimates(found, [spec]).template("SR", "x", "fakes", variation)


# -- by hand -----------------------------------------------------------------------------


def test_the_factor():
    factor = transfer_factor(histograms(), SPEC)
    # (50 - 10) / (110 - 10); the variances are 50 + 5 and 110 + 5
    assert factor.value == pytest.approx([0.4])
    assert factor.variance == pytest.approx([(55 + 0.4**2 * 115) / 100**2])
    assert factor.uncertainty**2 == pytest.approx(factor.variance)


def test_the_estimate_and_its_statistical_uncertainty():
    found = estimate(histograms())
    assert found.sumw == pytest.approx([0.0, 0.4 * 30, 0.4 * 20, 0.4])
    assert found.sumw2 == pytest.approx([0, 0.16 * (40 + 5), 0.16 * (24 + 2), 0.16])


def test_the_uncertainty_of_the_factor_is_log_normal():
    found = with_estimates(histograms(), [SPEC]).blocks["SR", "x", "fakes"]
    spread = 1 + np.sqrt(55 + 0.16 * 115) / 100 / 0.4
    nominal = found.template().sumw
    assert found.template("fakes_transfer_up").sumw == pytest.approx(spread * nominal)
    assert found.template("fakes_transfer_down").sumw == pytest.approx(nominal / spread)


def test_a_factor_in_each_bin():
    found = with_estimates(histograms(), [BINNED]).blocks["SR", "x", "fakes"]
    assert found.variations == ("nominal",)
    one, two = 23 / 54, 16 / 46  # (29 - 6) / (60 - 6), (20 - 4) / (50 - 4)
    assert found.template().sumw == pytest.approx([0.0, one * 30, two * 20, 0.0])
    variance = (29 + 3 + one**2 * (60 + 3)) / 54**2
    assert found.template().sumw2[1] == pytest.approx(one**2 * 45 + 30**2 * variance)


def test_a_variation_is_subtracted_in_all_regions_at_once():
    found = estimate(histograms(jes_up=JES_UP), variation="jes_up")
    factor = (50 - 15) / (110 - 10)
    assert found.sumw == pytest.approx([0, factor * 28, factor * 19, factor])
    block_ = with_estimates(histograms(jes_up=JES_UP), [SPEC]).blocks["SR", "x", "fakes"]
    assert block_.variations == ("nominal", "jes_up", "fakes_transfer_up", "fakes_transfer_down")


def test_negative_bins_are_zero_and_keep_their_uncertainty():
    data = DATA | {"SHAPE": [0, 4, 24, 0]}
    found = estimate(histograms(data))
    assert found.sumw == pytest.approx([0.0, 0.0, 0.4 * 20, 0.0])
    assert found.sumw2[1] == pytest.approx(0.16 * (4 + 5))


@pytest.mark.parametrize("counts", [[0, 0, 0, 0], [0, 2, 2, 0]])
@pytest.mark.parametrize("spec", [SPEC, BINNED], ids=["one", "binned"])
def test_without_a_factor_there_is_no_estimate(counts, spec):
    found = with_estimates(histograms(DATA | {"BOTTOM": counts}), [spec])
    assert ("SR", "x", "fakes") not in found.blocks
    factor = transfer_factor(found, spec, "x")
    assert not factor.exists.any()
    assert np.isnan(factor.value).all()
    assert np.isnan(factor.variance).all()


def test_without_a_positive_numerator_it_is_zero_and_uncertain():
    made = with_estimates(histograms(DATA | {"TOP": [0, 0, 2, 0]}), [SPEC]).blocks[FAKES]
    assert made.variations == ("nominal",)  # nothing that a nuisance parameter could multiply
    assert made.sumw.tolist() == [[0.0] * 4]
    factor = (2 + 5) / 100**2  # variance of 2 events minus 10 +- sqrt(5), over 100
    squares = [30**2 + 45, 20**2 + 26, 1 + 1]
    assert made.sumw2[0] == pytest.approx([0.0, *(factor * one for one in squares)])


def test_a_bin_without_a_positive_numerator_is_zero_and_uncertain():
    made = with_estimates(histograms(DATA | {"TOP": [0, 29, 3, 0]}), [BINNED]).blocks[FAKES]
    usual = with_estimates(histograms(), [BINNED]).blocks[FAKES]
    assert made.sumw[0, 1:3] == pytest.approx([usual.sumw[0, 1], 0.0])
    assert made.sumw2[0, 1] == usual.sumw2[0, 1]
    assert made.sumw2[0, 2] == pytest.approx((3 + 2) / 46**2 * (20**2 + 26))


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("TOP", [0.0, 1.0 / 100**2 * (30**2 + 45), 1.0 / 100**2 * (20**2 + 26), 2.0 / 100**2]),
        ("SHAPE", [0.0, 0.4**2, 0.4**2, 0.0]),
    ],
)
def test_no_event_is_as_uncertain_as_one(region, expected):
    """Neither data nor simulation: zero is what is counted, not what is known."""
    zero = {region: [0, 0, 0, 0]}
    made = with_estimates(histograms(DATA | zero, MC | zero), [SPEC]).blocks[FAKES]
    assert made.template().sumw.tolist() == [0.0] * 4
    assert made.template().sumw2 == pytest.approx(expected)


def test_without_shape_and_numerator_it_is_uncertain_all_the_same():
    zero = {"TOP": [0, 0, 0, 0], "SHAPE": [0, 0, 0, 0]}
    made = with_estimates(histograms(DATA | zero, MC | zero), [SPEC]).blocks[FAKES]
    assert made.sumw2[0] == pytest.approx([0.0, 1 / 100**2, 1 / 100**2, 0.0])


def test_an_event_counts_as_much_as_the_others():
    """Data of weight 3, such as a simulated process in a test of closure."""
    found = histograms(mc={name: [0, 0, 0, 0] for name in MC})
    top = np.array([[0.0, 30.0, 0.0, 0.0]])
    blocks = {**found.blocks, ("TOP", "x", "data"): Block(("nominal",), top, 3 * top)}
    factor = transfer_factor(replace(found, blocks=blocks), BINNED, "x")
    assert factor.variance[2] == pytest.approx(3**2 / 50**2)


def test_a_variation_without_a_factor_reads_nominal():
    """More is subtracted in the denominator than there are data: no factor, and not 0."""
    up = JES_UP | {"BOTTOM": [0, 70, 50, 0]}
    made = with_estimates(histograms(jes_up=up, jes_down=JES_UP), [SPEC]).blocks[FAKES]
    assert (made.template("jes_up").sumw == made.template().sumw).all()
    assert (made.template("jes_up").sumw2 == made.template().sumw2).all()
    assert made.template("jes_down").sumw[1] == pytest.approx(0.35 * 28)
    assert made.variations[3:] == ("fakes_transfer_up", "fakes_transfer_down")


def test_bins_without_a_factor_read_nominal():
    up = JES_UP | {"BOTTOM": [0, 70, 4, 0]}  # none in the first bin
    made = with_estimates(histograms(jes_up=up), [BINNED]).blocks[FAKES]
    assert made.template("jes_up").sumw[1] == made.template().sumw[1] > 0
    assert made.template("jes_up").sumw[2] == pytest.approx((20 - 6) / (50 - 4) * (24 - 5))


def test_bins_that_nominal_has_no_factor_for_are_empty_in_all_variations():
    data = DATA | {"BOTTOM": [0, 6, 50, 0]}  # 6 are subtracted, varied 5
    made = with_estimates(histograms(data, jes_up=JES_UP), [BINNED]).blocks[FAKES]
    assert made.sumw[:, 1].tolist() == made.sumw2[:, 1].tolist() == [0.0, 0.0]
    assert (made.sumw[:, 2] > 0).all()


def test_what_is_not_a_number_stays_so():
    data = DATA | {"SHAPE": [0, np.nan, 24, 1]}
    found = estimate(histograms(data))
    assert np.isnan(found.sumw).tolist() == [False, True, False, False]


def test_two_channels_of_one_process_share_the_factor():
    other = replace(SPEC, channel="SHAPE", from_channel="SR")
    found = with_estimates(histograms(), [SPEC, other])
    assert found.template("SHAPE", "x", "fakes").sumw == pytest.approx([0, 0.4 * 20, 0.4 * 10, 0])


# -- what is not looked at ---------------------------------------------------------------


def test_data_of_the_channel_itself_are_not_looked_at():
    blind = {region: counts for region, counts in DATA.items() if region != "SR"}
    assert (estimate(histograms(blind)).sumw == estimate(histograms()).sumw).all()


@pytest.mark.parametrize("region", ["SHAPE", "TOP", "BOTTOM"])
def test_without_data_there_is_no_estimate_and_a_remark(region):
    data = {name: counts for name, counts in DATA.items() if name != region}
    found = with_estimates(histograms(data), [SPEC])
    assert ("SR", "x", "fakes") not in found.blocks
    assert list(estimate_remarks(found, [SPEC])) == [
        "without fakes in SR: no data to estimate it from"
    ]


def test_the_input_stays():
    before = histograms(jes_up=JES_UP)
    found = with_estimates(before, [SPEC])
    assert {key: found.blocks[key] for key in before.blocks} == before.blocks
    assert with_estimates(before, []).blocks == before.blocks


# -- remarks -----------------------------------------------------------------------------


def test_nothing_to_remark():
    assert list(estimate_remarks(histograms(), [SPEC])) == []


def test_negative_bins_are_told_where_they_matter():
    found = histograms(DATA | {"SHAPE": [0, 5, 24, 0]})  # -5 and 20
    assert list(estimate_remarks(found, [SPEC])) == [
        "fakes in SR: negative bins set to 0 (25 % of x)"
    ]
    assert list(estimate_remarks(histograms(DATA | {"SHAPE": [0, 9.9, 24, 0]}), [SPEC])) == []
    nothing = histograms(DATA | {"SHAPE": [0, 0, 0, 0]})
    shape, bins = estimate_remarks(nothing, [SPEC])
    assert "the shape SHAPE/x sums to -14 (data 0, simulation 14)" in shape
    assert bins == "fakes in SR: negative bins set to 0 (all of x)"


def test_incomplete_data_are_told():
    part = PartCounts("data", "a.root", 0, 50, 50, 50.0, 50.0)
    ledger = Ledger.of_parts([part]) + Ledger(file_events={"data": {"a.root": 200}})
    found = replace(histograms(), ledger=ledger)
    assert list(estimate_remarks(found, [SPEC])) == ["fakes estimated from 25 % of data"]
    assert list(estimate_remarks(replace(found, rescaled={"data": 0.25}), [SPEC])) == []


@pytest.mark.parametrize(("dataset", "told"), [("data", "data"), ("w__nominal", "w")])
def test_what_is_left_out_is_told(dataset, told):
    loss = Loss(dataset, "a.root", 0, 10, "damaged", "skim", 10)
    found = replace(histograms(), ledger=Ledger(losses=(loss,)))
    assert list(estimate_remarks(found, [SPEC])) == [f"fakes estimated without {told}"]
    signal = replace(found, ledger=Ledger(losses=(replace(loss, dataset="signal__nominal"),)))
    assert list(estimate_remarks(signal, [SPEC])) == []


# -- laws --------------------------------------------------------------------------------

factors = st.floats(0.01, 100.0)
counts = st.lists(st.integers(1, 1000), min_size=4, max_size=4)


@given(factors)
def test_scaling_data_and_simulation_scales_the_estimate(factor):
    found = estimate(histograms(scale=factor)).sumw
    assert found == pytest.approx(factor * estimate(histograms()).sumw)
    one, other = (transfer_factor(histograms(scale=k), SPEC).value for k in (1.0, factor))
    assert one == pytest.approx(other)


@given(counts, counts, counts)
def test_without_subtraction_it_is_a_ratio_of_data(shape, top, bottom):
    data = {"SHAPE": shape, "TOP": top, "BOTTOM": bottom}
    found = estimate(histograms(data), replace(SPEC, subtract=()))
    assert found.sumw == pytest.approx(np.array(shape) * sum(top) / sum(bottom))


@given(counts, counts, counts)
def test_what_is_added_to_data_and_simulation_alike_cancels(shape, top, bottom):
    data = {"SHAPE": shape, "TOP": top, "BOTTOM": bottom}
    more = {name: [a + b for a, b in zip(one, MC[name], strict=True)] for name, one in data.items()}
    alone = estimate(histograms(data), replace(SPEC, subtract=()))
    assert estimate(histograms(more)).sumw == pytest.approx(alone.sumw)


@given(st.lists(st.integers(0, 12), min_size=4, max_size=4), st.sampled_from([SPEC, BINNED]))
def test_what_is_estimated_from_events_is_never_known_to_be_zero(top, spec):
    """Wherever the shape has events and there is a factor."""
    found = histograms(DATA | {"TOP": top})
    made, there = estimate(found, spec), transfer_factor(found, spec, "x").exists
    assert (made.sumw >= 0).all()
    assert (made.sumw2[there & (np.array(DATA["SHAPE"]) > 0)] > 0).all()


@given(st.floats(0.2, 5.0))
def test_more_in_the_numerator_moves_all_bins_alike(factor):
    base = {"SHAPE": DATA["SHAPE"], "TOP": [0, 10, 10, 0], "BOTTOM": [0, 50, 50, 0]}
    more = base | {"TOP": [0, 10 * factor, 10 * factor, 0]}
    none = replace(SPEC, subtract=())
    assert estimate(histograms(more), none).sumw == pytest.approx(
        factor * estimate(histograms(base), none).sumw
    )


def test_the_uncertainties_are_those_of_pseudo_experiments():
    """Poisson data many times: the spread of the estimate is what is quoted."""
    rng = np.random.default_rng(5)
    none = replace(SPEC, subtract=())
    mean = {"SHAPE": 400, "TOP": 900, "BOTTOM": 2500}
    zero = [0, 0, 0, 0]

    def toy():
        data = {name: [0, int(rng.poisson(one)), 0, 0] for name, one in mean.items()}
        return estimate(histograms(data, dict.fromkeys(MC, zero)), none).sumw[1]

    spread = np.std([toy() for _ in range(3000)])
    data = {name: [0, one, 0, 0] for name, one in mean.items()}
    found = histograms(data, dict.fromkeys(MC, zero))
    factor, made = transfer_factor(found, none), estimate(found, none)
    quoted = np.sqrt(made.sumw2[1] + (400**2) * factor.variance[0])
    assert quoted == pytest.approx(spread, rel=4 / np.sqrt(2 * 3000))


# -- closure -----------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [SPEC, BINNED])
def test_closure_is_of_the_simulated_process_alone(spec):
    found = histograms(data={})  # no data
    made = {"SR": [0, 3, 2, 0], "SHAPE": [0, 30, 20, 0], "TOP": [0, 6, 4, 0],
            "BOTTOM": [0, 60, 40, 0]}  # fmt: skip
    blocks = {(name, "x", "qcd"): block(nominal=one) for name, one in made.items()}
    found = replace(found, blocks={**found.blocks, **blocks})
    result = closure(found, spec, "qcd", "x")
    assert result.estimated.sumw == pytest.approx([0, 3, 2, 0])
    assert result.expected.sumw.tolist() == [0, 3, 2, 0]
    assert result.ratio == pytest.approx(1.0)
    assert (result.channel, result.observable) == ("SR", "x")
    if spec is SPEC:
        relative = W2 / 50 + W2 / 10 + W2 / 100 + W2 / 5
        assert result.uncertainty == pytest.approx(np.sqrt(relative))
    else:
        assert 0 < result.uncertainty < 1


def test_closure_finds_a_bias():
    made = {"SR": 6.0, "SHAPE": 30.0, "TOP": 6.0, "BOTTOM": 60.0}
    blocks = {
        (name, "x", "qcd"): Block(("nominal",), np.full((1, 4), one), np.full((1, 4), one))
        for name, one in made.items()
    }
    found = replace(histograms(), blocks={**histograms().blocks, **blocks})
    assert closure(found, SPEC, "qcd", "x").ratio == pytest.approx(0.5)


@pytest.mark.parametrize("region", ["SR", "SHAPE", "TOP", "BOTTOM"])
def test_closure_needs_events_in_all_channels(region):
    found = histograms(mc=MC | {region: [0, 0, 0, 0]})
    with pytest.raises(InputError, match=f"'w' has no events in {region}/x"):
        closure(found, SPEC, "w", "x")
    with pytest.raises(InputError, match="'qcd' has no events in SR/x"):
        closure(found, SPEC, "qcd", "x")
