"""Epochs, early stopping, and going on from a checkpoint. Needs jax: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.inference.methods.checkpoints import Checkpoints, fit_leaves, leaves_to_arrays
from hepflow.inference.methods.history import History, Progress
from hepflow.inference.methods.loops import Loop, Rows, State, build_loop, build_network
from hepflow.inference.methods.losses import Loss
from hepflow.inference.methods.preparing import Prepared
from hepflow.inference.methods.settings import Structure, TrainingSettings


@dataclass
class _Run:
    """What changes from epoch to epoch."""

    state: State
    kept: Any  # weights that are the result if no better ones come
    lowest: NDArray[np.float32]  # validation losses of the events in the epoch with the lowest mean
    best_epoch: int = 0  # whose weights are kept, from 1; 0 before the first
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.training)

    def is_over(self, settings: TrainingSettings) -> bool:
        waited = self.epoch - self.best_epoch
        return self.epoch >= settings.epochs or 0 < settings.patience <= waited

    def judge(self, losses: NDArray[np.float32]) -> None:
        """Keep the weights of this epoch unless they are worse, beyond chance, than the best.

        Epochs are compared event by event: the loss of an event differs little between them,
        so that their difference is known much better than their means. Of epochs that cannot
        be told apart the last is kept, which has the smallest learning rate.
        """
        excess = (losses - self.lowest).astype(float)
        error = excess.std() / np.sqrt(len(excess))
        first = not self.validation
        self.validation.append(float(losses.mean(dtype=float)))
        if first or excess.mean() < error:
            self.kept, self.best_epoch = self.state.average, self.epoch
        if first or excess.mean() < 0:
            self.lowest = losses

    def history(self, settings: TrainingSettings) -> History:
        early = self.epoch < settings.epochs
        return History(tuple(self.training), tuple(self.validation), self.best_epoch, early)


@dataclass(frozen=True)
class Plan:
    """What is trained, and how."""

    loss: Loss
    settings: TrainingSettings
    structure: Structure
    seed: int


def run_training(
    plan: Plan,
    prepared: Prepared,
    checkpoints: Checkpoints | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[Any, History]:
    """Train until the last epoch or until the validation loss rises.

    Returns
    -------
    tuple
        The network with the weights that were kept, and the history; see `_Run.judge`.

    Raises
    ------
    FitError
        A loss that is not finite.
    """
    loss, settings = plan.loss, plan.settings
    sizes = (prepared.training["x"].shape[1], prepared.n_parameters)
    rng = np.random.default_rng([plan.seed, 0])
    network = build_network(loss, sizes, settings, plan.structure, rng)
    loop = build_loop(loss, settings, network, len(prepared.training["x"]))
    rows = {name: jnp.asarray(column) for name, column in prepared.training.items()}
    judging = {name: jnp.asarray(column) for name, column in prepared.validation.items()}
    run = _resume(checkpoints, loop, judging) or _new_run(loop, judging)
    while not run.is_over(settings):
        _one_epoch(run, loop, (rows, judging), plan)
        every = settings.checkpoint_every
        if checkpoints is not None and every and run.epoch % every == 0:
            _write(checkpoints, run)
        if progress is not None:
            last = run.training[-1], run.validation[-1]
            progress(Progress(loss.name, plan.seed, run.epoch, settings.epochs, *last))
    static = eqx.filter(network, eqx.is_inexact_array, inverse=True)
    return eqx.combine(run.kept, static), run.history(settings)


def _one_epoch(run: _Run, loop: Loop, rows: tuple[Rows, Rows], plan: Plan) -> None:
    training, judging = rows
    epoch, title = run.epoch + 1, plan.loss.title
    # Numbers of their own for each epoch: a training that is continued draws the same.
    rng = np.random.default_rng([plan.seed, 2, epoch])
    order = rng.permutation(len(training["label"]))[: loop.n_used].astype(np.int32)
    key = jax.random.PRNGKey(int(rng.integers(2**31)))
    run.state, losses = loop.epoch(run.state, training, jnp.asarray(order), key)
    steps = np.asarray(losses, dtype=float)
    for step in np.flatnonzero(~np.isfinite(steps)):
        raise FitError(
            f"{title}: the training loss is {steps[step]} in epoch {epoch}, step "
            f"{step + 1} of {loop.n_batches}. Lower learning_rate or alpha, set clip, or look for "
            "events with extreme weights."
        )
    judged = np.asarray(loop.validate(run.state.average, judging))
    for row in np.flatnonzero(~np.isfinite(judged)):
        raise FitError(
            f"{title}: the loss of validation event {row} is {judged[row]} after epoch {epoch}. "
            "Lower learning_rate, or look for validation events with extreme weights."
        )
    run.training.append(float(steps.mean()))
    run.judge(judged)


def _new_run(loop: Loop, judging: Rows) -> _Run:
    return _Run(loop.start, loop.start.average, np.zeros(len(judging["label"]), np.float32))


def _resume(checkpoints: Checkpoints | None, loop: Loop, judging: Rows) -> _Run | None:
    found = None if checkpoints is None else checkpoints.read()
    if checkpoints is None or found is None:
        return None
    record, arrays = found
    new = _new_run(loop, judging)
    leaves, tree = jax.tree.flatten((new.state, new.kept, new.lowest))
    fitted = fit_leaves(arrays, leaves, checkpoints.folder)
    state, kept, lowest = jax.tree.unflatten(tree, [jnp.asarray(leaf) for leaf in fitted])
    best, training, validation = (record[name] for name in ("best", "training", "validation"))
    return _Run(state, kept, np.asarray(lowest), best, list(training), list(validation))


def _write(checkpoints: Checkpoints, run: _Run) -> None:
    record = {
        "epoch": run.epoch,
        "best": run.best_epoch,
        "training": run.training,
        "validation": run.validation,
    }
    leaves = jax.tree.leaves((run.state, run.kept, run.lowest))
    checkpoints.write(record, leaves_to_arrays(leaves))
