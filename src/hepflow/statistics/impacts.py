"""Impacts of all other parameters on the parameter of interest (POI).

A parameter's impact is the change of the POI when that parameter is held at its best fit plus or
minus its uncertainty and all others are fitted again, as ATLAS and CMS define it and
``cabinetry.fit.ranking`` computes it. A group's impact is what its parameters add, in quadrature,
to the uncertainty of the POI: the square root of total^2 - held^2, where "held" is the uncertainty
with the group held at best fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError
from hepflow.records.inference import GroupImpact, Impact, Ranking
from hepflow.records.results import FitResult
from hepflow.statistics.bestfit import BestFit, parameters_named
from hepflow.statistics.likelihood import Likelihood

Floats = NDArray[np.float64]
SYSTEMATICS = "systematics"  # all parameters that have an auxiliary measurement
STATISTICS = "statistics of the data"  # what is left when these are held


def ranking(
    likelihood: Likelihood,
    data: Sequence[float] | Floats,
    result: FitResult,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Ranking:
    """Rank the parameters by their impact on the POI.

    Parameters
    ----------
    likelihood : Likelihood
    data : sequence of float
        With auxiliary data; those that `result` was fitted to.
    result : FitResult
    groups : mapping, optional
        Names of parameters by group; a name without index stands for all bins.

    Returns
    -------
    Ranking
        Of all parameters but the POI. A value beyond the range of a parameter is taken at the
        end of the range; a fixed parameter has no impact.

    Raises
    ------
    FitError
        The fit has no result that may be used, or a refit failed.
    InputError
        A group names a parameter that the model does not have; the result is of another model.
    """
    best = BestFit.of(likelihood, data, result)
    best.free_index(likelihood.labels[likelihood.poi], "impacts of other parameters")
    members = {name: parameters_named(likelihood, some) for name, some in (groups or {}).items()}
    own = sorted({SYSTEMATICS, STATISTICS} & members.keys())
    if own:
        raise InputError(f"a group may not be called {own[0]!r}: that one is always there.")
    impacts = _impacts(best, {i: name for name, some in members.items() for i in some})
    return Ranking(
        poi=result.poi,
        bestfit=float(result.bestfit[likelihood.poi]),
        uncertainty=float(result.uncertainty[likelihood.poi]),
        impacts=tuple(sorted(impacts, key=lambda one: one.size, reverse=True)),
        groups=_grouped(best, members),
        model=dict(result.model),
    )


def _impacts(best: BestFit, group_of: Mapping[int, str]) -> list[Impact]:
    """Refit everything at once: four fits for each parameter that has a constraint."""
    likelihood = best.likelihood
    after, before = best.uncertainty, likelihood.prefit_uncertainty()
    shifts = np.stack([-after, after, -before, before], axis=1)
    low, high = likelihood.bounds[:, :1], likelihood.bounds[:, 1:]
    values = np.clip(best.parameters[:, np.newaxis] + shifts, low, high)
    moved = values != best.parameters[:, np.newaxis]
    moved[likelihood.fixed] = moved[likelihood.poi] = False
    which, column = np.nonzero(moved)
    changes = np.zeros_like(values)
    if len(which):
        found = best.held(which[:, np.newaxis], values[which, column][:, np.newaxis])
        poi = likelihood.poi
        changes[which, column] = found.parameters[:, poi] - best.parameters[poi]
    nominal = likelihood.nominal()
    return [
        Impact(
            parameter=name,
            bestfit=float(best.parameters[i]),
            uncertainty=float(after[i]),
            nominal=float(nominal[i]),
            prefit_uncertainty=float(before[i]),
            postfit=(float(changes[i, 0]), float(changes[i, 1])),
            prefit=(float(changes[i, 2]), float(changes[i, 3])) if before[i] > 0 else None,
            group=group_of.get(i, ""),
        )
        for i, name in enumerate(likelihood.labels)
        if i != likelihood.poi
    ]


def _grouped(best: BestFit, members: Mapping[str, Sequence[int]]) -> tuple[GroupImpact, ...]:
    likelihood = best.likelihood
    constrained = np.flatnonzero(likelihood.constrained & ~likelihood.fixed)
    groups = {name: tuple(i for i in some if i != likelihood.poi) for name, some in members.items()}
    if len(constrained):
        groups[SYSTEMATICS] = tuple(int(i) for i in constrained if i != likelihood.poi)
    labels = likelihood.labels
    found = [
        GroupImpact(name, tuple(labels[i] for i in some), _impact_of(best, some))
        for name, some in groups.items()
    ]
    found.sort(key=lambda one: one.impact, reverse=True)
    systematic = _impact_of(best, groups.get(SYSTEMATICS, ()))
    total = float(best.uncertainty[likelihood.poi])
    left = math.sqrt(max(total**2 - systematic**2, 0.0))
    return (*found, GroupImpact(STATISTICS, (), left))


def _impact_of(best: BestFit, group: Sequence[int]) -> float:
    """Square root of total^2 - held^2, without taking differences of large numbers.

    With a group held, the covariance of the others is that of a normal distribution under this
    condition: ``C_pp - C_pg inverse(C_gg) C_gp``. The second term is what is asked for.
    """
    width = best.uncertainty
    some = [i for i in group if width[i] > 0]
    if not some:
        return 0.0
    poi = best.likelihood.poi
    scaled = best.covariance[np.ix_(some, some)] / np.outer(width[some], width[some])
    row = best.covariance[poi, some] / width[some]
    return math.sqrt(max(float(row @ np.linalg.pinv(scaled, hermitian=True) @ row), 0.0))
