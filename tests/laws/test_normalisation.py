"""Laws of normalisation: how the work was cut and merged does not show in the result."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.normalisation import normalise
from hepflow.records import Axis, Block, Ledger, PartCounts, RawHistograms
from tests.builders import make_dataset

MC = make_dataset()
WEIGHTS = st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=1, max_size=30)


def fill(weights, start):
    """Raw histograms of one part: all weights into one bin."""
    weights = np.asarray(weights, dtype=np.float64)
    count = PartCounts(
        MC.key,
        "a",
        start,
        start + len(weights),
        len(weights),
        weights.sum(),
        np.sign(weights).sum(),
    )
    sumw = np.array([[0.0, weights.sum(), 0.0]])
    sumw2 = np.array([[0.0, (weights**2).sum(), 0.0]])
    return RawHistograms(
        {("SR", "x"): Axis("x", "x", (0.0, 1.0))},
        {("SR", "x", MC.key): Block(("nominal",), sumw, sumw2)},
        {},
        Ledger.of_parts([count]),
    )


@settings(deadline=None, max_examples=60)
@given(WEIGHTS, st.sets(st.integers(1, 29)), st.randoms(use_true_random=False))
def test_if_everything_passes_the_yield_is_cross_section_times_luminosity(weights, cuts, random):
    if abs(sum(weights)) < 0.1:
        weights = [*weights, 40.0]
    edges = sorted({0, *(cut for cut in cuts if cut < len(weights)), len(weights)})
    parts = [fill(weights[a:b], a) for a, b in pairwise(edges)]
    random.shuffle(parts)
    total = sum(parts[1:], start=parts[0])
    found = normalise(total, [MC], "generator", {}).template("SR", "x", "mc")
    scale = sum(abs(w) for w in weights) / abs(sum(weights))
    assert found.sumw[1] == pytest.approx(10.0 * 100.0, rel=1e-12 * scale + 1e-12)


@settings(deadline=None, max_examples=30)
@given(WEIGHTS, st.floats(0.1, 100.0))
def test_the_unit_of_the_generator_weights_does_not_matter(weights, unit):
    weights = [abs(w) + 0.1 for w in weights]
    one = normalise(fill(weights, 0), [MC], "generator", {}).template("SR", "x", "mc")
    other = normalise(fill([w * unit for w in weights], 0), [MC], "generator", {})
    assert other.template("SR", "x", "mc").sumw == pytest.approx(one.sumw, rel=1e-9)
    assert other.template("SR", "x", "mc").sumw2 == pytest.approx(one.sumw2, rel=1e-9)
