"""What all evaluations share: simulated events, data, the rate, and the truth where it is known."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import InputError, UnreadableFile, did_you_mean
from hepflow.inference.event_file import morphing_of, read_events
from hepflow.inference.likelihood import (
    Grid,
    Likelihood,
    Measurement,
    Rate,
    Recalibrated,
    Simulation,
    Unbinned,
    asimov,
    observed,
    rate_of,
)
from hepflow.inference.likelihood.model import LogRatio
from hepflow.inference.records import EventTable, Floats, Parameter
from hepflow.inference.workflow.learning import Draws, partitions_of
from hepflow.schema import Study


@dataclass(frozen=True)
class EvaluationSpec:
    """What limits depend on, besides estimators."""

    luminosity: float  # [1/pb]
    data: str  # "asimov" or "observed"
    observed: str | None  # file
    truth: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    points: int | None  # of the grid; None: refined
    levels: tuple[float, ...]
    rate: bool
    events: int
    histogram: bool
    columns: tuple[str, ...] | None  # observables of the histogram
    bins: int
    information: bool
    toys: int
    toy_points: int
    calibration: bool
    calibrate: bool
    coverage: int
    seed: int

    @classmethod
    def of(cls, study: Study) -> EvaluationSpec:
        """Take it from a configuration."""
        own = study.inference.evaluation
        return cls(
            luminosity=study.luminosity,
            data=own.data,
            observed=own.observed,
            truth=dict(own.truth),
            ranges={name: (low, high) for name, (low, high) in own.ranges.items()},
            points=own.points,
            levels=tuple(own.levels),
            rate=own.rate,
            events=own.events,
            histogram=own.histogram.enabled,
            columns=tuple(own.histogram.observables) if own.histogram.observables else None,
            bins=own.histogram.bins,
            information=own.information,
            toys=own.neyman.toys,
            toy_points=own.neyman.points,
            calibration=own.calibration,
            calibrate=own.calibrate,
            coverage=own.coverage,
            seed=study.inference.seed,
        )


@dataclass(frozen=True)
class Ground:
    """Simulated events and data that limits are made of."""

    parameters: tuple[Parameter, ...]  # of the theory, with the ranges of the evaluation
    observables: tuple[str, ...]
    reference: tuple[float, ...]  # nuisance parameters included
    pool: Simulation  # events that no training has seen
    data: Measurement
    rate: Rate | None
    spec: EvaluationSpec
    process: Any  # of the built-in process, where its likelihood is exact; else None
    calibrating: Simulation | None = None  # events that ratios are calibrated with, where they are

    @property
    def grid(self) -> Grid | None:
        """Fixed grid; None where it is refined."""
        return None if self.spec.points is None else Grid.over(self.parameters, self.spec.points)

    def calibrated(self, log_ratio: LogRatio) -> LogRatio:
        """An estimated ratio, calibrated where that is asked for."""
        if self.calibrating is None:
            return log_ratio
        return Recalibrated(log_ratio, self.calibrating, self.reference)

    def likelihood(self, shape: Any) -> Likelihood:
        """Likelihood with the shape of an estimator, and the rate where it counts."""
        return Likelihood(self.pool.parameters, shape, self.rate, self.pool.constraints)

    def exact(self) -> Likelihood:
        """Likelihood of the built-in process, which is known."""
        reference = np.asarray(self.reference)
        process = self.process

        def log_ratio(x: Floats, theta: Floats) -> Floats:
            return np.asarray(process.log_ratio(x, theta, reference), dtype=np.float64)

        number = Rate(process.cross_section, self.spec.luminosity) if self.rate else None
        return Likelihood(self.parameters, Unbinned(log_ratio), number)


def ground_of(events: str, draws: Draws, spec: EvaluationSpec) -> Ground:
    """Read the events and make the data.

    Raises
    ------
    InputError
        A parameter or an observable of the configuration is not in the events.
    """
    table = read_events(events)
    morphing = morphing_of(table)
    parameters = tuple(_ranged(one, spec) for one in table.parameters)
    _refuse_unknown(spec, table)
    parts = partitions_of(table, draws)
    whole, pool = Simulation.of(table, morphing), Simulation.of(parts.test, morphing)
    pool = replace(pool, parameters=(*parameters, *pool.parameters[len(parameters) :]))
    number = rate_of(whole, spec.luminosity) if spec.rate else None
    if spec.data == "observed":
        data = observed(read_observed(spec.observed or "", table.observables))
    else:
        truth = [spec.truth.get(one.name, 0.0) for one in parameters]
        data = asimov(_fewer(pool, spec.events, whole), truth, spec.luminosity)
    return Ground(
        parameters,
        table.observables,
        (*draws.reference, *(0.0 for _ in table.nuisances)),
        pool,
        data,
        number,
        spec,
        truth_of(table),
        Simulation.of(parts.validation, morphing) if spec.calibrate else None,
    )


def refuse_unusable(table: EventTable, spec: EvaluationSpec) -> None:
    """Stop before anything is trained where an evaluation would fail.

    Raises
    ------
    UnreadableFile
        The observed events cannot be read.
    InputError
        Something is about a parameter or an observable that the events do not have.
    """
    _refuse_unknown(spec, table)
    if spec.data == "observed":
        read_observed(spec.observed or "", table.observables)


def _ranged(parameter: Parameter, spec: EvaluationSpec) -> Parameter:
    low, high = spec.ranges.get(parameter.name, (parameter.low, parameter.high))
    return replace(parameter, low=low, high=high)


def _refuse_unknown(spec: EvaluationSpec, table: EventTable) -> None:
    known = [one.name for one in table.parameters]
    for where, names in (("truth", spec.truth), ("ranges", spec.ranges)):
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                raise InputError(
                    f"inference.evaluation.{where} is about {name!r}, which is no parameter of "
                    f"the events. {hint}"
                )
    for name in spec.columns or ():
        if name not in table.observables:
            hint = did_you_mean(name, table.observables)
            raise InputError(
                f"inference.evaluation.histogram.observables: {name!r} is no observable of the "
                f"events. {hint}"
            )


def _fewer(pool: Simulation, events: int, whole: Simulation) -> Simulation:
    """The first of the events, which are in random order, with the cross-sections of all."""
    events = min(events, len(pool))
    factor = whole.weights.sum(axis=0) / pool.weights[:events].sum(axis=0)
    response = pool.response
    if response is not None:
        response = replace(
            response, linear=response.linear[:events], quadratic=response.quadratic[:events]
        )
    weights = pool.weights[:events] * factor
    return replace(pool, x=pool.x[:events], weights=weights, response=response)


def truth_of(table: EventTable) -> Any:
    """The built-in process where the events are just its observables; else None."""
    from hepflow.inference.physics.drell_yan import FEATURES, DrellYan, DrellYanSettings

    known = table.provenance.get("exact")
    if not known or table.observables != FEATURES or table.nuisances:
        return None
    return DrellYan(DrellYanSettings(**known))


def read_observed(path: str, names: tuple[str, ...]) -> Floats:
    """Observed events from a CSV file with a header, or from an npz file.

    Raises
    ------
    UnreadableFile
        There is no such file, or it is of another kind.
    InputError
        An observable is not in it, or not a finite number in each event.
    """
    file = Path(path)
    if not file.is_file():
        raise UnreadableFile(f"{file}: there is no such file (inference.evaluation.observed).")
    columns = _columns(file)
    for name in names:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise InputError(f"{file}: no column {name!r}. {hint}")
    try:
        found = [np.asarray(columns[name], dtype=np.float64) for name in names]
    except ValueError as error:
        raise UnreadableFile(f"{file}: a column is not of numbers ({error}).") from error
    shapes = {name: one.shape for name, one in zip(names, found, strict=True)}
    if len(set(shapes.values())) > 1 or found[0].ndim != 1 or not len(found[0]):
        raise InputError(
            f"{file}: expected one number of each event in each column, and events at all, but the "
            f"shapes are {', '.join(f'{name} {shape}' for name, shape in shapes.items())}."
        )
    events = np.stack(found, axis=1)
    bad = np.argwhere(~np.isfinite(events))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"{file}: {len(set(bad[:, 0]))} of {len(events)} events have an observable that is no "
            f"finite number, first {names[column]} of event {row + 1}. Remove or mend them."
        )
    return events


def _columns(file: Path) -> Mapping[str, Any]:
    try:
        if file.suffix == ".npz":
            with file.open("rb") as raw, np.load(raw, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        found: Any = np.genfromtxt(
            file, delimiter=",", names=True, dtype=np.float64, deletechars=""
        )
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableFile(
            f"{file}: expected a CSV file with a header, or an npz file with a column for each "
            f"observable ({error})."
        ) from error
    return {name: np.atleast_1d(found[name]) for name in found.dtype.names or ()}
