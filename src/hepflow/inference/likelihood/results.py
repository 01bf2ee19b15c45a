"""Results of likelihoods as the records that a binned fit has, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hepflow.inference.likelihood.adaptive import adaptive, zoomed
from hepflow.inference.likelihood.grids import Grid, Surface, on_grid
from hepflow.inference.likelihood.minima import Minima, minima
from hepflow.inference.likelihood.model import Function, Likelihood
from hepflow.inference.likelihood.profiling import parts, profiled, scan_of_one, sliced, without
from hepflow.inference.likelihood.regions import LEVELS, region
from hepflow.inference.likelihood.simulation import Measurement
from hepflow.inference.records import Floats, Parameter
from hepflow.records.inference import Interval, LikelihoodScan
from hepflow.records.results import FitResult
from hepflow.records.sbi import Region


@dataclass(frozen=True)
class Limits:
    """What the likelihood of one method says of the parameters."""

    method: str  # such as "alices", or "histogram"
    fit: FitResult
    scan: LikelihoodScan | None  # of both parameters; None where there are more than two
    regions: tuple[Region, ...]
    profiles: tuple[LikelihoodScan, ...]  # of each parameter, the others profiled
    slices: tuple[LikelihoodScan, ...]  # of each, the others held
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scans(self) -> tuple[LikelihoodScan, ...]:
        """All scans."""
        return (*((self.scan,) if self.scan else ()), *self.profiles, *self.slices)

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "method": self.method,
            "fit": self.fit.to_json(),
            "scan": None if self.scan is None else self.scan.to_json(),
            "regions": [one.to_json() for one in self.regions],
            "profiles": [one.to_json() for one in self.profiles],
            "slices": [one.to_json() for one in self.slices],
            "model": dict(self.model),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Limits:
        """Inverse of `to_json`."""
        return cls(
            data["method"],
            FitResult.from_json(data["fit"]),
            None if data["scan"] is None else LikelihoodScan.from_json(data["scan"]),
            tuple(Region.from_json(one) for one in data["regions"]),
            tuple(LikelihoodScan.from_json(one) for one in data["profiles"]),
            tuple(LikelihoodScan.from_json(one) for one in data["slices"]),
            data["model"],
        )


def limits(  # noqa: PLR0913 -- what is measured, with what, where, and how it is said
    method: str,
    likelihood: Likelihood,
    data: Measurement,
    grid: Grid | int | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    held_at: Sequence[float] | None = None,
    critical: Mapping[float, Floats] | None = None,
    model: Mapping[str, Any] | None = None,
) -> Limits:
    """Best fit, confidence regions and intervals of all parameters.

    Parameters
    ----------
    method : str
        Name for tables and figures.
    likelihood : Likelihood
        Shape, rate, or both.
    data : Measurement
        Observed or Asimov.
    grid : Grid or int, optional
        Where the likelihood is evaluated; a number: so many points of each parameter, over the
        part of their ranges that holds the regions. Default: adaptively, there.
    levels : sequence of float
        Confidence levels.
    held_at : sequence of float, optional
        Where other parameters are held in slices. Default: the truth of Asimov data, else the
        best fit.
    critical : mapping, optional
        Critical values of each level on the grid (`neyman.on_scan`): regions by the Neyman
        construction beside the asymptotic ones.
    model : mapping, optional
        What else is on record.
    """
    theory, nuisances = likelihood.apart()
    full = likelihood.function(data)
    function = without(full, theory, nuisances)
    surface = _surface(function, theory, grid, levels)
    said = {**_model(likelihood, data, surface), **(model or {})}
    truth = data.theta or tuple(surface.best.theta[0])
    at = np.asarray(held_at or truth, dtype=np.float64)[: len(theory)]
    count, several = range(len(theory)), len(theory) > 1
    name = [one.name for one in theory]
    between = surface.between() or full  # where there is a spline, its profile costs nothing
    free = () if surface.between() else nuisances
    profiles = [
        scan_of_one(name[i], profiled(between, surface, i, free), data.kind, "profiled", levels)
        for i in count
    ]
    slices = [
        scan_of_one(name[i], sliced(function, surface, i, at), data.kind, "held", levels)
        for i in count
        if several
    ]
    intervals = tuple(one for scan in profiles for one in scan.intervals)
    regions = [region(surface, level) for level in levels]
    regions += [region(surface, level, values) for level, values in (critical or {}).items()]
    return Limits(
        method,
        fit_result(likelihood, data, surface, intervals, said, _parts(profiles)),
        _scan(surface, data, intervals, said) if len(count) == 2 else None,  # noqa: PLR2004 - a plane
        tuple(regions),
        tuple(profiles),
        tuple(slices),
        said,
    )


def _surface(
    function: Function,
    theory: Sequence[Parameter],
    grid: Grid | int | None,
    levels: Sequence[float],
) -> Surface:
    if isinstance(grid, Grid):
        return on_grid(function, grid)
    if grid is None and len(theory) <= 2:  # noqa: PLR2004 - splines are made for lines and planes
        return adaptive(function, theory, levels=levels)
    coarse = zoomed(function, theory, levels)
    if grid is None:
        return coarse
    axes = tuple(np.linspace(one[0], one[-1], grid) for one in coarse.grid.axes)
    return on_grid(function, Grid(tuple(theory), axes), coarse.centres)


def _model(likelihood: Likelihood, data: Measurement, surface: Surface) -> dict[str, Any]:
    """What a result depends on."""
    return {
        "shape": type(likelihood.shape).__name__.lower() if likelihood.shape else "none",
        "rate": likelihood.rate is not None,
        "luminosity": likelihood.rate.luminosity if likelihood.rate else data.luminosity or None,
        "data": data.kind,
        "truth": None if data.theta is None else list(data.theta),
        "events": data.n_events,
        "points": surface.evaluated,
        "degrees_of_freedom": len(surface.grid.parameters),
    }


def fit_result(
    likelihood: Likelihood,
    data: Measurement,
    surface: Surface,
    intervals: tuple[Interval, ...],
    model: Mapping[str, Any],
    remarks: Sequence[str] = (),
) -> FitResult:
    """Record of the maximum-likelihood point.

    Twice the negative log-likelihood is relative to the reference of the ratio, and without
    factorials of numbers of events.
    """
    best = _with_nuisances(likelihood, data, surface)
    covariance = best.covariance[0]
    widths = np.sqrt(np.diag(covariance))
    measured = np.isfinite(widths).all()
    correlation = covariance / np.outer(widths, widths) if measured else np.eye(len(widths))
    return FitResult(
        poi=likelihood.names[0],
        labels=likelihood.names,
        bestfit=best.theta[0],
        uncertainty=np.where(np.isfinite(widths), widths, 0.0),
        correlation=correlation,
        twice_nll=surface.minimum,
        goodness_of_fit=None,
        converged=best.converged and bool(measured),
        model=model,
        notes=(*_notes(likelihood, best, surface, measured=bool(measured)), *remarks),
        intervals=intervals,
    )


def _parts(profiles: Sequence[LikelihoodScan]) -> list[str]:
    """Say which intervals are one of several parts."""
    return [
        f"the {100 * one.confidence_level:.3g} % interval of {one.parameter} is one of {count} "
        "parts, that with the best fit: the regions have them all"
        for scan in profiles
        for one in scan.intervals
        if (count := parts(np.array([scan.values[0], scan.delta]), one.confidence_level)) > 1
    ]


def _with_nuisances(likelihood: Likelihood, data: Measurement, surface: Surface) -> Minima:
    """Best fit in all parameters, from that in those of the theory."""
    nuisances = likelihood.apart()[1]
    if not nuisances:
        return surface.best
    start = np.concatenate([surface.best.theta[0], np.zeros(len(nuisances))])[None, :]
    steps = np.concatenate([surface.grid.steps, np.full(len(nuisances), 0.5)])
    return minima(likelihood.function(data), start, steps, likelihood.bounds)


def _notes(likelihood: Likelihood, best: Minima, surface: Surface, *, measured: bool) -> list[str]:
    names = [n for n, at in zip(likelihood.names, best.at_bound[0], strict=True) if at]
    said = []
    if names:
        said.append(f"{', '.join(names)} at the end of the range: widen it")
    coarse = [
        one.name
        for one, step, width in zip(
            surface.grid.parameters, surface.grid.steps, np.diag(best.covariance[0]), strict=False
        )
        if step**2 > width
    ]
    if coarse:
        said.append(
            f"the grid is wider than the uncertainty of {', '.join(coarse)}, so that regions are "
            "rough: narrow the range, or use an adaptive grid"
        )
    if not measured:
        said.append("the likelihood is not curved upwards at its maximum: no uncertainties")
    if not best.converged:
        said.append("the maximum of the likelihood was not found to the precision wanted")
    if not surface.stable:
        said.append("the borders of the regions still move on the finest grid: use a fixed one")
    return said


def _scan(
    surface: Surface, data: Measurement, intervals: tuple[Interval, ...], model: Mapping[str, Any]
) -> LikelihoodScan:
    return LikelihoodScan(
        parameters=tuple(one.name for one in surface.grid.parameters),
        values=tuple(tuple(one.tolist()) for one in surface.grid.axes),
        delta=tuple(surface.delta.ravel().tolist()),
        bestfit=tuple(float(one) for one in surface.best.theta[0]),
        data=data.kind,
        intervals=intervals,
        model=model,
    )
