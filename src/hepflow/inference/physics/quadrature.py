"""Nodes of Gauss and Legendre over mass, rapidity and cosine of the built-in process."""

from __future__ import annotations

import numpy as np

from hepflow.inference.physics.drell_yan_sampling import mass_edges
from hepflow.inference.physics.parton_luminosities import Luminosities
from hepflow.inference.records import Floats

SQUARES = 2  # nodes in the cosine that are exact for the cross-section, a square of it
COSINES = 12  # for the information, a ratio


def nodes(table: Luminosities, cosines: int = COSINES) -> tuple[Floats, Floats]:
    """Observables at the nodes, shape (n, 3), and the nodes' volumes [GeV], shape (n,).

    Two nodes in each cell of the table of luminosities in the mass, where it is smooth, and in
    each second one of rapidity; positive rapidities only, twice: the protons are alike.
    """
    log_mass, mass_weight = _gauss(mass_edges(table), 2)
    position, position_weight = _gauss(table.position[len(table.position) // 2 :: 2], 2)
    cosine, cosine_weight = np.polynomial.legendre.leggauss(cosines)
    mass = np.exp(log_mass)
    limit = table.limit(mass)
    grid = np.meshgrid(np.arange(len(mass)), position, cosine, indexing="ij")
    row = grid[0].ravel().astype(np.int64)
    x = np.stack([mass[row], limit[row] * grid[1].ravel(), grid[2].ravel()], axis=1)
    volume = np.einsum("i,j,k->ijk", mass_weight * mass * limit, position_weight, cosine_weight)
    return x, 2 * volume.ravel()


def _gauss(edges: Floats, order: int) -> tuple[Floats, Floats]:
    """Nodes and weights in each of the cells between `edges`."""
    node, weight = np.polynomial.legendre.leggauss(order)
    half = np.diff(edges)[:, None] / 2
    middle = (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * node).ravel(), (half * weight).ravel()
