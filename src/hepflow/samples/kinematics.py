"""Four-vectors as plain arrays: the last axis is (px, py, pz, E) in GeV."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def from_pt_eta_phi_mass(
    pt: ArrayLike, eta: ArrayLike, phi: ArrayLike, mass: ArrayLike
) -> FloatArray:
    """Return four-vectors, shape (..., 4), from pt [GeV], eta, phi and mass [GeV]."""
    pt, eta, phi, mass = np.broadcast_arrays(pt, eta, phi, mass)
    pz = pt * np.sinh(eta)
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pz, energy], axis=-1)


def transverse(p: FloatArray) -> FloatArray:
    """Return pt [GeV], shape (...)."""
    return np.asarray(np.hypot(p[..., 0], p[..., 1]))


def azimuth(p: FloatArray) -> FloatArray:
    """Return phi, shape (...)."""
    return np.asarray(np.arctan2(p[..., 1], p[..., 0]))


def pseudorapidity(p: FloatArray) -> FloatArray:
    """Return eta, shape (...); 0 where there is no momentum."""
    return np.asarray(np.arcsinh(p[..., 2] / np.maximum(transverse(p), 1e-9)))


def invariant_mass(p: FloatArray) -> FloatArray:
    """Return the mass [GeV], shape (...); 0 where rounding makes it imaginary."""
    squared = p[..., 3] ** 2 - (p[..., :3] ** 2).sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def delta_r(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the distance in eta and phi, shape (...)."""
    dphi = np.abs(azimuth(a) - azimuth(b))
    dphi = np.minimum(dphi, 2 * np.pi - dphi)
    return np.asarray(np.hypot(pseudorapidity(a) - pseudorapidity(b), dphi))


def boost(p: FloatArray, frame: FloatArray) -> FloatArray:
    """Return `p`, given in the rest frame of `frame`, in the frame where `frame` is measured."""
    mass = invariant_mass(frame)
    dot = (p[..., :3] * frame[..., :3]).sum(axis=-1)
    energy = (p[..., 3] * frame[..., 3] + dot) / mass
    along = (p[..., 3] + energy) / (frame[..., 3] + mass)
    return np.concatenate(
        [p[..., :3] + along[..., None] * frame[..., :3], energy[..., None]], axis=-1
    )


def two_body(
    parent: FloatArray, first: FloatArray, second: FloatArray, rng: Generator
) -> tuple[FloatArray, FloatArray]:
    """Decay `parent` isotropically in its rest frame.

    Parameters
    ----------
    parent : shape (n, 4), GeV
    first, second : shape (n,), masses of the daughters [GeV]
    rng : source of the directions

    Returns
    -------
    Two arrays of shape (n, 4) that add up to `parent`.
    """
    mass = invariant_mass(parent)
    above = np.maximum(mass**2 - (first + second) ** 2, 0.0)
    momentum = np.sqrt(above * (mass**2 - (first - second) ** 2)) / (2 * mass)
    cosine = rng.uniform(-1.0, 1.0, mass.size)
    phi = rng.uniform(-np.pi, np.pi, mass.size)
    sine = np.sqrt(1.0 - cosine**2)
    direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=-1)
    vector = momentum[:, None] * direction
    energy = np.sqrt(momentum**2 + first**2)
    daughter = boost(np.concatenate([vector, energy[:, None]], axis=-1), parent)
    return daughter, parent - daughter


def breit_wigner(rng: Generator, size: int, mass: float, width: float, reach: float) -> FloatArray:
    """Return masses [GeV], shape (size,), at most `reach` away from `mass`."""
    limit = np.arctan(2 * reach / width)
    return np.asarray(mass + 0.5 * width * np.tan(rng.uniform(-limit, limit, size)))
