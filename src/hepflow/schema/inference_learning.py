"""Parts of the section ``inference`` about training samples, methods and their networks."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Bounds, Name, Number, Whole

MethodName = Literal[
    "sally", "sallino", "alice", "alices", "carl", "rolr", "rascal", "cascal", "nde", "scandal"
]
Activation = Literal["silu", "tanh", "relu", "gelu", "softplus"]
Network = Literal["auto", "mlp", "morphing"]
Scaling = Literal["mixed", "quantile", "standard", "none"]
Optimizer = Literal["adam", "amsgrad", "sgd"]
Schedule = Literal["cosine", "exponential", "linear", "constant"]
Hidden = Annotated[list[Annotated[Whole, Field(ge=1, le=10_000)]], Field(min_length=1)]
Point = dict[Name, Number]
_SAME: Final = "As in training, for this method"


class Prior(Section):
    """Distribution of one parameter in training samples."""

    kind: Literal["normal", "uniform"] = Field("normal", description="Gaussian, or flat")
    mean: Number | None = Field(
        None, description="Of a Gaussian, in the unit of the parameter; default the reference"
    )
    width: Number | None = Field(
        None, gt=0, description="Standard deviation; default two fifths of half the range"
    )
    range: Bounds | None = Field(None, description="Of a flat one; default that of the parameter")


class Sampling(Section):
    """How events become training samples."""

    train: Number = Field(0.6, gt=0, lt=1, description="Fraction of the events for training")
    validation: Number = Field(
        0.2, gt=0, lt=1, description="Fraction for early stopping; the rest is for tests"
    )
    events: Whole = Field(100_000, ge=100, description="Events of a training sample")
    reference: Point = Field(
        default_factory=dict,
        description="Parameter point of scores and of the denominator of ratios; 0 where left out",
    )
    numerators: Literal["prior", "benchmarks", "grid"] = Field(
        "prior", description="Where the numerators of ratios come from"
    )
    points: Whole | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Different numerators of a prior (default one for each pair of events), or of "
        "a grid (default 1000)",
    )
    prior: dict[Name, Prior] = Field(
        default_factory=dict, description="By parameter; default Gaussian around the reference"
    )
    min_effective: Number = Field(
        1000.0, ge=1, description="Effective events of a draw below which there is a warning"
    )


class Training(Section):
    """Networks and their training; each method may have its own values."""

    hidden: Hidden = Field(
        default_factory=lambda: [100, 100], description="Units of the hidden layers"
    )
    activation: Activation = Field("silu", description="Of the hidden layers")
    network: Network = Field(
        "auto",
        description="Of ratios: any function of the parameters (mlp), or the polynomial "
        "that the theory has (morphing); auto is the latter where the powers are known",
    )
    scaling: Scaling = Field(
        "mixed", description="Of the observables before the network: ranks, mean and width, or both"
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Probability that a hidden unit is left out in a step"
    )
    epochs: Whole = Field(20, ge=1, le=100_000, description="Passes over the sample at most")
    batch_size: Whole = Field(500, ge=1, description="Events of a step")
    optimizer: Optimizer = Field("adam", description="Of the steps, with decoupled weight decay")
    learning_rate: Number = Field(3e-3, gt=0, description="Of the first step")
    final_learning_rate: Number = Field(
        1e-5, gt=0, description="Of the last step; not of the schedule constant"
    )
    schedule: Schedule = Field("cosine", description="Between the two")
    weight_decay: Number = Field(
        0.0, ge=0, description="Times learning rate times weight is taken off in each step"
    )
    clip: Number = Field(0.0, ge=0, description="Largest norm of the gradient; 0 for any")
    averaging: Number = Field(
        0.999,
        ge=0,
        lt=1,
        description="Memory of the running mean of the weights, for a step; 0 for none",
    )
    alpha: Number = Field(
        1.0,
        ge=0,
        description="Weight of the score in the loss, parameters in units of their spread",
    )
    patience: Whole = Field(
        10, ge=0, description="Epochs without a better validation loss before it stops; 0: never"
    )
    flows: Whole = Field(3, ge=1, le=100, description="Autoregressive layers of a density")
    mixture: Whole = Field(4, ge=1, le=1000, description="Gaussians of the innermost density")
    checkpoint_every: Whole = Field(1, ge=0, description="Epochs between checkpoints; 0 for none")
    ensemble: Whole = Field(1, ge=1, le=100, description="Networks with different seeds")


class Method(Section):
    """One way to learn the likelihood; what is left out is as in ``inference.training``."""

    method: MethodName = Field(description="Of arXiv 1805.00013, 1805.00020 and 1808.00973")
    name: Name | None = Field(None, description="Unique name; default that of the method")
    hidden: Hidden | None = Field(None, description=_SAME)
    activation: Activation | None = Field(None, description=_SAME)
    network: Network | None = Field(None, description=_SAME)
    scaling: Scaling | None = Field(None, description=_SAME)
    dropout: Number | None = Field(None, ge=0, lt=1, description=_SAME)
    epochs: Whole | None = Field(None, ge=1, le=100_000, description=_SAME)
    batch_size: Whole | None = Field(None, ge=1, description=_SAME)
    optimizer: Optimizer | None = Field(None, description=_SAME)
    learning_rate: Number | None = Field(None, gt=0, description=_SAME)
    final_learning_rate: Number | None = Field(None, gt=0, description=_SAME)
    schedule: Schedule | None = Field(None, description=_SAME)
    weight_decay: Number | None = Field(None, ge=0, description=_SAME)
    clip: Number | None = Field(None, ge=0, description=_SAME)
    averaging: Number | None = Field(None, ge=0, lt=1, description=_SAME)
    alpha: Number | None = Field(None, ge=0, description=_SAME)
    patience: Whole | None = Field(None, ge=0, description=_SAME)
    flows: Whole | None = Field(None, ge=1, le=100, description=_SAME)
    mixture: Whole | None = Field(None, ge=1, le=1000, description=_SAME)
    checkpoint_every: Whole | None = Field(None, ge=0, description=_SAME)
    ensemble: Whole | None = Field(None, ge=1, le=100, description=_SAME)


def default_methods() -> list[Method]:
    """Two of the ratio and one of the score."""
    return [Method(method="sally"), Method(method="alice"), Method(method="alices")]
