r"""Amplitudes of q qbar -> gamma*/Z -> mu- mu+ with two four-fermion contact interactions.

For chiralities i of the quark and j of the muon, at the squared energy s of the partons,

    A_ij = e^2 Q_q Q_l / s + g_i^q g_j^l / (s - mZ^2 + i mZ GammaZ) + C_ij

and, with the angle theta between the quark and the mu-,

    d sigma / d cos(theta) = s / (384 pi) [ (|A_LL|^2 + |A_RR|^2) (1 + cos)^2
                                          + (|A_LR|^2 + |A_RL|^2) (1 - cos)^2 ].

``C_LL`` enters with + for up-type and - for down-type quarks, as the exchange of a weak triplet
has it; ``C_RR`` with + for both. Everything is quadratic in the coefficients without a product of
the two, so that five numbers say all: the factors of the monomials of `monomials`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepflow.inference.records import Benchmark, Floats, Parameter

ALPHA = 1 / 127.918  # electromagnetic coupling at the mass of the Z (PDG)
SIN2_THETA_W = 0.2312  # as pythia8 has it
Z_MASS, Z_WIDTH = 91.1876, 2.4952  # [GeV] (PDG)
PB_GEV2 = 0.3893793721e9  # (hbar c)^2 in pb GeV^2
PER_TEV2 = 1e-6  # 1/TeV^2 in 1/GeV^2

CHARGE = np.array([-1 / 3, 2 / 3])  # down-type, up-type
ISOSPIN = np.array([-0.5, 0.5])
SIGN_LL = np.array([-1.0, 1.0])

UNIT = "1/TeV$^2$"
PARAMETERS = (
    Parameter("C_LL", -1.0, 1.0, unit=UNIT, label="$C_{LL}$"),
    Parameter("C_RR", -1.0, 1.0, unit=UNIT, label="$C_{RR}$"),
)
BENCHMARKS = (
    Benchmark("sm", (0.0, 0.0)),
    Benchmark("ll_plus", (0.5, 0.0)),
    Benchmark("ll_minus", (-0.5, 0.0)),
    Benchmark("rr_plus", (0.0, 0.5)),
    Benchmark("rr_minus", (0.0, -0.5)),
    Benchmark("both", (0.5, 0.5)),
)


def monomials(theta: ArrayLike) -> Floats:
    """Return 1, C_LL, C_RR, C_LL^2, C_RR^2 along a new last axis; theta has shape (..., 2)."""
    point = np.asarray(theta, dtype=float)
    return np.concatenate([np.ones((*point.shape[:-1], 1)), point, point**2], axis=-1)


def monomial_gradients(theta: ArrayLike) -> Floats:
    """Return the derivatives of the monomials, shape (..., 5, 2)."""
    point = np.asarray(theta, dtype=float)
    result = np.zeros((*point.shape[:-1], 5, 2))
    result[..., 1, 0] = result[..., 2, 1] = 1.0
    result[..., 3, 0] = 2 * point[..., 0]
    result[..., 4, 1] = 2 * point[..., 1]
    return result


def couplings(charge: ArrayLike, isospin: ArrayLike) -> tuple[Floats, Floats]:
    """Couplings g_L and g_R of a fermion to the Z."""
    strength = np.sqrt(4 * np.pi * ALPHA / (SIN2_THETA_W * (1 - SIN2_THETA_W)))
    electric = np.asarray(charge, dtype=float)
    left = strength * (np.asarray(isospin) - electric * SIN2_THETA_W)
    return np.asarray(left, dtype=float), np.asarray(-strength * electric * SIN2_THETA_W)


def partonic(mass: Floats) -> Floats:
    """Cross-sections per cosine, without the angular factors (1 + cos)^2 and (1 - cos)^2.

    Parameters
    ----------
    mass : array, shape (n,)
        Mass of the pair [GeV].

    Returns
    -------
    array, shape (n, 2, 2, 5)
        [pb]. Indices: event; type of the quark (0 down, 1 up); factor (1 + cos)^2 or (1 - cos)^2;
        monomial of the coefficients.
    """
    s = np.asarray(mass, dtype=float)[:, None] ** 2
    photon = -4 * np.pi * ALPHA * CHARGE / s  # the muon has charge -1
    propagator = 1 / (s - Z_MASS**2 + 1j * Z_MASS * Z_WIDTH)
    quark, muon = couplings(CHARGE, ISOSPIN), couplings(-1.0, -0.5)
    a = [[photon + q * m * propagator for m in muon] for q in quark]
    contact_ll = SIGN_LL * PER_TEV2
    result = np.zeros((len(s), 2, 2, 5))
    result[:, :, 0, 0] = np.abs(a[0][0]) ** 2 + np.abs(a[1][1]) ** 2
    result[:, :, 1, 0] = np.abs(a[0][1]) ** 2 + np.abs(a[1][0]) ** 2
    result[:, :, 0, 1] = 2 * contact_ll * a[0][0].real
    result[:, :, 0, 2] = 2 * PER_TEV2 * a[1][1].real
    result[:, :, 0, 3] = result[:, :, 0, 4] = PER_TEV2**2
    return np.asarray(result * PB_GEV2 * s[..., None, None] / (384 * np.pi), dtype=float)
