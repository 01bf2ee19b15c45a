"""How large a joint score typically is at given observables.

In effective theories scores grow with energy. The few events with the largest and noisiest ones
would decide a mean squared error alone. Measured in units of their typical size g(x), all events
count alike; whatever g, the mean of |t - t^|^2 / g(x)^2 is smallest for t^(x) = E[t|x].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hepflow.inference.records import Floats

_SMALL: Final = 0.1  # scores below this fraction of the median one count alike
_RIDGE: Final = 1e-4  # keeps the solution finite where inputs depend on each other


@dataclass(frozen=True)
class LocalSize:
    """log g^2 as a linear function of inputs: a power law in observables with a long tail.

    Nothing more flexible: it would follow zeros of the score, near which nothing is to be learned,
    and leave the range of the training events in its own way.
    """

    coefficients: Floats  # shape (1 + n_observables,), the constant first
    low: float  # range of log g^2 in training
    high: float

    def __call__(self, standard: Floats) -> Floats:
        """Sizes of scores of events, shape (n,), from the standard part of a scaling."""
        log_square = self.coefficients[0] + standard @ self.coefficients[1:]
        size: Floats = np.exp(0.5 * np.clip(log_square, self.low, self.high))
        return size


def same_size(n_observables: int) -> LocalSize:
    """The size 1 everywhere."""
    return LocalSize(np.zeros(1 + n_observables), 0.0, 0.0)


def fit_local_size(standard: Floats, score: Floats) -> LocalSize:
    """Fit the logarithm of the mean square of the components by least squares.

    Parameters
    ----------
    standard : array, shape (n, n_observables)
        Standard part of a feature scaling.
    score : array, shape (n, n_parameters)
        Joint scores, each in units of its own root mean square.
    """
    features = np.concatenate([np.ones((len(standard), 1)), standard], axis=1)
    square = np.mean(score**2, axis=1)
    target = np.log(square + _SMALL**2 * np.median(square) + np.finfo(float).tiny)
    metric = features.T @ features + _RIDGE * len(features) * np.eye(features.shape[1])
    coefficients = np.linalg.solve(metric, features.T @ target)
    found = features @ coefficients
    return LocalSize(coefficients, float(found.min()), float(found.max()))
