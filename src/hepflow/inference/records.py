"""What flows between the parts: parameters, benchmarks, events with weights, training samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the theory."""

    name: str
    low: float  # range of interest, in the unit of the parameter
    high: float
    max_power: int = 2  # largest power in the squared amplitude
    lha_block: str = ""  # where generators have it
    lha_id: int = 0
    unit: str = ""  # for axes, such as "1/TeV$^2$"
    label: str = ""  # for axes (TeX between dollars); default the name


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A parameter point at which events have weights."""

    name: str
    values: tuple[float, ...]  # in the order of the parameters


@dataclass(frozen=True, slots=True)
class Nuisance:
    """A nuisance parameter with events' weights at its variations."""

    name: str
    up: str  # names of the weight columns, at +1 and -1 standard deviation
    down: str = ""  # empty: mirrored
    kind: str = "scale"  # "scale", "pdf", "normalisation"


@dataclass(frozen=True, slots=True)
class NuisanceGroup:
    """Nuisance parameters that come from a group of a generator's weights."""

    name: str  # of the parameter; of several, their names begin with it
    kind: str  # "scale", "pdf"
    group: str  # "mu", "mur" or "muf" of scales, or the group of weights of a PDF set


@dataclass(frozen=True)
class EventTable:
    """Events as features and weights; of a generator, an event file or a skim.

    The weights of a benchmark, summed over all events, are its cross-section after cuts [pb],
    whatever the benchmarks that the events were drawn from.
    """

    parameters: tuple[Parameter, ...]
    benchmarks: tuple[Benchmark, ...]
    observables: tuple[str, ...]
    x: Floats  # shape (n_events, n_observables)
    weights: Floats  # shape (n_events, n_benchmarks) [pb]
    sampled_from: Ints  # shape (n_events,); index of a benchmark, -1 where it is none
    nuisances: tuple[Nuisance, ...] = ()
    nuisance_weights: Mapping[str, Floats] = field(default_factory=dict)  # by name, (n_events,)
    provenance: Mapping[str, Any] = field(default_factory=dict)  # generator, PDF, seeds, detector

    def __post_init__(self) -> None:
        n_events = len(self.x)
        wanted = {
            "x": (n_events, len(self.observables)),
            "weights": (n_events, len(self.benchmarks)),
            "sampled_from": (n_events,),
        }
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"{name} has shape {found}; expected {shape}")

    def __len__(self) -> int:
        return len(self.x)

    def select(self, rows: Ints | NDArray[np.bool_]) -> EventTable:
        """The same with some of the events only."""
        return EventTable(
            self.parameters,
            self.benchmarks,
            self.observables,
            self.x[rows],
            self.weights[rows],
            self.sampled_from[rows],
            self.nuisances,
            {name: one[rows] for name, one in self.nuisance_weights.items()},
            self.provenance,
        )


@dataclass(frozen=True)
class ScoreSample:
    """Events at one parameter point with their joint scores, for SALLY and its kin."""

    x: Floats  # shape (n, n_observables), drawn from p(x|theta)
    theta: Floats  # shape (n_parameters,)
    score: Floats  # joint score d log p(x, z|theta) / d theta, shape (n, n_parameters)
    effective: float = 0.0  # effective number of events that the draws are from
    # Of events that are drawn from elsewhere instead of p(x|theta): p(x, z|theta) over the density
    # that they are drawn from, up to a common factor, shape (n,).
    weight: Floats | None = None


@dataclass(frozen=True)
class RatioSample:
    """Events of numerator and denominator, for the methods that estimate a ratio."""

    x: Floats  # shape (n, n_observables)
    theta: Floats  # numerator, shape (n, n_parameters)
    reference: Floats  # denominator theta_1, shape (n_parameters,)
    label: Floats  # 0: x drawn from the numerator, 1: from the denominator; shape (n,)
    log_ratio: Floats  # joint log p(x, z|theta) / p(x, z|theta_1), shape (n,)
    score: Floats  # joint score at the numerator, shape (n, n_parameters)
    effective: float = 0.0  # smallest effective number of events of the draws
