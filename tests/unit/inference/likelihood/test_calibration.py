import json

import numpy as np
import pytest
from scipy import stats

from hepflow.errors import InputError
from hepflow.inference.likelihood import (
    Calibrated,
    calibration,
    ratio_closure,
    reliability,
    reweighting,
    score_closure,
)
from hepflow.inference.likelihood.simulation import Simulation
from hepflow.inference.records import Parameter
from hepflow.records.sbi import CalibrationTables, Closure, Reliability, Reweighting
from tests.unit.inference.likelihood.sbi_models import SQUARED

ZERO = np.zeros(2)
# Stated in advance: where the mean ratio under the denominator must be 1 within 1 %.
POINTS = np.array([[0.0, 0.3], [0.3, 0.0], [-0.3, 0.2], [0.2, -0.3], [-0.15, -0.15]])
SIMULATION = SQUARED.simulation(100_000)
FEW = SQUARED.simulation(20_000, seed=2)


def bent(x, theta):
    """Log ratio of an estimator that exaggerates and is off."""
    return 1.6 * SQUARED.log_ratio(x, theta) + 0.3


def test_the_mean_ratio_is_one():
    for one in ratio_closure(SQUARED.log_ratio, SIMULATION, ZERO, POINTS):
        assert (one.expected, one.events) == (1.0, 100_000)
        assert abs(one.mean - 1.0) < 0.01
        assert abs(one.pull) < 4.0


def test_the_uncertainty_of_a_mean_ratio_is_that_of_repetitions():
    found = [
        ratio_closure(SQUARED.log_ratio, SQUARED.simulation(1000, seed), ZERO, POINTS[:1])[0]
        for seed in range(80)
    ]
    spread = np.std([one.mean for one in found], ddof=1)
    assert np.mean([one.uncertainty for one in found]) == pytest.approx(spread, rel=0.25)


def test_an_estimator_that_is_off_does_not_close():
    for one in ratio_closure(bent, SIMULATION, ZERO, POINTS):
        assert one.pull > 10.0


def test_the_mean_score_is_zero():
    for one in score_closure(SQUARED.score(SIMULATION.x), SIMULATION, ZERO):
        assert abs(one.pull) < 4.0
        assert one.uncertainty == pytest.approx(np.sqrt(4 / 3 / 100_000), rel=0.02)
    shifted = score_closure(SQUARED.score(SIMULATION.x) + 0.05, SIMULATION, ZERO)
    assert [one.name for one in shifted] == ["mean score of a", "mean score of b"]
    assert min(one.pull for one in shifted) > 10.0


def test_reweighted_observables_agree():
    p_values = []
    for seed in range(20):
        simulation = SQUARED.simulation(4000, seed)
        found = reweighting(SQUARED.log_ratio, simulation, ZERO, POINTS[0], ["u", "v"], bins=10)
        p_values += [one.p_value for one in found]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    wrong = reweighting(bent, FEW, ZERO, POINTS[0], ["u", "v"])
    assert wrong[1].observable == "v"
    assert wrong[1].p_value < 1e-6
    assert len(wrong[0].edges) == 21


def test_a_right_ratio_states_right_probabilities():
    found = reliability(SQUARED.log_ratio, SIMULATION, ZERO, POINTS[0])
    pulls = (np.array(found.found) - found.stated) / found.uncertainty
    assert np.abs(pulls).max() < 4.0
    assert sum(found.share) == pytest.approx(1.0)
    off = reliability(bent, SIMULATION, ZERO, POINTS[0])
    assert np.abs((np.array(off.found) - off.stated) / off.uncertainty).max() > 20.0


@pytest.mark.parametrize("method", ["isotonic", "histogram"])
def test_calibration_mends_an_estimator(method):
    tables = calibration(bent, FEW, ZERO, POINTS, method=method)
    again = CalibrationTables.from_json(json.loads(json.dumps(tables.to_json())))
    mended = Calibrated(bent, again)
    x = SQUARED.simulation(5000, seed=9).x
    exact = SQUARED.log_ratio(x, POINTS)
    before, after = (np.mean((one(x, POINTS) - exact) ** 2) for one in (bent, mended))
    assert after < 0.05 * before
    for one in ratio_closure(mended, SIMULATION, ZERO, POINTS):
        assert abs(one.mean - 1.0) < 0.02
    np.testing.assert_array_equal(mended(x[:5], POINTS[[2]]), mended(x[:5], POINTS)[[2]])


def test_calibrations_that_are_not_there():
    with pytest.raises(InputError, match="one of histogram, isotonic; 'platt' is none"):
        calibration(bent, FEW, ZERO, POINTS, method="platt")
    tables = calibration(bent, SQUARED.simulation(200), ZERO, POINTS[:2])
    with pytest.raises(InputError, match=r"no calibration at \(0.7, 0\)"):
        Calibrated(bent, tables)(FEW.x[:2], np.array([[0.7, 0.0]]))


def test_records_survive_json():
    closure = ratio_closure(SQUARED.log_ratio, FEW, ZERO, POINTS[:1])[0]
    assert Closure.from_json(closure.to_json()) == closure
    assert Closure("x", (0.0,), 1.0, 1.0, 0.0, 5).pull == 0.0
    for one in reweighting(SQUARED.log_ratio, FEW, ZERO, POINTS[0], ["u", "v"]):
        assert Reweighting.from_json(json.loads(json.dumps(one.to_json()))) == one
    curve = reliability(SQUARED.log_ratio, FEW, ZERO, POINTS[0])
    assert Reliability.from_json(json.loads(json.dumps(curve.to_json()))) == curve


def test_the_chi_squared_of_a_right_ratio_has_its_degrees_of_freedom():
    found = [
        one
        for seed in range(150)
        for one in reweighting(
            SQUARED.log_ratio, SQUARED.simulation(4000, seed), (0, 0), (0.5, 0.3), ("u", "v")
        )
    ]
    freedom = found[0].degrees_of_freedom
    assert freedom == 19
    assert np.mean([one.chi2 for one in found]) == pytest.approx(freedom, abs=0.9)  # 2.5 sigma


def test_bins_of_a_reweighting_reach_where_either_point_has_events():
    rng = np.random.default_rng(8)
    x = rng.exponential(1.0, (20_000, 1)) * rng.choice([1.0, 10.0], (20_000, 1))
    steep, flat = np.exp(-x[:, 0]), 0.1 * np.exp(-x[:, 0] / 10.0)
    weights = np.stack([steep, flat], axis=1) / (0.5 * steep + 0.5 * flat)[:, None] / len(x)

    def coefficients(theta):
        return np.concatenate([1 - theta, theta], axis=-1)

    simulation = Simulation((Parameter("a", 0, 1),), x, weights, coefficients, np.zeros_like)
    (found,) = reweighting(lambda x, _: np.zeros((1, len(x))), simulation, [0.0], [1.0], ["x"])
    assert sum(edge > 5.0 for edge in found.edges) >= 6  # 0.7 % of the steep one are there
    assert found.p_value < 1e-6
