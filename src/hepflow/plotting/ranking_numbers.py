"""Numbers of the figures about impacts: which parameters are shown, and in what units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hepflow.plotting.fit_numbers import is_statistical
from hepflow.records.inference import Impact, Ranking
from hepflow.records.prediction import Floats

TOP = 20  # parameters that a ranking shows where nobody says how many


@dataclass(frozen=True)
class RankingNumbers:
    """Impacts of the parameters that are shown, largest first; NaN where there is no number."""

    poi: str
    bestfit: float
    uncertainty: float
    labels: tuple[str, ...]
    values: Floats  # best fits, shape (n_parameters,)
    errors: Floats  # their uncertainties, shape (n_parameters,)
    pulls: Floats  # in units of the constraint; NaN for a free parameter, (n_parameters,)
    pull_errors: Floats  # uncertainties after the fit in these units, (n_parameters,)
    postfit: Floats  # change of the POI, parameter down and up, shape (n_parameters, 2)
    prefit: Floats  # likewise with the width of the constraint, shape (n_parameters, 2)
    first: int  # rank of the first that is shown, from 1
    left_out: int  # parameters that are not shown


@dataclass(frozen=True)
class GroupNumbers:
    """Parts of the POI's uncertainty, largest first."""

    poi: str
    bestfit: float
    uncertainty: float
    labels: tuple[str, ...]
    impacts: Floats  # shape (n_groups,)


def ranking_numbers(
    ranking: Ranking, count: int = TOP, *, first: int = 1, statistical: bool = True
) -> RankingNumbers:
    """Choose the parameters with the largest impacts after the fit.

    Parameters
    ----------
    ranking : Ranking
        Of a converged fit.
    count : int
        How many are shown at most.
    first : int
        Rank of the first one, from 1: others fill further pages.
    statistical : bool
        Whether the templates' statistics take part, which has a parameter for each bin.
    """
    known = sorted(
        (one for one in ranking.impacts if statistical or not is_statistical(one.parameter)),
        key=lambda one: -one.size,
    )
    shown = known[first - 1 : first - 1 + count]
    return RankingNumbers(
        poi=ranking.poi,
        bestfit=ranking.bestfit,
        uncertainty=ranking.uncertainty,
        labels=tuple(one.parameter for one in shown),
        values=np.array([one.bestfit for one in shown]),
        errors=np.array([one.uncertainty for one in shown]),
        pulls=np.array([np.nan if one.pull is None else one.pull for one in shown]),
        pull_errors=np.array([_pull_error(one) for one in shown]),
        postfit=np.array([one.postfit for one in shown]).reshape(-1, 2),
        prefit=np.array([one.prefit or (np.nan, np.nan) for one in shown]).reshape(-1, 2),
        first=first,
        left_out=len(ranking.impacts) - len(shown),
    )


def _pull_error(impact: Impact) -> float:
    width = impact.prefit_uncertainty
    return impact.uncertainty / width if width > 0 else np.nan


def group_numbers(ranking: Ranking) -> GroupNumbers:
    """Parts of the POI's uncertainty by group of parameters, the statistics of data last."""
    return GroupNumbers(
        poi=ranking.poi,
        bestfit=ranking.bestfit,
        uncertainty=ranking.uncertainty,
        labels=tuple(one.group for one in ranking.groups),
        impacts=np.array([one.impact for one in ranking.groups]),
    )
