"""Networks for scores and ratios. Needs jax and equinox: import it inside functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hepflow.inference.methods.polynomials import Polynomial

_LARGEST: Final = 6.0  # of the logarithm of a power law
ACTIVATION: Final[dict[str, Callable[[Any], Any]]] = {
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "softplus": jax.nn.softplus,
}


class Dense(eqx.Module):
    """One layer: x @ weight + bias."""

    weight: Array
    bias: Array

    def __init__(self, rng: np.random.Generator, n_in: int, n_out: int, size: float = 1.0) -> None:
        bound = size * np.sqrt(3.0 / max(n_in, 1))  # variance 1 / n_in
        self.weight = jnp.asarray(rng.uniform(-bound, bound, (n_in, n_out)), jnp.float32)
        self.bias = jnp.zeros(n_out, jnp.float32)

    def __call__(self, x: Array) -> Array:
        """Apply to a batch of shape (n, n_in)."""
        return x @ self.weight + self.bias


class Layers(eqx.Module):
    """Fully connected layers with an activation between them, and dropout in training."""

    layers: tuple[Dense, ...]
    activation: str = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    def __init__(
        self, rng: np.random.Generator, sizes: tuple[int, ...], activation: str, dropout: float
    ) -> None:
        last = len(sizes) - 2
        self.layers = tuple(
            # A small last layer: the first predictions are near zero.
            Dense(rng, n_in, n_out, size=0.1 if number == last else 1.0)
            for number, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
        )
        self.activation, self.dropout = activation, dropout

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Apply to a batch; with a key, units are left out at random."""
        for number, layer in enumerate(self.layers[:-1]):
            x = ACTIVATION[self.activation](layer(x))
            x = drop(x, self.dropout, None if key is None else jax.random.fold_in(key, number))
        return self.layers[-1](x)


def drop(x: Array, probability: float, key: Array | None) -> Array:
    """Set entries to zero at random and enlarge the others, so that the mean stays."""
    if key is None or probability == 0.0:
        return x
    kept = jax.random.bernoulli(key, 1.0 - probability, x.shape)
    return jnp.where(kept, x / (1.0 - probability), 0.0)


class ScoreNetwork(eqx.Module):
    """The score at the reference as a function of the observables."""

    layers: Layers

    def summary(self, x: Array, key: Array | None = None) -> Array:
        """Scores of shape (n, n_parameters)."""
        return self.layers(x, key)

    def estimate(
        self, x: Array, theta: Array, key: Array | None, *, with_score: bool
    ) -> tuple[Array, Array | None]:
        """Nothing (zeros) for the ratio, and the score."""
        del theta
        return jnp.zeros(len(x), x.dtype), self.summary(x, key) if with_score else None


class RatioNetwork(eqx.Module):
    """log r(x, theta) of any form: a network of observables and parameters together."""

    layers: Layers

    def log_ratio(self, x: Array, theta: Array, key: Array | None = None) -> Array:
        """Log ratios of shape (n,)."""
        return self.layers(jnp.concatenate([x, theta], axis=1), key)[:, 0]

    def estimate(
        self, x: Array, theta: Array, key: Array | None, *, with_score: bool
    ) -> tuple[Array, Array | None]:
        """The log ratio and its gradient in theta."""
        return with_gradient(lambda at: self.log_ratio(x, at, key), theta, with_score=with_score)


class MorphingNetwork(eqx.Module):
    """log r(x, theta) with the known polynomial in theta; see `Polynomial`.

    The network depends on the observables alone and gives the coefficients of the polynomial,
    so it runs once an event whatever the number of parameter points.
    """

    layers: Layers
    tilt: Array  # of a power law that the coefficients follow on the whole, shape (n_inputs,)
    total: Array  # coefficients of sigma(theta) / sigma(reference), shape (n_coefficients,)
    polynomial: Polynomial = eqx.field(static=True)

    def coefficients(self, x: Array, key: Array | None = None) -> Array:
        """Coefficients of shape (n, n_coefficients)."""
        gain = jnp.exp(jnp.clip(x @ self.tilt, -_LARGEST, _LARGEST))
        return self.layers(x, key) * gain[:, None] ** self.polynomial.degrees

    def log_ratio(self, x: Array, theta: Array, key: Array | None = None) -> Array:
        """Log ratios of shape (n,)."""
        return self._from_coefficients(self.coefficients(x, key), theta)

    def _from_coefficients(self, coefficients: Array, theta: Array) -> Array:
        ratio: Array = self.polynomial.log_value(coefficients, theta, jnp)
        total: Array = self.polynomial.log_value(self.total, theta, jnp)
        return ratio - total

    def estimate(
        self, x: Array, theta: Array, key: Array | None, *, with_score: bool
    ) -> tuple[Array, Array | None]:
        """The log ratio and its gradient in theta."""
        found = self.coefficients(x, key)
        return with_gradient(
            lambda at: self._from_coefficients(found, at), theta, with_score=with_score
        )


def with_gradient(
    function: Callable[[Array], Array], theta: Array, *, with_score: bool
) -> tuple[Array, Array | None]:
    """Values of a function of theta, shape (n,), and their gradients, shape (n, n_parameters).

    Each value depends on its own row of theta only.
    """
    if not with_score:
        return function(theta), None
    value, backward = jax.vjp(function, theta)
    return value, backward(jnp.ones_like(value))[0]
