"""A normalising flow for densities p(x|theta). Needs jax and equinox: import it inside functions.

Masked autoregressive layers (arXiv:1705.07057): each takes from every input the mean, and
divides by the width, that a network predicts from the inputs before it and theta. The last
density is a mixture of Gaussians for each input, given those before it and theta.
"""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hepflow.inference.methods.networks import ACTIVATION, Dense, drop, with_gradient
from hepflow.inference.methods.settings import TrainingSettings

_LARGEST = 3.0  # of the logarithm of a width, so that no step blows up
_LOG_2PI = float(np.log(2 * np.pi))


def _masks(n_x: int, n_theta: int, hidden: tuple[int, ...], n_each: int) -> list[np.ndarray]:
    """Which weights there are, so that the outputs for input i depend on inputs before i only."""
    degree = np.concatenate([np.arange(1, n_x + 1), np.zeros(n_theta, int)])
    masks = []
    for units in hidden:
        following = np.arange(units) % n_x
        masks.append((degree[:, None] <= following[None, :]).astype(np.float32))
        degree = following
    outputs = np.repeat(np.arange(1, n_x + 1), n_each)
    masks.append((degree[:, None] < outputs[None, :]).astype(np.float32))
    return masks


class Autoregressive(eqx.Module):
    """A masked network: `n_each` outputs for each input, of the inputs before it and theta."""

    layers: tuple[Dense, ...]
    n_each: int = eqx.field(static=True)
    n_x: int = eqx.field(static=True)
    activation: str = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    def __init__(
        self,
        rng: np.random.Generator,
        n_x: int,
        n_theta: int,
        n_each: int,
        settings: TrainingSettings,
    ) -> None:
        sizes = (n_x + n_theta, *settings.hidden, n_x * n_each)
        last = len(sizes) - 2
        self.layers = tuple(
            Dense(rng, n_in, n_out, size=0.1 if number == last else 1.0)
            for number, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
        )
        self.n_each, self.n_x = n_each, n_x
        self.activation, self.dropout = settings.activation, settings.dropout

    def __call__(self, x: Array, theta: Array, key: Array | None) -> Array:
        """Outputs of shape (n, n_x, n_each)."""
        hidden = tuple(layer.weight.shape[1] for layer in self.layers[:-1])
        masks = _masks(self.n_x, theta.shape[1], hidden, self.n_each)
        value = jnp.concatenate([x, theta], axis=1)
        for number, (layer, mask) in enumerate(zip(self.layers, masks, strict=True)):
            value = value @ (layer.weight * mask) + layer.bias
            if number < len(hidden):
                value = ACTIVATION[self.activation](value)
                inner = None if key is None else jax.random.fold_in(key, number)
                value = drop(value, self.dropout, inner)
        return value.reshape(len(x), self.n_x, self.n_each)


class Flow(eqx.Module):
    """log p(x|theta) of scaled observables and scaled parameters."""

    steps: tuple[Autoregressive, ...]
    base: Autoregressive
    start: Array  # where the Gaussians begin, so that they differ

    def __init__(
        self, rng: np.random.Generator, n_x: int, n_theta: int, settings: TrainingSettings
    ) -> None:
        self.steps = tuple(
            Autoregressive(rng, n_x, n_theta, 2, settings) for _ in range(settings.flows)
        )
        self.base = Autoregressive(rng, n_x, n_theta, 3 * settings.mixture, settings)
        self.start = jnp.linspace(-1.0, 1.0, settings.mixture, dtype=jnp.float32)

    def log_density(self, x: Array, theta: Array, key: Array | None = None) -> Array:
        """Log densities of shape (n,)."""
        stretch = jnp.zeros(len(x), x.dtype)
        for number, step in enumerate(self.steps):
            out = step(x, theta, None if key is None else jax.random.fold_in(key, number))
            log_width = _LARGEST * jnp.tanh(out[..., 1] / _LARGEST)
            x = (x - out[..., 0]) * jnp.exp(-log_width)
            stretch = stretch - log_width.sum(axis=1)
            x = x[:, ::-1]  # each input comes first in every other layer
        inner = None if key is None else jax.random.fold_in(key, len(self.steps))
        share, centre, log_width = jnp.split(self.base(x, theta, inner), 3, axis=-1)
        log_width = _LARGEST * jnp.tanh(log_width / _LARGEST)
        pull = (x[..., None] - centre - self.start) * jnp.exp(-log_width)
        each = jax.nn.log_softmax(share) - log_width - 0.5 * (pull**2 + _LOG_2PI)
        return stretch + jax.scipy.special.logsumexp(each, axis=-1).sum(axis=1)

    def estimate(
        self, x: Array, theta: Array, key: Array | None, *, with_score: bool
    ) -> tuple[Array, Array | None]:
        """The log density and its gradient in theta."""
        return with_gradient(lambda at: self.log_density(x, at, key), theta, with_score=with_score)
