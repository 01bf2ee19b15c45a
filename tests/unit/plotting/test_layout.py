import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.plotting.layout import Rectangle, round_factor, signal_factor, top_of_axis

EDGES = np.linspace(0.0, 4.0, 5)


def test_without_blocks_five_percent_stay_free():
    top = top_of_axis(np.array([1.0, 9.5, 2.0, 1.0]), EDGES, (), 0.0, log=False)
    assert top == pytest.approx(10.0)


def test_only_content_behind_a_block_lifts_the_axis():
    content = np.array([8.0, 1.0, 1.0, 1.0])
    right, left = Rectangle(0.5, 1.0, 0.5), Rectangle(0.0, 0.3, 0.5)
    assert top_of_axis(content, EDGES, (right,), 0.0, log=False) == pytest.approx(8 / 0.95)
    assert top_of_axis(content, EDGES, (left,), 0.0, log=False) == pytest.approx(16.0)


def test_logarithmic_axis_has_its_room_in_decades():
    top = top_of_axis(np.full(4, 1e2), EDGES, (Rectangle(0, 1, 0.5),), 1.0, log=True)
    assert top == pytest.approx(1e4)


@given(
    st.lists(st.floats(0, 1e6), min_size=4, max_size=4),
    st.floats(0, 0.9),
    st.floats(0.2, 0.9),
    st.booleans(),
)
def test_nothing_is_drawn_behind_a_block(content, left, bottom, log):
    low = 0.1 if log else 0.0
    block = Rectangle(left, 1.0, bottom)
    top = top_of_axis(np.array(content), EDGES, (block,), low, log=log)
    assert top > low
    behind = max(value for i, value in enumerate(content) if (i + 1) / 4 > left)
    height = np.log10(max(behind, low) / low) / np.log10(top / low) if log else behind / top
    assert height <= bottom + 1e-9


def test_an_empty_histogram_has_an_axis():
    assert top_of_axis(np.zeros(4), EDGES, (), 0.0, log=False) == 1.0
    assert top_of_axis(np.zeros(4), EDGES, (), 0.1, log=True) == pytest.approx(1.0)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 1), (4.99, 2), (5.0, 5), (1000.0, 1000)])
def test_round_factors(factor, expected):
    assert round_factor(factor) == expected


def test_signal_is_lifted_only_where_it_would_not_be_seen():
    total = np.array([1000.0, 100.0])
    assert signal_factor(np.array([1.0, 0]), total, None, log=False) == 500.0
    assert signal_factor(np.array([1.0, 0]), total, None, log=True) == 1.0
    assert signal_factor(np.array([200.0, 0]), total, None, log=False) == 1.0
    assert signal_factor(np.array([1.0, 0]), total, 7.0, log=False) == 7.0
    assert signal_factor(np.zeros(2), total, None, log=False) == 1.0
