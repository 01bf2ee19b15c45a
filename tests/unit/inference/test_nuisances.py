"""Nuisance parameters: exponents, factors, and joint scores with their columns."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.inference.latent import Latent
from hepflow.inference.nuisances import (
    add_normalisation,
    reference_index,
    response_of,
    with_nuisances,
)
from hepflow.inference.priors import Normal
from hepflow.inference.records import Nuisance
from hepflow.inference.sampling import ratio_sample, score_sample
from tests.unit.inference.toys import MORPHING, table


def varied(n: int = 2000):
    """Events with a scale that grows with z_0, one-sided in a second one, and a normalisation."""
    events = table(n)
    nominal = events.weights[:, 0]
    z = events.x
    weights = {
        "mu_up": nominal * np.exp(0.2 * z[:, 0] + 0.05),
        "mu_down": nominal * np.exp(-0.2 * z[:, 0] + 0.05),
        "pdf_up": nominal * np.exp(0.1 * z[:, 1]),
    }
    nuisances = [Nuisance("mu", "mu_up", "mu_down"), Nuisance("pdf", "pdf_up", kind="pdf")]
    return add_normalisation(with_nuisances(events, nuisances, weights), "lumi", 0.025)


def test_exponents_in_closed_form():
    events = varied()
    response = response_of(events)
    z = events.x
    np.testing.assert_allclose(response.linear[:, 0], 0.2 * z[:, 0], atol=1e-12)
    np.testing.assert_allclose(response.quadratic[:, 0], 0.05, atol=1e-12)
    np.testing.assert_allclose(response.linear[:, 1], 0.1 * z[:, 1], atol=1e-12)
    np.testing.assert_allclose(response.quadratic[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(response.linear[:, 2], np.log(1.025), atol=1e-12)


@given(value=st.sampled_from([-1.0, 0.0, 1.0]))
def test_the_given_variations_are_reproduced(value):
    events = varied(50)
    factors = response_of(events).factors(np.array([value, 0.0, 0.0]))
    name = {-1.0: "mu_down", 1.0: "mu_up"}.get(value)
    wanted = events.nuisance_weights[name] if name else events.weights[:, 0]
    np.testing.assert_allclose(factors * events.weights[:, 0], wanted, rtol=1e-12)


def test_score_at_the_nominal_point():
    events = varied(50_000)
    sample = score_sample(events, MORPHING, (0.0, 0.0), 20_000, np.random.default_rng(1))
    assert sample.score.shape == (20_000, 5)
    assert sample.theta.shape == (5,)
    # slope of the log of the weight less its mean
    np.testing.assert_allclose(sample.score[:, 2], 0.2 * sample.x[:, 0], atol=0.005)
    np.testing.assert_allclose(sample.score[:, 3], 0.1 * sample.x[:, 1], atol=0.005)
    np.testing.assert_allclose(sample.score[:, 4], 0.0, atol=1e-12)  # a rate has no shape


def test_rates_and_gradients_with_nuisances():
    events = varied(3000)
    latent = Latent.of(events, MORPHING)
    points = np.array([[0.3, -0.2, 0.7, -0.4, 1.3], [0.0, 0.0, 0.0, 0.0, 0.0]])
    found = latent.rates(points)
    for index, point in enumerate(points):
        own = MORPHING.weights(events, point[:2]) * latent.response.factors(point[2:])
        assert found.sigma[index] == pytest.approx(own.sum())
        assert found.effective[index] == pytest.approx(own.sum() ** 2 / (own**2).sum())
    step = 1e-6
    for k in range(5):
        up, down = (latent.rates(points + s * step * np.eye(5)[k]).sigma for s in (1, -1))
        np.testing.assert_allclose(
            found.gradient[:, k], (up - down) / (2 * step), rtol=1e-5, atol=1e-8
        )


def test_blocks_of_points_make_no_difference(monkeypatch):
    latent = Latent.of(varied(500), MORPHING)
    points = np.random.default_rng(1).normal(size=(40, 5)) * 0.3
    whole = latent.rates(points)
    monkeypatch.setattr("hepflow.inference.latent._BLOCK", 1500)
    parts = latent.rates(points)
    np.testing.assert_allclose(parts.sigma, whole.sigma, rtol=1e-12)
    np.testing.assert_allclose(parts.gradient, whole.gradient, rtol=1e-12)


def test_ratios_with_nuisances_drawn():
    events = varied(5000)
    sample = ratio_sample(
        events, MORPHING, Normal((0.0, 0.0), (0.3, 0.3)), (0.0, 0.0), 4000,
        np.random.default_rng(1), distinct=200,
    )  # fmt: skip
    assert sample.theta.shape == sample.score.shape == (4000, 5)
    assert sample.theta[:, 2:].std() == pytest.approx(1.0, abs=0.15)
    below = np.exp(sample.log_ratio[sample.label == 1])
    assert below.mean() == pytest.approx(1.0, abs=5 * below.std() / np.sqrt(len(below)))
    latent = Latent.of(events, MORPHING)
    row = int(np.flatnonzero((events.x == sample.x[0]).all(axis=1))[0])
    theta = sample.theta[:1]
    weight = MORPHING.weights(events, theta[0, :2])[row] * latent.response.factors(
        theta[:, 2:], np.array([row])
    )
    wanted = np.log(weight / latent.rates(theta).sigma / events.weights[row, 0])
    assert sample.log_ratio[0] == pytest.approx(wanted[0] + np.log(events.weights[:, 0].sum()))


def test_weights_of_another_sign_count_as_not_varied(caplog):
    events = varied(100)
    broken = dict(events.nuisance_weights)
    broken["mu_up"] = broken["mu_up"].copy()
    broken["mu_up"][:3] = [0.0, -1.0, 1e300]
    with caplog.at_level(logging.WARNING):
        response = response_of(replace(events, nuisance_weights=broken))
    assert "nuisance parameter 'mu': 2 of 100 events" in caplog.text
    assert not response.linear[:2, 0].any()
    assert response.linear[2, 0] == 10.0  # limited


def test_normalisation_uncertainty_is_log_normal():
    events = add_normalisation(table(10), "lumi", 0.1)
    factors = response_of(events).factors(np.array([2.0]))
    np.testing.assert_allclose(factors, 1.1**2)
    assert events.nuisances[0].kind == "normalisation"


@pytest.mark.parametrize("size", [0.0, -0.1, float("nan"), float("inf")])
def test_sizes_that_are_none(size):
    with pytest.raises(InputError, match="expected a positive relative size"):
        add_normalisation(table(10), "lumi", size)


def test_missing_weights_and_names():
    events = varied(10)
    without = replace(events, nuisance_weights={"mu_upp": events.nuisance_weights["mu_up"]})
    with pytest.raises(InputError, match=r"weight 'mu_up' .* Did you mean 'mu_upp'"):
        response_of(without)
    with pytest.raises(InputError, match="two nuisance parameters are named 'lumi'"):
        add_normalisation(events, "lumi", 0.1)
    with pytest.raises(InputError, match="reference benchmark 'sn'"):
        reference_index(replace(events, provenance={"reference": "sn"}))
