import numpy as np
import pytest

from hepflow.samples import decays, truth
from hepflow.samples import kinematics as k
from hepflow.samples.detector import observe
from hepflow.samples.processes import GENERATORS, RESONANCE_MASS


def hard(name, size=4000, seed=3):
    return GENERATORS[name](size, np.random.default_rng(seed))


@pytest.mark.parametrize("name", GENERATORS)
def test_transverse_momentum_is_balanced(name):
    events = hard(name)
    total = events.jets.sum(axis=1) + events.electrons.sum(axis=1) + events.neutrinos
    total = total + events.muons[:, :2].sum(axis=1)  # the others are part of their jets
    assert np.abs(total[:, :2]).max() < 1e-8


def test_the_decay_products_of_the_signal_have_its_mass():
    events = hard("signal")
    products = events.jets[:, :8].sum(axis=1) + events.electrons.sum(axis=1) + events.neutrinos
    mass = k.invariant_mass(products + events.muons[:, :2].sum(axis=1))
    assert np.median(mass) == pytest.approx(RESONANCE_MASS, rel=0.01)


def test_whole_tops_have_the_top_mass():
    events = hard("ttbar_semilep")
    whole = events.fat_flavour == truth.WHOLE_TOP
    mass = k.invariant_mass(events.fat)[whole]
    assert whole.any(axis=1).mean() > 0.4
    # Where the b decays to a muon, its neutrino is missing: the median does not mind.
    assert np.median(mass) == pytest.approx(decays.TOP_MASS, rel=0.01)


def test_close_partons_become_one_jet_of_the_heavier_flavour():
    a, b, c = (k.from_pt_eta_phi_mass([100.0], [eta], [0.0], [0.0])[0] for eta in (0.0, 0.2, 2.0))
    jets, flavour = decays.merge_close(np.array([[a, b, c]]), np.array([[0, 5, 4]]))
    assert jets[0, 0] == pytest.approx(a + b)
    assert not jets[0, 1].any()
    assert jets[0, 2] == pytest.approx(c)
    assert flavour[0, [0, 2]].tolist() == [5, 4]


def tag_rate(events, kind, score, flavour, low):
    objects = events.collections[kind]
    chosen = objects.present & (objects.columns["hadronFlavour"] == flavour)
    chosen &= objects.columns["pt"] > low
    return (objects.columns[score][chosen] > 0.5).mean()


def test_data_differs_from_simulation_by_the_known_efficiencies():
    events = hard("ttbar_semilep", 30_000)
    seen = {data: observe(events, np.random.default_rng(5), data=data) for data in (False, True)}
    b = {data: tag_rate(seen[data], "Jet", "btagDeepB", 5, 450.0) for data in seen}
    assert b[False] == pytest.approx(0.65, abs=0.02)
    assert b[True] / b[False] == pytest.approx(0.85, abs=0.03)
    top = {
        data: tag_rate(seen[data], "FatJet", "particleNet_TvsQCD", truth.WHOLE_TOP, 820.0)
        for data in seen
    }
    assert top[False] == pytest.approx(0.85, abs=0.03)
    assert top[True] / top[False] == pytest.approx(0.85, abs=0.04)


def test_simulated_jets_are_off_by_the_known_scale():
    events = hard("ttbar_semilep", 20_000)
    jet, fat = {}, {}
    for data in (False, True):
        seen = observe(events, np.random.default_rng(5), data=data).collections
        whole = seen["FatJet"].columns["hadronFlavour"] == truth.WHOLE_TOP
        fat[data] = np.median(seen["FatJet"].columns["mass"][seen["FatJet"].present & whole])
        jet[data] = seen["Jet"].columns["pt"][:, 0].mean()
    assert fat[True] / fat[False] == pytest.approx(truth.FATJET_SCALE, rel=4e-3)
    assert jet[True] / jet[False] == pytest.approx(1.025, abs=0.008)


def test_the_tagger_tells_tops_from_other_fat_jets():
    seen = observe(hard("ttbar_semilep", 20_000), np.random.default_rng(5), data=False)
    fat = seen.collections["FatJet"]
    whole = fat.columns["hadronFlavour"] == truth.WHOLE_TOP
    top = fat.columns["particleNet_TvsQCD"][fat.present & whole]
    other = fat.columns["particleNet_TvsQCD"][fat.present & ~whole]
    assert np.median(top) > 0.8
    assert np.median(other) < 0.1
