"""All simulated events with their weights at a point, instead of draws from among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepflow.inference.morphing import Morphing
from hepflow.inference.records import EventTable, ScoreSample
from hepflow.inference.sampling import MIN_EFFECTIVE, latent_at


def weighted_score_sample(
    table: EventTable,
    morphing: Morphing,
    theta: ArrayLike,
    n: int | None = None,
    rng: np.random.Generator | None = None,
    *,
    min_effective: float = MIN_EFFECTIVE,
) -> ScoreSample:
    """Events of a table with joint scores and weights at a parameter point.

    Draws from among weighted events repeat some of them and leave out others, above all the rare
    ones of high energy that other benchmarks have many of, and that know most of the parameters.
    With weights every event is used, once.

    Parameters
    ----------
    table : EventTable
    morphing : Morphing
    theta : array_like, shape (n_parameters,)
    n : int, optional
        Number of events, chosen at random without repetition. Default, and at most: all.
    rng : numpy.random.Generator, optional
        For the choice; default one with seed 0.
    min_effective : float
        As of `hepflow.inference.sampling.score_sample`.

    Returns
    -------
    ScoreSample
        With `weight`. The columns of the score are those of `hepflow.inference.sampling`.

    Raises
    ------
    InputError
        A cross-section at `theta` that is not positive, or events that can't be used.
    """
    latent, point, rates = latent_at(table, morphing, theta, min_effective)
    rows = np.arange(len(table))
    if n is not None and n < len(table):
        generator = np.random.default_rng(0) if rng is None else rng
        rows = np.sort(generator.permutation(len(table))[:n])
    index = np.zeros(len(rows), dtype=np.int64)
    weight = latent.density(rows, point, index, rates)
    return ScoreSample(
        table.x[rows],
        point[0],
        latent.score(rows, point, index, rates),
        float(rates.effective[0]),
        weight * len(rows) / weight.sum(),
    )
