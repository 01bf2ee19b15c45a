"""Each method on problems with a closed form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hepflow.errors import ConfigurationError, InputError
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.losses import LOSSES, loss_of
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from hepflow.inference.methods.weighted import weighted_score_sample
from tests.unit.inference.methods import toys
from tests.unit.inference.toys import MORPHING, table

QUICK = TrainingSettings(
    hidden=(24,), epochs=6, batch_size=100, learning_rate=0.02, averaging=0.98, flows=1, mixture=2
)
POWERS = Structure(powers=((0,), (1,), (2,)))
# Largest mean squared error over variance: of the log ratio, and of the score at the reference.
# Without joint quantities (CARL, CASCAL) noise is larger; squared ratios (ROLR, RASCAL) are led by
# few events.
LIMITS = {
    "sally": (None, 0.002),
    "sallino": (None, 0.002),
    "carl": (0.35, 0.2),
    "rolr": (0.2, 0.2),
    "alice": (0.08, 0.08),
    "cascal": (0.3, 0.2),
    "rascal": (0.2, 0.2),
    "alices": (0.08, 0.08),
    "nde": (0.06, 0.06),
    "scandal": (0.04, 0.04),
}


def sample_for(method, n=6000, seed=1):
    draw = toys.score_sample if loss_of(method).kind == "score" else toys.ratio_sample
    return draw(n, seed)


class Trained(dict[str, Estimator]):
    """Trained when they are asked for."""

    def __missing__(self, method: str) -> Estimator:
        self[method] = train(method, sample_for(method), QUICK, 1)
        return self[method]


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Trained()


USUAL = ("sally", "alice", "alices", "scandal")  # one of each kind; all nightly


@pytest.mark.parametrize(
    "method", [m if m in USUAL else pytest.param(m, marks=pytest.mark.nightly) for m in LOSSES]
)
def test_the_closed_form_is_found(trained, method):
    x, theta = toys.events(), toys.points()
    ratio_limit, score_limit = LIMITS[method]
    zero = np.zeros(2)
    score = trained[method].score(x)
    assert toys.relative_error(score, toys.score(x, zero)) < score_limit
    if ratio_limit is not None:
        ratio = trained[method].log_ratio(x, theta)
        assert ratio.shape == (len(theta), len(x))
        assert toys.relative_error(ratio, toys.log_ratio(x, theta)) < ratio_limit


def test_a_score_away_from_the_reference_is_the_gradient_of_the_log_ratio(trained):
    x, at, step = toys.events(50), np.array([0.3, -0.2]), 1e-2
    for method in ("alice", "scandal"):
        found = trained[method].score(x, at)
        assert toys.relative_error(found, toys.score(x, at)) < 0.15
        for column in range(2):
            shift = step * np.eye(2)[column]
            up, down = trained[method].log_ratio(x, np.stack([at + shift, at - shift]))
            np.testing.assert_allclose(found[:, column], (up - down) / (2 * step), atol=5e-3)


def test_a_density_is_normalised_per_unit_of_the_observables(trained):
    axis = np.linspace(-6, 6, 61)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    theta = np.array([[0.5, -0.5]])
    density = np.exp(trained["scandal"].log_density(x, theta)[0])
    assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=0.02)
    true = np.exp(toys.log_density(x, theta)[0])
    assert np.abs(density - true).max() < 0.15 * true.max()


def test_a_score_method_has_no_ratio_and_knows_its_reference_only(trained):
    x = toys.events(5)
    with pytest.raises(InputError, match="SALLY estimates the score, not the likelihood ratio"):
        trained["sally"].log_ratio(x, np.zeros((1, 2)))
    with pytest.raises(InputError, match=r"SALLY knows the score at its reference \[0.0, 0.0\]"):
        trained["sally"].score(x, np.ones(2))
    with pytest.raises(InputError, match="ALICE does not estimate a density"):
        trained["alice"].log_density(x, np.zeros((1, 2)))
    with pytest.raises(InputError, match="at one parameter point, not at 2"):
        trained["alice"].score(x, np.zeros((2, 2)))


def test_shapes_and_values_to_be_evaluated_are_checked(trained):
    with pytest.raises(InputError, match=r"x has shape \(4, 3\); expected \(any number, 2\)"):
        trained["alice"].log_ratio(np.zeros((4, 3)), np.zeros((1, 2)))
    with pytest.raises(InputError, match="observable number 2 is not finite"):
        trained["alice"].log_ratio(np.array([[0.0, np.nan]]), np.zeros((1, 2)))
    assert trained["alice"].log_ratio(np.zeros((0, 2)), np.zeros((3, 2))).shape == (3, 0)


@pytest.mark.parametrize("method", ["alices", pytest.param("alice", marks=pytest.mark.nightly)])
def test_a_network_with_the_polynomial_finds_the_marginal_ratio(method):
    sample = toys.quadratic_sample(12000, 3)
    found = train(method, sample, QUICK, 1, structure=POWERS)
    u, theta = np.linspace(0.02, 0.98, 50), np.array([[-0.35], [-0.1], [0.2], [0.4]])
    rate = toys.quadratic_rate(theta)[:, None]
    true = np.log(toys.quadratic_density(u, theta) / rate)
    ratio = found.log_ratio(u[:, None], theta)
    assert toys.relative_error(ratio, true) < 0.15
    # At the reference the ratio is one by construction, whatever was learned.
    np.testing.assert_allclose(found.log_ratio(u[:, None], [[0.0]]), 0.0, atol=1e-10)
    # The mean of the ratio over events of the reference is one.
    fresh = toys.quadratic_sample(40_000, 9)
    events = fresh.x[fresh.label == 1]
    mean = np.exp(found.log_ratio(events, theta)).mean(axis=1)
    error = np.exp(found.log_ratio(events, theta)).std(axis=1) / np.sqrt(len(events) / 3)
    assert (np.abs(mean - 1) < 4 * error).all(), (mean, error)
    # One evaluation of the network for all points is the same as the network at each.
    one_by_one = found._over_pairs(u[:, None], theta)
    np.testing.assert_allclose(ratio, one_by_one, atol=2e-5)


def test_the_polynomial_must_be_known_where_it_is_asked_for():
    with pytest.raises(InputError, match=r"ALICE: network is 'morphing', but the powers"):
        train("alice", sample_for("alice", 1000), TrainingSettings(network="morphing"), 1)
    with pytest.raises(InputError, match="SALLY: network is 'morphing', but only ratio methods"):
        train("sally", sample_for("sally", 1000), TrainingSettings(network="morphing"), 1)
    with pytest.raises(InputError, match="those of 3 parameters, but the sample has 2"):
        train(
            "alice", sample_for("alice", 1000), TrainingSettings(), 1,
            structure=Structure(powers=((0, 0, 0),)),
        )  # fmt: skip


@pytest.mark.nightly
def test_a_plain_network_is_used_where_asked_for():
    sample = toys.quadratic_sample(2000, 3)
    settings = TrainingSettings(hidden=(8,), epochs=1, network="mlp")
    assert not hasattr(train("alice", sample, settings, 1, structure=POWERS).network, "polynomial")


def test_an_unknown_method_gets_a_hint():
    with pytest.raises(ConfigurationError, match=r"'alce' is not a method. Did you mean 'alice'"):
        loss_of("alce")
    assert loss_of("ALICES").title == "ALICES"


def test_the_table_has_a_paper_and_a_formula_for_each_method():
    papers = {"1805.00013", "1805.00020", "1808.00973", "1506.02169"}
    assert {loss.paper for loss in LOSSES.values()} == papers
    assert all(loss.formula and loss.name == name for name, loss in LOSSES.items())


def test_events_from_elsewhere_with_their_weights_teach_the_same_score():
    sample = toys.shifted_score_sample(6000, 1)
    x = toys.events()
    found = train("sally", sample, QUICK, 1).score(x)
    assert toys.relative_error(found, toys.score(x, np.zeros(2))) < 0.03
    # Without the weights the unobserved z would be those of another distribution.
    wrong = train("sally", dataclasses.replace(sample, weight=None), QUICK, 1).score(x)
    assert toys.relative_error(wrong, toys.score(x, np.zeros(2))) > 0.05


def test_all_events_of_a_table_are_used_with_their_weights():
    events = table(400, 1)
    sample = weighted_score_sample(events, MORPHING, (0.1, -0.2))
    weight = MORPHING.weights(events, (0.1, -0.2))
    np.testing.assert_allclose(sample.weight, weight / weight.mean())
    np.testing.assert_array_equal(sample.x, events.x)
    # The mean joint score at the point itself is zero.
    mean = (sample.weight[:, None] * sample.score).mean(axis=0)
    np.testing.assert_allclose(mean, 0.0, atol=1e-9)
    some = weighted_score_sample(events, MORPHING, (0.1, -0.2), 50)
    assert len(some.x) == len(np.unique(some.x, axis=0)) == 50
    assert some.weight.mean() == pytest.approx(1.0)
