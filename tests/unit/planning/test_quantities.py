"""Sizes and times as people read them."""

from __future__ import annotations

import pytest

from hepflow.cli.quantities import duration, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "?"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12 kB"),
        (5e15, "5.0 PB"),
        (5e19, "50000 PB"),
    ],
)
def test_sizes(number, text):
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (0.0, "< 1 s"), (59.4, "59 s"), (119, "119 s"), (121, "2 min"), (9000, "2.5 h")],
)
def test_times(seconds, text):
    assert duration(seconds) == text
