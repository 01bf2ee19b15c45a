"""The training itself: an epoch is one compiled function. Needs jax: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from hepflow.errors import InputError
from hepflow.inference.methods.flows import Flow
from hepflow.inference.methods.losses import Loss, event_losses
from hepflow.inference.methods.networks import (
    Layers,
    MorphingNetwork,
    RatioNetwork,
    ScoreNetwork,
)
from hepflow.inference.methods.polynomials import Polynomial
from hepflow.inference.methods.settings import Structure, TrainingSettings

Network = ScoreNetwork | RatioNetwork | MorphingNetwork | Flow
Rows = dict[str, Array]

_CHUNK: Final = 2048  # validation events at a time: what fits the processor's cache
_OPTIMIZERS: Final[dict[str, Callable[[], Any]]] = {
    "adam": optax.scale_by_adam,
    "amsgrad": optax.scale_by_amsgrad,
    "sgd": lambda: optax.trace(decay=0.9),
}


class State(NamedTuple):
    """All that a step changes; what a checkpoint holds."""

    network: Any  # weights, as they are trained
    optimizer: Any
    average: Any  # running mean of the weights
    step: Array  # number of steps done


def build_network(
    loss: Loss,
    sizes: tuple[int, int],
    settings: TrainingSettings,
    structure: Structure,
    rng: np.random.Generator,
) -> Network:
    """Network of a method with random weights.

    Parameters
    ----------
    loss : Loss
    sizes : tuple of int
        Number of inputs (of observables) and of parameters.

    Raises
    ------
    InputError
        A network with the polynomial where it cannot be had.
    """
    n_x, n_theta = sizes
    _check_network(loss, settings, structure)
    if loss.kind == "density":
        return Flow(rng, n_x, n_theta, settings)

    def layers(n_in: int, n_out: int) -> Layers:
        return Layers(rng, (n_in, *settings.hidden, n_out), settings.activation, settings.dropout)

    if loss.kind == "score":
        return ScoreNetwork(layers(n_x, n_theta))
    if settings.network == "mlp" or not structure.powers:
        return RatioNetwork(layers(n_x + n_theta, 1))
    polynomial = Polynomial.of(structure.powers, n_theta)
    n_out = polynomial.n_coefficients
    total = jnp.full(n_out, 0.1, jnp.float32)
    return MorphingNetwork(layers(n_x, n_out), jnp.zeros(n_x, jnp.float32), total, polynomial)


def _check_network(loss: Loss, settings: TrainingSettings, structure: Structure) -> None:
    if settings.network != "morphing":
        return
    lacking = ""
    if loss.kind != "ratio":
        lacking = "only ratio methods have one with theta. Set it to 'auto'."
    elif not structure.powers:
        lacking = "the powers of the components are not known. Hand in a Structure with them."
    if lacking:
        raise InputError(f"{loss.title}: network is 'morphing', but {lacking}")


def _rate(settings: TrainingSettings, n_steps: int) -> Any:
    first, last = settings.learning_rate, settings.final_learning_rate
    steps = max(n_steps - 1, 1)
    schedules: dict[str, Callable[[], Any]] = {
        "constant": lambda: optax.constant_schedule(first),
        "linear": lambda: optax.linear_schedule(first, last, steps),
        "exponential": lambda: optax.exponential_decay(first, steps, last / first),
        "cosine": lambda: optax.cosine_decay_schedule(first, steps, alpha=last / first),
    }
    return schedules[settings.schedule]()


def build_optimizer(settings: TrainingSettings, n_steps: int) -> Any:
    """Optimiser with clipping, weight decay and schedule, each where it is set."""
    clip = [optax.clip_by_global_norm(settings.clip)] if settings.clip else []
    decay = [optax.add_decayed_weights(settings.weight_decay)] if settings.weight_decay else []
    return optax.chain(
        *clip,
        _OPTIMIZERS[settings.optimizer](),
        *decay,
        optax.scale_by_learning_rate(_rate(settings, n_steps)),
    )


@dataclass(frozen=True)
class Loop:
    """Compiled functions of one training."""

    start: State
    epoch: Callable[[State, Rows, Array, Array], tuple[State, Array]]  # losses of the steps
    validate: Callable[[Any, Rows], Array]  # loss of each event
    n_batches: int
    n_used: int  # events of an epoch: whole batches


def build_loop(loss: Loss, settings: TrainingSettings, network: Network, n_events: int) -> Loop:
    """Make the functions that train a network on so many events."""
    weights, static = eqx.partition(network, eqx.is_inexact_array)
    n_batches = n_events // settings.batch_size
    optimizer = build_optimizer(settings, settings.epochs * n_batches)

    def losses(weights: Any, rows: Rows, key: Array | None) -> Array:
        model = eqx.combine(weights, static)
        estimate, score = model.estimate(rows["x"], rows["theta"], key, with_score=loss.with_score)
        each: Array = event_losses(loss, estimate, score, rows, settings.alpha)
        return each

    def step(state: State, item: tuple[Rows, Array]) -> tuple[State, Array]:
        rows, key = item
        dropping = key if settings.dropout else None
        value, slope = jax.value_and_grad(lambda w: losses(w, rows, dropping).mean())(state.network)
        change, inner = optimizer.update(slope, state.optimizer, state.network)
        new = optax.apply_updates(state.network, change)
        # A short memory at first, so that the random start is forgotten.
        number = state.step.astype(jnp.float32)
        memory = jnp.minimum(jnp.float32(settings.averaging), (1.0 + number) / (10.0 + number))
        mean = jax.tree.map(lambda a, b: memory * a + (1.0 - memory) * b, state.average, new)
        average = mean if settings.averaging else new
        return State(new, inner, average, state.step + 1), value

    @jax.jit
    def epoch(state: State, rows: Rows, order: Array, key: Array) -> tuple[State, Array]:
        shape = (n_batches, settings.batch_size)
        shuffled = {name: c[order].reshape(*shape, *c.shape[1:]) for name, c in rows.items()}
        keys = jax.random.split(key, n_batches)
        return jax.lax.scan(step, state, (shuffled, keys))

    @jax.jit
    def validate(average: Any, rows: Rows) -> Array:
        chunks = {n: _chunked(c) for n, c in rows.items()}
        n_rows = len(rows["label"])
        each = jax.lax.map(lambda chunk: losses(average, chunk, None), chunks)
        whole: Array = each.reshape(-1)[:n_rows]
        return whole

    start = State(weights, optimizer.init(weights), weights, jnp.zeros((), jnp.int32))
    return Loop(start, epoch, validate, n_batches, n_batches * settings.batch_size)


def _chunked(column: Array) -> Array:
    size = min(_CHUNK, len(column))
    lacking = -len(column) % size
    whole = jnp.concatenate([column, column[:1].repeat(lacking, axis=0)])
    return whole.reshape(-1, size, *column.shape[1:])
