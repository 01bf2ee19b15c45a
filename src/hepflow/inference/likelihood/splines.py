"""Cubic splines through values on a grid of one or two parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepflow.inference.records import Floats


def interpolated(axes: Sequence[Floats], values: Floats, finer: Sequence[Floats]) -> Floats:
    """Values on a finer grid, shape (n_1,) or (n_1, n_2)."""
    from scipy.interpolate import RectBivariateSpline, make_interp_spline

    if len(axes) == 1:
        spline = make_interp_spline(axes[0], values, k=3)
        return np.asarray(spline(finer[0]), dtype=np.float64)
    plane = RectBivariateSpline(axes[0], axes[1], values, kx=3, ky=3)
    return np.asarray(plane(finer[0], finer[1]), dtype=np.float64)


def values_at(axes: Sequence[Floats], values: Floats, places: Floats) -> Floats:
    """Values at any places (..., n_parameters); beyond the grid, those at its border."""
    from scipy.interpolate import RectBivariateSpline, make_interp_spline

    ends = np.array([[one[0], one[-1]] for one in axes]).T
    flat = np.clip(places.reshape(-1, places.shape[-1]), *ends)
    if len(axes) == 1:
        found = make_interp_spline(axes[0], values, k=3)(flat[:, 0])
    else:
        found = RectBivariateSpline(*axes, values, kx=3, ky=3).ev(flat[:, 0], flat[:, 1])
    return np.array(found, dtype=np.float64).reshape(places.shape[:-1])
