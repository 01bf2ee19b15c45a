"""What training depends on: samples, methods and their settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.methods.losses import loss_of
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.weighted import weighted_score_sample
from hepflow.inference.morphing import Morphing
from hepflow.inference.priors import Normal, Product, ThetaSource, Uniform, benchmark_points, grid
from hepflow.inference.records import EventTable, Parameter, RatioSample, ScoreSample
from hepflow.inference.sampling import Partitions, ratio_sample, split
from hepflow.schema.inference import Inference
from hepflow.schema.inference_learning import Method, Prior

_SHARE: Final = 0.4  # of half the range: width of a Gaussian prior
_FEWEST: Final = 20  # events of a part
_GRID: Final = 1000  # points of a grid of numerators


@dataclass(frozen=True, slots=True)
class Trainee:
    """A method with its settings."""

    name: str  # unique
    method: str
    settings: TrainingSettings
    members: int  # networks with different seeds


@dataclass(frozen=True, slots=True)
class Draws:
    """How training samples are drawn."""

    fractions: tuple[float, float, float]  # training, validation, test
    events: int  # of a training sample
    reference: tuple[float, ...]
    numerators: str  # "prior", "benchmarks", "grid"
    ranges: tuple[tuple[float, float], ...]  # of the parameters, which a grid covers
    points: int | None  # different numerators
    priors: tuple[ThetaSource, ...]  # one a parameter
    min_effective: float  # events of a draw below which there is a warning
    seed: int

    def source(self, table: EventTable) -> ThetaSource:
        """Where numerators come from."""
        if self.numerators == "benchmarks":
            return benchmark_points(table.benchmarks)
        if self.numerators == "grid":
            each = max(2, round((self.points or _GRID) ** (1 / len(table.parameters))))
            return grid([np.linspace(low, high, each) for low, high in self.ranges])
        return Product(self.priors)


def trainees_of(own: Inference) -> tuple[Trainee, ...]:
    """All methods, each with its own settings where it has some."""
    return tuple(_trainee(one, own) for one in own.methods)


def _trainee(one: Method, own: Inference) -> Trainee:
    names = [field.name for field in dataclasses.fields(TrainingSettings)]
    given = {
        name: one[name] if one[name] is not None else own.training[name]
        for name in names
        if name in own.training
    }
    settings = TrainingSettings(**{**given, "hidden": tuple(given["hidden"])})
    members = one.ensemble if one.ensemble is not None else own.training.ensemble
    return Trainee(one.name or one.method, one.method, settings, members)


def draws_of(own: Inference, parameters: tuple[Parameter, ...]) -> Draws:
    """How samples are drawn, for these parameters.

    Raises
    ------
    InputError
        A point or a prior is about a parameter that is not there.
    """
    sampling = own.sampling
    known = [one.name for one in parameters]
    for name in (*sampling.reference, *sampling.prior):
        if name not in known:
            raise InputError(
                f"inference.sampling is about {name!r}, but the events have the parameters "
                f"{', '.join(known)}."
            )
    reference = tuple(sampling.reference.get(one.name, 0.0) for one in parameters)
    return Draws(
        (sampling.train, sampling.validation, 1.0 - sampling.train - sampling.validation),
        sampling.events,
        reference,
        sampling.numerators,
        tuple((one.low, one.high) for one in parameters),
        sampling.points,
        tuple(
            _prior(one, sampling.prior.get(one.name) or Prior(), at)
            for one, at in zip(parameters, reference, strict=True)
        ),
        sampling.min_effective,
        own.seed,
    )


def _prior(parameter: Parameter, prior: Prior, reference: float) -> ThetaSource:
    if prior.kind == "uniform":
        low, high = prior.range or (parameter.low, parameter.high)
        return Uniform((low,), (high,))
    mean = prior.mean if prior.mean is not None else reference
    width = prior.width or _SHARE * (parameter.high - parameter.low) / 2
    return Normal((mean,), (width,))


def partitions_of(table: EventTable, draws: Draws) -> Partitions:
    """Training, validation and test events.

    Raises
    ------
    InputError
        There are too few of them.
    """
    fewest = len(table) * min(draws.fractions)
    if fewest < _FEWEST:
        raise InputError(
            f"{len(table)} events are too few: of training, validation and test one gets "
            f"{fewest:.0f}, and each needs {_FEWEST}. Generate more (inference.events), or loosen "
            "the cuts."
        )
    return split(table, draws.fractions, draws.seed)


Sample = ScoreSample | RatioSample


@dataclass(frozen=True)
class Samples:
    """Training and validation samples of one kind of method."""

    train: Sample
    validation: Sample


def samples_of(kind: str, parts: Partitions, morphing: Morphing, draws: Draws) -> Samples:
    """Draw the samples that methods of a kind are trained with.

    Parameters
    ----------
    kind
        Of the methods: ``"score"``, ``"ratio"`` or ``"density"``.
    parts
        Events for training and validation.
    morphing
        Between the benchmarks.
    draws
        How samples are drawn.
    """
    share = draws.fractions[1] / draws.fractions[0]
    numbers = (draws.events, max(100, round(share * draws.events)))
    tables = (parts.train, parts.validation)
    drawn = []
    for index, (table, number) in enumerate(zip(tables, numbers, strict=True)):
        # the same whatever other methods there are
        rng = np.random.default_rng([draws.seed, _STREAMS[_sampled(kind)], index])
        drawn.append(_draw(kind, table, morphing, draws, number, rng))
    return Samples(*drawn)


_STREAMS: Final = {"score": 1, "ratio": 2}


def _sampled(kind: str) -> str:
    """Densities take the numerators of a ratio's sample."""
    return "score" if kind == "score" else "ratio"


def _draw(
    kind: str,
    table: EventTable,
    morphing: Morphing,
    draws: Draws,
    number: int,
    rng: np.random.Generator,
) -> Sample:
    if kind == "score":
        return weighted_score_sample(
            table, morphing, draws.reference, number, rng, min_effective=draws.min_effective
        )
    even = number + number % 2
    source = draws.source(table)
    distinct = draws.points if draws.numerators == "prior" else None
    return ratio_sample(
        table,
        morphing,
        source,
        draws.reference,
        even,
        rng,
        distinct=distinct,
        min_effective=draws.min_effective,
    )


def structure_of(table: EventTable, morphing: Morphing) -> Structure:
    """What networks may know: the names, and how weights depend on the parameters."""
    names = [one.name for one in table.parameters] + [one.name for one in table.nuisances]
    powers = tuple(tuple(one) for one in morphing.components.tolist())
    return Structure(table.observables, tuple(names), powers)


def kind_of(trainee: Trainee) -> str:
    """Kind of the samples that a method wants."""
    return _sampled(loss_of(trainee.method).kind)
