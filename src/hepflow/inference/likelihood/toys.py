"""Sets of events that could have been observed, and their test statistic.

Nuisance parameters have auxiliary measurements, which would have been others, too, if the
experiment were repeated: those of a toy are drawn from the constraints around the nuisance values
that its events are drawn at (the "unconditional ensemble" of LHC statistics, ATL-PHYS-PUB-2011-11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.likelihood.grids import Grid
from hepflow.inference.likelihood.minima import lowest
from hepflow.inference.likelihood.model import Likelihood
from hepflow.inference.likelihood.simulation import Simulation
from hepflow.inference.likelihood.toy_profiles import profiles
from hepflow.inference.records import Floats

Draw = Callable[[np.random.Generator, int], Floats]  # number of events -> events (n, d)


@dataclass(frozen=True)
class Toys:
    """Sets of data that share a pool of events."""

    x: Floats  # shape (n, n_observables)
    counts: Any  # sparse, shape (n_toys, n): how often each event occurs in each set
    effective: float = 0.0  # number of simulated events behind them; 0: fresh ones
    # Auxiliary measurements of nuisance parameters, shape (n_toys, n_nuisances)
    measured: Floats | None = None


def resampled(
    simulation: Simulation,
    theta: Any,
    expected: float,
    n_toys: int,
    rng: np.random.Generator,
    *,
    fluctuate: bool = True,
) -> Toys:
    """Draw toys from simulated events, with their weights at a point.

    Parameters
    ----------
    simulation : Simulation
        Pool of events. It should hold several times what a toy needs: an event may be drawn
        more than once.
    theta : array_like, shape (n_parameters,)
        Truth, with nuisance parameters after those of the theory; left out, they are 0.
    expected : float
        Mean number of events of a toy.
    n_toys : int
        How many.
    rng : numpy.random.Generator
        Source of random numbers.
    fluctuate : bool
        Whether the number of events has a Poisson distribution; it is fixed otherwise.
    """
    chances = np.cumsum(simulation.probabilities(theta))
    sizes = _sizes(expected, n_toys, rng, fluctuate=fluctuate)
    drawn = np.searchsorted(chances, rng.random(int(sizes.sum())) * chances[-1], side="right")
    used, place = np.unique(drawn, return_inverse=True)
    return Toys(simulation.x[used], _sparse(sizes, place, len(used)), simulation.effective(theta))


def fresh(
    draw: Draw, expected: float, n_toys: int, rng: np.random.Generator, *, fluctuate: bool = True
) -> Toys:
    """Draw toys of new events.

    Parameters
    ----------
    draw : callable
        Of a source of random numbers and a number: so many events at the truth.
    expected : float
        Mean number of events of a toy.
    n_toys : int
        How many.
    rng : numpy.random.Generator
        Source of random numbers.
    fluctuate : bool
        Whether the number of events has a Poisson distribution; it is fixed otherwise.
    """
    sizes = _sizes(expected, n_toys, rng, fluctuate=fluctuate)
    x = np.asarray(draw(rng, int(sizes.sum())), dtype=np.float64)
    return Toys(x, _sparse(sizes, np.arange(len(x)), len(x)))


def with_auxiliary(
    toys: Toys, likelihood: Likelihood, theta: Any, rng: np.random.Generator
) -> Toys:
    """Toys with auxiliary measurements, drawn from the constraints around a point.

    Parameters
    ----------
    toys : Toys
        Sets of events at the point.
    likelihood : Likelihood
        With constraints; without, the toys are returned as they are.
    theta : array_like, shape (n_parameters,)
        Truth, nuisance parameters included; left out, they are at the centres of the constraints.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    if not likelihood.constraints:
        return toys
    values = completed(likelihood, theta)[-len(likelihood.constraints) :]
    size = (toys.counts.shape[0], len(values))
    return replace(toys, measured=values + likelihood.widths * rng.standard_normal(size))


def completed(likelihood: Likelihood, theta: Any) -> Floats:
    """A point with nuisance parameters: where they are left out, the centres of the constraints."""
    point = np.asarray(theta, dtype=np.float64).ravel()
    missing = len(likelihood.parameters) - len(point)
    if missing not in {0, len(likelihood.constraints)}:
        raise InputError(
            f"a parameter point has {len(point)} values; expected {len(likelihood.parameters)}: "
            f"{', '.join(likelihood.names)}."
        )
    return np.concatenate([point, likelihood.nominal]) if missing else point


def _sizes(
    expected: float, n_toys: int, rng: np.random.Generator, *, fluctuate: bool
) -> np.ndarray:
    if not expected > 0 or n_toys < 1:
        raise InputError(
            f"{n_toys} toys with {expected:g} events each cannot be drawn. Both numbers must be "
            "positive: look at luminosity, cross-section and the number of toys."
        )
    fixed = np.full(n_toys, max(round(expected), 1))
    return np.asarray(rng.poisson(expected, n_toys) if fluctuate else fixed, dtype=np.int64)


def _sparse(sizes: np.ndarray, columns: np.ndarray, n: int) -> Any:
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(len(sizes)), sizes)
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(sizes), n))


def statistics(likelihood: Likelihood, toys: Toys, theta: Any, grid: Grid) -> Floats:
    """-2 ln L(theta)/L_max of each toy, shape (n_toys,).

    The maximum is that on the grid, refined by a parabola between its points. With nuisance
    parameters both likelihoods are at the values of these that are best for the toy's events and
    auxiliary measurements.

    Parameters
    ----------
    likelihood : Likelihood
        As for the data.
    toys : Toys
        Sets of events.
    theta : array_like, shape (n_parameters,)
        Where it is tested, with the nuisance values that the toys were drawn at; left out, these
        are the centres of the constraints.
    grid : Grid
        Range of the parameters; its distances should be below the regions' size.

    Raises
    ------
    InputError
        The likelihood has nuisance parameters, and the toys have no auxiliary measurements.
    """
    if likelihood.constraints:
        if toys.measured is None:
            raise InputError(
                f"toys have no auxiliary measurements, but the likelihood has constraints on "
                f"{', '.join(likelihood.constraints)}. Draw them with `with_auxiliary`."
            )
        values = profiles(likelihood, toys, completed(likelihood, theta), grid)
    else:
        point = np.asarray(theta, dtype=np.float64)[None, :]
        values = likelihood.sets(toys.x, toys.counts)(np.concatenate([point, grid.points]))
    surfaces = values[:, 1:].reshape(-1, *grid.shape)
    best = lowest(surfaces, grid.axes)[1]
    return np.asarray(values[:, 0] - np.minimum(best, values[:, 0]), dtype=np.float64)
