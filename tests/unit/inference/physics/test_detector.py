"""The parametrised detector: what is lost, what is smeared, what is conserved."""

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.physics.detector import (
    GENERAL_PURPOSE,
    NoDetector,
    ParametrisedDetector,
    Region,
    regions_of,
)
from tests.unit.inference.particle_builders import particles

N = 20_000
MUONS = particles(mu=[[(50.0, 1.0, 0.3, 0.1, -1.0), (200.0, -2.0, 2.0, 0.1, 1.0)]] * N)


def total(events, axis):
    function = (np.cos, np.sin)[axis]
    objects = [events.e, events.mu, events.a, events.j]
    seen = sum(ak.sum(one.pt * function(one.phi), axis=1) for one in objects)
    return np.asarray(seen + events.met.pt * function(events.met.phi))


def test_efficiency_and_resolution_are_those_of_the_region():
    detector = ParametrisedDetector(
        (Region("mu", max_pt=100.0, efficiency=0.7, resolution=0.1), Region("mu", resolution=0.02))
    )
    found = detector.apply(MUONS, seed=1).mu
    soft = ak.flatten(found.pt[abs(found.eta) < 1.5])
    hard = ak.flatten(found.pt[abs(found.eta) > 1.5])
    assert len(hard) == N
    assert len(soft) / N == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / N))
    for values, pt, width in ((soft, 50, 0.1), (hard, 200, 0.02)):
        assert np.mean(values) == pytest.approx(pt, abs=4 * pt * width / np.sqrt(len(values)))
        assert np.std(values) / pt == pytest.approx(width, rel=4 / np.sqrt(2 * len(values)))
    assert set(ak.flatten(found.charge).tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("seed", [0, 5])
def test_random_numbers_are_not_those_of_a_generator_with_the_same_seed(seed):
    electrons = particles(e=[[(50.0, 1.0, 0.3)]] * 1_000)
    found = ParametrisedDetector((Region("e", efficiency=0.5),)).apply(electrons, seed).e
    seen = np.asarray(ak.num(found)) == 1
    same = (seen == (np.random.default_rng(seed).random(1_000) < 0.5)).mean()
    assert same == pytest.approx(0.5, abs=0.08)


def test_outside_of_all_regions_nothing_is_seen():
    found = ParametrisedDetector((Region("mu", max_eta=1.5),)).apply(MUONS, seed=1)
    assert ak.num(found.mu).tolist() == [1] * N
    assert found.met.pt[0] == pytest.approx(200.0)  # what is lost is missing
    assert found.met.phi[0] == pytest.approx(2.0)
    assert len(ParametrisedDetector(()).apply(MUONS, 1).mu[0]) == 0


def test_transverse_momentum_is_conserved_without_noise():
    detector = ParametrisedDetector(tuple(one for one in GENERAL_PURPOSE if one.kind != "met"))
    found = detector.apply(MUONS, seed=3)
    for axis in (0, 1):
        assert total(found, axis) == pytest.approx(total(MUONS, axis), abs=1e-9)


def test_noise_of_missing_momentum_goes_with_the_activity():
    detector = ParametrisedDetector((Region("mu"), Region("met", resolution=0.5)))
    met = detector.apply(MUONS, seed=3).met
    x = np.asarray(met.pt * np.cos(met.phi))
    assert x.std() == pytest.approx(0.5 * np.sqrt(250.0), rel=0.03)
    assert abs(x.mean()) < 4 * x.std() / np.sqrt(N)


def test_same_seed_same_measurement_and_kinds_are_independent():
    detector = ParametrisedDetector(GENERAL_PURPOSE)
    few = MUONS.select(slice(0, 50))
    first, again, other = (detector.apply(few, seed) for seed in (1, 1, 2))
    assert first.mu.pt.tolist() == again.mu.pt.tolist() != other.mu.pt.tolist()
    child = np.random.SeedSequence(1).spawn(1)[0]
    assert detector.apply(few, child).mu.pt.tolist() == detector.apply(few, child).mu.pt.tolist()
    without = tuple(one for one in GENERAL_PURPOSE if one.kind == "mu")
    assert ParametrisedDetector(without).apply(few, 1).mu.pt.tolist() == first.mu.pt.tolist()


def test_after_smearing_objects_are_sorted_again():
    close = particles(j=[[(50.0, 0.0, 0.0), (49.0, 0.0, 1.0)]] * 200)
    found = ParametrisedDetector((Region("j", resolution=0.2),)).apply(close, 1).j.pt
    assert ak.all(found[:, 0] >= found[:, 1])


def test_no_detector_changes_nothing():
    assert NoDetector().apply(MUONS, 1) is MUONS
    assert NoDetector().provenance == {"kind": "none"}


def test_what_it_is_is_said_in_the_record():
    assert "parametrised" in ParametrisedDetector(GENERAL_PURPOSE).provenance["kind"]
    assert len(ParametrisedDetector(GENERAL_PURPOSE).provenance["regions"]) == len(GENERAL_PURPOSE)


def test_regions_from_a_configuration():
    entries = [{"kind": "mu", "min_pt": 20.0, "max_eta": None, "efficiency": 0.9}]
    assert regions_of(entries) == (Region("mu", min_pt=20.0, efficiency=0.9),)


@pytest.mark.parametrize(
    "wrong",
    [{"efficiency": 1.2}, {"resolution": -0.1}, {"min_pt": 30, "max_pt": 20}, {"min_eta": -1}],
)
def test_regions_without_meaning_are_refused(wrong):
    with pytest.raises(InputError, match="expected min_pt < max_pt"):
        Region("mu", **wrong)
