"""Results of inference beyond a fit and a limit: impacts, scans, intervals, goodness of fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Impact:
    """How far the parameter of interest (POI) moves with one other parameter."""

    parameter: str
    bestfit: float
    uncertainty: float  # after the fit
    nominal: float  # centre of its constraint, or its start where it is free
    prefit_uncertainty: float  # width of its constraint; 0 for a free parameter
    postfit: Pair  # change of the POI, the parameter held at best fit - and + uncertainty
    prefit: Pair | None = None  # likewise with the width of the constraint; None where free
    group: str = ""

    @property
    def size(self) -> float:
        """Largest change of the POI after the fit, by which impacts are ranked."""
        return max(abs(self.postfit[0]), abs(self.postfit[1]))

    @property
    def pull(self) -> float | None:
        """Distance from nominal in units of the constraint; None for a free parameter."""
        if self.prefit_uncertainty <= 0:
            return None
        return (self.bestfit - self.nominal) / self.prefit_uncertainty


@dataclass(frozen=True, slots=True)
class GroupImpact:
    """Part of the POI's uncertainty that goes away when a group of parameters is held."""

    group: str
    parameters: tuple[str, ...]
    impact: float  # square root of the difference of the squared uncertainties


@dataclass(frozen=True, slots=True)
class Ranking:
    """Impacts of all parameters on the POI, largest first."""

    poi: str
    bestfit: float
    uncertainty: float
    impacts: tuple[Impact, ...]
    groups: tuple[GroupImpact, ...] = ()  # largest first; the statistics of data is the last
    model: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Contents of ``ranking.json``."""
        return {**asdict(self), "model": dict(self.model)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ranking:
        """Inverse of `to_json`."""
        fields = {name: data[name] for name in ("poi", "bestfit", "uncertainty", "model")}
        return cls(
            **fields,
            impacts=tuple(_impact(one) for one in data["impacts"]),
            groups=tuple(
                GroupImpact(one["group"], tuple(one["parameters"]), one["impact"])
                for one in data["groups"]
            ),
        )


def _impact(data: Mapping[str, Any]) -> Impact:
    prefit = data["prefit"]
    pairs = {
        "postfit": tuple(data["postfit"]),
        "prefit": None if prefit is None else tuple(prefit),
    }
    return Impact(**{**data, **pairs})


@dataclass(frozen=True, slots=True)
class Interval:
    """Values of a parameter at which the profiled likelihood has risen by a stated amount."""

    parameter: str
    bestfit: float
    low: float | None  # None: the range of the parameter ends before
    high: float | None
    confidence_level: float


@dataclass(frozen=True, slots=True)
class LikelihoodScan:
    """Profiled likelihood over a grid of one or two parameters."""

    parameters: tuple[str, ...]  # one or two
    values: tuple[tuple[float, ...], ...]  # grid of each parameter
    delta: tuple[float, ...]  # -2 ln(L/L_max) on the grid, the last parameter runs fastest
    bestfit: tuple[float, ...]  # of the parameters of the scan
    data: str = "observed"  # or "asimov"
    intervals: tuple[Interval, ...] = ()  # of one parameter: 68 and 95 %
    model: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Contents of ``scan.json``."""
        return {**asdict(self), "model": dict(self.model)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LikelihoodScan:
        """Inverse of `to_json`."""
        return cls(
            parameters=tuple(data["parameters"]),
            values=tuple(tuple(one) for one in data["values"]),
            delta=tuple(data["delta"]),
            bestfit=tuple(data["bestfit"]),
            data=data["data"],
            intervals=tuple(Interval(**one) for one in data["intervals"]),
            model=data["model"],
        )


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """Likelihood ratio of the best fit to the saturated model."""

    statistic: float  # -2 ln(L/L_saturated)
    degrees_of_freedom: int
    p_value: float | None  # None where there are no degrees of freedom
    calculator: str = "asymptotic"  # or "toys"
    toys: tuple[float, ...] = ()  # the statistic of each toy
    failed: int = 0  # toys whose fit did not converge; they are not among `toys`
    model: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Contents of ``goodness_of_fit.json``."""
        return {**asdict(self), "model": dict(self.model)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GoodnessOfFit:
        """Inverse of `to_json`."""
        return cls(**{**data, "toys": tuple(data["toys"])})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the templates of a fit that a person must look at."""

    code: str  # kind of the finding, such as "identical-sides"
    severity: str  # "error" stops the fit, "warning" appears in the report
    region: str
    sample: str  # empty where the region as a whole is meant
    systematic: str  # empty where the nominal template is meant
    bins: tuple[int, ...]  # empty where all bins are meant; from 0, without underflow
    message: str  # with the values, and what to do

    def to_json(self) -> dict[str, Any]:
        """One entry of ``audit.json``."""
        return {**asdict(self), "bins": list(self.bins)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """Inverse of `to_json`."""
        return cls(**{**data, "bins": tuple(data["bins"])})
