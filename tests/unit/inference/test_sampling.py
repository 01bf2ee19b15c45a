"""Partitions, draws, joint ratios and joint scores."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.inference.drawing import draw
from hepflow.inference.latent import Latent
from hepflow.inference.morphing import Morphing
from hepflow.inference.nuisances import add_normalisation
from hepflow.inference.priors import Normal, Points, Uniform, benchmark_points, grid
from hepflow.inference.records import Benchmark
from hepflow.inference.sampling import (
    LARGEST_LOG_RATIO,
    log_of_ratio,
    ratio_sample,
    score_sample,
    split,
)
from tests.unit.inference.toys import BENCHMARKS, MORPHING, PARAMETERS, sigma, table

PRIOR = Normal((0.0, 0.0), (0.4, 0.4))
REFERENCE = (0.0, 0.0)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- partitions ------------------------------------------------------------------------------

weights_of_parts = st.tuples(*[st.integers(1, 10)] * 3)


@given(parts=weights_of_parts, seed=st.integers(0, 1000), n_groups=st.integers(30, 200))
def test_partitions_are_disjoint_and_complete(parts, seed, n_groups):
    events = table(200)
    groups = np.arange(200) % n_groups
    fractions = np.array(parts) / sum(parts)
    made = split(events, fractions, seed, groups)
    pieces = (made.train, made.validation, made.test)
    assert sum(len(piece) for piece in pieces) == 200
    numbers = {tuple(row): index for index, row in enumerate(events.x.tolist())}
    rows = [{numbers[tuple(row)] for row in piece.x.tolist()} for piece in pieces]
    assert set.union(*rows) == set(range(200))
    assert sum(map(len, rows)) == 200
    owners = [{int(groups[row]) for row in own} for own in rows]
    assert sum(map(len, owners)) == len(set.union(*owners)) == n_groups
    for own, fraction in zip(owners, fractions, strict=True):
        assert abs(len(own) - n_groups * fraction) <= 1


def test_parts_have_the_cross_sections_of_all():
    events = add_normalisation(table(20_000), "lumi", 0.1)
    made = split(events, (0.5, 0.25, 0.25), 1)
    for piece in (made.train, made.validation, made.test):
        scale = 20_000 / len(piece)
        assert piece.weights.sum(axis=0) == pytest.approx(events.weights.sum(axis=0), rel=0.05)
        rows = {tuple(row): index for index, row in enumerate(events.x.tolist())}
        index = [rows[tuple(row)] for row in piece.x.tolist()]
        np.testing.assert_allclose(piece.weights, events.weights[index] * scale)
        np.testing.assert_allclose(
            piece.nuisance_weights["lumi_up"], events.nuisance_weights["lumi_up"][index] * scale
        )


def test_splits_are_reproducible():
    events = table(300)
    one, same, other = (split(events, (0.6, 0.2, 0.2), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train.x, same.train.x)
    assert not np.array_equal(one.train.x, other.train.x)


def test_wrong_fractions_and_too_few_events():
    with pytest.raises(InputError, match="add up to 1"):
        split(table(10), (0.5, 0.2, 0.2), 1)
    with pytest.raises(InputError, match=r"3 events are too few: a fraction of 0\.05 for test"):
        split(table(3), (0.5, 0.45, 0.05), 1)
    assert len(split(table(10), (0.5, 0.5, 0.0), 1).test) == 0


def test_samples_of_parts_share_no_event():
    parts = split(table(500), (0.5, 0.25, 0.25), 3)
    drawn = [
        {tuple(row) for row in ratio_sample(part, MORPHING, PRIOR, REFERENCE, 400, rng()).x}
        for part in (parts.train, parts.validation, parts.test)
    ]
    assert not drawn[0] & drawn[1]
    assert not drawn[0] & drawn[2]
    assert not drawn[1] & drawn[2]


# -- draws -----------------------------------------------------------------------------------


def frequencies(latent: Latent, point: np.ndarray, n_points: int) -> np.ndarray:
    """Of each event in 200 000 draws, spread over equal points so that both ways are taken."""
    index = np.arange(200_000) % n_points
    points = np.repeat(point[None], n_points, axis=0)
    rows = draw(latent, points, index, rng())
    return np.bincount(rows, minlength=len(latent.weights)) / len(rows)


@pytest.mark.parametrize("n_points", [1, 200_000], ids=["summed", "rejection"])
def test_draws_follow_the_weights(n_points):
    events = table(40)
    point = np.array([0.8, -0.7])
    if n_points > 1:  # a sum over 40 events is cheaper than a try: more copies of the events
        events = events.select(np.repeat(np.arange(40), 50))
    found = frequencies(Latent.of(events, MORPHING), point, n_points)
    wanted = MORPHING.weights(events, point)
    found, wanted = (one.reshape(40, -1).sum(axis=1) for one in (found, wanted / wanted.sum()))
    error = np.sqrt(wanted * (1 - wanted) / 200_000)
    assert (np.abs(found - wanted) < 5 * error).all()
    assert ((found - wanted) ** 2 / np.maximum(error, 1e-9) ** 2).sum() < 40 + 4 * np.sqrt(80)


@pytest.mark.parametrize("n_points", [1, 200_000], ids=["summed", "rejection"])
def test_negative_weights_are_never_drawn(n_points):
    events = table(2000)
    flipped = events.weights.copy()
    flipped[::10] *= -0.5
    latent = Latent.of(replace(events, weights=flipped), MORPHING)
    found = frequencies(latent, np.array([0.5, 0.5]), n_points)
    assert found[::10].sum() == 0
    assert found[1::10].sum() > 0


def test_mean_of_draws_is_that_of_the_model():
    # In closed form: the mean of z at theta is theta / sigma(theta).
    sample = score_sample(table(100_000), MORPHING, (0.6, -0.4), 100_000, rng())
    wanted = np.array([0.6, -0.4]) / sigma([0.6, -0.4])
    np.testing.assert_allclose(sample.x.mean(axis=0), wanted, atol=0.02)


def test_joint_score_in_closed_form():
    point = np.array([0.3, -0.2])
    sample = score_sample(table(50_000), MORPHING, point, 5000, rng())
    amplitude = 1 + sample.x @ point / 2
    wanted = sample.x / amplitude[:, None] - point / 2 / sigma(point)
    np.testing.assert_allclose(sample.score, wanted, atol=0.02)  # the rate is that of the sample
    np.testing.assert_array_equal(sample.theta, point)
    own = MORPHING.weights(table(50_000), point)
    assert sample.effective == pytest.approx(own.sum() ** 2 / (own**2).sum())


def test_the_score_has_mean_zero():
    sample = score_sample(table(50_000), MORPHING, REFERENCE, 100_000, rng())
    assert np.abs(sample.score.mean(axis=0)).max() < 5 / np.sqrt(100_000)


# -- ratios ----------------------------------------------------------------------------------


@pytest.mark.parametrize("distinct", [None, 50])
def test_ratios_in_closed_form(distinct):
    sample = ratio_sample(
        table(50_000), MORPHING, PRIOR, (0.2, 0.0), 20_000, rng(), distinct=distinct
    )
    x, theta, base = sample.x, sample.theta, sample.reference
    amplitudes = np.abs(1 + (x * theta).sum(axis=1) / 2), np.abs(1 + x @ base / 2)
    wanted = 2 * np.log(amplitudes[0] / amplitudes[1]) - np.log(sigma(theta) / sigma(base))
    sound = (amplitudes[0] > 1e-3) & (amplitudes[1] > 1e-3)
    np.testing.assert_allclose(sample.log_ratio[sound], wanted[sound], atol=0.02)
    assert sample.label.mean() == 0.5
    assert len(np.unique(theta, axis=0)) == (distinct or 10_000)
    # both classes at every point
    for label in (0, 1):
        assert len(np.unique(theta[sample.label == label], axis=0)) == (distinct or 10_000)


def test_mean_ratio_under_the_denominator_is_one():
    sample = ratio_sample(table(50_000), MORPHING, PRIOR, REFERENCE, 100_000, rng())
    below = np.exp(sample.log_ratio[sample.label == 1])
    assert below.mean() == pytest.approx(1.0, abs=5 * below.std() / np.sqrt(len(below)))
    above = np.exp(-sample.log_ratio[sample.label == 0])
    assert above.mean() == pytest.approx(1.0, abs=0.05)  # has a tail
    scores = sample.score[sample.label == 0]
    assert np.abs(scores.mean(axis=0)).max() < 0.05


def test_one_event_of_each_point_is_of_the_density_there():
    # Numerators of a part of the prior against their mean density, denominators against theirs.
    events = table(20_000)
    sample = ratio_sample(events, MORPHING, PRIOR, (0.5, 0.2), 200_000, rng())
    chosen = sample.theta[:, 0] - sample.theta[:, 1] > 0.4
    edges = [np.linspace(-4.5, 4.5, 8)] * 2
    for label in (0, 1):
        own = chosen & (sample.label == label)
        points = sample.theta[own] if label == 0 else sample.reference[None]
        density = MORPHING.coefficients(points) / MORPHING.cross_section(events, points)[:, None]
        share = np.histogramdd(events.x, edges, weights=events.weights @ density.mean(axis=0))[0]
        found, wanted = np.histogramdd(sample.x[own], edges)[0], share * own.sum()
        filled = wanted > 5
        chi2 = ((found - wanted)[filled] ** 2 / wanted[filled]).sum()
        assert chi2 < filled.sum() + 5 * np.sqrt(2 * filled.sum())


def test_samples_are_reproducible():
    events = table(5000)
    one, same, other = (
        ratio_sample(events, MORPHING, PRIOR, REFERENCE, 2000, rng(seed)) for seed in (1, 1, 2)
    )
    for name in ("x", "theta", "label", "log_ratio", "score"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.x, other.x)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_relabelling_parameters_permutes_the_score(seed):
    events = table(3000)
    parameters, benchmarks = (
        PARAMETERS[::-1],
        [Benchmark(b.name, b.values[::-1]) for b in BENCHMARKS],
    )
    turned = replace(events, parameters=parameters, benchmarks=tuple(benchmarks))
    morphing = Morphing.of(parameters, benchmarks)
    one = score_sample(events, MORPHING, (0.3, 0.5), 500, rng(seed))
    other = score_sample(turned, morphing, (0.5, 0.3), 500, rng(seed))
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_allclose(one.score[:, ::-1], other.score, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "points"),
    [
        (benchmark_points(BENCHMARKS), 6),
        (benchmark_points(BENCHMARKS, ["plus", "up"]), 2),
        (grid([[0.0, 0.1], [0.0, 0.1, 0.2]]), 6),
        (Points(np.zeros((5000, 2)) + np.arange(5000)[:, None] / 1e4), 500),
        (Uniform((-0.1, -0.1), (0.1, 0.1)), 500),
    ],
    ids=["benchmarks", "named", "grid", "many", "uniform"],
)
def test_numerators(source, points):
    sample = ratio_sample(table(5000), MORPHING, source, REFERENCE, 1000, rng())
    found, counts = np.unique(sample.theta, axis=0, return_counts=True)
    assert len(found) == points
    assert counts.max() - counts.min() <= 2


def test_weights_that_vanish_give_limited_ratios():
    with np.errstate(all="raise"):
        found = log_of_ratio(np.array([0.0, 1.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(
        found, [-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO, 0.0, -LARGEST_LOG_RATIO]
    )


def test_score_where_the_weight_is_negative_is_zero():
    latent = Latent.of(table(100), MORPHING)
    negative = replace(
        latent, weights=latent.weights * np.where(np.arange(100) == 7, -1, 1)[:, None]
    )
    point = np.array([[0.2, 0.2]])
    score = negative.score(np.array([7, 8]), point, np.zeros(2, dtype=int), negative.rates(point))
    assert not score[0].any()
    assert score[1].all()


# -- faults ----------------------------------------------------------------------------------


def test_few_effective_events_are_worth_a_word(caplog):
    events = table(3000)
    heavy = events.weights.copy()
    heavy[:3] *= 1e5
    with caplog.at_level(logging.WARNING):
        sample = ratio_sample(
            replace(events, weights=heavy), MORPHING, PRIOR, REFERENCE, 100, rng()
        )
    assert "equally weighted ones" in caplog.text
    assert 1 <= sample.effective < 5
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert ratio_sample(events, MORPHING, PRIOR, REFERENCE, 100, rng()).effective > 300
    assert not caplog.text


def test_effective_number_in_closed_form():
    # At the Standard Model all weights are equal: all events count.
    latent = Latent.of(table(500), MORPHING)
    points = np.array([[0.0, 0.0], [0.9, 0.4]])
    found = latent.rates(points)
    own = MORPHING.weights(table(500), points)
    np.testing.assert_allclose(found.effective, own.sum(axis=0) ** 2 / (own**2).sum(axis=0))
    assert found.effective[0] == pytest.approx(500)
    np.testing.assert_allclose(found.sigma, own.sum(axis=0))
    step = 1e-6
    for k in range(2):
        moved = points + step * np.eye(2)[k]
        numeric = (latent.rates(moved).sigma - found.sigma) / step
        np.testing.assert_allclose(found.gradient[:, k], numeric, atol=1e-4)


def test_a_negative_cross_section_is_refused():
    events = table(100)
    turned = events.weights.copy()
    turned[:, 1:] *= 0.01  # an inconsistent set: interpolates to a negative number far out
    with pytest.raises(InputError, match=r"cross-section at the parameter point \(3, 0\) is -"):
        score_sample(replace(events, weights=turned), MORPHING, (3.0, 0.0), 10, rng())


@pytest.mark.parametrize("n", [0, 7])
def test_pairs_only(n):
    with pytest.raises(InputError, match="expected an even number"):
        ratio_sample(table(100), MORPHING, PRIOR, REFERENCE, n, rng())


def test_points_of_the_wrong_length():
    with pytest.raises(InputError, match="the numerators have 3 values a point; expected 2"):
        ratio_sample(table(100), MORPHING, Normal((0.0,) * 3, (1.0,) * 3), REFERENCE, 10, rng())
    with pytest.raises(InputError, match=r"shape \(3,\); expected 2 values"):
        score_sample(table(100), MORPHING, (0.0, 0.0, 0.0), 10, rng())


def test_200_000_events_with_a_point_each_take_a_second_or_so():
    events = table(100_000)
    start = time.process_time()
    ratio_sample(events, MORPHING, PRIOR, REFERENCE, 200_000, rng())
    # 0.5 s with one thread of linear algebra; a sum over all events for each point takes minutes
    assert time.process_time() - start < 8
