"""From particles to the table of observables and the cutflow."""

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import ConfigurationError, InputError, MaskError, UserFunctionError
from hepflow.inference.observables import CutflowStep, Quantity, check, cutflow, observe
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.physics.particles import Particles, classify, of_pairs
from tests.unit.inference.particle_builders import particles

EVENTS = particles(
    j=[[(30.0, 1.0, 0.5), (50.0, -1.0, -3.0)], [(40.0, 0.2, 3.0)], []],
    met=[(3.0, 4.0), (0.0, -2.0), (0.0, 0.0)],
)
LEADING = Quantity("leading", "j[0].pt")


def test_observables_of_the_built_in_process_are_those_of_its_likelihood():
    process = DrellYan(DrellYanSettings(pdf="analytic"))
    events = process.generate(500, BENCHMARKS, 0, seed=2)
    wanted = ("(mu[0] + mu[1]).mass", "(mu[0] + mu[1]).rapidity", "collins_soper(mu[0], mu[1])")
    quantities = [Quantity(text, text) for text in wanted]
    found = observe(of_pairs(events.muons()), quantities)
    assert found.x == pytest.approx(process.observe(events), abs=1e-8)
    assert found.passed.mask.all()
    assert not found.passed.steps


def test_an_event_without_an_observable_fails_and_the_cutflow_says_so():
    second = Quantity("second", "j[1].pt")
    found = observe(EVENTS, [LEADING, second], [Quantity("met cut", "met.pt > 1")])
    assert found.table().tolist() == [[50.0, 30.0]]
    steps = cutflow(found.passed, np.array([1.0, 2.0, 4.0]))
    assert steps == (
        CutflowStep("all events", 3, 7.0),
        CutflowStep("met cut", 2, 3.0),
        CutflowStep("has leading", 2, 3.0),
        CutflowStep("has second", 1, 1.0),
    )


def test_a_default_keeps_the_event():
    found = observe(EVENTS, [Quantity("leading", "j[0].pt", default=-1.0)])
    assert found.table()[:, 0].tolist() == [50.0, 40.0, -1.0]
    needs_two = Quantity("two", "j[1].pt > 20")
    assert observe(EVENTS, [], [needs_two]).passed.mask.tolist() == [True, False, False]
    kept = Quantity("two", "j[1].pt > 20", default=1.0)
    assert observe(EVENTS, [], [kept]).passed.mask.tolist() == [True, True, True]


def test_functions_of_the_particles():
    def scalar_sum(events):
        return ak.sum(events.j.pt, axis=1)

    def mass(events):
        two = ak.pad_none(events.j, 2)
        return (two[:, 0] + two[:, 1]).mass

    def central(events):
        return ak.all(abs(events.j.eta) < 0.9, axis=1)

    found = observe(
        EVENTS,
        [Quantity("ht", function=scalar_sum), Quantity("mass", function=mass, default=0.0)],
        [Quantity("central", function=central)],
    )
    expected = observe(EVENTS, [Quantity("m", "(j[0] + j[1]).mass", default=0.0)]).x[:, 0]
    assert found.x[:, 0].tolist() == [80.0, 40.0, 0.0]
    assert found.x[:, 1] == pytest.approx(expected)
    assert found.passed.mask.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda events: events.jets, r"observables\[0\].function: .* raised"),
        (lambda events: events.j.pt, "no array of numbers"),
        (lambda events: [1.0], r"returned shape \(1,\); expected \(3,\)"),
        (lambda events: "text", "no array of numbers"),
    ],
)
def test_a_function_that_fails_is_named(function, words):
    with pytest.raises(UserFunctionError, match=words):
        observe(EVENTS, [Quantity("odd", function=function)])


def test_functions_cannot_change_the_particles():
    def doubled(events):
        pt = np.asarray(events.met.pt)
        pt *= 2
        return pt > 0

    one = Quantity("odd", function=doubled)
    for arguments in ([[one]], [[], [one]]):
        with pytest.raises(UserFunctionError, match=r"\[0\].*: .* Work on a copy"):
            observe(EVENTS, *arguments)
    assert EVENTS.met.pt.tolist() == [5.0, 2.0, 0.0]


def test_a_cut_must_return_booleans():
    with pytest.raises(MaskError, match=r"cuts\[0\].function"):
        observe(EVENTS, [], [Quantity("odd", function=lambda events: events.met.pt)])


def test_all_that_is_wrong_is_told_at_once():
    bad = [Quantity("a", "j[0].ptt"), Quantity("b"), LEADING]
    with pytest.raises(ConfigurationError) as caught:
        check(bad, [Quantity("c", "j[0].pt")], "inference")
    assert [one.path for one in caught.value.problems] == [
        "inference.observables[0].expression",
        "inference.observables[1]",
        "inference.cuts[0].expression",
    ]


def test_particles_are_sorted_into_collections_by_their_ids():
    ids = np.array([13, -11, 22, 5, 21, 12, -14, 25, -13])
    momenta = np.array([(i + 1.0, 0.0, 1.0, i + 3.0) for i in range(9)])
    event = np.array([0, 0, 0, 0, 0, 0, 0, 0, 2])
    found = classify(3, event, ids, momenta)
    assert ak.num(found.mu).tolist() == [1, 0, 1]
    assert found.mu.charge.tolist() == [[-1.0], [], [1.0]]
    assert found.e.charge.tolist() == [[1.0], [], []]
    assert found.j.pt.tolist() == [[5.0, 4.0], [], []]
    assert found.j.btag.tolist() == [[0.0, 1.0], [], []]
    assert found.a.charge.tolist() == [[0.0], [], []]
    assert found.met.pt.tolist() == [13.0, 0.0, 0.0]  # the neutrinos, 6 + 7
    assert found.l.pt.tolist() == [[2.0, 1.0], [], [9.0]]


def test_collections_of_different_events_are_refused():
    with pytest.raises(InputError, match="different numbers of events"):
        Particles(EVENTS.e, EVENTS.mu, EVENTS.a, EVENTS.j[:2], EVENTS.met)


def test_a_function_as_a_cut_takes_no_default():
    cut = Quantity("two", function=lambda events: ak.num(events.j) > 1, default=1.0)
    with pytest.raises(ConfigurationError, match=r"cuts\[0\]: a function has no default"):
        check([], [cut], "inference")
