"""Numbers of the figures about a fit: which parameters are shown, and how. Nothing draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hepflow.records import FitResult
from hepflow.records.prediction import Floats

FEW = 20  # parameters up to which a correlation matrix shows all of them
MANY = 40  # the most that it shows
PAGE = 45  # nuisance parameters on a page of pulls
_STATISTICAL = ("staterror_", "gamma_")  # templates' statistics: one parameter for each bin


@dataclass(frozen=True)
class ParameterNumbers:
    """Fitted parameters of one kind, in the order of the fit."""

    labels: tuple[str, ...]
    values: Floats  # shape (n_parameters,)
    errors: Floats  # one standard deviation, shape (n_parameters,)


@dataclass(frozen=True)
class PullNumbers:
    """Nuisance parameters in units of their constraint, and free factors as they are."""

    nuisances: ParameterNumbers  # before the fit 0 +- 1
    factors: ParameterNumbers


@dataclass(frozen=True)
class CorrelationNumbers:
    """Correlation matrix of the parameters that are shown."""

    labels: tuple[str, ...]
    matrix: Floats  # shape (n_parameters, n_parameters)
    left_out: int  # parameters without a correlation worth showing; bin statistics not counted


def is_statistical(label: str) -> bool:
    """Whether a parameter stands for the statistics of the templates in one bin."""
    return label.startswith(_STATISTICAL)


def pull_numbers(result: FitResult, norm_factors: Sequence[str] = ()) -> PullNumbers:
    """Separate constrained from free parameters; template statistics are left out.

    Parameters
    ----------
    result : FitResult
        A converged fit.
    norm_factors : sequence of str
        Names of the free factors besides the parameter of interest.
    """
    free = {*norm_factors, result.poi}

    def pick(wanted: NDArray[np.bool_]) -> ParameterNumbers:
        names = tuple(n for n, keep in zip(result.labels, wanted, strict=True) if keep)
        return ParameterNumbers(names, result.bestfit[wanted], result.uncertainty[wanted])

    factor = np.array([label in free for label in result.labels], dtype=bool)
    statistical = np.array([is_statistical(label) for label in result.labels], dtype=bool)
    return PullNumbers(pick(~factor & ~statistical), pick(factor))


def pull_pages(numbers: PullNumbers, most: int = PAGE) -> tuple[PullNumbers, ...]:
    """Split the pulls of a large fit into pages of equal length; factors are on the first.

    Parameters
    ----------
    numbers : PullNumbers
        Of all parameters.
    most : int
        Nuisance parameters on a page at most.
    """
    all_of = numbers.nuisances
    count = max(-(-len(all_of.labels) // most), 1)
    nothing = ParameterNumbers((), np.zeros(0), np.zeros(0))
    ends = np.linspace(0, len(all_of.labels), count + 1).round().astype(int)
    return tuple(
        PullNumbers(
            ParameterNumbers(
                all_of.labels[low:high], all_of.values[low:high], all_of.errors[low:high]
            ),
            nothing if page else numbers.factors,
        )
        for page, (low, high) in enumerate(pairwise(ends))
    )


def correlation_numbers(result: FitResult, threshold: float = 0.2) -> CorrelationNumbers:
    """Choose the parameters whose correlations are shown.

    Parameters
    ----------
    result : FitResult
        A converged fit.
    threshold : float
        Models with more than `FEW` parameters show those with a larger correlation, in
        absolute value, to any other, at most the `MANY` largest; the parameter of interest
        always.

    Returns
    -------
    CorrelationNumbers
        In the order of the fit, without template statistics and constant parameters.
    """
    candidates = np.array(
        [
            i
            for i, label in enumerate(result.labels)
            if not is_statistical(label) and result.uncertainty[i] > 0
        ],
        dtype=np.intp,
    )
    matrix = result.correlation[np.ix_(candidates, candidates)]
    shown = np.arange(len(candidates))
    if len(candidates) > FEW:
        largest = np.max(np.abs(matrix - np.diag(np.diag(matrix))), axis=1)
        poi = np.array([result.labels[i] == result.poi for i in candidates])
        rank = np.where(poi, np.inf, largest)
        shown = np.sort(np.argsort(-rank, kind="stable")[:MANY])
        shown = shown[(rank[shown] >= threshold)]
    labels = tuple(result.labels[i] for i in candidates[shown])
    return CorrelationNumbers(labels, matrix[np.ix_(shown, shown)], len(candidates) - len(shown))
