"""Minimise a likelihood with the exact gradient: Newton, Minuit or scipy; restarts, curvature."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.newton import settle

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Optimizer = Literal["newton", "minuit", "scipy"]  # newton: Minuit where it does not settle

_log = logging.getLogger(__name__)

_TOLERANCE = 1e-5  # Minuit stops at an estimated distance of 0.002 times this in twice the NLL
_MAX_CALLS = 20_000
_AT_BOUND = 1e-6  # of the width of the range
_NEWTON_STEPS = 3
_SPREAD = 0.3  # of perturbed starts, in prefit uncertainties
_PERTURBED = 2  # starts besides the one asked for and the model's own
_ROUNDING = 1e-13  # relative, of a likelihood
_SINGULAR = 1e-7  # eigenvalue of the Hessian scaled to a diagonal of ones
_LEVEL = 1e-6  # rise of twice the NLL over the range of a parameter that has no effect
_LARGE_SHARE = 0.3  # component of a unit vector from which a parameter is named


@dataclass(frozen=True)
class Minimum:
    """Where a minimiser ended."""

    parameters: Floats  # shape (n_parameters,)
    value: float  # twice the negative log-likelihood
    valid: bool  # the minimiser says that it converged


@dataclass(frozen=True)
class Task:
    """One minimisation: a likelihood, its data, and what may move."""

    likelihood: Likelihood
    data: Floats
    fixed: Flags  # shape (n_parameters,)
    bounds: Floats  # shape (n_parameters, 2)
    optimizer: Optimizer = "newton"

    @classmethod
    def free(cls, likelihood: Likelihood, data: Floats, optimizer: Optimizer) -> Task:
        """All parameters of the model as it suggests."""
        return cls(likelihood, data, likelihood.fixed, likelihood.bounds, optimizer)

    def with_poi_fixed(self) -> Task:
        """The same with the parameter of interest held where the start has it."""
        fixed = self.fixed.copy()
        fixed[self.likelihood.poi] = True
        return replace(self, fixed=fixed)

    def with_poi_bounds(self, low: float, high: float) -> Task:
        """The same with another range of the parameter of interest."""
        bounds = self.bounds.copy()
        bounds[self.likelihood.poi] = low, high
        return replace(self, bounds=bounds)

    def at_bound(self, parameters: Floats) -> Flags:
        """Which free parameters are at an end of their range, shape (n_parameters,)."""
        near = _AT_BOUND * (self.bounds[:, 1] - self.bounds[:, 0])
        low = parameters - self.bounds[:, 0] <= near
        high = self.bounds[:, 1] - parameters <= near
        return np.asarray(~self.fixed & (low | high))


def minimise(task: Task, start: Floats | None = None, *, strategy: int = 0) -> Minimum:
    """Minimise; on failure again from other starts and with a more careful strategy.

    Parameters
    ----------
    task : Task
    start : array, shape (n_parameters,), optional
        Default the model's own. Fixed parameters stay at this value.
    strategy : int
        Of the first try: 0 is fast, 2 the most careful.

    Returns
    -------
    Minimum
        The best one that is valid; the best of all, marked as not valid, where none is.
    """
    likelihood = task.likelihood
    start = likelihood.init if start is None else start
    if task.fixed.all():
        return Minimum(start, likelihood.twice_nll(start, task.data), valid=True)
    if task.optimizer == "newton" and likelihood.differentiable:
        found = _newton(task, start)
        if found.valid:
            return found
    best: Minimum | None = None
    for tried, begin in enumerate(starts(task, start, _PERTURBED)):
        found = _run(task, begin, strategy=min(strategy + tried, 2))
        if best is None or (found.valid, -found.value) > (best.valid, -best.value):
            best = found
        if best.valid:
            break
        _log.debug("minimiser did not converge (try %d), starting again", tried + 1)
    if best is None or not np.isfinite(best.value):
        raise FitError(
            "the likelihood is not finite wherever the fit started. "
            "Look for empty or negative bins in the templates."
        )
    return _snapped(task, best)


def starts(task: Task, start: Floats, perturbed: int) -> Iterator[Floats]:
    """Where to begin: as asked, at the model's own start, then at perturbed ones."""
    yield start
    own = np.where(task.fixed, start, task.likelihood.init)
    yield own
    rng = np.random.default_rng(20_240)  # the same tries each time
    width = task.likelihood.prefit_uncertainty()
    width = np.where(width > 0, width, 0.1 * np.abs(own) + 1e-2)
    for _ in range(perturbed):
        shift = _SPREAD * width * rng.standard_normal(len(own))
        yield np.where(task.fixed, start, own + shift)


def _inside(task: Task, start: Floats) -> Floats:
    """Away from the bounds, where Minuit's transformation has no slope."""
    low, high = task.bounds[:, 0], task.bounds[:, 1]
    margin = np.minimum(1e-3 * (high - low), 1e-3 + 1e-3 * np.abs(start))
    return np.where(task.fixed, start, np.clip(start, low + margin, high - margin))


def _newton(task: Task, start: Floats) -> Minimum:
    data = task.data[np.newaxis]
    parameters, values, valid = settle(
        task.likelihood,
        data,
        start[np.newaxis],
        task.fixed[np.newaxis],
        task.bounds[np.newaxis],
    )
    value = float(values[0] + task.likelihood.constants(data)[0])
    return Minimum(parameters[0], value, valid=bool(valid[0]))


def _run(task: Task, start: Floats, strategy: int) -> Minimum:
    begin = _inside(task, start)
    run = _scipy if task.optimizer == "scipy" else _minuit
    return run(task, begin, strategy)


def _minuit(task: Task, start: Floats, strategy: int) -> Minimum:
    import iminuit

    likelihood, data = task.likelihood, task.data
    minuit = iminuit.Minuit(
        lambda x: likelihood.twice_nll(x, data),
        start,
        grad=(lambda x: likelihood.gradient(x, data)) if likelihood.differentiable else None,
        name=likelihood.labels,
    )
    # Minuit moves a fixed parameter into its limits: a signal strength held beyond them, too
    minuit.limits = np.where(task.fixed[:, np.newaxis], (-np.inf, np.inf), task.bounds)
    minuit.fixed = task.fixed
    minuit.errordef = 1.0
    minuit.strategy = strategy
    minuit.tol = _TOLERANCE
    width = likelihood.prefit_uncertainty()
    minuit.errors = np.where(width > 0, width, 0.1 * np.abs(start) + 1e-3)
    minuit.migrad(ncall=_MAX_CALLS)
    return Minimum(np.asarray(minuit.values), float(minuit.fval), valid=bool(minuit.valid))


def _scipy(task: Task, start: Floats, strategy: int) -> Minimum:
    from scipy.optimize import minimize

    likelihood, data, free = task.likelihood, task.data, ~task.fixed
    width = likelihood.prefit_uncertainty()  # scaled, so that one step length suits all
    scale = np.where(width > 0, width, 0.1 * np.abs(start) + 1e-3)[free]

    def whole(scaled: Floats) -> Floats:
        parameters = start.copy()
        parameters[free] = scaled * scale
        return parameters

    result = minimize(
        lambda x: likelihood.twice_nll(whole(x), data),
        start[free] / scale,
        jac=lambda x: likelihood.gradient(whole(x), data)[free] * scale,
        bounds=task.bounds[free] / scale[:, np.newaxis],
        method="L-BFGS-B",
        options={"maxiter": _MAX_CALLS, "ftol": 1e-14, "gtol": 1e-5 / (1 + strategy), "maxcor": 50},
    )
    return Minimum(whole(result.x), float(result.fun), valid=bool(result.success))


def _snapped(task: Task, found: Minimum) -> Minimum:
    """Minuit comes close to a bound but never reaches it: put it there where that is better."""
    near = task.at_bound(found.parameters)
    if not near.any():
        return found
    low, high = task.bounds[:, 0], task.bounds[:, 1]
    end = np.where(found.parameters - low < high - found.parameters, low, high)
    moved = np.where(near, end, found.parameters)
    value = task.likelihood.twice_nll(moved, task.data)
    return replace(found, parameters=moved, value=value) if value <= found.value else found


@dataclass(frozen=True)
class Curvature:
    """Second derivatives at a minimum and what follows from them."""

    covariance: Floats  # shape (n_parameters, n_parameters); zero for fixed parameters
    positive_definite: bool  # in the free parameters
    flat: tuple[str, ...]  # parameters on which the likelihood does not depend, where not

    @property
    def uncertainty(self) -> Floats:
        """Standard deviations, zero for fixed parameters, shape (n_parameters,)."""
        return np.asarray(np.sqrt(np.clip(np.diag(self.covariance), 0.0, None)))

    @property
    def correlation(self) -> Floats:
        """Correlation matrix; fixed parameters are correlated with themselves only."""
        width = self.uncertainty
        safe = np.where(width > 0, width, 1.0)
        scaled = self.covariance / np.outer(safe, safe)
        correlation: Floats = np.clip(scaled, -1.0, 1.0)
        np.fill_diagonal(correlation, 1.0)
        return correlation


def curvature(task: Task, parameters: Floats) -> Curvature:
    """Covariance from the second derivatives.

    A parameter of interest that data push against its lower bound need not have any second
    derivative there (no observed event: the likelihood is a straight line). It is left out
    then; its uncertainty is how far it can go until twice the NLL has risen by one.
    """
    bent = _curvature(task, parameters)
    if bent.positive_definite or not task.likelihood.has_poi:
        return bent
    poi = task.likelihood.poi
    low, high = task.bounds[poi]
    at_low = bool(task.at_bound(parameters)[poi] and parameters[poi] - low < high - parameters[poi])
    slope = float(task.likelihood.gradient(parameters, task.data)[poi])
    if not (at_low and slope * (high - low) > _LEVEL):
        return bent
    held = _curvature(task.with_poi_fixed(), parameters)
    covariance = held.covariance.copy()
    covariance[poi, poi] = 1 / slope**2
    return replace(held, covariance=covariance)


def _curvature(task: Task, parameters: Floats) -> Curvature:
    free = np.flatnonzero(~task.fixed)
    covariance = np.zeros((len(parameters), len(parameters)))
    if not len(free):
        return Curvature(covariance, positive_definite=True, flat=())
    hessian = task.likelihood.hessian(parameters, task.data)[np.ix_(free, free)]
    diagonal = np.diag(hessian)
    labels = [task.likelihood.labels[i] for i in free]
    flat = tuple(name for name, h in zip(labels, diagonal, strict=True) if not h > 0)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    positive = bool(not flat and values[0] > _SINGULAR)
    if not positive and not flat:
        heavy = np.abs(vectors[:, 0]) > _LARGE_SHARE  # the direction without curvature
        flat = tuple(name for name, yes in zip(labels, heavy, strict=True) if yes)
    keep = values > _SINGULAR
    inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    covariance[np.ix_(free, free)] = 2 * inverse * np.outer(scale, scale)
    return Curvature(covariance, positive, flat)


def polish(task: Task, found: Minimum, bent: Curvature) -> Minimum:
    """Newton steps from where the minimiser stopped.

    Without them what is left of the gradient gives a curved flat direction some curvature,
    and two parameters that only enter as a product look as if the data fixed both.
    """
    stay = task.fixed | task.at_bound(found.parameters)
    low, high = task.bounds[:, 0], task.bounds[:, 1]
    for _ in range(_NEWTON_STEPS):
        gradient = task.likelihood.gradient(found.parameters, task.data)
        step = bent.covariance @ np.where(stay, 0.0, gradient) / 2
        inside = np.clip(found.parameters - step, low, high)
        moved = np.where(stay, found.parameters, inside)
        value = task.likelihood.twice_nll(moved, task.data)
        if not value <= found.value + _ROUNDING * (1 + abs(found.value)):
            break
        found = replace(found, parameters=moved, value=value)
    return found


def distance(task: Task, found: Minimum, bent: Curvature) -> float:
    """How much lower the minimum still is, to second order, in twice the NLL."""
    stay = task.fixed | task.at_bound(found.parameters)
    gradient = np.where(stay, 0.0, task.likelihood.gradient(found.parameters, task.data))
    return float(gradient @ bent.covariance @ gradient) / 4
