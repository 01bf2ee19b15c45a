"""Checks of estimated ratios and scores, and their correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.likelihood.binning import Binning
from hepflow.inference.likelihood.model import LogRatio
from hepflow.inference.likelihood.simulation import Simulation
from hepflow.inference.records import Floats
from hepflow.records.sbi import CalibrationTables, Closure, Reliability, Reweighting

METHODS = ("histogram", "isotonic")
BINS = 50  # of a histogram calibration
SAME = 1e-9  # distance of parameter points that are the same


def ratio_closure(
    log_ratio: LogRatio, simulation: Simulation, reference: Any, points: Any
) -> tuple[Closure, ...]:
    """Mean of the estimated ratio under its denominator, which is 1 at every point.

    Parameters
    ----------
    log_ratio : callable
        Estimated ln p(x|theta)/p(x|reference), (n, d), (m, p) -> (m, n).
    simulation : Simulation
        Events that were not used in training.
    reference : array_like, shape (p,)
        Denominator.
    points : array_like, shape (m, p)
        Numerators.
    """
    places = np.atleast_2d(np.asarray(points, dtype=np.float64))
    share = simulation.probabilities(reference)
    ratios = np.exp(np.asarray(log_ratio(simulation.x, places), dtype=np.float64))
    return tuple(
        _closure("mean ratio", theta, 1.0, ratio, share)
        for theta, ratio in zip(places, ratios, strict=True)
    )


def score_closure(score: Floats, simulation: Simulation, reference: Any) -> tuple[Closure, ...]:
    """Mean of each component of an estimated score at its reference, which is 0.

    Parameters
    ----------
    score : ndarray, shape (n_events, n_parameters)
        Of the simulated events.
    simulation : Simulation
        Events that were not used in training.
    reference : array_like, shape (p,)
        Where the score was estimated.
    """
    share = simulation.probabilities(reference)
    theta = np.asarray(reference, dtype=np.float64)
    return tuple(
        _closure(f"mean score of {one.name}", theta, 0.0, column, share)
        for one, column in zip(simulation.parameters, score.T, strict=True)
    )


def _closure(name: str, theta: Floats, expected: float, values: Floats, share: Floats) -> Closure:
    mean = float(share @ values)
    error = float(np.sqrt((share**2) @ (values - mean) ** 2))
    place = tuple(float(one) for one in theta)
    return Closure(name, place, expected, mean, error, len(values))


def reweighting(
    log_ratio: LogRatio,
    simulation: Simulation,
    reference: Any,
    theta: Any,
    names: Sequence[str],
    *,
    bins: int = 20,
) -> tuple[Reweighting, ...]:
    """Compare each observable at a point with that of the reference times the estimated ratio.

    The two halves of the events are used, one each, so that they fluctuate independently.

    Parameters
    ----------
    log_ratio : callable
        Estimated ln p(x|theta)/p(x|reference).
    simulation : Simulation
        Events that were not used in training.
    reference : array_like, shape (p,)
        Denominator.
    theta : array_like, shape (p,)
        Numerator.
    names : sequence of str
        Of the observables.
    bins : int
        With equal shares of numerator, denominator and simulated events together, so that there
        are bins where each of them has events.
    """
    place = np.asarray(theta, dtype=np.float64)
    here, there = simulation.at(place), simulation.at(reference)
    ratio = np.exp(np.asarray(log_ratio(simulation.x, place[None, :])[0], dtype=np.float64))
    first = np.arange(len(simulation)) % 2 == 0
    found = []
    for column, name in enumerate(names):
        values = simulation.x[:, column]
        edges = _edges(values, here, there, bins)
        target = _density(values[first], here[first], edges)
        estimate = _density(values[~first], (there * ratio)[~first], edges)
        found.append(_compared(name, place, edges, target, estimate))
    return tuple(found)


def _edges(values: Floats, here: Floats, there: Floats, bins: int) -> Floats:
    parts = [np.maximum(one, 0.0) for one in (here, there, np.ones(len(values)))]
    shares = np.sum([one / one.sum() for one in parts], axis=0)
    inner = Binning.equal_shares(values[:, None], shares, [bins]).edges[0][0]
    low, high = np.quantile(values, [0.005, 0.995])
    inner = np.unique(inner)
    return np.concatenate([[min(low, inner[0])], inner, [max(high, inner[-1])]])


def _density(values: Floats, weights: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """Shares by bin, those beyond the ends in the bins there, and their covariance."""
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    n = len(edges) - 1
    share = weights / weights.sum()
    mean: Floats = np.bincount(index, share, minlength=n).astype(np.float64)
    squares = np.bincount(index, share**2, minlength=n).astype(np.float64)
    mixed = np.outer(mean, squares)
    covariance = np.diag(squares) - mixed - mixed.T + np.outer(mean, mean) * squares.sum()
    return mean, covariance


def _compared(
    name: str,
    theta: Floats,
    edges: Floats,
    target: tuple[Floats, Floats],
    estimate: tuple[Floats, Floats],
) -> Reweighting:
    from scipy.special import gammaincc

    covariance = target[1] + estimate[1]
    used = np.flatnonzero(np.diag(covariance) > 0)[:-1]  # shares add up to 1: the last one follows
    away = (target[0] - estimate[0])[used]
    inverse = np.linalg.pinv(covariance[np.ix_(used, used)], hermitian=True)
    chi2, freedom = float(away @ inverse @ away), max(len(used), 1)
    width = np.maximum(np.diff(edges), 1e-300)
    values = [target[0], _errors(target[1]), estimate[0], _errors(estimate[1])]
    lists = [tuple((one / width).tolist()) for one in values]
    return Reweighting(
        observable=name,
        theta=tuple(float(one) for one in theta),
        edges=tuple(edges.tolist()),
        target=lists[0],
        target_uncertainty=lists[1],
        reweighted=lists[2],
        reweighted_uncertainty=lists[3],
        chi2=chi2,
        degrees_of_freedom=freedom,
        p_value=float(gammaincc(freedom / 2.0, chi2 / 2.0)),
    )


def _errors(covariance: Floats) -> Floats:
    return np.sqrt(np.maximum(np.diag(covariance), 0.0))


def reliability(
    log_ratio: LogRatio, simulation: Simulation, reference: Any, theta: Any, *, bins: int = 12
) -> Reliability:
    """Compare the probabilities that a ratio states with how often they are right.

    The ratio r between two samples of equal size states the probability r/(1 + r) that an event
    is of the numerator.

    Parameters
    ----------
    log_ratio, simulation, reference, theta
        As for `reweighting`.
    bins : int
        With equal shares of the events.
    """
    place = np.asarray(theta, dtype=np.float64)
    up, down = simulation.probabilities(place), simulation.probabilities(reference)
    logs = np.asarray(log_ratio(simulation.x, place[None, :])[0], dtype=np.float64)
    stated = 1.0 / (1.0 + np.exp(-logs))
    both = 0.5 * (up + down)
    index = Binning.equal_shares(stated[:, None], both, [bins]).index(stated[:, None])
    share, right = np.bincount(index, both, bins), np.bincount(index, 0.5 * up, bins)
    total = np.where(share > 0, share, 1.0)
    found = right / total
    change = 0.5 * up - found[index] * both
    error = np.sqrt(np.bincount(index, change**2, bins)) / total
    mean = np.bincount(index, both * stated, bins) / total
    used = share > 0
    lists = [tuple(one[used].tolist()) for one in (mean, found, error, share)]
    return Reliability(tuple(float(one) for one in place), *lists)


def calibration(
    log_ratio: LogRatio,
    simulation: Simulation,
    reference: Any,
    points: Any,
    *,
    method: str = "isotonic",
) -> CalibrationTables:
    """Learn, at each point, which ratio of densities an estimated ratio stands for.

    The estimated ratio is an observable like any other, and the ratio of its own densities under
    numerator and denominator is the best that can be made of it (K. Cranmer, J. Pavez,
    G. Louppe, arXiv:1506.02169).

    Parameters
    ----------
    log_ratio : callable
        Estimated ln p(x|theta)/p(x|reference).
    simulation : Simulation
        Events that were not used in training, nor will be in the check of the result.
    reference : array_like, shape (p,)
        Denominator.
    points : array_like, shape (m, p)
        Where: the result can be evaluated there only.
    method : {"isotonic", "histogram"}
        A curve that increases, or the contents of bins with equal shares.

    Raises
    ------
    InputError
        The method is unknown.
    """
    if method not in METHODS:
        raise InputError(f"a calibration is one of {', '.join(METHODS)}; {method!r} is none.")
    places = np.atleast_2d(np.asarray(points, dtype=np.float64))
    down = simulation.probabilities(reference)
    before, after = [], []
    for theta in places:
        logs = np.asarray(log_ratio(simulation.x, theta[None, :])[0], dtype=np.float64)
        curve = _isotonic if method == "isotonic" else _histogram
        knots, values = curve(logs, simulation.probabilities(theta), down)
        before.append(knots)
        after.append(values)
    return CalibrationTables(method, places, tuple(before), tuple(after), len(simulation))


def _histogram(logs: Floats, up: Floats, down: Floats) -> tuple[Floats, Floats]:
    """Log ratio of the densities in bins, at the mean of each."""
    both = 0.5 * (up + down)
    bins = min(BINS, max(len(logs) // 20, 2))
    index = Binning.equal_shares(logs[:, None], both, [bins]).index(logs[:, None])
    share, numerator, denominator = (np.bincount(index, one, bins) for one in (both, up, down))
    used = (numerator > 0) & (denominator > 0)
    knots = np.bincount(index, both * logs, bins)[used] / share[used]
    return knots, np.log(numerator[used] / denominator[used])


def _isotonic(logs: Floats, up: Floats, down: Floats) -> tuple[Floats, Floats]:
    """Increasing curve of the probability that an event is of the numerator."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(logs)
    both = 0.5 * (up + down)[order]
    kept = both > 0
    sorted_logs, both, right = logs[order][kept], both[kept], 0.5 * up[order][kept]
    found = isotonic_regression(right / both, weights=both)
    blocks = np.repeat(np.arange(len(found.blocks) - 1), np.diff(found.blocks))
    weight = np.bincount(blocks, both)
    knots = np.bincount(blocks, both * sorted_logs) / weight
    probability = np.bincount(blocks, right) / weight
    used = (probability > 0) & (probability < 1)
    return knots[used], np.log(probability[used] / (1.0 - probability[used]))


@dataclass(frozen=True)
class Calibrated:
    """An estimated log ratio after calibration, at the points of its tables."""

    log_ratio: LogRatio
    tables: CalibrationTables

    def __call__(self, x: Floats, theta: Floats) -> Floats:
        """Corrected log ratio, shape (m, n).

        Raises
        ------
        InputError
            A point is not among those of the calibration.
        """
        raw = np.asarray(self.log_ratio(x, theta), dtype=np.float64)
        return np.stack([
            np.interp(row, self.tables.estimated[at], self.tables.corrected[at])
            for row, at in zip(raw, map(self._at, theta), strict=True)
        ])  # fmt: skip

    def _at(self, theta: Floats) -> int:
        distance = np.abs(self.tables.points - theta).max(axis=1)
        nearest = int(distance.argmin())
        if distance[nearest] > SAME:
            point = ", ".join(f"{one:g}" for one in theta)
            raise InputError(
                f"there is no calibration at ({point}). Make one with this point, or evaluate at "
                "the points that were calibrated."
            )
        return nearest
