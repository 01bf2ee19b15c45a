"""Pseudo-experiments ("toys"): data as the model makes them, and fits to them.

The counts of a toy are Poisson-distributed around the expected ones. Its auxiliary data are drawn
from the constraints around the same parameters: normal ones with their width, Poisson ones as
counts (the "unconditional ensemble" of LHC statistics, ATL-PHYS-PUB-2011-11).

Each number of a toy is the quantile of one uniform number, and the uniform numbers of a toy follow
from the seed, the ensemble and the toy's number alone. So toys do not depend on how many are made
at a time, and two ensembles with neighbouring parameters fluctuate alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError, InputError
from hepflow.logging.progress import Task as Progress
from hepflow.statistics.batch import Fits, fit_many
from hepflow.statistics.likelihood import Likelihood

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MOST_FAILED = 0.01  # fraction of toys whose fit may fail
FEWEST_TOYS = 20  # fewer say nothing about any distribution
_BATCH = 500  # toys that are fitted together
_NORMAL = 1e8  # expected events above which a count is normal to 1e-5 of its width
_REACH = (9.0, 40.0)  # of the table of a Poisson distribution: widths, and counts
_IMPROVED = 1e-6  # in twice the negative log-likelihood: a fit that missed its minimum
_HALF_STEP = 2.0**-54  # uniform numbers are multiples of 2**-53, zero included


@dataclass(frozen=True, slots=True)
class ToySpec:
    """How many toys, and from which seed."""

    number: int = 2000  # of each ensemble
    seed: int = 1

    def checked(self) -> ToySpec:
        """Return it if it can be used.

        Raises
        ------
        InputError
            There are too few toys, or the seed is negative.
        """
        if self.number < FEWEST_TOYS or self.seed < 0:
            raise InputError(
                f"{self.number} toys with seed {self.seed} were asked for. "
                f"Expected {FEWEST_TOYS} toys or more, and a seed that is not negative."
            )
        return self


def uniform(spec: ToySpec, ensemble: int, first: int, count: int, n_data: int) -> Floats:
    """Uniform numbers of the toys `first`, `first` + 1, ..., between 0 and 1, without the ends.

    Parameters
    ----------
    spec : ToySpec
    ensemble : int
        Toys of different ensembles are independent.
    first, count : int
    n_data : int
        Numbers of a toy.

    Returns
    -------
    array, shape (count, n_data)
    """
    source = np.random.PCG64(np.random.SeedSequence(spec.seed, spawn_key=(ensemble,)))
    source.advance(first * n_data)  # one step a number
    return np.random.Generator(source).random((count, n_data)) + _HALF_STEP


def poisson_quantile(rate: float, uniforms: Floats) -> Floats:
    """Smallest counts at which the cumulative Poisson distribution reaches `uniforms`.

    Examples
    --------
    >>> poisson_quantile(1.0, np.array([0.3, 0.4, 0.7, 0.75])).tolist()
    [0.0, 1.0, 1.0, 2.0]
    """
    from scipy.special import ndtri, pdtr

    if not rate > 0:
        return np.zeros_like(uniforms)
    width = np.sqrt(rate)
    if rate > _NORMAL:
        return np.asarray(np.rint(rate + width * ndtri(uniforms)))
    low = np.floor(max(rate - _REACH[0] * width, 0.0))
    counts = np.arange(low, rate + _REACH[0] * width + _REACH[1])
    return np.asarray(low + np.searchsorted(pdtr(counts, rate), uniforms))


def toy_data(likelihood: Likelihood, parameters: Floats, uniforms: Floats) -> Floats:
    """Toys of one set of parameters.

    Parameters
    ----------
    likelihood : Likelihood
    parameters : array, shape (n_parameters,)
    uniforms : array, shape (n_toys, n_data)
        As `uniform` gives them.

    Returns
    -------
    array, shape (n_toys, n_data)
        With auxiliary data. Bins that the model expects to be negative are empty.
    """
    from scipy.special import ndtri

    data = np.empty_like(uniforms)
    n_bins, some = likelihood.yields.n_bins, likelihood._constraints  # noqa: SLF001 - of this package
    for k, rate in enumerate(likelihood.yields.bins(parameters)):
        data[:, k] = poisson_quantile(float(rate), uniforms[:, k])
    normal = n_bins + some.normal_aux
    data[:, normal] = parameters[some.normal] + some.sigma * ndtri(uniforms[:, normal])
    for k, rate in zip(some.poisson_aux, parameters[some.poisson] * some.factor, strict=True):
        data[:, n_bins + k] = poisson_quantile(float(rate), uniforms[:, n_bins + k])
    return data


def make_toys(
    likelihood: Likelihood, parameters: Floats, spec: ToySpec, ensemble: int = 0
) -> Floats:
    """Toys of a whole ensemble, shape (n_toys, n_data).

    Raises
    ------
    InputError
        There are too few toys, or the seed is negative.
    """
    uniforms = uniform(spec.checked(), ensemble, 0, spec.number, likelihood.n_data)
    return toy_data(likelihood, parameters, uniforms)


def fit_toys(
    likelihood: Likelihood,
    toys: Floats,
    start: Floats,
    *,
    poi: float | tuple[float, float] | None = None,
    task: Progress | None = None,
) -> Fits:
    """Fit the model to each toy.

    Parameters
    ----------
    likelihood : Likelihood
    toys : array, shape (n_toys, n_data)
    start : array, shape (n_parameters,) or (n_toys, n_parameters)
        The parameters that made the toys are a good choice.
    poi : float or pair, optional
        Value at which the parameter of interest is held, or its range; default that of the model.
    task : Task, optional
        A progress that is advanced by the number of fits.

    Returns
    -------
    Fits
        Those that did not converge are marked; see `judged`.
    """
    begin = np.broadcast_to(start, (len(toys), start.shape[-1])).copy()
    bounds, fixed, where = likelihood.bounds.copy(), likelihood.fixed.copy(), likelihood.poi
    if isinstance(poi, tuple):
        bounds[where] = poi
    elif poi is not None:
        fixed[where], begin[:, where] = True, poi
    free = ~fixed
    begin[:, free] = np.clip(begin[:, free], bounds[free, 0], bounds[free, 1])
    parts: list[Fits] = []
    for first in range(0, len(toys), _BATCH):
        part = slice(first, first + _BATCH)
        parts.append(fit_many(likelihood, toys[part], begin[part], fixed=fixed, bounds=bounds))
        if task is not None:
            task.advance(len(parts[-1].value))
    return Fits(
        np.concatenate([one.parameters for one in parts]),
        np.concatenate([one.value for one in parts]),
        np.concatenate([one.valid for one in parts]) & _finite(parts),
    )


def _finite(parts: list[Fits]) -> Flags:
    return np.asarray(np.isfinite(np.concatenate([one.value for one in parts])))


def improved(
    likelihood: Likelihood, toys: Floats, free: Fits, held: Fits, poi: tuple[float, float]
) -> Fits:
    """Free fits, again from the parameters of the held ones where these are better.

    A likelihood may have several minima: the same fit must not be worse for having more freedom.
    """
    missed = free.valid & held.valid & (held.value < free.value - _IMPROVED)
    if not missed.any():
        return free
    return replaced(
        free, missed, fit_toys(likelihood, toys[missed], held.parameters[missed], poi=poi)
    )


def replaced(fits: Fits, which: Flags, others: Fits) -> Fits:
    """The same with other fits in some places, as many as are marked."""
    parameters, value, valid = fits.parameters.copy(), fits.value.copy(), fits.valid.copy()
    parameters[which], value[which], valid[which] = others.parameters, others.value, others.valid
    return Fits(parameters, value, valid)


def judged(valid: Flags, what: str) -> int:
    """Count the toys whose fit failed.

    Raises
    ------
    FitError
        These are more than 1 %, so that what is left may be no fair sample.
    """
    failed = int((~valid).sum())
    if failed > MOST_FAILED * len(valid):
        raise FitError(
            f"{failed} of {len(valid)} toys for the {what} have a fit that did not converge; at "
            f"most {MOST_FAILED:.0%} may. Look at the templates and bounds of the parameters, or "
            'use calculator "asymptotic".'
        )
    return failed


def fraction(count: float, total: int) -> tuple[float, float]:
    """Fraction and its binomial uncertainty, which is not zero where the fraction is 0 or 1.

    There it is the width of the posterior for a uniform prior (about 1 / total), so that it says
    how little is known.

    Examples
    --------
    >>> [round(number, 4) for number in fraction(50, 1000)]
    [0.05, 0.0069]
    >>> [round(number, 4) for number in fraction(0, 1000)]
    [0.0, 0.001]
    """
    share = count / total
    spread = share * (1 - share) / total
    centre = (count + 1) / (total + 2)
    least = centre * (1 - centre) / (total + 3)
    return share, float(np.sqrt(spread if 0 < count < total else least))
