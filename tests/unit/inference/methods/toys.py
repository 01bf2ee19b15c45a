"""Gaussian problems whose ratio, score and density are known in closed form."""

from __future__ import annotations

import numpy as np

from hepflow.inference.records import Floats, RatioSample, ScoreSample

SMEARING = 0.7  # x = z + this times a standard normal number; z ~ N(theta, 1) for each parameter
VARIANCE = 1 + SMEARING**2
PRIOR = 0.7  # width of the numerators


def score_sample(n: int, seed: int) -> ScoreSample:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    return ScoreSample(z + SMEARING * rng.normal(size=(n, 2)), np.zeros(2), z)


def shifted_score_sample(n: int, seed: int) -> ScoreSample:
    """Drawn with z around 0.8 in both, and the weights that make up for it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.8, 1.0, size=(n, 2))
    weight = np.exp(-0.5 * (z**2 - (z - 0.8) ** 2).sum(axis=1))
    x = z + SMEARING * rng.normal(size=(n, 2))
    return ScoreSample(x, np.zeros(2), z, weight=weight)


def ratio_sample(n: int, seed: int) -> RatioSample:
    rng = np.random.default_rng(seed)
    theta = PRIOR * rng.normal(size=(n, 2))
    label = (np.arange(n) % 2).astype(float)
    z = np.where(label[:, None] == 0, theta, 0.0) + rng.normal(size=(n, 2))
    x = z + SMEARING * rng.normal(size=(n, 2))
    log_ratio = (z * theta - 0.5 * theta**2).sum(axis=1)
    return RatioSample(x, theta, np.zeros(2), label, log_ratio, z - theta)


def points(n: int = 15) -> Floats:
    return np.random.default_rng(8).normal(0.0, PRIOR, (n, 2))


def events(n: int = 2000) -> Floats:
    return np.random.default_rng(9).normal(0.0, np.sqrt(VARIANCE), (n, 2))


def log_ratio(x: Floats, theta: Floats) -> Floats:
    ratio: Floats = (theta @ x.T - 0.5 * (theta**2).sum(axis=1)[:, None]) / VARIANCE
    return ratio


def score(x: Floats, theta: Floats) -> Floats:
    gradient: Floats = (x - theta) / VARIANCE
    return gradient


def log_density(x: Floats, theta: Floats) -> Floats:
    square = ((x[None] - theta[:, None]) ** 2).sum(axis=2)
    density: Floats = -0.5 * square / VARIANCE - np.log(2 * np.pi * VARIANCE)
    return density


def relative_error(found: Floats, true: Floats) -> float:
    """Mean squared error over the variance of the truth."""
    return float(np.mean((found - true) ** 2) / np.var(true))


# A squared amplitude |1 + theta b(u)|^2 of two unobserved signs z: x is u, p(u) = 1 on [0, 1],
# b = z (1 + u): sigma(theta) and the marginal ratio are polynomials in theta.
SHARE = 0.8  # of the positive sign


def quadratic_density(u: Floats, theta: Floats) -> Floats:
    """Marginal dsigma/du over that at 0, shape (m, n)."""
    b = 1 + u[None, :]
    t = theta[:, :1]
    return SHARE * (1 + t * b) ** 2 + (1 - SHARE) * (1 - t * b) ** 2


def quadratic_rate(theta: Floats) -> Floats:
    """sigma(theta) / sigma(0), shape (m,): the integral of the former over u."""
    t = theta[:, 0]
    return 1 + 2 * (2 * SHARE - 1) * t * 1.5 + t**2 * 7 / 3


def quadratic_sample(n: int, seed: int) -> RatioSample:
    """Events by rejection; numerators are uniform in [-0.4, 0.4]."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-0.4, 0.4, size=n)
    label = (np.arange(n) % 2).astype(float)
    at = np.where(label == 0, theta, 0.0)
    u, z = np.empty(n), np.empty(n)
    open_ = np.arange(n)
    while len(open_):
        trial = rng.uniform(size=len(open_))
        sign = np.where(rng.uniform(size=len(open_)) < SHARE, 1.0, -1.0)
        value = (1 + at[open_] * sign * (1 + trial)) ** 2
        kept = rng.uniform(0, 3.3, size=len(open_)) < value
        u[open_[kept]], z[open_[kept]] = trial[kept], sign[kept]
        open_ = open_[~kept]
    b = z * (1 + u)
    rate = quadratic_rate(theta[:, None])
    slope = 2 * (2 * SHARE - 1) * 1.5 + 2 * theta * 7 / 3
    log_ratio_ = np.log((1 + theta * b) ** 2 / rate)
    score_ = 2 * b / (1 + theta * b) - slope / rate
    return RatioSample(u[:, None], theta[:, None], np.zeros(1), label, log_ratio_, score_[:, None])
