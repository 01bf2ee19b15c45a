"""Second derivatives of a weighted sum of the yields of bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.interpolation import Curve
from hepflow.statistics.yields import Parts, Yields

Floats = NDArray[np.float64]


def scalar_bends(yields: Yields, parts: Parts, by_bin: Floats) -> Floats:
    """Second derivatives by the parameters that are not bound to bins, at many points.

    Parameters
    ----------
    yields : Yields
    parts : Parts
    by_bin : array, shape (n_points, n_bins)
        Weight of each bin in the sum.

    Returns
    -------
    array, shape (n_points, n_scalar, n_scalar)
    """
    n_points, n_scalar, n_shifts = len(by_bin), yields.n_scalar, yields.shifts.n
    matrix = np.zeros((n_points, n_scalar, n_scalar))
    index = np.arange(n_scalar)
    weighted = by_bin[:, :, np.newaxis] * parts.product
    if n_shifts:
        templates = yields.shifts.curved.reshape(-1, n_shifts)
        of_curve = weighted.reshape(n_points, -1) @ templates
        matrix[:, index[:n_shifts], index[:n_shifts]] += of_curve * parts.curve.bend
    if len(yields.row_factors.row):
        of_rows = yields.row_slopes(parts)
        total = _row_sums(yields, by_bin[:, :, np.newaxis] * parts.cells)
        across = of_rows.transpose(0, 2, 1)
        own = matrix[:, index, index] + _own_bends(yields, parts, total)
        matrix += across @ (total[:, :, np.newaxis] * of_rows)
        matrix[:, index, index] = own  # what stood there is the square of a factor's own slope
        if n_shifts:
            mixed = across @ _row_shifts(yields, weighted, parts.curve)
            matrix[:, :, :n_shifts] += mixed
            matrix[:, :n_shifts] += mixed.transpose(0, 2, 1)
    return matrix


def all_bends(yields: Yields, parts: Parts, by_bin: Floats) -> Floats:
    """Second derivatives by all parameters, at one point.

    Parameters
    ----------
    yields : Yields
    parts : Parts
        Of one point.
    by_bin : array, shape (n_bins,)

    Returns
    -------
    array, shape (n_parameters, n_parameters)
    """
    n_par, n_scalar, some = yields.n_parameters, yields.n_scalar, yields.bin_factors
    matrix = np.zeros((n_par, n_par))
    matrix[:n_scalar, :n_scalar] = scalar_bends(yields, parts, by_bin[np.newaxis])[0]
    if not len(some.cell):
        return matrix
    weight = by_bin[some.bin] / parts.values[0, some.parameter]
    mixed = np.zeros((n_par, n_scalar))
    slopes = _cell_slopes(yields, parts).reshape(-1, n_scalar)
    np.add.at(mixed, some.parameter, weight[:, np.newaxis] * slopes[some.cell])
    matrix[:, :n_scalar] += mixed
    matrix[:n_scalar] += mixed.T
    cells = parts.cells.reshape(-1)[some.cell]
    order = np.argsort(some.cell, kind="stable")
    for step in range(1, len(yields.bin_factors.layers)):  # several factors on one cell
        one, other = order[:-step], order[step:]
        same = some.cell[one] == some.cell[other]
        one, other = one[same], other[same]
        both = weight[one] * cells[one] / parts.values[0, some.parameter[other]]
        np.add.at(matrix, (some.parameter[one], some.parameter[other]), both)
        np.add.at(matrix, (some.parameter[other], some.parameter[one]), both)
    return matrix


def _cell_slopes(yields: Yields, parts: Parts) -> Floats:
    """Derivatives of each cell at one point, shape (n_bins, n_samples, n_scalar)."""
    of_rows = np.concatenate([yields.row_slopes(parts)[0], np.zeros((1, yields.n_scalar))])
    slopes = parts.cells[0, :, :, np.newaxis] * of_rows[yields.place.row_of]
    n_shifts = yields.shifts.n
    if n_shifts:
        moved = yields.shifts.linear + yields.shifts.curved * parts.curve.slope[0]
        slopes[:, :, :n_shifts] += parts.product[0, :, :, np.newaxis] * moved
    return np.asarray(slopes)


def _own_bends(yields: Yields, parts: Parts, total: Floats) -> Floats:
    """What a factor bends by itself: nothing, unless it is interpolated."""
    some = yields.row_factors
    bends = np.zeros((len(total), total.shape[1], yields.n_scalar))
    bends[:, some.row[some.n_plain :], some.parameter[some.n_plain :]] += parts.norms.bend
    return np.asarray((total[:, np.newaxis] @ bends)[:, 0])


def _row_sums(yields: Yields, cells: Floats) -> Floats:
    """Sums over the bins of each row, shape (n_points, n_rows)."""
    return np.concatenate(
        [
            cells[:, bins, : rows.stop - rows.start].sum(axis=1)
            for bins, rows in yields.place.channels
        ],
        axis=1,
    )


def _row_shifts(yields: Yields, weighted: Floats, curve: Curve) -> Floats:
    """Slopes by shifts of the weighted sum of each row, shape (n_points, n_rows, n_shifts)."""
    found = []
    for bins, rows in yields.place.channels:
        columns = slice(rows.stop - rows.start)
        weights = weighted[:, bins, columns].transpose(2, 0, 1)
        straight = weights @ yields.shifts.linear[bins, columns].transpose(1, 0, 2)
        bent = weights @ yields.shifts.curved[bins, columns].transpose(1, 0, 2)
        found.append((straight + bent * curve.slope).transpose(1, 0, 2))
    return np.concatenate(found, axis=1)
