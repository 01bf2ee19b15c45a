"""How far estimates are from the exact marginal truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def relative_error(found: Floats, true: Floats) -> Floats:
    """Mean squared error over the variance of the truth; 1 is as good as guessing the mean.

    Parameters
    ----------
    found, true
        Shape (n, ...); the mean is over the first axis.
    """
    squared: Floats = np.mean((found - true) ** 2, axis=0) / np.var(true, axis=0)
    return squared


def information_ratio(scores: Floats, weights: Floats, information: Floats) -> Floats:
    """Eigenvalues of the exact Fisher information's inverse times the estimated one, rising.

    Parameters
    ----------
    scores
        Estimated, of events, shape (n, p).
    weights
        Probabilities of the events at the point of the information, shape (n,); the sum is 1.
    information
        Exact, of one event, shape (p, p).
    """
    estimated = (scores * weights[:, None]).T @ scores
    half = np.linalg.inv(np.linalg.cholesky(information))
    return np.asarray(np.linalg.eigvalsh(half @ estimated @ half.T), dtype=float)


def judge(arrays: Path, test: Path) -> dict[str, float]:
    """Compare the arrays that a process left with the truth; what they allow to say.

    Parameters
    ----------
    arrays
        ``score`` and ``many`` (scores of the weighted events); of ratio methods also ``log_ratio``
        and ``closure`` (log ratios of the weighted events).
    test
        As `benchmarks.sbi.truth.prepare` writes it.
    """
    with np.load(arrays) as found, np.load(test) as true:
        errors = relative_error(found["score"], true["score"])
        ratio = information_ratio(found["many"], true["many_weights"], true["information"])
        said = {
            "error of the score, C_LL": float(errors[0]),
            "error of the score, C_RR": float(errors[1]),
            "information, smaller eigenvalue": float(ratio[0]),
            "information, larger eigenvalue": float(ratio[-1]),
        }
        if "log_ratio" in found:
            error = relative_error(np.ravel(found["log_ratio"]), np.ravel(true["log_ratio"]))
            said["error of the log ratio"] = float(error)
            # less the exact ratio, whose mean is 1 but for the finite number of events
            excess = np.exp(found["closure"]) - true["closure_ratio"]
            said["mean ratio, distance from 1"] = float(np.abs(excess @ true["many_weights"]).max())
        return said
