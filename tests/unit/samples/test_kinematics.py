import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.samples import kinematics as k

pts = st.floats(1.0, 2000.0)
etas = st.floats(-3.0, 3.0)
phis = st.floats(-3.1, 3.1)
masses = st.floats(50.0, 3000.0)


def test_a_vector_gives_back_its_coordinates():
    p = k.from_pt_eta_phi_mass([30.0, 500.0], [0.5, -2.0], [1.0, -3.0], [0.1, 170.0])
    assert k.transverse(p) == pytest.approx([30.0, 500.0])
    assert k.pseudorapidity(p) == pytest.approx([0.5, -2.0])
    assert k.azimuth(p) == pytest.approx([1.0, -3.0])
    assert k.invariant_mass(p) == pytest.approx([0.1, 170.0], rel=1e-3)


def test_a_particle_at_rest_gets_the_momentum_of_its_frame():
    frame = k.from_pt_eta_phi_mass([100.0], [1.0], [0.3], [80.4])
    assert k.boost(np.array([[0.0, 0.0, 0.0, 80.4]]), frame) == pytest.approx(frame)


def test_the_distance_wraps_around_in_phi():
    a, b = (k.from_pt_eta_phi_mass([10.0], [0.0], [phi], [0.0]) for phi in (3.1, -3.1))
    assert k.delta_r(a, b) == pytest.approx([2 * np.pi - 6.2])


@given(pts, etas, phis, masses, st.floats(0.0, 0.45), st.floats(0.0, 0.45), st.integers(0, 999))
def test_a_decay_conserves_momentum_and_gives_the_masses_asked(pt, eta, phi, mass, a, b, seed):
    parent = k.from_pt_eta_phi_mass([pt], [eta], [phi], [mass])
    first, second = k.two_body(
        parent, np.array([a * mass]), np.array([b * mass]), np.random.default_rng(seed)
    )
    energy = parent[0, 3]
    assert first + second == pytest.approx(parent, abs=1e-9 * energy)
    # A mass is a small difference of large squares: the precision is that of the energy.
    assert k.invariant_mass(first) ** 2 == pytest.approx((a * mass) ** 2, abs=1e-9 * energy**2)
    assert k.invariant_mass(second) ** 2 == pytest.approx((b * mass) ** 2, abs=1e-9 * energy**2)


def test_a_breit_wigner_has_half_its_events_within_half_a_width():
    drawn = k.breit_wigner(np.random.default_rng(1), 100_000, 2000.0, 60.0, 1e6)
    assert np.mean(np.abs(drawn - 2000.0) < 30.0) == pytest.approx(0.5, abs=0.01)
    assert np.median(drawn) == pytest.approx(2000.0, abs=1.0)
