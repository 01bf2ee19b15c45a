"""What a training tells: after each epoch, and in the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is, after an epoch."""

    method: str
    seed: int
    epoch: int  # from 1
    epochs: int
    training_loss: float
    validation_loss: float


@dataclass(frozen=True, slots=True)
class History:
    """How a training went, epoch by epoch."""

    training: tuple[float, ...] = ()  # mean loss of the steps of an epoch
    validation: tuple[float, ...] = ()  # mean loss of the validation events after it
    best_epoch: int = 0  # the one whose weights were kept, from 1
    stopped_early: bool = False
