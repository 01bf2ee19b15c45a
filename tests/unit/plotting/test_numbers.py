import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.plotting.numbers import (
    ONE_SIGMA,
    Band,
    outside,
    poisson_interval,
    prediction_numbers,
    ratio,
    ratio_limits,
    source_names,
    stack_numbers,
    stack_order,
    uncertainty_band,
)
from hepflow.plotting.spec import NormalisationSource, PlottingSpec
from hepflow.records import Axis, Block, HistogramSet, Ledger
from hepflow.records.prediction import ChannelPrediction

WHERE = ("SR", "m")


def make(blocks, edges=(0.0, 1.0, 2.0)):
    return HistogramSet(
        axes={WHERE: Axis("m", "m [GeV]", edges)},
        blocks={(*WHERE, name): block for name, block in blocks.items()},
        cutflows={},
        data_processes=frozenset({"data"}),
        luminosity={"": 1.0},
        ledger=Ledger(),
        process_of={},
    )


def nominal(values, variances=None):
    content = np.array([values], dtype=float)
    return Block(("nominal",), content, content if variances is None else np.array([variances]))


def test_poisson_interval_of_zero_events_is_the_closed_form():
    low, high = poisson_interval(np.array([0.0]))
    assert low[0] == 0.0
    assert high[0] == pytest.approx(-np.log((1 - ONE_SIGMA) / 2), rel=1e-12)


def test_poisson_interval_of_one_event_has_the_lower_end_in_closed_form():
    # P(n >= 1 | low) = (1 - 0.6827) / 2  <=>  low = -ln(1 - 0.1587)
    low, _ = poisson_interval(np.array([1.0]))
    assert low[0] == pytest.approx(-np.log1p(-(1 - ONE_SIGMA) / 2), rel=1e-12)


def test_poisson_interval_agrees_with_the_table_of_the_pdg():
    # Ten events, central 68.27 %: 6.891 to 14.267 (Garwood 1936; as ROOT's kPoisson)
    low, high = poisson_interval(np.array([10.0]))
    assert (low[0], high[0]) == (pytest.approx(6.891, abs=2e-3), pytest.approx(14.267, abs=2e-3))


@given(st.integers(1, 300), st.floats(0.5, 0.99))
def test_poisson_interval_has_the_tails_that_define_it(count, probability):
    from scipy.special import pdtr, pdtrc

    low, high = poisson_interval(np.array([float(count)]), probability)
    tail = (1 - probability) / 2
    assert pdtrc(count - 1, low[0]) == pytest.approx(tail, rel=1e-6)
    assert pdtr(count, high[0]) == pytest.approx(tail, rel=1e-6)


def test_band_is_the_quadrature_sum_of_statistics_and_sources():
    band = uncertainty_band(np.array([9.0]), [(np.array([4.0]), np.array([-12.0]))])
    assert band.up[0] == pytest.approx(5.0)
    assert band.down[0] == pytest.approx(np.sqrt(9 + 144))


def test_a_source_on_one_side_counts_there_once_with_the_larger():
    band = uncertainty_band(np.array([0.0]), [(np.array([3.0]), np.array([1.0]))])
    assert (band.up[0], band.down[0]) == (3.0, 0.0)


def test_up_and_down_exchanged_give_the_same_band():
    shift, other = np.array([1.0, -2.0]), np.array([-3.0, 0.5])
    first = uncertainty_band(np.ones(2), [(shift, other)])
    second = uncertainty_band(np.ones(2), [(other, shift)])
    np.testing.assert_array_equal(first.up, second.up)
    np.testing.assert_array_equal(first.down, second.down)


def test_band_varies_the_sum_so_that_processes_are_correlated():
    up = Block(("nominal", "jes_up"), np.array([[0, 10, 0, 0.0], [0, 11, 0, 0]]), np.zeros((2, 4)))
    numbers = stack_numbers(make({"a": up, "b": up}), *WHERE, PlottingSpec())
    assert numbers.band.up[0] == pytest.approx(2.0)  # 1 + 1, not sqrt(2)
    assert numbers.band.down[0] == 0.0  # the missing side reads as nominal


def test_a_source_that_one_process_lacks_leaves_it_at_nominal():
    varied = Block(
        ("nominal", "jes_up", "jes_down"),
        np.array([[0, 10, 0, 0.0], [0, 12, 0, 0], [0, 9, 0, 0]]),
        np.zeros((3, 4)),
    )
    other = nominal([0, 100, 0, 0], [0.0, 0, 0, 0])
    numbers = stack_numbers(make({"a": varied, "b": other}), *WHERE, PlottingSpec())
    assert (numbers.band.up[0], numbers.band.down[0]) == (pytest.approx(2.0), pytest.approx(1.0))


def test_normalisation_sources_act_on_their_processes_together():
    blocks = {n: nominal([0, 100, 0, 0], [0.0] * 4) for n in ("a", "b", "c")}
    sources = (
        NormalisationSource("lumi", 0.02),
        NormalisationSource("xsec", 0.1, ("a", "b")),
        NormalisationSource("other", 0.5, ("absent",)),
    )
    numbers = stack_numbers(make(blocks), *WHERE, PlottingSpec(normalisations=sources))
    assert numbers.band.up[0] == pytest.approx(np.hypot(0.02 * 300, 0.1 * 200))
    assert numbers.band.down[0] == pytest.approx(np.hypot(0.02 * 300, 0.1 * 200))


def test_statistics_alone_without_sources():
    numbers = stack_numbers(
        make({"a": nominal([0, 8, 2, 0], [0, 4, 9.0, 0])}), *WHERE, PlottingSpec()
    )
    np.testing.assert_allclose(numbers.band.up, [2, 3])


@pytest.mark.parametrize(("fold", "expected"), [(True, [11.0, 6.0]), (False, [10.0, 2.0])])
def test_overflow_is_folded_for_data_simulation_and_band_alike(fold, expected):
    content = nominal([1, 10, 2, 4])
    spec = PlottingSpec(fold_overflow=fold, signals=("s",))
    numbers = stack_numbers(make({"a": content, "s": content, "data": content}), *WHERE, spec)
    np.testing.assert_array_equal(numbers.stack["a"], expected)
    np.testing.assert_array_equal(numbers.lines["s"], expected)
    np.testing.assert_array_equal(numbers.data, expected)
    np.testing.assert_allclose(numbers.band.up**2, expected)


def test_folding_acts_on_the_variations_too():
    rows = np.array([[0, 10, 2, 4.0], [0, 10, 2, 6.0]])
    numbers = stack_numbers(
        make({"a": Block(("nominal", "jes_up"), rows, np.zeros_like(rows))}),
        *WHERE,
        PlottingSpec(fold_overflow=True),
    )
    np.testing.assert_allclose(numbers.band.up, [0, 2])


def test_signal_is_a_line_and_not_part_of_total_and_band():
    blocks = {"a": nominal([0, 4, 4, 0]), "s": nominal([0, 50, 0, 0])}
    numbers = stack_numbers(make(blocks), *WHERE, PlottingSpec(signals=("s",)))
    np.testing.assert_array_equal(numbers.total, [4, 4])
    np.testing.assert_array_equal(numbers.band.up, [2, 2])
    assert list(numbers.lines) == ["s"]
    assert numbers.data is None


def test_prediction_keeps_the_signal_in_the_total_on_top():
    channel = ChannelPrediction(
        "SR", "m", "m", (0.0, 1.0), {"s": np.array([9.0]), "a": np.array([1.0])}, np.ones(1), None
    )
    numbers = prediction_numbers(channel, PlottingSpec(signals=("s",)), "Post-fit")
    assert tuple(numbers.stack) == ("a", "s")
    assert numbers.total[0] == 10.0
    assert numbers.title == "Post-fit"


def test_order_of_the_stack():
    yields = {"a": 5.0, "b": 1.0, "c": 3.0, "s": 0.1}
    assert stack_order(yields) == ("s", "b", "c", "a")
    assert stack_order(yields, first=["c", "unknown"], last=["s"]) == ("c", "b", "a", "s")


def test_sources_with_up_or_down_in_their_name():
    assert source_names(["nominal", "scale_up_up", "scale_up_down"]) == ("scale_up",)
    assert source_names(["nominal", "x_down_up", "x_down_down"]) == ("x_down",)


def test_ratio_divides_and_has_no_value_without_prediction():
    result = ratio(np.array([4.0, 3.0]), np.array([2.0, 0.0]), Band(np.array([1.0, 1]), np.ones(2)))
    assert result.value[0] == 2.0
    assert (result.band_low[0], result.band_high[0]) == (0.5, 1.5)
    assert np.isnan(result.value[1])
    assert (result.band_low[1], result.band_high[1]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([1e4, 1.02e4], (0.8, 1.2)),
        ([100.0, 85.0], (0.5, 1.5)),
        ([180.0, 30.0], (0.0, 2.0)),
        ([0.0, 0.0], (0.5, 1.5)),
    ],
)
def test_limits_of_the_ratio(data, expected):
    data = np.array(data)
    total = np.full(2, 1e4 if data.max() > 1e3 else 100.0)
    assert ratio_limits(ratio(data, total, Band(np.zeros(2), np.zeros(2)))) == expected


def test_points_outside_the_ratio_panel():
    data = np.array([100.0, 10.0, 30.0, 0.0, 0.0])
    total = np.array([50.0, 10.0, 100.0, 20.0, 0.1])
    result = ratio(data, total, Band(np.zeros(5), np.zeros(5)))
    below, above, empty = outside(result, (0.5, 1.5))
    assert above.tolist() == [True, False, False, False, False]
    # no event where 20 were expected is a deficit; none where 0.1 were expected says nothing
    assert below.tolist() == [False, False, True, True, False]
    assert empty.tolist() == [False, False, False, False, True]
