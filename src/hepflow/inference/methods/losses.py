"""The one table of methods: what each is trained to minimise, and where that comes from.

Notation: an event has observables x and latent variables z. Numerator theta, denominator
theta_1; label y = 0 for events drawn from the numerator, 1 from the denominator. Joint ratio
r = p(x,z|theta) / p(x,z|theta_1) and joint score t = d log p(x,z|theta) / d theta are known from
the simulation; r^ and t^ = d log r^ / d theta are the network's, functions of x (and theta) alone.
s = 1 / (1 + r), s^ = 1 / (1 + r^). The minimum of each loss is the ratio (score, density) of x
alone, with z integrated over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hepflow.errors import ConfigurationError, Problem, did_you_mean

Array = Any  # jax.Array; jax is imported where it is used

_MAX_LOG = 10.0  # beyond it the squared ratio of ROLR and RASCAL would swamp all other events


@dataclass(frozen=True, slots=True)
class Loss:
    """A method: what it is called, what it learns, from which numbers."""

    name: str
    title: str
    formula: str  # of one event; the loss is the mean over the events
    paper: str  # arXiv number
    kind: str  # "score", "ratio" or "density": what the network gives
    with_score: bool  # whether the joint score enters
    event: Callable[[Array, dict[str, Array]], Array]  # (estimate, batch) -> (n,), without score


def _no_term(estimate: Array, batch: dict[str, Array]) -> Array:
    del batch
    return 0.0 * estimate


def _cross_entropy(log_ratio: Array, target: Array) -> Array:
    import jax

    # -target log s^ - (1 - target) log(1 - s^) with s^ = sigmoid(-log r^)
    return jax.nn.softplus(log_ratio) - (1.0 - target) * log_ratio


def _carl(log_ratio: Array, batch: dict[str, Array]) -> Array:
    return _cross_entropy(log_ratio, batch["label"])


def _alice(log_ratio: Array, batch: dict[str, Array]) -> Array:
    import jax

    return _cross_entropy(log_ratio, jax.nn.sigmoid(-batch["log_ratio"]))


def _rolr(log_ratio: Array, batch: dict[str, Array]) -> Array:
    import jax.numpy as jnp

    sign = 2.0 * batch["label"] - 1.0  # r where x is from the denominator, else 1/r
    both = jnp.stack([log_ratio, batch["log_ratio"]])
    found, true = jnp.exp(jnp.clip(sign * both, -_MAX_LOG, _MAX_LOG))
    return (found - true) ** 2


def _density(log_density: Array, batch: dict[str, Array]) -> Array:
    del batch
    return -log_density


_SCORE = "|t - t^|^2"
_ROLR = "y |r - r^|^2 + (1 - y) |1/r - 1/r^|^2"
_CARL = "-y log s^ - (1 - y) log(1 - s^)"
_ALICE = "-s log s^ - (1 - s) log(1 - s^)"
_PLUS = f" + alpha (1 - y) {_SCORE}"

LOSSES: Final[dict[str, Loss]] = {
    loss.name: loss
    for loss in (
        Loss("sally", "SALLY", _SCORE, "1805.00013", "score", True, _no_term),
        # The same network; its projection on theta - theta_1 is histogrammed, see summaries.py.
        Loss("sallino", "SALLINO", _SCORE, "1805.00013", "score", True, _no_term),
        Loss("carl", "CARL", _CARL, "1506.02169", "ratio", False, _carl),
        Loss("rolr", "ROLR", _ROLR, "1805.00013", "ratio", False, _rolr),
        Loss("alice", "ALICE", _ALICE, "1808.00973", "ratio", False, _alice),
        Loss("cascal", "CASCAL", _CARL + _PLUS, "1805.00013", "ratio", True, _carl),
        Loss("rascal", "RASCAL", _ROLR + _PLUS, "1805.00013", "ratio", True, _rolr),
        Loss("alices", "ALICES", _ALICE + _PLUS, "1808.00973", "ratio", True, _alice),
        Loss("nde", "NDE", "-log p^(x|theta)", "1805.00020", "density", False, _density),
        Loss(
            "scandal",
            "SCANDAL",
            f"-log p^(x|theta) + alpha {_SCORE}",
            "1805.00020",
            "density",
            True,
            _density,
        ),
    )
}


def loss_of(method: str) -> Loss:
    """The row of the table for a method, in upper or lower case.

    Raises
    ------
    ConfigurationError
        No such method.
    """
    if method.lower() not in LOSSES:
        hint = did_you_mean(method.lower(), LOSSES)
        raise ConfigurationError([Problem("method", f"{method!r} is not a method", hint)])
    return LOSSES[method.lower()]


def event_losses(
    loss: Loss, estimate: Array, score: Array | None, batch: dict[str, Array], alpha: float
) -> Array:
    """Loss of each event, shape (n,).

    Parameters
    ----------
    loss : Loss
    estimate : array, shape (n,)
        log r^ or log p^; of a score method anything of this shape.
    score : array, shape (n, n_parameters), optional
        t^, for methods with the score.
    batch : dict of arrays
        ``label``, ``log_ratio`` and ``weight`` (of score methods) of shape (n,), ``score`` of
        shape (n, n_parameters).
    alpha : float
        Weight of the term with the score; score methods have that term only.
    """
    value = loss.event(estimate, batch)
    if not loss.with_score or score is None:
        return value
    # The mean over the parameters, so that alpha means the same for any number of them.
    difference = ((batch["score"] - score) ** 2).mean(axis=-1)
    if loss.kind == "score":
        return batch["weight"] * difference
    # z of an event from the denominator is not drawn given theta: its t does not average to t(x).
    return value + alpha * (1.0 - batch["label"]) * difference
