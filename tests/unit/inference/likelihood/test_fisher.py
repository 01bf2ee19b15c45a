from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.inference.likelihood import (
    Binning,
    constrained,
    cramer_rao,
    full_information,
    histogram_information,
    latent_information_not_attainable,
    profiled,
    projected,
    rate_information,
    shape_information,
)
from hepflow.inference.likelihood.simulation import Simulation
from hepflow.records.sbi import Information
from tests.unit.inference.likelihood.sbi_models import PARAMETERS, SQUARED

SIMULATION = SQUARED.simulation(40_000)
ZERO, AWAY = np.zeros(2), np.array([0.3, -0.2])


def score_at(x, theta):
    return 2 * x / (1 + x @ theta)[:, None] - (2 * theta / 3) / (1 + theta @ theta / 3)


def test_the_information_of_the_score_is_known():
    found = shape_information(SQUARED.score(SIMULATION.x), SIMULATION, ZERO, 100.0)
    exact = 100 * 2.0 * 4 / 3 * np.eye(2)
    assert (np.abs(found.matrix - exact) < 4 * found.uncertainty + 1e-9).all()
    np.testing.assert_allclose(np.diag(found.uncertainty), 266.7 * np.sqrt(0.8 / 40_000), rtol=0.05)
    assert found.notes == ()
    assert found.units == ("1/TeV$^2$", "1/TeV$^2$")


def test_uncertainties_of_the_information_are_those_of_repetitions():
    found = []
    for seed in range(60):
        simulation = SQUARED.simulation(2000, seed)
        binning = Binning.of_edges([np.linspace(-1, 1, 9)])
        one = histogram_information(simulation, lambda x: x[:, :1], binning, AWAY, 10.0)
        found.append((one.matrix[0, 0], one.uncertainty[0, 0]))
    values, errors = np.transpose(found)
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.3)


def test_the_rate_tells_nothing_at_its_minimum():
    exact = 100 * SQUARED.sigma0 * np.outer(2 * AWAY / 3, 2 * AWAY / 3) / (1 + AWAY @ AWAY / 3)
    found = rate_information(SIMULATION, AWAY, 100.0)
    assert (np.abs(found.matrix - exact) < 4 * found.uncertainty).all()
    assert np.linalg.matrix_rank(found.matrix, tol=1e-6) == 1
    assert np.abs(rate_information(SIMULATION, ZERO, 100.0).matrix).max() < 0.1


@given(st.floats(0.01, 100.0))
@settings(max_examples=20, deadline=None)
def test_the_rates_information_scales_with_luminosity(factor):
    one, more = (rate_information(SIMULATION, AWAY, lumi) for lumi in (10.0, 10.0 * factor))
    np.testing.assert_allclose(more.matrix, factor * one.matrix, rtol=1e-10)


def test_full_is_shape_and_rate():
    score = score_at(SIMULATION.x, AWAY)
    parts = [
        shape_information(score, SIMULATION, AWAY, 9.0),
        rate_information(SIMULATION, AWAY, 9.0),
    ]
    found = full_information(score, SIMULATION, AWAY, 9.0)
    np.testing.assert_allclose(found.matrix, parts[0].matrix + parts[1].matrix)
    assert (found.kind, found.meaning) == ("full", "observed events and their number")


def test_histograms_come_to_the_full_information_from_below():
    full = full_information(score_at(SIMULATION.x, AWAY), SIMULATION, AWAY, 100.0).matrix
    before = np.zeros((2, 2))
    for n in (1, 4, 12):
        binning = Binning.of_edges([np.linspace(-1, 1, 2 * n + 1)] * 2)
        found = histogram_information(SIMULATION, lambda x: x, binning, AWAY, 100.0).matrix
        assert np.linalg.eigvalsh(found - before)[0] > -1e-6
        assert np.linalg.eigvalsh(full - found)[0] > -0.02 * np.trace(full)
        before = found
    np.testing.assert_allclose(before, full, atol=0.03 * np.trace(full))


def test_one_bin_is_the_rate():
    binning = Binning.of_edges([[-1.0, 5.0, 9.0]])
    found = histogram_information(SIMULATION, lambda x: x[:, :1], binning, AWAY, 7.0)
    rate = rate_information(SIMULATION, AWAY, 7.0)
    np.testing.assert_allclose(found.matrix, rate.matrix)
    np.testing.assert_allclose(found.uncertainty, rate.uncertainty)


def test_hidden_variables_seem_to_tell_more():
    # Only x_1 is observed; the joint score knows x_2. Observed: E[t_2 t_2] = 0 at 0.
    latent = latent_information_not_attainable(SIMULATION, ZERO, 100.0)
    seen = np.stack([2 * SIMULATION.x[:, 0], 0 * SIMULATION.x[:, 0]], axis=1)
    real = shape_information(seen, SIMULATION, ZERO, 100.0)
    assert latent.matrix[1, 1] == pytest.approx(266.7, rel=0.03)
    assert real.matrix[1, 1] == 0.0
    assert "3.7 times too large" in latent.meaning
    assert "no analysis reaches it" in latent.meaning


def test_a_score_whose_mean_is_not_zero_is_said():
    found = shape_information(SQUARED.score(SIMULATION.x) + 0.2, SIMULATION, ZERO, 1.0)
    assert "mean of the estimated score is (0.2" in found.notes[0].replace("0.19", "0.2")


def test_members_of_an_ensemble_add_their_spread():
    score = SQUARED.score(SIMULATION.x)
    single = shape_information(score, SIMULATION, ZERO, 1.0)
    same = shape_information([score, score], SIMULATION, ZERO, 1.0)
    np.testing.assert_allclose(same.uncertainty, single.uncertainty)
    spread = shape_information([1.1 * score, 0.9 * score], SIMULATION, ZERO, 1.0)
    np.testing.assert_allclose(spread.matrix, single.matrix)
    assert spread.uncertainty[0, 0] > 0.2 * single.matrix[0, 0]


def test_information_that_is_not_finite():
    score = SQUARED.score(SIMULATION.x)
    score[5] = np.inf
    with pytest.raises(InputError, match="score or the weight of a simulated event is not finite"):
        shape_information(score, SIMULATION, ZERO, 1.0)


MATRIX = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])


def information(matrix=MATRIX, uncertainty=None):
    n = len(matrix)
    size = np.zeros((n, n)) if uncertainty is None else uncertainty
    return Information("full", tuple("abc"[:n]), ("",) * n, (0.0,) * n, 1.0, matrix, size)


def test_profiled_and_projected():
    inverse = np.linalg.inv(MATRIX)
    free = profiled(information(), ["a", "c"])
    np.testing.assert_allclose(free.matrix, np.linalg.inv(inverse[np.ix_([0, 2], [0, 2])]))
    assert (free.parameters, free.profiled, free.held) == (("a", "c"), ("b",), ())
    fixed = projected(information(), ["a", "c"])
    np.testing.assert_allclose(fixed.matrix, MATRIX[np.ix_([0, 2], [0, 2])])
    assert (fixed.profiled, fixed.held) == ((), ("b",))
    assert np.linalg.eigvalsh(fixed.matrix - free.matrix)[0] > -1e-12
    np.testing.assert_allclose(profiled(information(), ["c", "b", "a"]).matrix, MATRIX[::-1, ::-1])


def test_bounds_are_the_inverse():
    np.testing.assert_allclose(cramer_rao(information()), np.sqrt(np.diag(np.linalg.inv(MATRIX))))
    one = profiled(information(), ["b"])
    assert cramer_rao(information())[1] == pytest.approx(1 / np.sqrt(one.matrix[0, 0]))
    flat = information(np.diag([4.0, 0.0]))
    assert cramer_rao(flat).tolist() == [0.5, np.inf]


def test_the_uncertainty_of_a_profiled_information():
    rng = np.random.default_rng(8)
    size = 0.02 * np.ones((3, 3))
    found = []
    for _ in range(2000):
        noise = np.triu(rng.normal(0, 0.02, (3, 3)))
        noise += np.triu(noise, 1).T
        found.append(profiled(information(MATRIX + noise), ["a"]).matrix[0, 0])
    expected = profiled(information(uncertainty=size), ["a"]).uncertainty[0, 0]
    assert expected == pytest.approx(np.std(found), rel=0.3)


def test_what_is_unknown_cannot_be_profiled_unless_constrained():
    matrix = np.array([[4.0, 0.0], [0.0, 0.0]])
    with pytest.raises(InputError, match="b cannot be profiled: the data hold no information"):
        profiled(information(matrix), ["a"])
    known = constrained(information(matrix), {"b": 0.5})
    assert known.matrix.tolist() == [[4.0, 0.0], [0.0, 4.0]]
    assert profiled(known, ["a"]).matrix.tolist() == [[4.0]]
    with pytest.raises(InputError, match="'z' is no parameter of this information"):
        projected(information(), ["z"])


def test_relabelling_permutes_the_information():
    swapped = Simulation(
        PARAMETERS[::-1],
        SIMULATION.x,
        SIMULATION.weights,
        lambda theta: SQUARED.coefficients(np.asarray(theta)[..., ::-1]),
        lambda theta: SQUARED.gradient(np.asarray(theta)[..., ::-1])[..., ::-1],
    )
    one = rate_information(SIMULATION, AWAY, 5.0)
    two = rate_information(swapped, AWAY[::-1], 5.0)
    np.testing.assert_allclose(two.matrix, one.matrix[::-1, ::-1])
    np.testing.assert_allclose(two.uncertainty, one.uncertainty[::-1, ::-1])
    assert replace(two, matrix=one.matrix, uncertainty=one.uncertainty).parameters == ("b", "a")


def test_information_survives_json():
    found = full_information(SQUARED.score(SIMULATION.x), SIMULATION, ZERO, 100.0)
    again = Information.from_json(found.to_json())
    assert again.to_json() == found.to_json()


def test_a_direction_without_information_has_no_bound():
    vector = np.array([0.3, 1.0 / 7.0])
    rate = Information(
        "rate", ("a", "b"), ("", ""), (0.0, 0.0), 1.0, np.outer(vector, vector), np.zeros((2, 2))
    )
    assert np.isinf(cramer_rao(rate)).all()
    scaled = np.diag([1e-9, 1e9])  # units, not information
    found = cramer_rao(Information(*list(vars(rate).values())[:5], scaled, 0 * scaled))
    np.testing.assert_allclose(found, 1 / np.sqrt(np.diag(scaled)))
