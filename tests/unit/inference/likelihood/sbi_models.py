"""Models whose ratios, scores, information and regions are known in closed form."""

from dataclasses import dataclass

import numpy as np

from hepflow.inference.likelihood import Simulation
from hepflow.inference.records import Parameter

PARAMETERS = (
    Parameter("a", -1.0, 1.0, unit="1/TeV$^2$", label="$C_a$"),
    Parameter("b", -0.8, 0.8, unit="1/TeV$^2$", label="$C_b$"),
)


@dataclass(frozen=True)
class Gaussian:
    """Events x ~ N(theta, covariance): regions of n events are ellipses, exactly."""

    covariance: np.ndarray

    def log_ratio(self, x, theta):
        """ln p(x|theta)/p(x|0), shape (m, n)."""
        inverse = np.linalg.inv(self.covariance)
        return (
            theta @ inverse @ x.T - 0.5 * np.einsum("mi,ij,mj->m", theta, inverse, theta)[:, None]
        )

    def draw(self, theta):
        """Function that draws events."""
        return lambda rng, n: rng.multivariate_normal(theta, self.covariance, n)


GAUSSIAN = Gaussian(np.array([[4.0, 1.0], [1.0, 2.0]]))


class Squared:
    """d sigma = sigma0 (1 + theta . x)^2 d^2x/4 on the square |x_i| < 1.

    Moments: sigma = sigma0 (1 + |theta|^2 / 3); at 0 the score is 2 x and E[t t^T] = 4/3.
    The basis of the morphing is 1, a, b, a^2, ab, b^2.
    """

    sigma0 = 2.0  # [pb]

    def coefficients(self, theta):
        a, b = np.moveaxis(np.asarray(theta, dtype=float), -1, 0)
        return np.stack([np.ones_like(a), a, b, a * a, a * b, b * b], axis=-1)

    def gradient(self, theta):
        a, b = np.moveaxis(np.asarray(theta, dtype=float), -1, 0)
        one, zero = np.ones_like(a), np.zeros_like(a)
        by_a = [zero, one, zero, 2 * a, b, zero]
        by_b = [zero, zero, one, zero, a, 2 * b]
        return np.stack([np.stack(by_a, axis=-1), np.stack(by_b, axis=-1)], axis=-1)

    def cross_section(self, theta):
        return self.sigma0 * (1.0 + (np.asarray(theta) ** 2).sum(axis=-1) / 3.0)

    def log_ratio(self, x, theta):
        """Of normalised densities, to theta = 0."""
        size = np.maximum((1.0 + theta @ x.T) ** 2, 1e-30)
        return np.log(size) - np.log(1.0 + (theta**2).sum(axis=1) / 3.0)[:, None]

    def score(self, x):
        """At theta = 0."""
        return 2.0 * x

    def simulation(self, n, seed=1):
        return self._weighted(np.random.default_rng(seed).uniform(-1.0, 1.0, (n, 2)))

    def lattice(self, n):
        """n x n events at even distances: without fluctuations."""
        line = (np.arange(n) + 0.5) / n * 2 - 1
        return self._weighted(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2))

    def _weighted(self, x):
        n, (u, v) = len(x), x.T
        terms = np.stack([np.ones(n), 2 * u, 2 * v, u * u, 2 * u * v, v * v], axis=1)
        weights = terms * self.sigma0 / n
        return Simulation(PARAMETERS, x, weights, self.coefficients, self.gradient)

    def draw(self, theta):
        """Function that draws events, by rejection."""
        top = (1.0 + np.abs(theta).sum()) ** 2

        def events(rng, n):
            found = np.empty((0, 2))
            while len(found) < n:
                x = rng.uniform(-1.0, 1.0, (4 * n + 10, 2))
                kept = rng.random(len(x)) * top < (1.0 + x @ np.asarray(theta)) ** 2
                found = np.concatenate([found, x[kept]])
            return found[:n]

        return events


SQUARED = Squared()
