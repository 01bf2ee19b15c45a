"""From one minimum to the next: where the parameter of interest has moved a little.

A profile has a hundred minima near each other. Minuit spends most of a fit on learning the
curvature anew; Newton's method with the curvature of a neighbour needs a few gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.minimise import Minimum, Task

Floats = NDArray[np.float64]
_STEPS = 12  # more are a sign that the curvature is another one
_DISTANCE = 1e-12  # in twice the negative log-likelihood; Minuit is content with 2e-8
_ROUNDING = 1e-13  # relative, of a likelihood
_DIFFERENCE = 1e-3  # of a standard deviation before the fit


def follow(task: Task, start: Floats, covariance: Floats) -> Minimum | None:
    """Newton's method with a fixed curvature, from near the minimum.

    Parameters
    ----------
    task : Task
    start : array, shape (n_parameters,)
        Fixed parameters stay at this value.
    covariance : array, shape (n_parameters, n_parameters)
        Of a minimum nearby, as `nearby_covariance` gives it.

    Returns
    -------
    Minimum or None
        Where the exact gradient vanishes. None where that is not plain sailing (a step goes up
        or to a bound, or there are too many of them): then it is Minuit's job.
    """
    likelihood, data, free = task.likelihood, task.data, ~task.fixed
    parameters, value = start, likelihood.twice_nll(start, data)
    for _ in range(_STEPS):
        gradient = likelihood.gradient(parameters, data)
        step = covariance @ np.where(free, gradient, 0.0) / 2
        distance = float(gradient @ step) / 2
        if 0 <= distance < _DISTANCE:
            return Minimum(parameters, value, valid=True)
        moved = parameters - step
        if not distance > 0 or task.at_bound(moved).any():
            return None
        lower = likelihood.twice_nll(moved, data)
        if not lower <= value + _ROUNDING * (1 + abs(value)):
            return None
        parameters, value = moved, lower
    return None


def nearby_covariance(task: Task, parameters: Floats) -> Floats | None:
    """Covariance good enough to follow minima with, from simple differences of the gradient.

    Parameters
    ----------
    task : Task
    parameters : array, shape (n_parameters,)
        Near a minimum.

    Returns
    -------
    array, shape (n_parameters, n_parameters), or None
        Zero for fixed parameters. None where the curvature is not positive.
    """
    free = np.flatnonzero(~task.fixed)
    width = task.likelihood.prefit_uncertainty()
    steps = _DIFFERENCE * np.where(width > 0, width, 0.1 + np.abs(parameters))
    rows = []
    for index in free:
        shift = np.zeros_like(parameters)
        shift[index] = steps[index]
        up = task.likelihood.gradient(parameters + shift, task.data)
        down = task.likelihood.gradient(parameters - shift, task.data)
        rows.append((up - down)[free] / (2 * steps[index]))
    hessian = np.asarray(rows).reshape(len(free), len(free))
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    if not (values > 0).all():
        return None
    covariance = np.zeros((len(parameters), len(parameters)))
    covariance[np.ix_(free, free)] = 2 * (vectors / values) @ vectors.T
    return covariance
