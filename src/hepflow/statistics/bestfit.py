"""Fits around a best fit: with some parameters held at other values, all the others refitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError, InputError, did_you_mean
from hepflow.records.results import FitResult
from hepflow.statistics.batch import Fits, fit_many
from hepflow.statistics.fitting import require_good
from hepflow.statistics.likelihood import Likelihood

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POI = "poi"  # stands for the name of the parameter of interest
_IMPROVED = 1e-3  # in twice the negative log-likelihood: a fit that missed its minimum


def parameter_index(likelihood: Likelihood, name: str) -> int:
    """Position of a parameter; ``"poi"`` stands for the one of interest.

    Raises
    ------
    InputError
        The model has no such parameter; the message names the nearest one.
    """
    labels = likelihood.labels
    if name in labels:
        return labels.index(name)
    if name == POI:
        return likelihood.poi
    raise InputError(f"the model has no parameter {name!r}. {did_you_mean(name, labels)}")


def parameters_named(likelihood: Likelihood, names: Iterable[str]) -> tuple[int, ...]:
    """Positions of parameters, where a name may also stand for all bins of ``name[0]``, ...

    Raises
    ------
    InputError
        The model has no such parameter.
    """
    found: dict[int, None] = {}
    for name in names:
        bins = [i for i, one in enumerate(likelihood.labels) if one.rpartition("[")[0] == name]
        found |= dict.fromkeys(bins or [parameter_index(likelihood, name)])
    return tuple(found)


@dataclass(frozen=True)
class BestFit:
    """A best fit that neighbouring fits start from."""

    likelihood: Likelihood
    data: Floats  # shape (n_data,)
    parameters: Floats  # shape (n_parameters,)
    value: float  # twice the negative log-likelihood
    covariance: Floats  # shape (n_parameters, n_parameters)

    @classmethod
    def of(
        cls, likelihood: Likelihood, data: Sequence[float] | Floats, result: FitResult
    ) -> BestFit:
        """Take what `fit` found.

        Raises
        ------
        FitError
            The fit has no result that may be used.
        InputError
            The result is of another model.
        """
        if tuple(result.labels) != likelihood.labels:
            raise InputError(
                "the fit result is of another model: its parameters are "
                f"{', '.join(result.labels[:5])}, ..., not {', '.join(likelihood.labels[:5])}, ... "
                "Repeat the fit."
            )
        require_good(result)
        width = result.uncertainty
        covariance = result.correlation * np.outer(width, width)
        array = likelihood.checked(data)
        return cls(likelihood, array, result.bestfit, result.twice_nll, covariance)

    @property
    def uncertainty(self) -> Floats:
        """Standard deviations, shape (n_parameters,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def free_index(self, name: str, what: str) -> int:
        """Position of a parameter that the fit moves.

        Raises
        ------
        InputError
            There is none of this name, or it is fixed.
        """
        index = parameter_index(self.likelihood, name)
        if self.likelihood.fixed[index] or not self.uncertainty[index] > 0:
            raise InputError(
                f"{self.likelihood.labels[index]} is fixed in the fit: it has no {what}. "
                "Name a parameter that is free."
            )
        return index

    def held(self, which: Ints, values: Floats) -> Fits:
        """Fits with some parameters held.

        Parameters
        ----------
        which : array, shape (n_fits, n_held)
            Positions of the parameters that are held.
        values : array, shape (n_fits, n_held)

        Returns
        -------
        Fits
            All valid.

        Raises
        ------
        FitError
            A fit did not converge, or found a lower minimum than the best fit.
        """
        n_fits, n_held = which.shape
        start = np.tile(self.parameters, (n_fits, 1))
        fixed = np.tile(self.likelihood.fixed, (n_fits, 1))
        rows = np.repeat(np.arange(n_fits), n_held).reshape(which.shape)
        for row in range(n_fits):
            start[row] += self._follow(which[row], values[row])
        bounds = self.likelihood.bounds
        start = np.clip(start, bounds[:, 0], bounds[:, 1])
        start[rows, which], fixed[rows, which] = values, True
        found = fit_many(self.likelihood, self.data, start, fixed=fixed)
        self._check(found, which, values)
        return found

    def _follow(self, which: Ints, values: Floats) -> Floats:
        """How the other parameters follow, to first order."""
        block = self.covariance[np.ix_(which, which)]
        shift = np.linalg.pinv(block, hermitian=True) @ (values - self.parameters[which])
        return np.asarray(self.covariance[:, which] @ shift)

    def _check(self, found: Fits, which: Ints, values: Floats) -> None:
        lower = self.value - found.value
        for row in np.flatnonzero(~found.valid | ~(lower < _IMPROVED)):
            pairs = zip(which[row], values[row], strict=True)
            how = ", ".join(f"{self.likelihood.labels[i]} held at {v:g}" for i, v in pairs)
            if found.valid[row] and np.isfinite(lower[row]):
                raise FitError(
                    f"with {how} the fit is better than the best fit (by {lower[row]:.3g} in "
                    "twice the negative log-likelihood). The likelihood has several minima; "
                    "look at the templates of the parameters that move most."
                )
            raise FitError(
                f"the fit with {how} did not converge. "
                "Look at the templates and bounds of the other parameters."
            )
