"""The mean ratio of a trained network at the reference, which must be 1. Needs jax."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hepflow.inference.methods.preparing import Prepared
from hepflow.inference.records import Floats

_BLOCK = 16384  # rows that a network sees at a time


def normalised(network: Any, prepared: Prepared) -> Any:
    """The network with the mean of its ratio over events of the reference at 1, at every point.

    A ratio of densities has the mean 1 under its denominator, exactly. With the polynomial that
    mean is the polynomial of the mean matrix, so that a normalisation at all points at once can
    be computed. All training events count, each with what the reference is in the mixture of
    numerator and denominator that it was drawn from, 2 / (1 + r): the numerators have the events
    in the tails that denominators lack.

    Parameters
    ----------
    network : MorphingNetwork
        Trained.
    prepared : Prepared
        What it was trained with.
    """
    rows, polynomial = prepared.training, network.polynomial
    weights = 2.0 / (1.0 + np.exp(rows["log_ratio"].astype(float)))
    run = eqx.filter_jit(lambda model, x: model.coefficients(x))
    sums, norm = polynomial.no_sums(), 0.0
    for start in range(0, len(weights), _BLOCK):
        part = slice(start, start + _BLOCK)
        found: Floats = np.asarray(run(network, rows["x"][part]), dtype=float)
        sums = sums + polynomial.sums(found, weights[part])
        norm += float(weights[part].sum())
    total = polynomial.mean_coefficients(sums / norm, np.asarray(network.total, dtype=float))
    return eqx.tree_at(lambda one: one.total, network, jnp.asarray(total, jnp.float32))
