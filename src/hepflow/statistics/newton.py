"""Many minima at once: damped Newton steps with approximate second derivatives and bounds.

Far from the minimum the second derivatives are the expected ones (Fisher's scoring), so that every
step goes down; near it they are the exact ones, but for those between several parameters of one
bin, so that the last steps converge fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.likelihood import Expansion, Likelihood

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
DISTANCE = 1e-10  # to the minimum, in twice the negative log-likelihood; the last step comes on top
_ITERATIONS = 80
_HALVINGS = 14
_NEAR = 1.0  # distance from which second derivatives are taken as they are
_FLAT = 1e-9  # second derivative, scaled to ones on the diagonal, below which there is none
_ROUNDING = 1e-13  # relative, of a likelihood
_RIDGE = 1e-10  # relative, on the diagonal of second derivatives
_NOTHING = 1e-50  # second derivative by a parameter without effect, such as 1e-100 of something
_DAMPING = (1e-3, 1e3)  # range
_SHARE = 1e-4  # of the decrease that the slope promises, which a step must bring at least


@dataclass
class _State:
    """Fits on their way."""

    likelihood: Likelihood
    data: Floats  # shape (n_fits or 1, n_data)
    parameters: Floats  # shape (n_fits, n_parameters)
    fixed: Flags
    low: Floats
    high: Floats
    values: Floats = field(init=False)  # without constants
    valid: Flags = field(init=False)
    exact: Flags = field(init=False)  # whether the next step takes exact second derivatives
    damping: Floats = field(init=False)  # of the next step, for directions that are nearly flat

    def __post_init__(self) -> None:
        n_fits = len(self.parameters)
        self.values = self.likelihood.values(self.parameters, self.data)
        self.valid, self.exact = np.zeros(n_fits, np.bool_), np.zeros(n_fits, np.bool_)
        self.damping = np.zeros(n_fits)

    def data_of(self, fits: Ints) -> Floats:
        """Data of some of the fits."""
        return self.data if len(self.data) == 1 else self.data[fits]


def settle(
    likelihood: Likelihood, data: Floats, start: Floats, fixed: Flags, bounds: Floats
) -> tuple[Floats, Floats, Flags]:
    """Minimise, from all starts at once.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_fits, n_data) or (1, n_data)
    start : array, shape (n_fits, n_parameters)
    fixed : array of bool, shape (n_fits, n_parameters)
    bounds : array, shape (n_fits, n_parameters, 2)

    Returns
    -------
    tuple of array
        Parameters, `Likelihood.values` there, and whether the distance to the minimum, as
        estimated from gradient and second derivatives, is below `DISTANCE`. A parameter whose
        slope points out of its range has none to go.
    """
    low, high = bounds[..., 0], bounds[..., 1]
    inside = np.where(fixed, start, np.clip(start, low, high))
    state = _State(likelihood, data, inside, fixed, low, high)
    active = np.flatnonzero(np.isfinite(state.values))
    for _ in range(_ITERATIONS):
        if not len(active):
            break
        active = _step(state, active)
    return state.parameters, state.values, state.valid


def _step(state: _State, fits: Ints) -> Ints:
    """One step of these fits; returns those that still have a way to go."""
    exact = state.exact[fits]
    going = [_one_kind(state, fits[~exact], exact=False), _one_kind(state, fits[exact], exact=True)]
    return np.sort(np.concatenate(going))


def _one_kind(state: _State, fits: Ints, *, exact: bool) -> Ints:
    """One step with second derivatives of one kind."""
    if not len(fits):
        return fits
    here, data = state.parameters[fits], state.data_of(fits)
    found = state.likelihood.expand(here, data, exact=exact)
    outward = ((here <= state.low[fits]) & (found.gradient > 0)) | (
        (here >= state.high[fits]) & (found.gradient < 0)
    )
    free = ~state.fixed[fits] & ~outward
    step = newton_step(state.likelihood, found, free, state.damping[fits])
    slope = np.sum(np.where(free, found.gradient * step, 0.0), axis=1)
    usable = np.isfinite(slope) & (slope <= 0)
    arrived = usable & (-slope < DISTANCE) & exact
    whole, some = _descend(state, fits, step, slope, usable)
    state.damping[fits] = _damped(state.damping[fits], whole)
    state.exact[fits] = some if exact else ~whole | (-slope < _NEAR)
    state.valid[fits] = arrived
    left: Ints = fits[~arrived & (some | exact)]
    return left


def _damped(damping: Floats, whole: Flags) -> Floats:
    """Damping of the next step: more where a step was too long, less where it was right."""
    less = np.where(damping > _DAMPING[0], damping / 10, 0.0)
    return np.where(whole, less, np.clip(10 * damping, *_DAMPING))


def _descend(
    state: _State, fits: Ints, step: Floats, slope: Floats, usable: Flags
) -> tuple[Flags, Flags]:
    """Go as much of each step as brings the likelihood down; whether all and whether any was."""
    whole, some = np.zeros(len(fits), np.bool_), np.zeros(len(fits), np.bool_)
    left, part = np.flatnonzero(usable), 1.0
    for _ in range(_HALVINGS):
        if not len(left):
            break
        index = fits[left]
        moved = state.parameters[index] + part * step[left]
        inside = np.clip(moved, state.low[index], state.high[index])
        moved = np.where(state.fixed[index], state.parameters[index], inside)
        values = state.likelihood.values(moved, state.data_of(index))
        limit = state.values[index]
        limit = limit + 2 * _SHARE * part * slope[left] + _ROUNDING * (1 + np.abs(limit))
        lower = values <= limit
        state.parameters[index[lower]] = moved[lower]
        state.values[index[lower]] = values[lower]
        some[left[lower]] = True
        whole[left[lower]] = part == 1.0
        left, part = left[~lower], part / 2
    return whole, some


def newton_step(likelihood: Likelihood, at: Expansion, free: Flags, damping: Floats) -> Floats:
    """Step to the minimum of the second-order expansion.

    Parameters that act on one bin only are solved for one by one: what remains is a system of the
    others in which their bins weigh less.

    Parameters
    ----------
    likelihood : Likelihood
    at : Expansion
    free : array of bool, shape (n_points, n_parameters)
        The others do not move.
    damping : array, shape (n_points,)
        Added to second derivatives, which are scaled to ones: 0 is the whole step.

    Returns
    -------
    array, shape (n_points, n_parameters)
    """
    n_dense, owner = likelihood.yields.n_dense, likelihood.yields.single_bins
    gradient = np.where(free, at.gradient, 0.0)
    alone = free[:, n_dense:]
    slopes = np.where(alone, at.slopes.single, 0.0)
    inverse = np.where(alone, 1.0 / np.where(alone, at.curvature[:, n_dense:], 1.0), 0.0)
    to_bin = _one_hot(owner, at.weight.shape[1])
    spread = (slopes * slopes * inverse) @ to_bin
    share = 1.0 / (1.0 + at.weight * spread)
    weight = at.weight - at.cross * at.cross * spread * share
    pulled = at.cross * share * ((slopes * gradient[:, n_dense:] * inverse) @ to_bin)
    dense = at.slopes.dense
    right = -gradient[:, :n_dense] + (pulled[:, np.newaxis] @ dense)[:, 0]
    step = np.empty_like(gradient)
    step[:, :n_dense] = _solved(at, weight, right, free[:, :n_dense], damping)
    moved = at.cross * (dense @ step[:, :n_dense, np.newaxis])[:, :, 0]
    rest = inverse * (-gradient[:, n_dense:] - slopes * moved[:, owner])
    common = at.weight * share * ((slopes * rest) @ to_bin)
    step[:, n_dense:] = rest - slopes * inverse * common[:, owner]
    return step


def _one_hot(owner: Ints, n_bins: int) -> Floats:
    matrix = np.zeros((len(owner), n_bins))
    matrix[np.arange(len(owner)), owner] = 1.0
    return matrix


def _solved(at: Expansion, weight: Floats, right: Floats, free: Flags, damping: Floats) -> Floats:
    """Solve for the parameters that act on many bins, scaled to a diagonal of ones."""
    moving = np.flatnonzero(free.any(axis=0))
    step = np.zeros_like(right)
    if not len(moving):
        return step
    matrix = _matrix(at, weight, moving)
    held = ~free[:, moving]
    matrix[held[:, :, np.newaxis] | held[:, np.newaxis, :]] = 0.0
    index = np.arange(len(moving))
    diagonal = matrix[:, index, index] + np.where(held, 1.0, at.curvature[:, moving])
    matrix[:, index, index] = diagonal
    flat = np.abs(diagonal) < _NOTHING
    scale = 1.0 / np.sqrt(np.where(flat, 1.0, np.abs(diagonal)))
    matrix *= scale[:, :, np.newaxis] * scale[:, np.newaxis, :]
    matrix[:, index, index] += _RIDGE + flat
    wrong = ~np.isfinite(matrix).all(axis=(1, 2))
    matrix[wrong] = np.eye(len(moving))
    wanted = np.where(held, 0.0, right[:, moving]) * scale
    wanted[wrong] = np.nan  # no step that could be taken
    _straighten(matrix)
    matrix[:, index, index] += damping[:, np.newaxis]
    step[:, moving] = _solve(matrix, wanted) * scale
    return step


def _matrix(at: Expansion, weight: Floats, moving: Ints) -> Floats:
    """Second derivatives by some parameters, without the constraints."""
    some = at.slopes.dense[:, :, moving]
    matrix: Floats = (some * weight[:, :, np.newaxis]).transpose(0, 2, 1) @ some
    if at.bends is not None:
        chosen = moving[moving < at.bends.shape[1]]
        first = len(chosen)
        matrix[:, :first, :first] += at.bends[:, chosen[:, np.newaxis], chosen]
    return matrix


def _straighten(matrices: Floats) -> None:
    """Turn what bends down into what bends up as much, so that the step goes down."""
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrices)
        bad = np.flatnonzero(values[:, 0] <= _FLAT)
        positive = np.maximum(np.abs(values[bad]), _FLAT)
        matrices[bad] = (vectors[bad] * positive[:, np.newaxis]) @ vectors[bad].transpose(0, 2, 1)


def _solve(matrices: Floats, right: Floats) -> Floats:
    """Solve for many; where one cannot be solved, without its flat directions."""
    try:
        return np.asarray(np.linalg.solve(matrices, right[:, :, np.newaxis])[:, :, 0])
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrices)
        flat = values < _FLAT * values[:, -1:]
        inverse = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, values))
        along = (right[:, np.newaxis] @ vectors)[:, 0] * inverse
        return np.asarray((vectors @ along[:, :, np.newaxis])[:, :, 0])
