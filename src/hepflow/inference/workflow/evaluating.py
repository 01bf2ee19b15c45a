"""Evaluate one method: limits, information, checks. Runs on workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hepflow.inference.likelihood import (
    Binning,
    Grid,
    Likelihood,
    Limits,
    Recalibrated,
    Unbinned,
    best_nuisances,
    coverage,
    critical_values,
    events_at,
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
    with_auxiliary,
)
from hepflow.inference.likelihood.model import LogRatio
from hepflow.inference.records import Floats, Parameter
from hepflow.inference.workflow.accuracy import comparisons, ratio_accuracy, score_accuracy
from hepflow.inference.workflow.ground import EvaluationSpec, Ground, ground_of
from hepflow.inference.workflow.learning import Draws
from hepflow.records.sbi import Critical, Information

HISTOGRAM: Final = "histogram"
EXACT: Final = "exact"
_AWAY: Final = 0.4  # of half the range: where ratios are checked
_REACH: Final = 4.0  # standard deviations: where a region ends that was not resolved
_ENOUGH: Final = 0.25  # events of data for an effective one of calibration: more let limits move
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
        estimate: Any = estimator.score
        checks = _score_checks(estimator, ground)
    else:
        estimate = ground.calibrated(estimator.log_ratio)
        shape = Unbinned(estimate)
        checks = _all_ratio_checks(estimate, ground)
    found = _limits(task.label, ground.likelihood(shape), ground)
    scores = [one.score(ground.pool.x) for one in estimator.members]
    return {
        **found,
        "information": _information(scores, ground),
        "comparison": comparisons(estimate, task.kind, ground),
        **checks,
    }


def _limits(name: str, likelihood: Likelihood, ground: Ground) -> dict[str, Any]:
    spec = ground.spec
    found = limits(name, likelihood, ground.data, ground.grid, levels=spec.levels)
    critical: tuple[Critical, ...] = ()
    if spec.toys:
        found, critical = _neyman(name, likelihood, ground, found)
    ratio = likelihood.shape.log_ratio if isinstance(likelihood.shape, Unbinned) else None
    if isinstance(ratio, Recalibrated):
        found = _told(found, ratio)
    return {
        "limits": found.to_json(),
        "critical": [one.to_json() for one in critical],
        "coverage": _coverage(name, likelihood, ground, found) if spec.coverage else [],
    }


def _told(found: Limits, ratio: Recalibrated) -> Limits:
    """Limits that say what their ratio was calibrated with, and whether it was enough."""
    events, effective = len(ratio.simulation), ratio.effective
    number = float(found.model["events"])
    model = {"calibration": {"events": events, "effective_events": effective}}
    few = (
        f"the ratio was calibrated with {effective:.0f} effective validation events for "
        f"{number:.0f} events of data, so that its own fluctuations move the regions: simulate "
        "more, or do not calibrate"
    )
    notes = (*found.fit.notes, *([few] if number > _ENOUGH * effective else []))
    fit = replace(found.fit, model={**found.fit.model, **model}, notes=notes)
    return replace(found, fit=fit, model={**found.model, **model})


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
    # Nobody knows at which nuisance values the experiment was made: toys take the likeliest.
    nuisances = best_nuisances(likelihood.function(ground.data), coarse.points, *likelihood.apart())
    critical = critical_values(
        likelihood,
        ground.pool,
        np.concatenate([coarse.points, nuisances], axis=1),
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
    best = tuple(float(one) for one in found.fit.bestfit[: len(ground.parameters)])
    truth = ground.data.theta or best
    # With a rate, what is expected at the truth: observed data may have more or less.
    number = events_at(likelihood, truth, ground.data.n_events)
    grid = Grid.over(around(found, ground), _TOY_GRID)
    rng = np.random.default_rng([spec.seed, 7])
    toys = resampled(
        ground.pool,
        truth,
        number,
        spec.coverage,
        rng,
        fluctuate=ground.rate is not None,
    )
    toys = with_auxiliary(toys, likelihood, truth, rng)
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


def _all_ratio_checks(ratio: LogRatio, ground: Ground) -> dict[str, Any]:
    """Checks of a ratio; of one that was calibrated, also of what it was before."""
    found = _ratio_checks(ratio, ground)
    if not isinstance(ratio, Recalibrated):
        return found
    before = _ratio_checks(ratio.log_ratio, ground)
    accuracy = before.pop("accuracy")
    if accuracy:
        found["accuracy"]["log_ratio_uncalibrated"] = accuracy["log_ratio"]
    return {**found, "uncalibrated": before if ground.spec.calibration else {}}


def _ratio_checks(ratio: LogRatio, ground: Ground) -> dict[str, Any]:
    accuracy = ratio_accuracy(ratio, ground) if ground.process else {}
    found: dict[str, Any] = {"accuracy": accuracy, "closure": []}
    if not ground.spec.calibration:
        return found
    points = padded(check_points(ground), ground)
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
