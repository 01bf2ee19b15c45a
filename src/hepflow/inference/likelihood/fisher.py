"""Fisher information: how well parameters can be measured, before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.likelihood.binning import Binning
from hepflow.inference.likelihood.histogram_fit import Summary
from hepflow.inference.likelihood.simulation import Simulation
from hepflow.inference.records import Floats
from hepflow.records.sbi import Information

SINGULAR = 1e-12  # of the largest eigenvalue: what rounding leaves where there is no information


def shape_information(
    score: Floats | Sequence[Floats], simulation: Simulation, theta: Any, luminosity: float
) -> Information:
    """Information in the events' distribution, L sigma E[t t^T], from an estimated score.

    Parameters
    ----------
    score : ndarray, shape (n_events, n_parameters), or a sequence of such
        Estimated score d ln p(x|theta)/d theta of the simulated events; several: members of an
        ensemble, whose spread is part of the uncertainty.
    simulation : Simulation
        Events with weights.
    theta : array_like, shape (n_parameters,)
        Where the score was estimated.
    luminosity : float
        Integrated luminosity [1/pb].

    Returns
    -------
    Information
        The score's mean, which must be zero, is among the notes where it is not.

    Raises
    ------
    InputError
        A score or a weight is not finite.
    """
    members = [score] if isinstance(score, np.ndarray) else list(score)
    weights = luminosity * simulation.at(theta)
    if not (np.isfinite(members).all() and np.isfinite(weights).all()):
        raise InputError(
            "the score or the weight of a simulated event is not finite, so that there is no "
            "Fisher information. Train with other settings, or look at the event file."
        )
    mean_score = np.mean(members, axis=0)
    products = np.einsum("ni,nj->nij", mean_score, mean_score)
    matrix = np.einsum("n,nij->ij", weights, products)
    away = products - matrix / weights.sum()
    variance = np.einsum("n,nij->ij", weights**2, away**2)
    if len(members) > 1:
        each = [np.einsum("n,ni,nj->ij", weights, one, one) for one in members]
        variance = variance + np.var(each, axis=0, ddof=1)
    notes = _score_note(mean_score, weights)
    return _information("shape", simulation, theta, luminosity, (matrix, np.sqrt(variance)), notes)


def _score_note(score: Floats, weights: Floats) -> tuple[str, ...]:
    """What to say where the mean of a score is not zero."""
    mean = weights @ score / weights.sum()
    size = np.sqrt(weights @ score**2 / weights.sum())
    if (np.abs(mean) <= 0.05 * size).all():
        return ()
    text = ", ".join(f"{one:.3g}" for one in mean)
    return (f"the mean of the estimated score is ({text}), not zero: train longer",)


def rate_information(simulation: Simulation, theta: Any, luminosity: float) -> Information:
    """Information in the number of events, L (d sigma)(d sigma)^T / sigma.

    Parameters
    ----------
    simulation : Simulation
        Events with weights; their sum is the cross-section after cuts.
    theta : array_like, shape (n_parameters,)
        Where.
    luminosity : float
        Integrated luminosity [1/pb].
    """
    weights = luminosity * simulation.at(theta)
    slopes = luminosity * simulation.derivative(theta)
    found = _of_bins(np.zeros(len(weights), dtype=np.int64), weights, slopes, 1)
    return _information("rate", simulation, theta, luminosity, found)


def full_information(
    score: Floats | Sequence[Floats], simulation: Simulation, theta: Any, luminosity: float
) -> Information:
    """Information in the events' distribution and number: the sum of both.

    Parameters
    ----------
    score, simulation, theta, luminosity
        As for `shape_information`.
    """
    shape = shape_information(score, simulation, theta, luminosity)
    rate = rate_information(simulation, theta, luminosity)
    return replace(
        shape,
        kind="full",
        matrix=shape.matrix + rate.matrix,
        uncertainty=np.hypot(shape.uncertainty, rate.uncertainty),
    )


def histogram_information(
    simulation: Simulation, summary: Summary, binning: Binning, theta: Any, luminosity: float
) -> Information:
    """Information in the contents of a histogram, sum over bins of (d nu)(d nu)^T / nu.

    Parameters
    ----------
    simulation : Simulation
        Events with weights.
    summary : callable
        What is binned, of events: (n, n_observables) -> (n, k).
    binning : Binning
        Its bins.
    theta : array_like, shape (n_parameters,)
        Where.
    luminosity : float
        Integrated luminosity [1/pb].
    """
    weights = luminosity * simulation.at(theta)
    slopes = luminosity * simulation.derivative(theta)
    index = binning.index(summary(simulation.x))
    found = _of_bins(index, weights, slopes, binning.size)
    return _information("histogram", simulation, theta, luminosity, found)


def latent_information_not_attainable(
    simulation: Simulation, theta: Any, luminosity: float
) -> Information:
    """Information in the hidden variables of the simulation: not what data contain.

    It is the sum over events of (d w)(d w)^T / w, with the joint scores d w/w, and includes the
    rate. Particles' flavours and momenta before the detector are not observed, so it is an upper
    end that no analysis reaches. The joint score varies at fixed observables, and events with
    tiny weights and large derivatives dominate the sum: for one element it was found 3.7 times
    as large as the exact information in the observables. It is no truth to compare an estimator
    with.

    Parameters
    ----------
    simulation : Simulation
        Events with weights.
    theta : array_like, shape (n_parameters,)
        Where.
    luminosity : float
        Integrated luminosity [1/pb].
    """
    weights = luminosity * simulation.at(theta)
    slopes = luminosity * simulation.derivative(theta)
    used = weights > 0
    index = np.arange(int(used.sum()))
    found = _of_bins(index, weights[used], slopes[used], len(index))
    return _information("latent", simulation, theta, luminosity, found)


def _of_bins(
    index: np.ndarray, weights: Floats, slopes: Floats, n_bins: int
) -> tuple[Floats, Floats]:
    """Information of Poisson bins, and its standard deviation from the number of events.

    What the sum changes by with one event more is found to first order; the squares add up.
    """
    nu = np.bincount(index, weights, minlength=n_bins)
    d = np.stack([np.bincount(index, one, minlength=n_bins) for one in slopes.T], axis=1)
    used = nu > 0
    ratio = np.where(used[:, None], d / np.where(used, nu, 1.0)[:, None], 0.0)
    matrix = np.einsum("bi,bj->ij", ratio, d)
    mine = ratio[index]
    cross = np.einsum("ni,nj->nij", slopes, mine)
    change = cross + np.swapaxes(cross, 1, 2)
    change -= weights[:, None, None] * np.einsum("ni,nj->nij", mine, mine)
    return matrix, np.sqrt((change**2).sum(axis=0))


def _information(
    kind: str,
    simulation: Simulation,
    theta: Any,
    luminosity: float,
    found: tuple[Floats, Floats],
    notes: tuple[str, ...] = (),
) -> Information:
    matrix, uncertainty = found
    point = [float(one) for one in np.ravel(theta)]
    return Information(
        kind=kind,
        parameters=tuple(one.name for one in simulation.parameters),
        units=tuple(one.unit for one in simulation.parameters),
        theta=(*point, *([0.0] * (len(simulation.parameters) - len(point)))),
        luminosity=luminosity,
        matrix=matrix,
        uncertainty=uncertainty,
        notes=notes,
    )


def profiled(information: Information, keep: Sequence[str]) -> Information:
    """Information in some parameters when the others are free (Schur complement).

    Parameters
    ----------
    information : Information
        In all parameters.
    keep : sequence of str
        Those of interest.

    Raises
    ------
    InputError
        A name is unknown, or the others cannot be measured at all.
    """
    rows, others = _places(information, keep)
    matrix = information.matrix
    inner = matrix[np.ix_(others, others)]
    if others and np.linalg.eigvalsh(inner)[0] <= 1e-12 * max(np.trace(inner), 1e-300):
        raise InputError(
            f"{', '.join(information.parameters[i] for i in others)} cannot be profiled: the data "
            "hold no information on them. Constrain them, or hold them with `projected`."
        )
    mixed = matrix[np.ix_(rows, others)]
    slope = np.linalg.solve(inner, mixed.T).T if others else np.zeros((len(rows), 0))
    found = matrix[np.ix_(rows, rows)] - slope @ mixed.T
    # Change of the complement with the matrix: (1, -slope) dI (1, -slope)^T.
    weights = np.zeros((len(rows), len(matrix)))
    weights[np.arange(len(rows)), rows] = 1.0
    weights[:, others] = -slope
    variance = weights**2 @ information.uncertainty**2 @ (weights**2).T
    free = tuple(information.parameters[i] for i in others)
    return _part(information, rows, (found, np.sqrt(variance)), profiled=free)


def projected(information: Information, keep: Sequence[str]) -> Information:
    """Information in some parameters when the others are known.

    Parameters
    ----------
    information : Information
        In all parameters.
    keep : sequence of str
        Those of interest.

    Raises
    ------
    InputError
        A name is unknown.
    """
    rows, others = _places(information, keep)
    at = np.ix_(rows, rows)
    held = tuple(information.parameters[i] for i in others)
    return _part(
        information, rows, (information.matrix[at], information.uncertainty[at]), held=held
    )


def constrained(information: Information, widths: dict[str, float]) -> Information:
    """Add what is known of nuisance parameters from elsewhere: 1/width^2 for normal ones.

    Parameters
    ----------
    information : Information
        Of the data.
    widths : dict
        Standard deviation of each, by name.
    """
    rows, _ = _places(information, list(widths))
    matrix = information.matrix.copy()
    matrix[rows, rows] += [1.0 / widths[information.parameters[i]] ** 2 for i in rows]
    return replace(information, matrix=matrix)


def _places(information: Information, names: Sequence[str]) -> tuple[list[int], list[int]]:
    unknown = [name for name in names if name not in information.parameters]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} is no parameter of this information, which has "
            f"{', '.join(information.parameters)}."
        )
    rows = [information.parameters.index(name) for name in names]
    return rows, [i for i in range(len(information.parameters)) if i not in rows]


def _part(
    information: Information,
    rows: list[int],
    found: tuple[Floats, Floats],
    *,
    profiled: tuple[str, ...] = (),
    held: tuple[str, ...] = (),
) -> Information:
    return replace(
        information,
        parameters=tuple(information.parameters[i] for i in rows),
        units=tuple(information.units[i] for i in rows),
        theta=tuple(information.theta[i] for i in rows),
        matrix=found[0],
        uncertainty=found[1],
        profiled=information.profiled + profiled,
        held=information.held + held,
    )


def cramer_rao(information: Information) -> Floats:
    """Smallest standard deviation of each parameter that an unbiased estimator can have.

    The other parameters of the matrix are free. Infinite where the data hold no information.
    """
    scale = np.sqrt(np.diag(information.matrix))
    scale = np.where(scale > 0, scale, 1.0)  # so that units don't matter
    values, vectors = np.linalg.eigh(information.matrix / np.outer(scale, scale))
    known = values > SINGULAR * max(float(values[-1]), 0.0)
    variance = vectors[:, known] ** 2 @ (1.0 / values[known])
    unknown = (vectors[:, ~known] ** 2 > SINGULAR).any(axis=1)
    return np.where(unknown, np.inf, np.sqrt(variance) / scale)
