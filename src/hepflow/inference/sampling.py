"""Training samples: partitions, draws at parameter points, joint ratios and joint scores.

The joint ratio ``p(x, z|theta) / p(x, z|theta_1)`` and the joint score ``d log p(x, z|theta) /
d theta`` of an event follow from its weights alone, because the unknown part of its likelihood
does not depend on theta (arXiv:1805.00013, equations 5 to 9; arXiv:1805.00020, section III).

Events are drawn with replacement, with probabilities proportional to their weights. Negative
weights cannot be drawn and count as zero there, as in MadMiner; cross-sections keep them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError
from hepflow.inference.drawing import draw
from hepflow.inference.latent import Latent, Rates
from hepflow.inference.morphing import Morphing
from hepflow.inference.priors import ThetaSource
from hepflow.inference.records import EventTable, Floats, Ints, RatioSample, ScoreSample
from hepflow.inference.soundness import check_events

logger = logging.getLogger(__name__)

MIN_EFFECTIVE = 1000.0  # effective events below which a word is in order
_DISTINCT = 500  # numerator points where each needs a sum over all events
_FEW_SHARE = 0.1  # of the events, for small tables
# Where the weight vanishes at one of the two points, the ratio is 0 or infinite.
LARGEST_LOG_RATIO = 30.0


@dataclass(frozen=True)
class Partitions:
    """Disjoint parts of a table."""

    train: EventTable
    validation: EventTable
    test: EventTable


def split(
    table: EventTable,
    fractions: Sequence[float],
    seed: int,
    groups: Ints | None = None,
) -> Partitions:
    """Divide the events among training, validation and test, each event in one of them.

    Samples are drawn from a part, never from the whole, so that an event that is drawn many
    times, at many parameter points, as numerator and as denominator, stays in its part.

    Parameters
    ----------
    table : EventTable
    fractions : sequence of three floats
        Of training, validation and test; not negative, sum 1.
    seed : int
        The same seed gives the same parts.
    groups : ndarray of int, shape (n_events,), optional
        Events of one number are the same physical event (such as one that went through the
        detector several times) and stay together. Default: all are different.

    Returns
    -------
    Partitions
        The weights of each part are scaled by the number of all events over that of the part,
        so that their sums still are cross-sections. A part of fraction 0 is empty.

    Raises
    ------
    InputError
        Fractions that do not add up to 1, or a part that would get no event.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:  # noqa: PLR2004  (three parts; rounding)
        raise InputError(
            f"the fractions of training, validation and test are {tuple(fractions)}; "
            "expected three numbers that are not negative and add up to 1."
        )
    ids = np.arange(len(table)) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(ids.max(initial=-1)) + 1
    order = np.random.default_rng(seed).permutation(n_groups)
    ends = np.round(np.cumsum(fractions) * n_groups).astype(np.int64)
    rank = np.empty(n_groups, dtype=np.int64)
    rank[order] = np.arange(n_groups)
    part = np.searchsorted(ends, rank[ids], side="right")
    names = ("training", "validation", "test")
    made = [_part(table, part == k, names[k], fractions[k]) for k in range(3)]
    return Partitions(*made)


def _part(table: EventTable, rows: np.ndarray, name: str, fraction: float) -> EventTable:
    found = int(rows.sum())
    if fraction > 0 and not found:
        raise InputError(
            f"{len(table)} events are too few: a fraction of {fraction:g} for {name} "
            "leaves none there. Generate more events or give this part a larger fraction."
        )
    scale = len(table) / found if found else 1.0
    part = table.select(rows)
    varied = {key: one * scale for key, one in part.nuisance_weights.items()}
    return replace(part, weights=part.weights * scale, nuisance_weights=varied)


def score_sample(
    table: EventTable,
    morphing: Morphing,
    theta: ArrayLike,
    n: int,
    rng: np.random.Generator,
    *,
    min_effective: float = MIN_EFFECTIVE,
) -> ScoreSample:
    """Draw events at a parameter point, with their joint scores.

    Parameters
    ----------
    table : EventTable
    morphing : Morphing
    theta : array_like, shape (n_parameters,)
    n : int
        Number of draws, with replacement.
    rng : numpy.random.Generator
    min_effective : float
        Below this effective number of events (or a tenth of all, if that is less) a warning is
        logged.

    Returns
    -------
    ScoreSample
        The score has a column for each parameter and then one for each nuisance parameter of
        the table (at its nominal value 0), if there are any.

    Raises
    ------
    InputError
        A cross-section at `theta` that is not positive, or events that can't be used.
    """
    latent, point, rates = latent_at(table, morphing, theta, min_effective)
    index = np.zeros(n, dtype=np.int64)
    rows = draw(latent, point, index, rng)
    score = latent.score(rows, point, index, rates)
    return ScoreSample(table.x[rows], point[0], score, float(rates.effective[0]))


def ratio_sample(  # noqa: PLR0913  (the interface that methods and workflow agreed on)
    table: EventTable,
    morphing: Morphing,
    numerators: ThetaSource,
    reference: ArrayLike,
    n: int,
    rng: np.random.Generator,
    *,
    distinct: int | None = None,
    min_effective: float = MIN_EFFECTIVE,
) -> RatioSample:
    """Draw events of numerators and of the denominator, half and half.

    Each numerator point theta gives one event from ``p(x|theta)`` (label 0) and one from
    ``p(x|theta_1)`` (label 1), so that the classes are balanced at every point.

    Parameters
    ----------
    table : EventTable
    morphing : Morphing
    numerators : ThetaSource
        Of `hepflow.inference.priors`; over the parameters, or over parameters and nuisance
        parameters. Without the latter the nuisance parameters of the table are drawn from
        standard normal distributions.
    reference : array_like, shape (n_parameters,)
        Denominator theta_1, with nuisance parameters at 0.
    n : int
        Number of draws in all, with replacement; even.
    rng : numpy.random.Generator
    distinct : int, optional
        Number of different numerator points. Default one for each pair of draws; with nuisance
        parameters, where each point costs a sum over all events, at most 500.
    min_effective : float
        As for `score_sample`, at the worst of the points.

    Returns
    -------
    RatioSample
        Shuffled. `theta` and `score` have columns for the nuisance parameters after those of
        the parameters. Joint log ratios are limited to +-30; where the weight at the numerator
        is not positive, the score is not defined and set to 0.

    Raises
    ------
    InputError
        An odd number of draws, a cross-section that is not positive at one of the points, or
        events that can't be used.
    """
    if n < 2 or n % 2:  # noqa: PLR2004  (pairs)
        raise InputError(f"{n} events were asked for; expected an even number, half of each class.")
    latent = Latent.of(check_events(table), morphing)
    half = n // 2
    points = _numerators(latent, numerators, min(half, distinct or _distinct(latent, half)), rng)
    base = latent.padded(reference)[None]
    rates, below = latent.rates(points), latent.rates(base)
    warn_if_few(rates, points, len(table), min_effective)
    warn_if_few(below, base, len(table), min_effective)
    own = np.arange(half) % len(points)
    zeros = np.zeros(half, dtype=np.int64)
    rows = np.concatenate([draw(latent, points, own, rng), draw(latent, base, zeros, rng)])
    order = rng.permutation(n)
    rows, index = rows[order], np.concatenate([own, own])[order]
    label = np.repeat([0.0, 1.0], half)[order]
    at_base = latent.density(rows, base, np.zeros(n, dtype=np.int64), below)
    log_ratio = log_of_ratio(latent.density(rows, points, index, rates), at_base)
    score = latent.score(rows, points, index, rates)
    effective = float(min(rates.effective.min(), below.effective.min()))
    return RatioSample(table.x[rows], points[index], base[0], label, log_ratio, score, effective)


def _distinct(latent: Latent, half: int) -> int:
    # With nuisance parameters each point costs a sum over all events.
    return min(half, _DISTINCT) if latent.n_nuisances else half


def _numerators(latent: Latent, source: ThetaSource, n: int, rng: np.random.Generator) -> Floats:
    points = source.draw(n, rng)
    wanted = latent.n_parameters + latent.n_nuisances
    if points.shape[1] == latent.n_parameters < wanted:
        nuisances = rng.standard_normal((n, latent.n_nuisances))
        points = np.concatenate([points, nuisances], axis=1)
    if points.shape != (n, wanted):
        raise InputError(
            f"the numerators have {points.shape[1]} values a point; expected "
            f"{latent.n_parameters}, or {wanted} with the nuisance parameters."
        )
    # Each point once: repeated ones, as of a grid, share their sums.
    return _unique(points)


def _unique(points: Floats) -> Floats:
    _, first = np.unique(points, axis=0, return_index=True)
    unique: Floats = points[np.sort(first)]
    return unique


def log_of_ratio(above: Floats, below: Floats) -> Floats:
    """Logarithm of the ratio of two densities, within +-30; 0 where both vanish."""
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.log(np.maximum(above, 0.0)) - np.log(np.maximum(below, 0.0))
    value: Floats = np.where(np.isnan(difference), 0.0, difference)
    return np.clip(value, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


def latent_at(
    table: EventTable, morphing: Morphing, theta: ArrayLike, min_effective: float
) -> tuple[Latent, Floats, Rates]:
    """Events with their hidden variables, a point of shape (1, p), and the rates there."""
    latent = Latent.of(check_events(table), morphing)
    point = latent.padded(theta)[None]
    rates = latent.rates(point)
    warn_if_few(rates, point, len(table), min_effective)
    return latent, point, rates


def warn_if_few(rates: Rates, points: Floats, n_events: int, fewest: float) -> None:
    """Say so when few events carry the weight at a point."""
    index = int(np.argmin(rates.effective))
    effective = float(rates.effective[index])
    if effective < min(fewest, _FEW_SHARE * n_events):
        point = ", ".join(f"{value:.4g}" for value in points[index])
        logger.warning(
            "at the parameter point (%s) the %d events are worth %.0f equally weighted ones: the "
            "same few are drawn again and again there. Generate events at a benchmark nearby or "
            "narrow the range of the parameters.",
            point,
            n_events,
            effective,
        )
