"""Estimated ratios that mean what they say at any point, by simulated events."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood.model import BLOCK, LogRatio
from hepflow.inference.likelihood.simulation import NEGATIVE, Simulation
from hepflow.inference.records import Floats

NODES: Final = 1024  # between which simulated events are shared out, so that nothing jumps
FIRST: Final = 2000  # events that say where these nodes are
KNOTS: Final = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)  # quantiles: a curve has as many parameters
STEPS: Final = 50  # of Newton's method, at most
REST: Final = 1e-10  # fall of the loss in the last step; after it there is nothing left
FLAT: Final = 1e-9  # size of a direction of the curve, of the largest, in which events say nothing
ALIKE: Final = 1e-12  # spread of log ratios that are all the same


@dataclass(frozen=True)
class Curve:
    """Natural cubic spline from an estimated log ratio to the calibrated one."""

    centre: float
    spread: float  # 0: all estimates are the same
    knots: Floats  # shape (k,), of (log ratio - centre) / spread
    coefficients: Floats  # shape (k,)
    ends: tuple[float, float] = (-np.inf, np.inf)  # of what is possible

    def __call__(self, logs: Floats) -> Floats:
        """Calibrated log ratios; linear beyond the outermost knots, as far as is possible."""
        if not self.spread:
            return np.full(np.shape(logs), self.coefficients[0])
        found = _basis((logs - self.centre) / self.spread, self.knots) @ self.coefficients
        return np.asarray(np.clip(found, *self.ends), dtype=np.float64)


@dataclass(frozen=True)
class Recalibrated:
    """An estimated log ratio, corrected at every point that it is evaluated at.

    The estimate is an observable, and the log ratio of its own densities under numerator and
    denominator is the best that can be made of it (K. Cranmer, J. Pavez, G. Louppe,
    arXiv:1506.02169). That is found by logistic regression of simulated events on a spline of the
    estimate. The curve moves smoothly with the parameters, as minimisers and contours need it;
    histograms and isotonic curves jump (see `calibration` for these).
    """

    log_ratio: LogRatio  # estimated ln p(x|theta)/p(x|reference)
    simulation: Simulation  # events that neither training nor the checks of the result use
    reference: tuple[float, ...]  # denominator
    _known: dict[bytes, Curve] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, x: Floats, theta: Floats) -> Floats:
        """Calibrated log ratio of events (n, d) at points (m, p), shape (m, n).

        Raises
        ------
        InputError
            Weights of the simulated events are no probabilities at a point.
        FitError
            The estimate is not finite, or has no best curve.
        """
        points = np.asarray(theta, dtype=np.float64)
        self._learn(points)
        raw = np.asarray(self.log_ratio(x, points), dtype=np.float64)
        rows = zip(points, raw, strict=True)
        return np.stack([self._known[one.tobytes()](row) for one, row in rows])

    def _learn(self, points: Floats) -> None:
        """Find the curves of points that have none."""
        new = np.array([one for one in points if one.tobytes() not in self._known])
        size = max(1, BLOCK // max(len(self.simulation), 1))
        for start in range(0, len(new), size):
            block = new[start : start + size]
            logs = np.asarray(self.log_ratio(self.simulation.x, block), dtype=np.float64)
            for theta, row in zip(block, logs, strict=True):
                up = _shares(self.simulation, theta)
                self._known[theta.tobytes()] = curve(row, up, self._denominator)

    @cached_property
    def _denominator(self) -> Floats:
        return _shares(self.simulation, np.asarray(self.reference))

    @property
    def effective(self) -> float:
        """Effective number of simulated events at the denominator."""
        return float(1.0 / (self._denominator**2).sum())


def curve(logs: Floats, numerator: Floats, denominator: Floats) -> Curve:
    """Fit a curve that turns an estimated log ratio into that of its densities.

    Parameters
    ----------
    logs : ndarray, shape (n,)
        Estimates of simulated events.
    numerator, denominator : ndarray, shape (n,)
        Shares of the events under both; the sum of each is 1.

    Raises
    ------
    FitError
        An estimate is not finite, or no best curve is found.
    """
    if not np.isfinite(logs).all():
        raise FitError(
            f"the estimated log ratio is not finite for {int((~np.isfinite(logs)).sum())} of "
            f"{len(logs)} validation events, so that it cannot be calibrated. Train with other "
            "seeds or settings, or narrow the ranges."
        )
    both = 0.5 * (numerator + denominator)
    centre = float((both * logs).sum())
    spread = float(np.sqrt((both * (logs - centre) ** 2).sum()))
    if spread < ALIKE:
        return Curve(centre, 0.0, np.zeros(1), np.zeros(1))
    nodes, up, down = _shared_out((logs - centre) / spread, numerator, denominator)
    below = np.cumsum(up + down) / (up + down).sum()
    knots = np.interp(KNOTS, below, nodes)
    if (np.diff(knots) <= 0).any():  # nearly all estimates are the same: a line is enough
        knots = nodes[[0, -1]]
    coefficients = np.zeros(len(knots))
    coefficients[:2] = centre, spread  # the estimate itself
    found = _regression(_basis(nodes, knots), up, down, coefficients)
    return Curve(centre, spread, knots, found, _ends(numerator, denominator))


def _ends(numerator: Floats, denominator: Floats) -> tuple[float, float]:
    """Smallest and largest log ratio that any observable of these events may have.

    That of an observable is a mean of those of the events with this value. In a tail with few
    events of the denominator the curve would go on to where there is nothing.
    """
    both = (numerator > 0) | (denominator > 0)
    with np.errstate(divide="ignore"):
        logs = np.log(numerator[both]) - np.log(denominator[both])
    return float(logs.min()), float(logs.max())


def _shared_out(values: Floats, up: Floats, down: Floats) -> tuple[Floats, Floats, Floats]:
    """Nodes, and both weights of events, shared out between the two that each is between.

    The nodes are dense where most of the events are: there may be far tails.
    """
    middle, scale = _middle(values[:FIRST], (up + down)[:FIRST])
    place = np.arcsinh((values - middle) / scale)
    low, high = place.min(), place.max()
    nodes = middle + scale * np.sinh(np.linspace(low, high, NODES))
    left = np.minimum((place - low) * ((NODES - 1) / (high - low)), NODES - 2).astype(np.int64)
    right = np.clip((values - nodes[left]) / (nodes[left + 1] - nodes[left]), 0.0, 1.0)
    found = []
    for one in (up, down):
        upper = one * right
        here = np.bincount(left, one - upper, NODES) + np.bincount(left + 1, upper, NODES)
        found.append(np.asarray(here, dtype=np.float64))
    return nodes, found[0], found[1]


def _middle(values: Floats, weights: Floats) -> tuple[float, float]:
    """Median, and range between the quartiles."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    low, middle, high = np.interp(np.array([0.25, 0.5, 0.75]) * below[-1], below, values[order])
    return float(middle), max(float(high - low), ALIKE)


def _basis(values: Floats, knots: Floats) -> Floats:
    """Natural cubic splines, linear beyond the outermost knots, shape (..., n_knots)."""
    ramps = [np.maximum(values - one, 0.0) for one in knots]
    cubes = [one * one * one for one in ramps]  # a power takes ten times as long
    last = knots[-1]
    bent = [(cube - cubes[-1]) / (last - one) for cube, one in zip(cubes, knots[:-1], strict=False)]
    return np.stack([np.ones_like(values), values, *(one - bent[-1] for one in bent[:-1])], axis=-1)


def _regression(basis: Floats, up: Floats, down: Floats, start: Floats) -> Floats:
    """Coefficients with which ``up`` and ``down`` are told apart best, by Newton's method.

    Raises
    ------
    FitError
        The steps do not come to rest.
    """
    from scipy.special import expit

    both = up + down
    # In columns that are orthogonal where the events are, all directions are equally well known.
    _, sizes, ways = np.linalg.svd(np.sqrt(both)[:, None] * basis, full_matrices=False)
    kept = sizes > FLAT * sizes[0]
    turn = ways[kept].T / sizes[kept]
    columns, found = basis @ turn, sizes[kept] * (ways[kept] @ start)

    def loss(of: Floats) -> float:
        value = columns @ of
        return float(up @ np.logaddexp(0.0, -value) + down @ np.logaddexp(0.0, value))

    best = loss(found)
    for _ in range(STEPS):
        share = expit(columns @ found)
        slope = columns.T @ (both * share - up)
        bend = (columns.T * (both * share * (1.0 - share))) @ columns
        step = -np.linalg.lstsq(bend, slope)[0]
        while (here := loss(found + step)) > best + REST:
            step = 0.5 * step
        found, best = found + step, here
        if -float(slope @ step) <= REST:
            return np.asarray(turn @ found, dtype=np.float64)
    raise FitError(
        "no curve calibrates the estimated ratio: numerator and denominator have hardly an event "
        "in common. Narrow the ranges, or set inference.evaluation.calibrate to false."
    )


def _shares(simulation: Simulation, theta: Any) -> Floats:
    """Share of each simulated event at a point.

    Raises
    ------
    InputError
        Weights are negative, or add up to nothing.
    """
    weights = simulation.at(theta)
    total = float(weights.sum())
    if not total > 0 or -weights[weights < 0].sum() > NEGATIVE * total:
        point = ", ".join(f"{one:g}" for one in np.ravel(theta))
        raise InputError(
            f"{int((weights < 0).sum())} of {len(weights)} validation events have a negative "
            f"weight at ({point}), and all add up to {total:g} pb. A calibration needs positive "
            "weights: narrow the ranges, or set inference.evaluation.calibrate to false."
        )
    weights = np.maximum(weights, 0.0)
    return np.asarray(weights / weights.sum(), dtype=np.float64)
