"""The normal distribution, without scipy, which takes longer to import than a limit to find."""

from __future__ import annotations

import math
from statistics import NormalDist

_TAIL = -10.0  # below it the asymptotic series is exact to 1e-16
_TERMS = 12
_quantile = NormalDist().inv_cdf


def log_cdf(x: float) -> float:
    """Logarithm of the cumulative distribution, exact in the tails."""
    if x > _TAIL:
        return math.log(cdf(x)) if x < 1 else math.log1p(-cdf(-x))
    term, total = 1.0, 1.0
    for k in range(1, _TERMS):
        term *= -(2 * k - 1) / x**2
        total += term
    return -x * x / 2 - math.log(-x * math.sqrt(2 * math.pi)) + math.log(total)


def cdf(x: float) -> float:
    """Cumulative distribution."""
    return math.erfc(-x / math.sqrt(2)) / 2


def quantile(probability: float) -> float:
    """Inverse of `cdf`, for probabilities between zero and one."""
    return _quantile(probability)
