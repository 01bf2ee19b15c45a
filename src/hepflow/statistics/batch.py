"""Many fits of one likelihood at once: scan points, held parameters, toys."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import Task, minimise
from hepflow.statistics.newton import settle

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_AT_ONCE = 500_000  # derivatives in memory: more at once do not go faster

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fits:
    """Minima of many fits."""

    parameters: Floats  # shape (n_fits, n_parameters)
    value: Floats  # twice the negative log-likelihood, shape (n_fits,)
    valid: Flags  # whether a minimum was reached, shape (n_fits,)


def fit_many(
    likelihood: Likelihood,
    data: Floats,
    start: Floats,
    fixed: Flags | None = None,
    bounds: Floats | None = None,
) -> Fits:
    """Minimise twice the negative log-likelihood, many times.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_fits, n_data) or (n_data,)
        With auxiliary data.
    start : array, shape (n_fits, n_parameters) or (n_parameters,)
        Fixed parameters stay at this value.
    fixed : array of bool, shape (n_fits, n_parameters) or (n_parameters,), optional
        Default those of the model.
    bounds : array, shape (n_fits, n_parameters, 2) or (n_parameters, 2), optional
        Default those of the model.

    Returns
    -------
    Fits
        ``n_fits`` is what the arguments have in common; 1 where none of them has many.
    """
    held = likelihood.fixed if fixed is None else fixed
    ranges = likelihood.bounds if bounds is None else bounds
    (n_fits,) = np.broadcast_shapes(
        (1,), data.shape[:-1], start.shape[:-1], held.shape[:-1], ranges.shape[:-2]
    )
    shape = (n_fits, len(likelihood.labels))
    tasks = _Tasks(
        likelihood,
        np.atleast_2d(data) if data.size == likelihood.n_data else data,
        np.broadcast_to(start, shape),
        np.broadcast_to(held, shape),
        np.broadcast_to(ranges, (*shape, 2)),
    )
    size = max(1, _AT_ONCE // (likelihood.yields.n_bins * likelihood.yields.n_dense + 1))
    parts = [tasks.settled(slice(k, k + size)) for k in range(0, n_fits, size)]
    parameters, values, valid = (np.concatenate(one) for one in zip(*parts, strict=True))
    found = Fits(parameters, values + likelihood.constants(tasks.data), valid)
    for index in np.flatnonzero(~valid):
        tasks.repeat(found, int(index))
    return found


@dataclass(frozen=True)
class _Tasks:
    """Arguments of `fit_many`, one row for each fit."""

    likelihood: Likelihood
    data: Floats  # one row where all fits share it
    start: Floats
    fixed: Flags
    bounds: Floats

    def settled(self, rows: slice) -> tuple[Floats, Floats, Flags]:
        """Minima of some of the fits, all at once."""
        if not self.likelihood.differentiable:
            start = self.start[rows]
            return start.copy(), np.zeros(len(start)), np.zeros(len(start), np.bool_)
        data = self.data if len(self.data) == 1 else self.data[rows]
        return settle(self.likelihood, data, self.start[rows], self.fixed[rows], self.bounds[rows])

    def repeat(self, found: Fits, index: int) -> None:
        """Put the minimum of the robust minimiser in the place of one that was not reached."""
        data = self.data[0 if len(self.data) == 1 else index]
        task = Task(self.likelihood, data, self.fixed[index], self.bounds[index], "minuit")
        if self.likelihood.differentiable:
            _log.debug("fit %d did not settle; it is made with Minuit", index)
        try:
            one = minimise(task, self.start[index])
        except FitError:  # nowhere finite: this fit has no minimum, others may have one
            found.value[index] = np.nan
            return
        found.parameters[index], found.value[index] = one.parameters, one.value
        found.valid[index] = one.valid
