"""Results of simulation-based inference that a binned fit does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hepflow.records.prediction import Floats

Ends = tuple[float | None, float | None]

# What an information matrix is about, and what a reader must know of it.
INFORMATION_KINDS: dict[str, str] = {
    "full": "observed events and their number",
    "shape": "observed events without their number",
    "rate": "number of events alone",
    "histogram": "contents of a histogram",
    "latent": (
        "hidden variables of the simulation: no detector sees them, so that no analysis reaches "
        "it, and rare events with large joint scores dominate it; elements were met that are "
        "3.7 times too large"
    ),
}

METHODS = {  # names as in the literature
    "sally": "SALLY", "sallino": "SALLINO", "alice": "ALICE", "alices": "ALICES", "carl": "CARL",
    "rolr": "ROLR", "rascal": "RASCAL", "cascal": "CASCAL", "nde": "NDE", "scandal": "SCANDAL",
    "exact": "Exact", "histogram": "Histogram", "rate": "Rate only",
}  # fmt: skip


def method_label(name: str) -> str:
    """Name of a method for people.

    Examples
    --------
    >>> method_label("alices"), method_label("my_method")
    ('ALICES', 'my method')
    """
    return METHODS.get(name, name if "$" in name else name.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Region:
    """Confidence region in all parameters of a scan at once."""

    parameters: tuple[str, ...]
    units: tuple[str, ...]
    confidence_level: float  # 1 - p_value
    p_value: float  # of the points on its border
    degrees_of_freedom: int  # number of parameters that it is in
    calculator: str  # "asymptotic" or "neyman"
    rise: float | None  # of -2 ln L at its border; None where it differs from point to point
    ends: tuple[Ends, ...]  # lowest and highest value of each parameter; None: beyond the scan
    area: float  # in the product of the units; of the part within the scan
    critical: tuple[float, ...] = ()  # rise at each point of the scan, last parameter fastest

    @property
    def closed(self) -> bool:
        """Whether the scan contains all of it."""
        return all(end is not None for pair in self.ends for end in pair)

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {**asdict(self), "ends": [list(one) for one in self.ends]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Region:
        """Inverse of `to_json`."""
        lists = {name: tuple(data[name]) for name in ("parameters", "units", "critical")}
        ends = tuple((low, high) for low, high in data["ends"])
        return cls(**{**data, **lists, "ends": ends})


@dataclass(frozen=True)
class Information:
    """Fisher information, the curvature of the expected log likelihood."""

    kind: str  # a key of `INFORMATION_KINDS`
    parameters: tuple[str, ...]
    units: tuple[str, ...]
    theta: tuple[float, ...]  # values of these parameters where it holds
    luminosity: float  # [1/pb]
    matrix: Floats  # shape (n_parameters, n_parameters), in one over the product of the units
    uncertainty: Floats  # standard deviation of each element, same shape
    profiled: tuple[str, ...] = ()  # parameters that were free
    held: tuple[str, ...] = ()  # parameters that were fixed
    notes: tuple[str, ...] = ()  # what a reader must know

    @property
    def meaning(self) -> str:
        """What it is the information in, in words."""
        return INFORMATION_KINDS[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        arrays = {"matrix": self.matrix.tolist(), "uncertainty": self.uncertainty.tolist()}
        return {**asdict(self), **arrays, "meaning": self.meaning}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Information:
        """Inverse of `to_json`."""
        names = ("parameters", "units", "theta", "profiled", "held", "notes")
        return cls(
            kind=data["kind"],
            luminosity=data["luminosity"],
            matrix=np.asarray(data["matrix"], dtype=np.float64),
            uncertainty=np.asarray(data["uncertainty"], dtype=np.float64),
            **{name: tuple(data[name]) for name in names},
        )


@dataclass(frozen=True, slots=True)
class Critical:
    """Critical values of the test statistic at points of the parameters, from toys."""

    parameters: tuple[str, ...]
    points: tuple[tuple[float, ...], ...]
    confidence_level: float
    value: tuple[float, ...]  # of -2 ln L/L_max, at each point
    low: tuple[float, ...]  # the 68 % interval that the finite number of toys leaves
    high: tuple[float, ...]
    toys: int  # at each point
    seed: int
    effective: float  # smallest effective number of simulated events behind the toys; 0: fresh

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Critical:
        """Inverse of `to_json`."""
        lists = {name: tuple(data[name]) for name in ("parameters", "value", "low", "high")}
        points = tuple(tuple(point) for point in data["points"])
        return cls(**{**data, **lists, "points": points})


@dataclass(frozen=True, slots=True)
class Closure:
    """A mean that is known, estimated from events: 1 for a ratio, 0 for a score."""

    name: str  # such as "mean ratio"
    theta: tuple[float, ...]  # where
    expected: float
    mean: float
    uncertainty: float  # of the mean, from the number of events
    events: int

    @property
    def pull(self) -> float:
        """Distance from what is expected in standard deviations."""
        return (self.mean - self.expected) / self.uncertainty if self.uncertainty > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {**asdict(self), "pull": self.pull}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Closure:
        """Inverse of `to_json`."""
        fields = {name: value for name, value in data.items() if name != "pull"}
        return cls(**{**fields, "theta": tuple(data["theta"])})


@dataclass(frozen=True, slots=True)
class Reweighting:
    """An observable's distribution at a point, and that of the reference times the ratio."""

    observable: str
    theta: tuple[float, ...]
    edges: tuple[float, ...]
    target: tuple[float, ...]  # density of each bin at theta
    target_uncertainty: tuple[float, ...]
    reweighted: tuple[float, ...]  # that of the reference, with estimated weights
    reweighted_uncertainty: tuple[float, ...]
    chi2: float
    degrees_of_freedom: int
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reweighting:
        """Inverse of `to_json`."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probability that a classifier states, against how often it is right."""

    theta: tuple[float, ...]  # numerator
    stated: tuple[float, ...]  # mean probability of the numerator in each bin
    found: tuple[float, ...]  # fraction of the numerator in it
    uncertainty: tuple[float, ...]
    share: tuple[float, ...]  # of the events in each bin; the sum is 1

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reliability:
        """Inverse of `to_json`."""
        return cls(**{name: tuple(value) for name, value in data.items()})


@dataclass(frozen=True)
class CalibrationTables:
    """Corrections of an estimated log ratio, one curve a parameter point."""

    method: str  # "histogram" or "isotonic"
    points: Floats  # shape (n_points, n_parameters)
    estimated: tuple[Floats, ...]  # log ratio before, increasing; one array a point
    corrected: tuple[Floats, ...]  # log ratio after
    events: int

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "method": self.method,
            "points": self.points.tolist(),
            "estimated": [one.tolist() for one in self.estimated],
            "corrected": [one.tolist() for one in self.corrected],
            "events": self.events,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CalibrationTables:
        """Inverse of `to_json`."""
        return cls(
            data["method"],
            np.asarray(data["points"], dtype=np.float64),
            tuple(np.asarray(one, dtype=np.float64) for one in data["estimated"]),
            tuple(np.asarray(one, dtype=np.float64) for one in data["corrected"]),
            data["events"],
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often a confidence region contains the truth."""

    method: str  # of the estimator, such as "alices" or "exact"
    calculator: str  # "asymptotic" or "neyman"
    theta: tuple[float, ...]  # truth of the toys
    confidence_level: float
    covered: int
    toys: int
    seed: int
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fraction(self) -> float:
        """Share of the toys whose region contains the truth."""
        return self.covered / self.toys

    @property
    def uncertainty(self) -> float:
        """Binomial standard deviation of `fraction` if the level is right."""
        return float(np.sqrt(self.confidence_level * (1 - self.confidence_level) / self.toys))

    @property
    def pull(self) -> float:
        """Distance of the fraction from the level in standard deviations."""
        return (self.fraction - self.confidence_level) / self.uncertainty

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        derived = {"fraction": self.fraction, "uncertainty": self.uncertainty}
        return {**asdict(self), "model": dict(self.model), **derived}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Coverage:
        """Inverse of `to_json`."""
        fields = {k: v for k, v in data.items() if k not in {"fraction", "uncertainty"}}
        return cls(**{**fields, "theta": tuple(data["theta"])})
