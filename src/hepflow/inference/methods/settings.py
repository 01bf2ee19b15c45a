"""How an estimator is trained, and what it may know of the physics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hepflow.errors import ConfigurationError, Problem, did_you_mean

ACTIVATIONS: Final = ("silu", "tanh", "relu", "gelu", "softplus")
SCALINGS: Final = ("mixed", "quantile", "standard", "none")
SCHEDULES: Final = ("cosine", "exponential", "linear", "constant")
OPTIMIZERS: Final = ("adam", "amsgrad", "sgd")
SCORE_UNITS: Final = ("local", "global")
NETWORKS: Final = ("auto", "mlp", "morphing")

_CHOICES: Final = {
    "activation": ACTIVATIONS,
    "scaling": SCALINGS,
    "schedule": SCHEDULES,
    "optimizer": OPTIMIZERS,
    "network": NETWORKS,
    "score_unit": SCORE_UNITS,
}
# Name: lowest and highest value, and whether the lowest itself is allowed.
_RANGES: Final = {
    "epochs": (1, math.inf, True),
    "batch_size": (1, math.inf, True),
    "learning_rate": (0.0, math.inf, False),
    "final_learning_rate": (0.0, math.inf, False),
    "weight_decay": (0.0, math.inf, True),
    "clip": (0.0, math.inf, True),
    "averaging": (0.0, 1.0, True),
    "dropout": (0.0, 1.0, True),
    "alpha": (0.0, math.inf, True),
    "patience": (0, math.inf, True),
    "validation_fraction": (0.0, 1.0, False),
    "flows": (1, math.inf, True),
    "mixture": (1, math.inf, True),
    "checkpoint_every": (0, math.inf, True),
}


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Network and training of an estimator.

    Raises
    ------
    ConfigurationError
        Values out of range or unknown names; all of them are told at once.
    """

    hidden: tuple[int, ...] = (100, 100)  # units of the hidden layers
    activation: str = "gelu"  # of ACTIVATIONS
    network: str = "auto"  # of NETWORKS; ratio methods: "auto" is "morphing" if powers are known
    scaling: str = "standard"  # of SCALINGS, of the observables; see scaling.py
    dropout: float = 0.0  # probability that a hidden unit is left out in a step
    epochs: int = 20  # at most
    batch_size: int = 500  # events in a step
    optimizer: str = "adam"  # of OPTIMIZERS, with decoupled weight decay (so this is AdamW)
    learning_rate: float = 3e-3  # of the first step
    final_learning_rate: float = 1e-5  # of the last; not of schedule "constant"
    schedule: str = "cosine"  # of SCHEDULES, between the two
    weight_decay: float = 0.03  # times learning rate times weight is taken off in each step
    clip: float = 0.0  # largest norm of the gradient; 0: any
    averaging: float = 0.9995  # memory of the running mean of the weights, for a step; 0: none
    alpha: float = 0.1  # weight of the score in the loss, for parameters in units of their spread
    score_unit: str = "local"  # of SCORE_UNITS; score methods only. "local": errors count in units
    # of the score's typical size at the event's observables, see sizes.py
    patience: int = 10  # epochs in a row, worse on validation, before it stops; 0: it never does
    validation_fraction: float = 0.1  # of the sample, where no validation sample is given
    flows: int = 3  # autoregressive layers; density methods only
    mixture: int = 4  # Gaussians of the innermost density; density methods only
    checkpoint_every: int = 1  # epochs; 0: no checkpoints

    def __post_init__(self) -> None:
        problems = [*self._wrong_names(), *self._wrong_numbers(), *self._wrong_layers()]
        if problems:
            raise ConfigurationError(problems)

    def _wrong_names(self) -> list[Problem]:
        return [
            Problem(name, f"{getattr(self, name)!r} is unknown", did_you_mean(str(given), valid))
            for name, valid in _CHOICES.items()
            if (given := getattr(self, name)) not in valid
        ]

    def _wrong_numbers(self) -> list[Problem]:
        problems = []
        for name, (low, high, closed) in _RANGES.items():
            value = getattr(self, name)
            if not (low <= value < high and (closed or value > low)):
                relation = "at least" if closed else "above"
                bound = "" if high == math.inf else f" and below {high:g}"
                problems.append(Problem(name, f"{value!r} is not {relation} {low:g}{bound}"))
        return problems

    def _wrong_layers(self) -> list[Problem]:
        if self.hidden and all(units >= 1 for units in self.hidden):
            return []
        return [Problem("hidden", f"{self.hidden!r} has no layer, or one without units.")]


@dataclass(frozen=True, slots=True)
class Structure:
    """What a network may know: names for messages, and how weights depend on the parameters."""

    observables: tuple[str, ...] = ()  # names of the columns of x
    parameters: tuple[str, ...] = ()
    # Powers of the parameters in each component of the squared amplitude, as of `Morphing`,
    # shape (n_components, n_parameters); empty: unknown. Further columns of theta and of the
    # score are nuisance parameters, with an exponential response of second order.
    powers: tuple[tuple[int, ...], ...] = ()

    def observable(self, column: int) -> str:
        """Name of a column of x."""
        return _named(self.observables, column, "observable")

    def parameter(self, column: int) -> str:
        """Name of a parameter."""
        return _named(self.parameters, column, "parameter")


def _named(names: tuple[str, ...], column: int, kind: str) -> str:
    return f"{kind} {names[column]!r}" if column < len(names) else f"{kind} number {column + 1}"
