"""Evaluate one method: limits, information, checks. Runs on workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hepflow.inference.likelihood import (
    Binning,
    Grid,
    Likelihood,
    Limits,
    Unbinned,
    coverage,
    critical_values,
    full_information,
    histogram_information,
    histogram_likelihood,
    latent_information_not_attainable,
    limits,
    on_scan,
    rate_information,
    ratio_closure,
    reliability,
    resampled,
    reweighting,
    score_closure,
    score_shape,
    shape_information,
)
from hepflow.inference.records import Floats, Parameter
from hepflow.inference.workflow.accuracy import comparisons, ratio_accuracy, score_accuracy
from hepflow.inference.workflow.ground import EvaluationSpec, Ground, ground_of
from hepflow.inference.workflow.learning import Draws
from hepflow.records.sbi import Critical, Information

HISTOGRAM: Final = "histogram"
EXACT: Final = "exact"
_AWAY: Final = 0.4  # of half the range: where ratios are checked
_ZOOMS: Final = 3  # at most
_SMALL: Final = 0.5  # of the range: regions with their surroundings that are worth a finer grid
_REACH: Final = 4.0  # standard deviations: where a region ends that was not resolved
_TOY_GRID: Final = 25  # points in each parameter on which the maximum of a toy is looked for


@dataclass(frozen=True)
class Evaluation:
    """What a worker needs to evaluate one method."""

    label: str  # name of the method
    kind: str  # "score", "ratio", "density"; "histogram" or "exact" without a network
    method: str  # "sally", ...
    folder: str  # of its networks
    events: str  # event file
    draws: Draws
    spec: EvaluationSpec


def evaluate(task: Evaluation) -> dict[str, Any]:
    """All that is asked for about one method, as plain containers.

    Raises
    ------
    HepflowError
        The likelihood cannot be evaluated.
    """
    ground = ground_of(task.events, task.draws, task.spec)
    if task.kind == HISTOGRAM:
        return _histogram(ground)
    if task.kind == EXACT:
        return _limits(EXACT, ground.exact(), ground)
    from hepflow.inference.methods.ensembles import Ensemble

    estimator = Ensemble.load(task.folder)
    if task.kind == "score":
        kind = "sallino" if task.method == "sallino" else "sally"
        shape: Any = score_shape(
            estimator.score, ground.pool, np.asarray(ground.reference), kind=kind
        )
    else:
        shape = Unbinned(estimator.log_ratio)
    found = _limits(task.label, ground.likelihood(shape), ground)
    scores = [one.score(ground.pool.x) for one in estimator.members]
    return {
        **found,
        "information": _information(scores, ground),
        "comparison": comparisons(estimator, task.kind, ground),
        **(_score_checks if task.kind == "score" else _ratio_checks)(estimator, ground),
    }


def _limits(name: str, likelihood: Likelihood, ground: Ground) -> dict[str, Any]:
    spec = ground.spec
    found = _asymptotic(name, likelihood, ground)
    critical: tuple[Critical, ...] = ()
    if spec.toys:
        found, critical = _neyman(name, likelihood, ground, found)
    return {
        "limits": found.to_json(),
        "critical": [one.to_json() for one in critical],
        "coverage": _coverage(name, likelihood, ground, found) if spec.coverage else [],
    }


def _asymptotic(name: str, likelihood: Likelihood, ground: Ground) -> Limits:
    """Limits on the grid; where it is refined and regions are small, again near them."""
    found = limits(name, likelihood, ground.data, ground.grid, levels=ground.spec.levels)
    for _ in range(_ZOOMS if ground.grid is None else 0):
        near = around(found, ground)
        before, after = _size(likelihood.parameters[: len(near)]), _size(near)
        changes = [small / large for small, large in zip(after, before, strict=True)]
        closed = all(one.closed for one in found.regions)
        if (closed and min(changes) > _SMALL) or changes == [1.0] * len(changes):
            break
        likelihood = replace(likelihood, parameters=(*near, *likelihood.parameters[len(near) :]))
        found = limits(name, likelihood, ground.data, levels=ground.spec.levels)
    return found


def _size(parameters: Sequence[Parameter]) -> list[float]:
    return [one.high - one.low for one in parameters]


def around(found: Limits, ground: Ground) -> tuple[Parameter, ...]:
    """Parameters with ranges that hold the largest region with room, for toys."""
    largest = max(found.regions, key=lambda one: one.confidence_level)
    chosen: list[Parameter] = []
    for i, (parameter, (low, high)) in enumerate(zip(ground.parameters, largest.ends, strict=True)):
        # Without an end the region leaves the range, or is smaller than the distance of points.
        reach = _REACH * float(found.fit.uncertainty[i]) or parameter.high - parameter.low
        left = float(found.fit.bestfit[i]) - reach if low is None else low
        right = float(found.fit.bestfit[i]) + reach if high is None else high
        room = right - left
        chosen.append(
            replace(
                parameter,
                low=max(parameter.low, left - room),
                high=min(parameter.high, right + room),
            )
        )
    return tuple(chosen)


def _neyman(
    name: str, likelihood: Likelihood, ground: Ground, before: Limits
) -> tuple[Limits, tuple[Critical, ...]]:
    """Limits with regions by the Neyman construction beside the asymptotic ones."""
    spec, near = ground.spec, around(before, ground)
    coarse, fine = Grid.over(near, spec.toy_points), Grid.over(near, _TOY_GRID)
    critical = critical_values(
        likelihood,
        ground.pool,
        coarse.points,
        fine,
        None if ground.rate else ground.data.n_events,
        levels=spec.levels,
        n_toys=spec.toys,
        seed=spec.seed,
    )
    grid = ground.grid or fine
    borders = {one.confidence_level: on_scan(one, coarse, grid) for one in critical}
    found = limits(name, likelihood, ground.data, grid, levels=spec.levels, critical=borders)
    return found, critical


def _coverage(
    name: str, likelihood: Likelihood, ground: Ground, found: Limits
) -> list[dict[str, Any]]:
    """How often regions of toys contain their truth."""
    spec = ground.spec
    truth = ground.data.theta or tuple(float(one) for one in found.fit.bestfit)
    grid = Grid.over(around(found, ground), _TOY_GRID)
    rng = np.random.default_rng([spec.seed, 7])
    toys = resampled(
        ground.pool,
        truth,
        ground.data.n_events,
        spec.coverage,
        rng,
        fluctuate=ground.rate is not None,
    )
    made = coverage(likelihood, toys, truth, grid, method=name, seed=spec.seed, levels=spec.levels)
    return [one.to_json() for one in made]


def _information(scores: Sequence[Floats], ground: Ground) -> list[dict[str, Any]]:
    """Information in the shape, and with the rate."""
    if not ground.spec.information:
        return []
    where = (ground.pool, ground.reference, ground.spec.luminosity)
    found: list[Information] = [shape_information(scores, *where)]
    if ground.rate:
        found.append(full_information(scores, *where))
    return [one.to_json() for one in found]


def check_points(ground: Ground) -> Floats:
    """Points at which ratios are checked: up and down in each parameter, and up in all."""
    reference = np.asarray(ground.reference[: len(ground.parameters)])
    step = np.array([_AWAY * (one.high - one.low) / 2 for one in ground.parameters])
    each = [reference + sign * step * row for row in np.eye(len(step)) for sign in (1.0, -1.0)]
    return np.array([*each, reference + step])


def padded(points: Floats, ground: Ground) -> Floats:
    """Points with nuisance parameters at 0."""
    missing = len(ground.reference) - points.shape[1]
    return np.pad(points, ((0, 0), (0, missing)))


def _ratio_checks(estimator: Any, ground: Ground) -> dict[str, Any]:
    accuracy = ratio_accuracy(estimator.log_ratio, ground) if ground.process else {}
    found: dict[str, Any] = {"accuracy": accuracy, "closure": []}
    if not ground.spec.calibration:
        return found
    points = padded(check_points(ground), ground)
    ratio: Callable[[Floats, Floats], Floats] = estimator.log_ratio
    common = (ratio, ground.pool, ground.reference)
    pictures = reweighting(*common, points[-1], ground.observables)
    return {
        **found,
        "closure": [one.to_json() for one in ratio_closure(*common, points)],
        "reweighting": [one.to_json() for one in pictures],
        "reliability": [reliability(*common, one).to_json() for one in points],
    }


def _score_checks(estimator: Any, ground: Ground) -> dict[str, Any]:
    score = estimator.score(ground.pool.x)
    found: dict[str, Any] = {
        "accuracy": score_accuracy(score, ground) if ground.process else {},
        "closure": [],
    }
    if ground.spec.calibration:
        closed = score_closure(score, ground.pool, ground.reference)
        found["closure"] = [one.to_json() for one in closed]
    return found


def _histogram(ground: Ground) -> dict[str, Any]:
    """Fit of a histogram of observables, and information that needs no network."""
    spec, pool = ground.spec, ground.pool
    names = spec.columns or ground.observables[:1]
    columns = [ground.observables.index(name) for name in names]
    weights = pool.probabilities(ground.reference)
    binning = Binning.equal_shares(pool.x[:, columns], weights, [spec.bins] * len(columns))
    likelihood = histogram_likelihood(
        pool, columns, binning, spec.luminosity, rate=ground.rate is not None
    )
    found = _limits(HISTOGRAM, likelihood, ground)
    if not spec.information:
        return {**found, "information": []}
    where = (ground.reference, spec.luminosity)
    made = [
        histogram_information(pool, lambda x: x[:, columns], binning, *where),
        rate_information(pool, *where),
        latent_information_not_attainable(pool, *where),
    ]
    return {**found, "information": [one.to_json() for one in made]}
