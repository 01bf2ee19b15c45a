"""The built-in process: closed forms, exact against sampled, joint against marginal."""

import numpy as np
import pytest

from hepflow.errors import HepflowError, InputError
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.drell_yan_amplitudes import (
    ALPHA,
    BENCHMARKS,
    PB_GEV2,
    PER_TEV2,
    couplings,
    monomial_gradients,
    monomials,
    partonic,
)
from hepflow.inference.physics.quadrature import nodes
from hepflow.inference.records import Benchmark

SM = (0.0, 0.0)
POINTS = np.array([(0.0, 0.0), (0.4, -0.3), (-0.7, 0.2)])


@pytest.fixture(scope="module")
def process():
    return DrellYan(DrellYanSettings(mass_min=200.0, pdf="analytic"))


@pytest.fixture(scope="module")
def events(process):
    return process.generate(30_000, BENCHMARKS, 0, seed=11)


def test_photon_alone_has_the_cross_section_of_the_textbook(monkeypatch):
    monkeypatch.setattr(
        "hepflow.inference.physics.drell_yan_amplitudes.couplings",
        lambda *_: (np.zeros(2), np.zeros(2)),
    )
    mass = np.array([40.0])
    total = (partonic(mass) @ monomials(SM)).sum(axis=-1)[0] * 8 / 3
    # 4 pi alpha^2 Q^2 / (3 N s), with the average over colours N = 3
    expected = 4 * np.pi * ALPHA**2 * np.array([1 / 9, 4 / 9]) / (9 * mass**2) * PB_GEV2
    assert total == pytest.approx(expected, rel=1e-12)


def test_couplings_to_the_z_of_the_muon():
    left, right = couplings(-1.0, -0.5)
    assert right / left == pytest.approx(0.2312 / (0.2312 - 0.5), rel=1e-12)


GAMMA = np.zeros((4, 4, 4), dtype=complex)
GAMMA[0, [0, 1, 2, 3], [2, 3, 0, 1]] = 1  # in the representation where gamma_5 is diagonal
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
GAMMA[1:, :2, 2:], GAMMA[1:, 2:, :2] = PAULI, -PAULI
METRIC = np.array([1.0, -1.0, -1.0, -1.0])


def traces(momentum, other, chirality):
    """Sum over spins of one line of fermions, with a projector on a chirality."""
    project = np.diag(np.repeat([chirality == 0, chirality == 1], 2)).astype(complex)
    slashed = [np.einsum("m,mij->ij", METRIC * one, GAMMA) for one in (momentum, other)]
    one, two = (np.einsum("ij,mjk->mik", line, GAMMA @ project) for line in slashed)
    return np.einsum("mij,nji->mn", one, two)


@pytest.mark.parametrize("mass", [60.0, 91.1876, 2_000.0])
@pytest.mark.parametrize("up", [0, 1])
def test_partonic_cross_section_is_that_of_traces_of_dirac_matrices(mass, up):
    """The averages over spins and colours, the angles and the signs, from Feynman's rules."""
    theta, cosine, s = (0.4, -1.2), 0.3, mass**2
    sine = np.sqrt(1 - cosine**2)
    axes = np.array([(0, 0, 1), (0, 0, -1), (sine, 0, cosine), (-sine, 0, -cosine)])
    quark, antiquark, minus, plus = mass / 2 * np.concatenate([np.ones((4, 1)), axes], axis=1)
    charge, isospin = ((-1 / 3, -0.5), (2 / 3, 0.5))[up]
    squared_charge, sw2 = 4 * np.pi / 127.918, 0.2312
    to_z = squared_charge / (sw2 * (1 - sw2)) / (s - 91.1876**2 + 1j * 91.1876 * 2.4952)
    contact = {(0, 0): 1e-6 * theta[0] * (1 if up else -1), (1, 1): 1e-6 * theta[1]}
    total = 0.0
    for i, g_quark in enumerate((isospin - charge * sw2, -charge * sw2)):
        for j, g_muon in enumerate((-0.5 + sw2, sw2)):
            amplitude = -squared_charge * charge / s + g_quark * g_muon * to_z
            amplitude += contact.get((i, j), 0.0)
            lines = traces(antiquark, quark, i) * traces(minus, plus, j)
            total += abs(amplitude) ** 2 * (METRIC @ lines @ METRIC).real
    expected = total / 4 / 3 / (32 * np.pi * s) * PB_GEV2
    forward, backward = (partonic(np.array([mass])) @ monomials(theta))[0, up]
    found = forward * (1 + cosine) ** 2 + backward * (1 - cosine) ** 2
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("mass", "down", "up"), [(91.1876, 0.105, 0.075), (1e6, 0.637, 0.604)])
def test_asymmetry_forward_to_backward(mass, down, up):
    ahead, back = (partonic(np.array([mass])) @ monomials(SM))[0].T
    assert 0.75 * (ahead - back) / (ahead + back) == pytest.approx([down, up], abs=0.002)


@pytest.mark.parametrize("axis", ["boost", "beam"])
def test_sample_far_from_the_standard_model_follows_the_density_in_all_dimensions(axis):
    process = DrellYan(DrellYanSettings(pdf="analytic", cos_axis=axis))
    far = Benchmark("far", (3.0, -4.0))
    x = process.observe(process.generate(40_000, [far], 0, seed=21))

    def moments(x):  # even under a rotation of the event by 180 degrees, as the grid is
        mass, rapidity = np.log(x[:, 0] / 300), np.abs(x[:, 1])
        ahead = x[:, 2] * (np.sign(x[:, 1]) if axis == "beam" else 1.0)
        columns = [mass, rapidity, rapidity**2, ahead, ahead**2, mass * ahead, rapidity * ahead]
        return np.stack([*columns, mass * rapidity, mass**2, rapidity**2 * ahead], axis=1)

    grid, volume = nodes(process.luminosities)
    probability = volume * np.exp(process.log_likelihood(grid, far.values))
    sample = moments(x)
    off = sample.mean(axis=0) - probability @ moments(grid)
    chi2 = len(x) * off @ np.linalg.solve(np.cov(sample.T), off)
    assert chi2 < 35.6  # 1e-4 with ten degrees of freedom


def test_contact_terms_alone_grow_with_the_square_of_the_mass():
    mass = np.array([1_000.0, 2_000.0])
    quadratic = partonic(mass)[:, :, :, 3:]
    expected = mass**2 / (384 * np.pi) * PER_TEV2**2 * PB_GEV2
    for up in (0, 1):
        assert quadratic[:, up, 0, 0] == pytest.approx(expected, rel=1e-12)
        assert quadratic[:, up, 0, 1] == pytest.approx(expected, rel=1e-12)
    assert not quadratic[:, :, 1].any()  # equal chiralities go with (1 + cos)^2


def test_interference_has_opposite_sign_for_up_and_down_in_ll_only():
    interference = partonic(np.array([1_000.0]))[0, :, 0, 1:3]
    # far above the Z both have the sign of Q_q Q_l and T3_q T3_l: up -, down +
    assert interference[1, 0] < 0
    assert interference[0, 0] < 0  # - C_LL times a positive amplitude
    assert interference[1, 1] < 0 < interference[0, 1]


def test_amplitudes_squared_are_never_negative():
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-2, 2, 9)), axis=-1)
    values = partonic(np.geomspace(10, 10_000, 40)) @ monomials(grid.reshape(-1, 2)).T
    assert (values > 0).all()


def test_gradients_of_the_monomials_are_their_derivatives():
    step = 1e-6
    for axis in (0, 1):
        shift = step * np.eye(2)[axis]
        numerical = (monomials(POINTS + shift) - monomials(POINTS - shift)) / (2 * step)
        assert monomial_gradients(POINTS)[..., axis] == pytest.approx(numerical, abs=1e-9)


def test_likelihood_is_normalised(process):
    x, volume = nodes(process.luminosities, 3)
    total = volume @ np.exp(process.log_likelihood(x, POINTS[1]))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_cross_section_agrees_with_another_quadrature(process):
    """Midpoints on a grid that knows nothing of the cells of the table."""
    mass = np.exp(np.linspace(np.log(200), np.log(13_000), 801))
    middle, width = np.sqrt(mass[1:] * mass[:-1]), np.diff(mass)
    limit = process.luminosities.limit(middle)
    share = (np.arange(100) + 0.5) / 50 - 1
    cosine = np.array([-np.sqrt(1 / 3), np.sqrt(1 / 3)])  # exact for a quadratic
    grid = np.meshgrid(np.arange(len(middle)), share, cosine, indexing="ij")
    row = grid[0].ravel()
    x = np.stack([middle[row], limit[row] * grid[1].ravel(), grid[2].ravel()], axis=1)
    factors = process.components(x) * (width * limit / 50)[row][:, None]
    assert monomials(POINTS) @ factors.sum(axis=0) == pytest.approx(
        process.cross_section(POINTS), rel=2e-4
    )


def test_score_is_the_derivative_of_the_log_likelihood(process, events):
    x, step = process.observe(events)[:500], 1e-5
    for theta in POINTS:
        for axis in (0, 1):
            shift = step * np.eye(2)[axis]
            up, down = (process.log_likelihood(x, theta + sign * shift) for sign in (1, -1))
            exact = process.score(x, theta)[:, axis]
            assert exact == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-4)


def test_one_point_for_each_event_is_the_same_as_one_by_one(process, events):
    x = process.observe(events)[:3]
    assert process.log_likelihood(x, POINTS) == pytest.approx(
        [process.log_likelihood(x[[i]], POINTS[i])[0] for i in range(3)], rel=1e-12
    )
    assert process.score(x, POINTS) == pytest.approx(
        np.concatenate([process.score(x[[i]], POINTS[i]) for i in range(3)]), rel=1e-12
    )
    ratio = process.log_ratio(x, POINTS, reference=(0.1, 0.1))
    assert ratio.shape == (3, 3)
    assert ratio[1, 2] == pytest.approx(
        process.log_likelihood(x, POINTS[1])[2] - process.log_likelihood(x, (0.1, 0.1))[2]
    )


def test_mean_score_of_the_sample_vanishes(process, events):
    score = process.score(process.observe(events))
    error = score.std(axis=0) / np.sqrt(len(events))
    assert (np.abs(score.mean(axis=0)) < 4 * error).all()


def test_information_is_the_covariance_of_the_scores(process, events):
    score = process.score(process.observe(events))
    products = score[:, :, None] * score[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(events))
    exact = process.information(SM, 1 / process.cross_section(SM))
    assert (np.abs(products.mean(axis=0) - exact.kinematics) < 4 * error).all()


def test_information_of_the_rate_is_that_of_a_poisson_count(process):
    step = 1e-5
    gradient = [
        (process.cross_section(step * unit) - process.cross_section(-step * unit)) / (2 * step)
        for unit in np.eye(2)
    ]
    exact = process.information(SM, 1_000.0)
    expected = 1_000.0 * np.outer(gradient, gradient) / process.cross_section(SM)
    assert exact.rate == pytest.approx(expected, rel=1e-6)
    assert exact.full == pytest.approx(exact.rate + exact.kinematics, rel=1e-12)
    assert process.information(SM, 2_000.0).full == pytest.approx(2 * exact.full, rel=1e-12)


def test_marginal_score_is_the_mean_joint_score_of_like_events(process, events):
    """E[t(x, z) f(x)] = E[t(x) f(x)] for any function of the observables, yet t(x, z) != t(x)."""
    x = process.observe(events)
    difference = process.joint_score(events, SM) - process.score(x, SM)
    boosted = x[:, 2] * np.where(x[:, 1] < 0, -1.0, 1.0)
    tests = np.stack([np.ones(len(x)), x[:, 0] > 300, x[:, 2] > 0, boosted, x[:, 1] ** 2], axis=1)
    products = difference[:, :, None] * tests[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(x))
    assert (np.abs(products.mean(axis=0)) < 4 * error).all()
    assert (difference.std(axis=0) > 0.1).all()


def test_joint_ratios_average_to_the_marginal_one(process, events):
    ratio = np.exp(process.joint_log_ratio(events, POINTS, SM))
    x = process.observe(events)
    exact = np.exp(process.log_ratio(x, POINTS, SM))
    assert ratio[0] == pytest.approx(np.ones(len(events)))
    central = x[:, 2] > 0
    for one, other in zip(ratio[1:], exact[1:], strict=True):
        for chosen in (central, ~central):
            error = (one - other)[chosen].std() / np.sqrt(chosen.sum())
            assert abs((one - other)[chosen].mean()) < 4 * error


def test_sample_follows_the_density(process, events):
    """Quantiles of the mass and mean values of even functions, by quadrature over all else."""
    grid, volume = nodes(process.luminosities, 4)
    probability = volume * np.exp(process.log_likelihood(grid, SM))
    x = process.observe(events)
    for edge in np.quantile(x[:, 0], [0.1, 0.5, 0.9]):
        exact = probability[grid[:, 0] < edge].sum()
        assert abs((x[:, 0] < edge).mean() - exact) < 0.01  # the distance of the nodes
    for index, function in ((0, np.log), (2, np.square)):
        value = function(x[:, index])
        exact = probability @ function(grid[:, index])
        assert abs(value.mean() - exact) < 4 * value.std() / np.sqrt(len(x))
    assert abs(x[:, 1].mean()) < 4 * x[:, 1].std() / np.sqrt(len(x))


def test_events_are_unweighted_where_they_are_drawn(process, events):
    assert events.weights[:, 0] == pytest.approx(process.cross_section(SM) / len(events))
    totals = events.weights.sum(axis=0)
    error = events.weights.std(axis=0) * np.sqrt(len(events))
    exact = process.cross_section([one.values for one in BENCHMARKS])
    assert (np.abs(totals - exact) <= 4 * error + 1e-12).all()


def test_mixture_of_benchmarks_has_each_cross_section(process):
    table = process.table(18_000, BENCHMARKS, seed=5)
    assert np.bincount(table.sampled_from).tolist() == [3_000] * 6
    error = table.weights.std(axis=0) * np.sqrt(len(table))
    exact = process.cross_section([one.values for one in BENCHMARKS])
    assert (np.abs(table.weights.sum(axis=0) - exact) < 4 * error).all()
    # the product of drawing and weighing is the density: the mean score vanishes at each point
    for index, benchmark in enumerate(BENCHMARKS):
        score = process.score(table.x, benchmark.values) * table.weights[:, [index]]
        spread = score.std(axis=0) * np.sqrt(len(table))
        assert (np.abs(score.sum(axis=0)) < 4 * spread).all()


def test_same_seed_same_events_and_children_of_one_seed_are_independent(process):
    first, again = (process.table(1_000, BENCHMARKS, seed=3) for _ in range(2))
    assert np.array_equal(first.x, again.x)
    sequence = np.random.SeedSequence(3)
    assert np.array_equal(first.x, process.table(1_000, BENCHMARKS, seed=sequence).x)
    assert np.array_equal(first.x, process.table(1_000, BENCHMARKS, seed=sequence).x)
    one, other = (process.generate(100, BENCHMARKS, 0, seed) for seed in sequence.spawn(2))
    assert not np.isin(one.mass, other.mass).any()


def test_muons_have_the_mass_and_the_rapidity_of_the_pair(events):
    total = events.muons().sum(axis=1)
    mass = np.sqrt(total[:, 3] ** 2 - (total[:, :3] ** 2).sum(axis=1))
    assert mass == pytest.approx(events.mass, rel=1e-6)
    rapidity = np.log((total[:, 3] + total[:, 2]) / (total[:, 3] - total[:, 2])) / 2
    assert rapidity == pytest.approx(events.rapidity, abs=1e-9)
    single = events.muons().reshape(-1, 4)
    assert single[:, 3] == pytest.approx(np.linalg.norm(single[:, :3], axis=1), rel=1e-9)
    assert events.momentum_fractions().max() <= 1.0


def test_outside_of_what_can_be_the_density_is_zero(process):
    x = np.array([(100.0, 0, 0), (300.0, 9.0, 0), (300.0, 0, 1.5), (np.nan, 0, 0)])
    assert (process.log_likelihood(x, SM) == -np.inf).all()


def test_axis_of_the_angle_changes_names_not_physics(process):
    settings = DrellYanSettings(mass_min=200.0, pdf="analytic", cos_axis="beam")
    beam, few = DrellYan(settings), process.generate(2_000, BENCHMARKS, 0, seed=1)
    boosted, other = process.observe(few), beam.observe(few)
    assert process.score(boosted) == pytest.approx(beam.score(other))
    assert (boosted[:, 2] != other[:, 2]).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DrellYanSettings(mass_min=20_000.0), "0 < mass_min < mass_max <= energy"),
        (DrellYanSettings(mass_min=300.0, mass_max=200.0), "masses from 300.0 to 200.0 GeV"),
        (DrellYanSettings(mass_max=0.0), "masses from 300.0 to 0.0 GeV"),
    ],
)
def test_a_range_without_masses_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        DrellYan(settings)


def test_wrong_requests_are_refused(process):
    with pytest.raises(InputError, match="expected at least one"):
        process.generate(0, BENCHMARKS, 0, 1)
    with pytest.raises(InputError, match="two finite values"):
        process.generate(1, [Benchmark("odd", (1.0,))], 0, 1)
    with pytest.raises(InputError, match=r"expected \(n, 3\)"):
        process.components(np.zeros((4, 2)))


def test_a_bound_that_does_not_hold_is_an_error(process, monkeypatch):
    monkeypatch.setattr("hepflow.inference.physics.drell_yan_sampling.MARGIN", 0.5)
    with pytest.raises(HepflowError, match="times its bound"):
        process.generate(1_000, BENCHMARKS, 0, seed=1)
