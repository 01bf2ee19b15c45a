"""How far estimates are from the truth, where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.inference.records import Floats
from hepflow.inference.sampling import log_of_ratio

if TYPE_CHECKING:
    from hepflow.inference.workflow.ground import Ground

_EVENTS: Final = 20_000  # test events
_POINTS: Final = 40  # parameter points of the log ratio
_SHOWN: Final = 3000  # events of a figure
_WIDTH: Final = 0.4  # of half the range: standard deviation of these points


def _tested(ground: Ground) -> tuple[Floats, Floats]:
    """Test events and their shares at the reference."""
    x = ground.pool.x[:_EVENTS]
    share = ground.pool.at(ground.reference)[:_EVENTS]
    return x, share / share.sum()


def ratio_accuracy(log_ratio: Callable[[Floats, Floats], Floats], ground: Ground) -> dict[str, Any]:
    """Mean squared error of the log ratio over its variance, at points around the reference.

    Parameters
    ----------
    log_ratio
        Estimated ln p(x|theta)/p(x|reference), (n, d), (m, p) -> (m, n).
    ground
        With the process whose likelihood is known.

    Returns
    -------
    dict
        ``log_ratio``: the error over the variance; ``points``, ``events``: over how many.
    """
    x, share = _tested(ground)
    rng = np.random.default_rng([ground.spec.seed, 40])
    width = np.array([_WIDTH * (one.high - one.low) / 2 for one in ground.parameters])
    reference = np.asarray(ground.reference)
    theta = reference + width * rng.standard_normal((_POINTS, len(width)))
    truth = ground.process.log_ratio(x, theta, reference)
    return {
        "log_ratio": _relative(log_ratio(x, theta), truth, np.broadcast_to(share, truth.shape)),
        "points": _POINTS,
        "events": len(x),
    }


def score_accuracy(score: Floats, ground: Ground) -> dict[str, Any]:
    """Mean squared error of each component of the score over its variance.

    Parameters
    ----------
    score
        Estimated at the reference, of all test events, shape (n, n_parameters).
    ground
        With the process whose likelihood is known.
    """
    x, share = _tested(ground)
    truth = ground.process.score(x, np.asarray(ground.reference))
    names = [one.name for one in ground.parameters]
    errors = {
        name: _relative(score[: len(x), i], truth[:, i], share) for i, name in enumerate(names)
    }
    return {"score": errors, "events": len(x)}


def comparisons(estimate: Any, kind: str, ground: Ground) -> list[dict[str, Any]]:
    """Estimates of test events, scores or log ratios, beside what is known of them, for figures.

    Known are the values of the observables where the likelihood is exact; else the joint ones,
    with hidden variables, around which even a perfect estimate scatters.
    """
    x, share = _tested(ground)
    rng = np.random.default_rng([ground.spec.seed, 41])
    rows = rng.choice(
        len(x), min(_SHOWN, len(x)), p=np.maximum(share, 0) / np.maximum(share, 0).sum()
    )
    against = "true" if ground.process else "joint"
    p = len(ground.parameters)
    if kind == "score":
        known = _known_score(ground)[rows]
        found = estimate(x[rows])
        return [
            _comparison(f"score in {one.name}", against, known[:, i], found[:, i])
            for i, one in enumerate(ground.parameters)
        ]
    width = np.array([_WIDTH * (one.high - one.low) / 2 for one in ground.parameters])
    theta = np.asarray(ground.reference).copy()
    theta[:p] += width
    known = _known_ratio(ground, theta)[rows]
    return [_comparison("ln r", against, known, estimate(x[rows], theta[None])[0])]


def _comparison(quantity: str, against: str, known: Floats, found: Floats) -> dict[str, Any]:
    lists = {"known": known.tolist(), "estimated": np.asarray(found, dtype=float).tolist()}
    return {"quantity": quantity, "against": against, **lists}


def _known_score(ground: Ground) -> Floats:
    """Score of the first test events: exact, or joint."""
    if ground.process:
        found = ground.process.score(ground.pool.x[:_EVENTS], np.asarray(ground.reference))
        return np.asarray(found, dtype=np.float64)
    weights, slopes = ground.pool.at(ground.reference), ground.pool.derivative(ground.reference)
    rate = slopes.sum(axis=0) / weights.sum()
    ratio = np.divide(
        slopes, weights[:, None], out=np.zeros_like(slopes), where=weights[:, None] > 0
    )
    return np.asarray((ratio - rate)[:_EVENTS], dtype=np.float64)


def _known_ratio(ground: Ground, theta: Floats) -> Floats:
    """Log ratio of the first test events: exact, or joint."""
    if ground.process:
        found = ground.process.log_ratio(ground.pool.x[:_EVENTS], theta[None], ground.reference)
        return np.asarray(found[0], dtype=np.float64)
    above, below = ground.pool.at(theta), ground.pool.at(ground.reference)
    logs = log_of_ratio(above / above.sum(), below / below.sum())
    return np.asarray(logs[:_EVENTS], dtype=np.float64)


def _relative(estimate: Floats, truth: Floats, share: Floats) -> float:
    """Mean squared error over variance."""
    weights = share / share.sum()
    mean = float((weights * truth).sum())
    variance = float((weights * (truth - mean) ** 2).sum())
    return float((weights * (estimate - truth) ** 2).sum()) / variance
