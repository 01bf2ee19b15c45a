"""Parton luminosities: of pythia8mc and of our own, and what is said where the former lacks."""

import importlib.util

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.physics.analytic_pdf import analytic_xf
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.physics.parton_luminosities import luminosities

needs_pythia = pytest.mark.skipif(
    importlib.util.find_spec("pythia8mc") is None, reason="pythia8mc is not installed"
)


def test_table_is_the_product_of_the_densities_between_its_nodes():
    table = luminosities(13_000.0, 100.0, 13_000.0, "analytic")
    mass, rapidity = np.array([150.0, 700.0, 2_000.0]), np.array([0.3, -1.1, 0.9])
    found = table.of_flavours(mass, rapidity)
    for i, (m, y) in enumerate(zip(mass, rapidity, strict=True)):
        plus, minus = np.array([m * np.exp(y)]) / 13_000, np.array([m * np.exp(-y)]) / 13_000
        for flavour in (1, 2, 5):
            quark_ahead = analytic_xf(flavour, plus, m) * analytic_xf(-flavour, minus, m)
            quark_back = analytic_xf(flavour, minus, m) * analytic_xf(-flavour, plus, m)
            assert found[i, flavour - 1, 0] == pytest.approx(quark_ahead[0], rel=5e-3)
            assert found[i, flavour - 1, 1] == pytest.approx(quark_back[0], rel=5e-3)
    types = table.of_types(mass, rapidity)
    assert types[:, 1] == pytest.approx(found[:, [1, 3]].sum(axis=1), rel=2e-3)


def test_quarks_go_with_the_boost():
    table = luminosities(13_000.0, 100.0, 13_000.0, "analytic")
    types = table.of_types(np.array([500.0]), np.array([1.5]))[0]
    assert (types[:, 0] > 2 * types[:, 1]).all()


def test_analytic_densities_keep_momentum_and_valence_within_reason():
    x = np.geomspace(1e-5, 1, 4_000)
    valence = [
        np.trapezoid((analytic_xf(i, x, 91.2) - analytic_xf(-i, x, 91.2)) / x, x) for i in (2, 1)
    ]
    assert valence == pytest.approx([2.0, 1.0], abs=0.25)
    quarks = sum(analytic_xf(sign * i, x, 91.2) for i in range(1, 6) for sign in (1, -1))
    assert np.trapezoid(quarks, x) == pytest.approx(0.5, abs=0.06)  # the gluon has the other half


@needs_pythia
def test_analytic_densities_are_near_those_they_were_fitted_to():
    ours, theirs = (
        luminosities(13_000.0, 60.0, 13_000.0, name) for name in ("analytic", "pythia8")
    )
    mass, rapidity = np.array([100.0, 400.0, 1_500.0]), np.array([0.5, 1.0, 0.2])
    ratio = ours.of_types(mass, rapidity) / theirs.of_types(mass, rapidity)
    assert ratio == pytest.approx(np.ones((3, 2, 2)), abs=0.08)
    assert "pythia8mc 8." in theirs.pdf
    assert "PDF:pSet" in theirs.pdf
    assert "analytic" in ours.pdf


@needs_pythia
def test_cross_section_above_50_gev_is_that_of_pythia():
    """Reference: pythia8mc 8.317.2 with its default PDF, 1519 +- 6 pb."""
    process = DrellYan(DrellYanSettings(mass_min=50.0, pdf="pythia8"))
    assert process.cross_section((0.0, 0.0)) == pytest.approx(1_519.0, abs=3 * 6.0)
    assert process.provenance["pdf"].startswith("pythia8mc")


@needs_pythia
@pytest.mark.parametrize(
    "n_events", [2_000, pytest.param(100_000, marks=pytest.mark.nightly)], ids=str
)
def test_process_agrees_with_pythia_event_by_event_distributions(n_events):
    """Cross-section and mean angular terms above 150 GeV against events of pythia8mc."""
    from tests.unit.inference.physics.pythia_reference import hard_events

    sigma, x = hard_events(n_events, mass_min=150.0, seed=7)
    process = DrellYan(DrellYanSettings(mass_min=150.0, pdf="pythia8"))
    sample = process.observe(process.generate(50_000, _SM, 0, seed=1))
    # the running of the coupling, which pythia has and the leading order has not: up to 3 %
    assert process.cross_section((0.0, 0.0)) == pytest.approx(sigma, rel=0.03 + 2 / n_events**0.5)
    for function in (_log_mass, _rapidity, _asymmetry):
        found, expected = function(x), function(sample)
        error = np.hypot(found.std() / len(x) ** 0.5, expected.std() / len(sample) ** 0.5)
        assert abs(found.mean() - expected.mean()) < 4 * error + 0.01


@needs_pythia
@pytest.mark.nightly
def test_cross_section_above_50_gev_against_a_run_of_pythia():
    from tests.unit.inference.physics.pythia_reference import hard_events

    sigma, _ = hard_events(100_000, mass_min=50.0, seed=3)  # +- 3 pb
    process = DrellYan(DrellYanSettings(mass_min=50.0, pdf="pythia8"))
    assert process.cross_section((0.0, 0.0)) == pytest.approx(sigma, rel=0.01)


def _log_mass(x):
    return np.log(x[:, 0])


def _rapidity(x):
    return np.abs(x[:, 1])


def _asymmetry(x):
    return np.sign(x[:, 2])


_SM = BENCHMARKS[:1]


def test_without_pythia_the_choice_is_said(monkeypatch, caplog):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "pythia8mc" else find(name)
    )
    table = luminosities(13_000.0, 61.0, 13_000.0, "auto")
    assert "analytic" in table.pdf
    assert "pythia8mc is not installed" in caplog.text
    with pytest.raises(InputError, match=r"hepflow\[sbi\]"):
        luminosities(13_000.0, 62.0, 13_000.0, "pythia8")
