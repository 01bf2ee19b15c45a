"""Shower and hadronisation by pythia8mc: order, objects, and what stays of the hard process."""

import importlib.util

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import ExecutionError
from hepflow.inference.expressions import parse
from hepflow.inference.lhe import read_lhe
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.physics.lhe_particles import particles_of
from hepflow.inference.physics.lhe_writer import write_lhe
from hepflow.inference.physics.particles import of_pairs
from hepflow.inference.physics.shower import ShowerSettings, shower

needs_pythia = pytest.mark.skipif(
    importlib.util.find_spec("pythia8mc") is None, reason="pythia8mc is not installed"
)
PROCESS = DrellYan(DrellYanSettings(pdf="analytic"))
N = 60


@pytest.fixture(scope="module")
def events():
    return PROCESS.generate(N, BENCHMARKS, 0, seed=4)


@pytest.fixture(scope="module")
def showered(events):
    return shower(events, ShowerSettings(multiparton=False), seed=1)


def test_a_written_file_is_read_back(events, tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is not installed")
    write_lhe(tmp_path / "events.lhe", events)
    found = read_lhe(tmp_path / "events.lhe")
    assert found.counts.tolist() == [5] * N
    momenta = found.momenta.reshape(N, 5, 4)
    assert momenta[:, 3:] == pytest.approx(events.muons(), rel=1e-12, abs=1e-9)
    for part in (momenta[:, :2], momenta[:, [2]]):  # momentum is conserved
        assert part.sum(axis=1) == pytest.approx(momenta[:, 3:].sum(axis=1), abs=1e-8)
    ahead = found.pdg.reshape(N, 5)[:, 0]
    assert (ahead == events.flavour * events.direction).all()
    direct = of_pairs(events.muons())
    again = particles_of(found)
    assert ak.to_numpy(again.mu.pt) == pytest.approx(ak.to_numpy(direct.mu.pt))
    assert again.mu.charge.tolist() == direct.mu.charge.tolist()


@needs_pythia
def test_events_come_back_in_their_order_with_their_muons(events, showered):
    assert showered.rows.tolist() == list(range(N))
    assert showered.lost == 0
    mass = parse("(mu[0] + mu[1]).mass").number(showered.particles)
    ratio = mass / events.mass
    assert (ratio < 1.0 + 1e-6).all()  # muons only lose energy, to photons
    assert np.median(ratio) > 0.99
    assert ak.all(ak.sum(showered.particles.mu.charge, axis=1) == 0)


@needs_pythia
def test_recoil_of_the_shower_is_in_jets_not_in_leptons(showered):
    found = showered.particles
    assert 0.2 < ak.mean(ak.num(found.j)) < 3
    assert ak.min(found.j.pt) >= 20
    assert ak.mean(found.met.pt) < 5  # neutrinos from hadrons only
    near = ak.cartesian({"j": found.j, "mu": found.mu}, nested=True)
    turn = abs(near.j.phi - near.mu.phi)
    distance = np.hypot(near.j.eta - near.mu.eta, np.minimum(turn, 2 * np.pi - turn))
    assert ak.all(ak.flatten(distance, axis=None) >= 0.4)


@needs_pythia
def test_a_temporary_folder_with_a_blank_in_its_name(events, showered, tmp_path, monkeypatch):
    (tmp_path / "my files").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "my files"))
    again = shower(events, ShowerSettings(multiparton=False), seed=1)
    assert again.rows.tolist() == showered.rows.tolist()


@needs_pythia
def test_same_seed_same_shower(events, showered):
    again = shower(events, ShowerSettings(multiparton=False), seed=1)
    assert again.particles.j.pt.tolist() == showered.particles.j.pt.tolist()


@needs_pythia
@pytest.mark.nightly
def test_underlying_event_and_bottom_quarks(events):
    with_it = shower(events, ShowerSettings(), seed=1)
    assert with_it.rows.tolist() == list(range(N))
    assert ak.all((with_it.particles.j.btag == 0) | (with_it.particles.j.btag == 1))


@needs_pythia
def test_events_in_another_order_are_an_error(events, monkeypatch):
    import dataclasses

    def write_backwards(path, given):
        turned = {
            name: getattr(given, name)[::-1]
            for name in ("mass", "rapidity", "cos_quark", "phi", "flavour", "direction")
        }
        write_lhe(path, dataclasses.replace(given, **turned))

    monkeypatch.setattr("hepflow.inference.physics.shower.write_lhe", write_backwards)
    with pytest.raises(ExecutionError, match="weights and events would be mixed up"):
        shower(events, ShowerSettings(multiparton=False), seed=1)


@needs_pythia
def test_a_file_that_pythia_does_not_read_is_an_error(events, monkeypatch):
    monkeypatch.setattr(
        "hepflow.inference.physics.shower.write_lhe",
        lambda path, given: path.write_text("no events"),
    )
    with pytest.raises(ExecutionError, match=r"does not start with the events of events\.lhe"):
        shower(events, ShowerSettings(), seed=1)


@needs_pythia
def test_events_that_pythia_gives_up_are_counted(events, monkeypatch):
    from hepflow.inference.physics import shower as module

    original = module._indices

    def every_second(pythia, given):
        return (row for row in original(pythia, given) if row % 2)

    monkeypatch.setattr(module, "_indices", every_second)
    with pytest.raises(ExecutionError, match="gave up 30 of 60 events"):
        shower(events, ShowerSettings(multiparton=False), seed=1)
