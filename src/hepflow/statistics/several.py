"""Likelihoods with several minima: fits from many starts at once, and what is lowest.

A template that varies to the same side both up and down is enough for a second minimum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.minimise import Minimum, Task, minimise, starts
from hepflow.statistics.newton import settle

Floats = NDArray[np.float64]
_PERTURBED = 6  # starts besides the one asked for and the model's own
_CLEARLY = 1e-6  # in twice the NLL: by how much another minimum must be lower
_APART = 0.1  # prefit uncertainties between two minima that are not the same
_HIGHEST = 9.0  # above the lowest, in twice the NLL: a minimum that nothing leads to
_MOST = 4  # minima that are kept; a flat likelihood has any number


def minimise_widely(task: Task, start: Floats | None = None) -> Minimum:
    """Minimise from several starts and take the lowest minimum; see `minima`."""
    return minima(task, start)[0]


def minima(task: Task, start: Floats | None = None) -> list[Minimum]:
    """Minima that are reached from several starts, all at once.

    Parameters
    ----------
    task : Task
        Another optimizer than Newton's method makes one fit only.
    start : array, shape (n_parameters,), optional
        Default the model's own. Its minimum comes first unless another one is clearly lower.

    Returns
    -------
    list of Minimum
        At least one. Where there are several, all are valid and the lowest comes first.
    """
    first = task.likelihood.init if start is None else start
    if task.optimizer != "newton" or not task.likelihood.differentiable or task.fixed.all():
        return [minimise(task, first)]
    found = _settled(task, np.array(list(starts(task, first, _PERTURBED))))
    if not found[0].valid:
        return [minimise(task, first)]
    return distinct(task, found)


def _settled(task: Task, begin: Floats) -> list[Minimum]:
    """Newton's method from many starts, of shape (n_starts, n_parameters)."""
    parameters, values, valid = settle(
        task.likelihood,
        task.data[np.newaxis],
        begin,
        np.broadcast_to(task.fixed, begin.shape),
        np.broadcast_to(task.bounds, (*begin.shape, 2)),
    )
    values = values + task.likelihood.constants(task.data[np.newaxis])
    return [
        Minimum(where, float(value), valid=bool(good))
        for where, value, good in zip(parameters, values, valid, strict=True)
    ]


def distinct(task: Task, found: Sequence[Minimum]) -> list[Minimum]:
    """Minima that are not the same, the lowest first; invalid ones only where all are.

    Parameters
    ----------
    task : Task
    found : sequence of Minimum
        At least one. The first of them precedes others that are not clearly lower.
    """
    good = [one for one in found if one.valid] or list(found[:1])
    best = good[0]
    for one in good[1:]:
        best = one if one.value < best.value - _CLEARLY else best
    width = task.likelihood.prefit_uncertainty()
    width = np.where(width > 0, width, 0.1 * np.abs(best.parameters) + 1e-2)
    kept = [best]
    for one in sorted(good, key=lambda one: one.value):
        apart = [np.max(np.abs(one.parameters - other.parameters) / width) for other in kept]
        if min(apart) > _APART and one.value < best.value + _HIGHEST and len(kept) < _MOST:
            kept.append(one)
    return kept
