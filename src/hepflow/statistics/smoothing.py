"""Smoothing of variations whose shape is drowned by the statistics of their events.

The algorithm is "353QH, twice": running medians of 3, 5 and 3 points, quadratic interpolation
of flat segments, running means (Hanning), and the same once more for what that took away. J. H.
Friedman, Proc. of the 1974 CERN School of Computing, CERN 74-23, p. 292,
https://cds.cern.ch/record/186223; the numbers are those of ROOT's ``TH1::SmoothArray``.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_BINS = 3  # fewer have no neighbours to be compared with


def smoothed(varied: Floats, nominal: Floats) -> Floats:
    """Templates with a smooth ratio to nominal, and the yield that they had.

    Parameters
    ----------
    varied : array, shape (n_templates, n_bins)
    nominal : array, shape (n_bins,)

    Returns
    -------
    array, shape (n_templates, n_bins)
        Bins in which nothing is expected are as they were, as are templates with fewer than three
        others, and those that are not finite or whose yield is not positive.

    Notes
    -----
    A ratio that is the same in all bins stays as it is.
    """
    used = nominal > 0
    out = np.array(varied, dtype=np.float64)
    if np.count_nonzero(used) < LEAST_BINS:
        return out
    inside = out[:, used]
    fine = np.isfinite(inside).all(axis=1) & (inside.sum(axis=1) > 0)
    before = inside[fine]
    after = smooth_353qh_twice(before / nominal[used]) * nominal[used]
    totals = after.sum(axis=1)
    factors = before.sum(axis=1) / np.where(totals > 0, totals, 1.0)
    after = np.where((totals > 0)[:, np.newaxis], after * factors[:, np.newaxis], before)
    inside[fine] = after
    out[:, used] = inside
    return out


def smooth_353qh_twice(values: Floats) -> Floats:
    """Rows smoothed by "353QH, twice", shape (n_rows, n_bins) with three bins or more.

    A row without negative values keeps that.
    """
    smooth = _smooth_353qh(values)
    both = smooth + _smooth_353qh(values - smooth)
    positive = values.min(axis=1, keepdims=True) >= 0
    return np.where(positive, np.maximum(both, 0.0), both)


def _smooth_353qh(values: Floats) -> Floats:
    return _running_means(_interpolated(_medians(values)))


def _medians(values: Floats) -> Floats:
    """Running medians of 3, 5 and 3 points."""
    found = _median_of_3(values)
    for end, next_, after in ((0, 1, 2), (-1, -2, -3)):
        line = 3 * found[:, next_] - 2 * found[:, after]
        found[:, end] = np.median([found[:, next_], values[:, end], line], axis=0)
    before, found = found, found.copy()
    n_5 = 5
    if before.shape[1] >= n_5:
        found[:, 2:-2] = np.median(sliding_window_view(before, n_5, axis=1), axis=2)
    found[:, 1] = np.median(before[:, :3], axis=1)
    found[:, -2] = np.median(before[:, -3:], axis=1)
    return _median_of_3(found)


def _median_of_3(values: Floats) -> Floats:
    """Median with both neighbours; the ends as they are."""
    out = values.copy()
    out[:, 1:-1] = np.median(sliding_window_view(values, 3, axis=1), axis=2)
    return out


def _interpolated(values: Floats) -> Floats:
    """Three equal points that are a peak or a valley become a parabola."""
    out = values.copy()
    for k in range(2, values.shape[1] - 2):
        here = values[:, k]
        left, right = values[:, k - 2] - here, values[:, k + 2] - here
        flat = (values[:, k - 1] == here) & (here == values[:, k + 1]) & (left * right > 0)
        for rows, step in (
            (flat & (np.abs(right) <= np.abs(left)), 1),
            (flat & (np.abs(right) > np.abs(left)), -1),
        ):
            near, far = values[rows, k + 2 * step], values[rows, k - 2 * step]
            out[rows, k] = -0.5 * far + here[rows] / 0.75 + near / 6.0
            out[rows, k + step] = 0.5 * (near - far) + here[rows]
    return out


def _running_means(values: Floats) -> Floats:
    out = values.copy()
    out[:, 1:-1] = 0.25 * values[:, :-2] + 0.5 * values[:, 1:-1] + 0.25 * values[:, 2:]
    return out
