"""Neyman construction: critical values of the test statistic from toys at each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.likelihood.grids import Grid
from hepflow.inference.likelihood.model import Likelihood
from hepflow.inference.likelihood.regions import LEVELS
from hepflow.inference.likelihood.simulation import Simulation
from hepflow.inference.likelihood.splines import values_at
from hepflow.inference.likelihood.toys import completed, resampled, statistics, with_auxiliary
from hepflow.inference.records import Floats
from hepflow.records.sbi import Critical

TOYS = 1000  # at each point
ROUNDING = 1e-6  # of a number of toys


def critical_values(  # noqa: PLR0913 -- what is tested, where, on what, and how
    likelihood: Likelihood,
    simulation: Simulation,
    points: Any,
    grid: Grid,
    expected: float | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    n_toys: int = TOYS,
    seed: int = 0,
) -> tuple[Critical, ...]:
    """Find the critical value of -2 ln(L/L_max) at each point, by toys of simulated events.

    The test statistic is the ratio of profile likelihoods: nuisance parameters are at their best
    values for each toy. Its distribution depends on the nuisance values that toys are made of,
    which nobody knows; those that are best for the data at the tested point are usual (the
    "profile construction", arXiv:physics/0511028).

    A region of the points whose statistic in data is below has its level whether or not the
    likelihood is a good one: a bad one makes it larger, not wrong.

    Parameters
    ----------
    likelihood : Likelihood
        With or without rate. With it, the number of events of a toy is Poisson with the mean at
        the point; without, it is fixed.
    simulation : Simulation
        Pool of events, not those of the training.
    points : array_like, shape (n_points, n_parameters)
        Where; such as the points of a coarse grid. With nuisance parameters after those of the
        theory, such as from `best_nuisances`; left out, toys are made at the centres of the
        constraints.
    grid : Grid
        On which the maximum of a toy is looked for.
    expected : float, optional
        Number of events where the likelihood has no rate.
    levels : sequence of float
        Confidence levels.
    n_toys : int
        Toys at each point.
    seed : int
        Of the random numbers: each point has its own stream.

    Returns
    -------
    tuple of Critical
        One a level.

    Raises
    ------
    InputError
        No number of events, or too few toys for a level.
    """
    places = np.atleast_2d(np.asarray(points, dtype=np.float64))
    highest = max(levels)
    beyond = n_toys * (1.0 - highest)
    if beyond < 1.0 - ROUNDING:
        raise InputError(
            f"{n_toys} toys cannot tell a level of {100 * highest:g} %. Use "
            f"{int(np.ceil(10 / (1 - highest) - ROUNDING))} or more."
        )
    quantiles, effective = [], []
    streams = np.random.SeedSequence(seed).spawn(len(places))
    for place, stream in zip(places, streams, strict=True):
        theta = completed(likelihood, place)
        mean = events_at(likelihood, theta, expected)
        fluctuate = likelihood.rate is not None
        rng = np.random.default_rng(stream)
        toys = resampled(simulation, theta, mean, n_toys, rng, fluctuate=fluctuate)
        toys = with_auxiliary(toys, likelihood, theta, rng)
        found = np.sort(statistics(likelihood, toys, theta, grid))
        quantiles.append([quantile(found, level) for level in levels])
        effective.append(toys.effective)
    values = np.array(quantiles)  # points, levels, (value, low, high)
    theory = likelihood.apart()[0]
    rows = tuple(tuple(float(one) for one in theta[: len(theory)]) for theta in places)
    return tuple(
        Critical(
            tuple(one.name for one in theory),
            rows,
            level,
            value=tuple(values[:, i, 0].tolist()),
            low=tuple(values[:, i, 1].tolist()),
            high=tuple(values[:, i, 2].tolist()),
            toys=n_toys,
            seed=seed,
            effective=min(effective),
        )
        for i, level in enumerate(levels)
    )


def events_at(likelihood: Likelihood, theta: Any, expected: float | None) -> float:
    """Mean number of events of a toy.

    Raises
    ------
    InputError
        The likelihood has no rate, and no number is given.
    """
    if likelihood.rate is not None:
        point = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        cross_section = np.ravel(likelihood.rate.cross_section(point))[0]
        return float(likelihood.rate.luminosity * cross_section)
    if expected is None:
        raise InputError(
            "toys of a likelihood without rate need a number of events. Give `expected`, such as "
            "the number that was observed."
        )
    return expected


def quantile(ordered: Floats, level: float) -> tuple[float, float, float]:
    """Quantile of toys, and the 68 % interval of it that their number leaves.

    The interval is between those order statistics whose ranks are one binomial standard
    deviation away.

    Examples
    --------
    >>> [round(one, 1) for one in quantile(np.arange(101.0), 0.5)]
    [50.0, 44.9, 55.1]
    """
    n = len(ordered)
    error = np.sqrt(level * (1.0 - level) / n)
    wanted = np.clip([level, level - error, level + error], 0.0, 1.0)
    # Toys below the quantile are, on average, the level of all others that may come.
    value, low, high = np.quantile(ordered, wanted, method="weibull")
    return float(value), float(low), float(high)


def on_scan(critical: Critical, coarse: Grid, grid: Grid) -> Floats:
    """Critical values on the grid of a scan, from those on a coarse one, shape of the grid.

    They vary slowly, so that a spline through few points is closer than the toys of many. Beyond
    the coarse grid they are those at its border.
    """
    values = np.asarray(critical.value).reshape(coarse.shape)
    return values_at(coarse.axes, values, grid.points).reshape(grid.shape)
