"""Maximum-likelihood fit: best fit, uncertainties, quality, goodness of fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.records.results import FitResult
from hepflow.statistics.goodness import asymptotic
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import (
    Curvature,
    Minimum,
    Optimizer,
    Task,
    curvature,
    distance,
    minimise,
    polish,
)
from hepflow.statistics.several import minimise_widely

Floats = NDArray[np.float64]
_NO_EVENT = 1e-9  # expected events
_NEAR = 1e-4  # in twice the negative log-likelihood: a hundredth of a standard deviation


def fit(
    model: Any, data: Sequence[float] | Floats, *, optimizer: Optimizer = "newton"
) -> FitResult:
    """Fit all free parameters of a model to data.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float
        Observed events of all bins, then auxiliary data, as ``workspace.data(model)`` gives.
    optimizer : {"newton", "minuit", "scipy"}

    Returns
    -------
    FitResult
        ``converged`` is False, and ``notes`` say why, where the minimiser failed, the
        covariance is not positive definite in the free parameters, or a parameter other
        than the one of interest is at an end of its range. See `require_good`.

    Raises
    ------
    WorkspaceError
        The data do not fit the model.
    FitError
        The likelihood is finite nowhere the fit started.
    """
    likelihood = as_likelihood(model)
    task = Task.free(likelihood, likelihood.checked(data), optimizer)
    found, bent = _settled(task)
    problems, remarks = _judge(task, found, bent)
    return FitResult(
        poi=likelihood.labels[likelihood.poi] if likelihood.has_poi else "",
        labels=likelihood.labels,
        bestfit=found.parameters,
        uncertainty=bent.uncertainty,
        correlation=bent.correlation,
        twice_nll=found.value,
        goodness_of_fit=goodness_of_fit(likelihood, task.data, found.value),
        converged=not problems,
        model=model_info(likelihood, optimizer),
        notes=(*problems, *remarks),
    )


def _settled(task: Task) -> tuple[Minimum, Curvature]:
    """Minimum at which the exact gradient vanishes; a minimiser's own word is not enough."""
    found = minimise_widely(task)
    for strategy in (1, 2):
        bent = curvature(task, found.parameters)
        found = polish(task, found, bent)
        if distance(task, found, bent) < _NEAR:
            break
        found = minimise(task, found.parameters, strategy=strategy)
    return found, curvature(task, found.parameters)


def as_likelihood(model: Any) -> Likelihood:
    """A pyhf model as a likelihood; a likelihood as it is."""
    return model if isinstance(model, Likelihood) else Likelihood(model)


def model_info(likelihood: Likelihood, optimizer: str) -> dict[str, Any]:
    """What a result depends on, for its ``model`` entry."""
    free = likelihood.constrained & ~likelihood.fixed
    info: dict[str, Any] = {
        "digest": likelihood.digest(),
        "background_uncertainty": "constrained parameters, profiled" if free.any() else "none",
        "backend": likelihood.backend,
        "optimizer": optimizer if likelihood.differentiable else _without_slopes(optimizer),
        "free_parameters": int((~likelihood.fixed).sum()),
    }
    if likelihood.has_poi:
        info["poi_bounds"] = [float(one) for one in likelihood.bounds[likelihood.poi]]
    return info


def _without_slopes(optimizer: str) -> str:
    """Newton's method needs exact derivatives; Minuit takes its place."""
    return "minuit" if optimizer == "newton" else optimizer


def _judge(task: Task, found: Minimum, bent: Curvature) -> tuple[list[str], list[str]]:
    """What makes the result unusable, and what a reader must know."""
    labels = task.likelihood.labels
    poi = task.likelihood.poi if task.likelihood.has_poi else None
    problems, remarks = [], []
    if not found.valid:
        problems.append("the minimiser did not converge")
    elif bent.positive_definite and distance(task, found, bent) > _NEAR:
        problems.append("the minimiser stopped before the minimum")
    if not bent.positive_definite:
        names = ", ".join(bent.flat)
        problems.append(f"the covariance is not positive definite; the data do not fix {names}")
    problems.extend(_impossible(task, found))
    for index in np.flatnonzero(task.at_bound(found.parameters)):
        value, (low, _) = found.parameters[index], task.bounds[index]
        message = f"{labels[index]} is at its bound {value:g}"
        if index == poi and math.isclose(value, low, abs_tol=1e-9):
            remarks.append(f"{message}: its uncertainty is one-sided")
        else:
            problems.append(message)
    return problems, remarks


def _impossible(task: Task, found: Minimum) -> Iterator[str]:
    """Bins with data but without expectation: whatever is said there comes from rounding."""
    counts = task.data[: task.likelihood.yields.n_bins]
    empty = (task.likelihood.yields.bins(found.parameters) < _NO_EVENT) & (counts > 0)
    for name, bins in task.likelihood.channels.items():
        for index in np.flatnonzero(empty[bins]):
            observed = counts[bins][index]
            yield f"{name} expects no event in bin {index}, where {observed:g} are observed"


def require_good(result: FitResult) -> FitResult:
    """Return the result if it may be shown as one.

    Raises
    ------
    FitError
        It did not converge; the message holds the reasons.
    """
    if result.converged:
        return result
    reasons = "; ".join(result.notes) or "no reason is recorded"
    raise FitError(
        f"the fit of {result.poi} has no result that may be used: {reasons}. "
        "Look at the templates of these parameters, or change their bounds."
    )


def goodness_of_fit(model: Any, data: Sequence[float] | Floats, twice_nll: float) -> float | None:
    """P-value of the likelihood ratio to the saturated model.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float
        With auxiliary data.
    twice_nll : float
        Twice the negative log-likelihood at the best fit.

    Returns
    -------
    float or None
        None where there are not more bins than unconstrained free parameters.
    """
    return asymptotic(as_likelihood(model), data, twice_nll).p_value
