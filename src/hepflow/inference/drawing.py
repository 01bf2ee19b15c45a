"""Exact draws of events by weight: at one parameter point, and at one point per draw.

Drawing from a list of weights needs their cumulative sum, which is new at every parameter point.
Where each draw has a point of its own the weights are not summed at all: since they are
combinations ``sum_b c_b(theta) w_b`` of the benchmarks' weights, an event is proposed from the
mixture of the benchmarks with the weights ``|c_b|`` and accepted with the probability
``sum c_b w_b / sum |c_b| |w_b|``. This is exact, and costs a few tries per draw as long as the
coefficients are not large (von Neumann's rejection; Devroye, Non-Uniform Random Variate
Generation, II.3). At points where it would be the slower way the weights are summed.
"""

from __future__ import annotations

import numpy as np

from hepflow.inference.latent import Latent
from hepflow.inference.records import Floats, Ints

_TRIES = 100  # summing one event's weight at a point costs this fraction of a try
_ROUND = 100_000  # tries at a time


def draw(latent: Latent, points: Floats, index: Ints, rng: np.random.Generator) -> Ints:
    """Draw an event at ``points[index[i]]`` for each i, with replacement.

    Parameters
    ----------
    latent : Latent
    points : ndarray, shape (n_points, n_parameters + n_nuisances)
        Where the cross-section is positive.
    index : ndarray of int, shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (n,)
        Numbers of the events. Negative weights count as zero.
    """
    rows = np.empty(len(index), dtype=np.int64)
    quick = _quick(latent, points, index)[index]
    if quick.any():
        rows[quick] = _by_rejection(latent, points, index[quick], rng)
    if not quick.all():
        rows[~quick] = _by_summing(latent, points, index[~quick], rng)
    return rows


def _quick(latent: Latent, points: Floats, index: Ints) -> np.ndarray:
    """At which points rejection takes less work than a sum over all events."""
    if latent.n_nuisances:  # the factors of the nuisance parameters have no useful bound
        return np.zeros(len(points), dtype=bool)
    coefficients = latent.morphing.coefficients(points)
    bound = np.abs(coefficients) @ np.abs(latent.weights).sum(axis=0)
    accepted = coefficients @ latent.weights.sum(axis=0) / bound
    draws = np.bincount(index, minlength=len(points))
    quick: np.ndarray = accepted * len(latent.weights) >= draws * _TRIES
    return quick


def _by_summing(latent: Latent, points: Floats, index: Ints, rng: np.random.Generator) -> Ints:
    used, position = np.unique(index, return_inverse=True)
    order = np.argsort(position, kind="stable")
    ends = np.cumsum(np.bincount(position, minlength=len(used)))
    rows = np.empty(len(index), dtype=np.int64)
    for chosen, weights, _ in latent.blocks(points[used]):
        for row, which in enumerate(range(chosen.start, chosen.stop)):
            own = order[ends[which - 1] if which else 0 : ends[which]]
            cumulative = np.cumsum(np.maximum(weights[row], 0.0))
            wanted = rng.random(len(own)) * cumulative[-1]
            found = np.searchsorted(cumulative, wanted, side="right")
            rows[own] = np.minimum(found, _last_positive(cumulative))
    return rows


def _last_positive(cumulative: Floats) -> int:
    # Rounding can give a number at the very end: the last event that has weight takes it.
    return int(np.searchsorted(cumulative, cumulative[-1], side="left"))


def _by_rejection(latent: Latent, points: Floats, index: Ints, rng: np.random.Generator) -> Ints:
    # Cumulative sums of the benchmarks one after the other: one search finds benchmark and event.
    size = np.abs(latent.weights)
    totals = size.sum(axis=0)
    cumulative = np.cumsum(size / totals, axis=0)
    cumulative /= cumulative[-1]
    stacked = (cumulative + np.arange(len(totals))).T.ravel()
    coefficients = latent.morphing.coefficients(points)
    mixture = np.cumsum(np.abs(coefficients) * totals, axis=1)
    mixture /= mixture[:, -1:]
    rows = np.empty(len(index), dtype=np.int64)
    pending = np.arange(len(index))
    while len(pending):
        tries = max(1, _ROUND // len(pending))
        which = np.repeat(index[pending], tries)
        benchmark = (rng.random(len(which))[:, None] >= mixture[which]).sum(axis=1)
        place = benchmark + rng.random(len(which))
        event = np.searchsorted(stacked, place, side="right") - benchmark * len(size)
        event = np.minimum(event, len(size) - 1)
        own, factors = latent.weights[event], coefficients[which]
        value = np.einsum("nb,nb->n", own, factors)
        bound = np.einsum("nb,nb->n", np.abs(own), np.abs(factors))
        taken = (rng.random(len(which)) * bound < value).reshape(-1, tries)
        first = np.argmax(taken, axis=1)
        found = taken[np.arange(len(pending)), first]
        rows[pending[found]] = event.reshape(-1, tries)[np.flatnonzero(found), first[found]]
        pending = pending[~found]
    return rows
