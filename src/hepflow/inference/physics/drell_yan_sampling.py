"""Unweighted events of the built-in process at one parameter point.

Cells in the mass and the rapidity, each with a bound on the density; a cell is drawn by its bound,
a point in it uniformly, and accepted with the density over the bound. Flavour, direction and angle
follow from their exact conditional probabilities. The density is interpolated with its logarithm
linear along each side of a cell, so that its largest value is at a corner but for the partonic
cross-section, which the bound takes into account by its largest value along the side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hepflow.errors import HepflowError
from hepflow.inference.physics.drell_yan_amplitudes import Z_MASS, Z_WIDTH, monomials, partonic
from hepflow.inference.physics.parton_luminosities import FLAVOURS, UP_TYPE, Luminosities
from hepflow.inference.records import Floats, Ints

MARGIN = 1.02  # the largest value along a side is taken from five points on it


@dataclass(frozen=True)
class Latent:
    """What makes an event; arrays of shape (n,) as in `PartonEvents`."""

    mass: Floats
    rapidity: Floats
    cos_quark: Floats
    phi: Floats
    flavour: Ints
    direction: Ints


def mass_edges(luminosity: Luminosities) -> Floats:
    """Edges of cells in log(mass): the nodes of the table, and finer ones around the Z."""
    nodes = luminosity.log_mass
    fine = np.log(Z_MASS + Z_WIDTH * np.linspace(-6.0, 6.0, 49))
    inside = fine[(fine > nodes[0]) & (fine < nodes[-1])]
    return np.unique(np.concatenate([nodes, inside]))


def density(luminosity: Luminosities, mass: Floats, rapidity: Floats, theta: Floats) -> Floats:
    """Return d sigma / dlog(mass) dy [pb] by type and direction of the quark, shape (n, 2, 2)."""
    total = (partonic(mass) @ monomials(theta)).sum(axis=-1) * 8 / 3  # integral of (1 +- cos)^2
    result = 2 * luminosity.of_types(mass, rapidity) * total[:, :, None]
    return np.asarray(result, dtype=float)


def draw(luminosity: Luminosities, theta: Floats, n: int, rng: np.random.Generator) -> Latent:
    """Draw `n` events at the parameter point `theta`, shape (2,)."""
    edges = mass_edges(luminosity)
    bound = _bounds(luminosity, edges, theta)
    parts: list[tuple[Floats, Floats, Floats]] = []
    found = 0
    while found < n:
        part = _accepted(luminosity, theta, edges, bound, (int(1.3 * (n - found)) + 100, rng))
        parts.append(part)
        found += len(part[0])
    mass, rapidity, by_type = (np.concatenate(column)[:n] for column in zip(*parts, strict=True))
    return _complete(luminosity, theta, (mass, rapidity, by_type), rng)


def _bounds(luminosity: Luminosities, edges: Floats, theta: Floats) -> Floats:
    """Bound on the density in each cell of mass and position, times the area of the cell."""
    position = luminosity.position
    grid = np.meshgrid(np.exp(edges), position, indexing="ij")
    mass = grid[0].ravel()
    shape = (len(edges), len(position), 2)
    both = luminosity.of_types(mass, grid[1].ravel() * luminosity.limit(mass))
    table = both.sum(axis=2).reshape(shape)
    corner = np.maximum(table[1:], table[:-1])
    corner = np.maximum(corner[:, 1:], corner[:, :-1])  # (cells, cells, type)
    along = edges[:-1, None] + np.diff(edges)[:, None] * np.linspace(0, 1, 5)
    side = np.exp(along).ravel()
    total = (partonic(side) @ monomials(theta)).sum(axis=-1) * 8 / 3
    total *= 2 * luminosity.limit(side)[:, None]  # d rapidity = limit * d position
    largest = total.reshape(*along.shape, 2).max(axis=1)
    area = np.diff(edges)[:, None] * np.diff(position)
    return np.asarray((corner * largest[:, None, :]).sum(axis=2) * area * MARGIN, dtype=float)


def _accepted(
    luminosity: Luminosities,
    theta: Floats,
    edges: Floats,
    bound: Floats,
    how: tuple[int, np.random.Generator],
) -> tuple[Floats, Floats, Floats]:
    """Accept some of a number of tries: masses, rapidities, densities by type and direction."""
    tries, rng = how
    cumulative = np.cumsum(bound.ravel())
    cell = np.searchsorted(cumulative, rng.random(tries) * cumulative[-1], side="right")
    row, column = np.divmod(cell, bound.shape[1])
    log_mass = edges[row] + np.diff(edges)[row] * rng.random(tries)
    step = np.diff(luminosity.position)
    position = luminosity.position[column] + step[column] * rng.random(tries)
    mass = np.exp(log_mass)
    limit = luminosity.limit(mass)
    by_type = density(luminosity, mass, position * limit, theta)
    area = np.diff(edges)[row] * step[column]
    ratio = by_type.sum(axis=(1, 2)) * limit * area / bound.ravel()[cell]
    if ratio.max(initial=0.0) > 1.0:
        raise HepflowError(
            f"the density of the built-in process is {ratio.max():.4f} times its bound in a cell, "
            f"at the parameter point {theta.tolist()}: events would not be unweighted. "
            "Take a narrower range of masses."
        )
    keep = rng.random(tries) < ratio
    return mass[keep], position[keep] * limit[keep], by_type[keep]


def _complete(
    luminosity: Luminosities,
    theta: Floats,
    drawn: tuple[Floats, Floats, Floats],
    rng: np.random.Generator,
) -> Latent:
    """Give events their quark, its direction and the angles."""
    mass, rapidity, by_type = drawn
    choice = _choose(by_type.reshape(len(mass), 4), rng)
    up, backward = np.divmod(choice, 2)
    flavours = luminosity.of_flavours(mass, rapidity)
    flavours = np.take_along_axis(flavours, backward[:, None, None], axis=2)[:, :, 0]
    flavours = np.where((up[:, None] == 1) == UP_TYPE, flavours, 0.0)
    flavour = np.array(FLAVOURS)[_choose(flavours, rng)]
    # (1 + cos)^2 and (1 - cos)^2 have the same integral: choose one, then invert its cumulative
    shapes = (partonic(mass) @ monomials(theta))[np.arange(len(mass)), up]
    sign = 1 - 2 * _choose(shapes, rng)
    cosine = sign * (2 * np.cbrt(rng.random(len(mass))) - 1)
    phi = rng.uniform(-np.pi, np.pi, len(mass))
    return Latent(mass, rapidity, cosine, phi, flavour, 1 - 2 * backward)


def _choose(weights: Floats, rng: np.random.Generator) -> Ints:
    """Index along the last axis, with probabilities proportional to `weights`, shape (n, k)."""
    cumulative = np.cumsum(weights, axis=1)
    draws = rng.random(len(weights)) * cumulative[:, -1]
    return np.asarray((draws[:, None] >= cumulative[:, :-1]).sum(axis=1), dtype=np.int64)
