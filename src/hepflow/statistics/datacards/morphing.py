"""How Combine goes from the values at -1, 0 and +1 to all others, beside HistFactory's way.

Combine: https://cms-analysis.github.io/HiggsAnalysis-CombinedLimit (Preparing the datacard;
Binned shape analysis); the log-normal with two sides is that of its ``AsymPow``. HistFactory:
codes 4 (factors) and 4p (templates), CERN-OPEN-2012-016 and pyhf.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_GRID = np.linspace(-1.0, 1.0, 201)


def smooth_step(theta: Floats | float) -> Floats:
    """``(15 t - 10 t^3 + 3 t^5) / 8`` within -1 and 1, beyond that the sign."""
    inside = np.clip(np.asarray(theta, dtype=np.float64), -1.0, 1.0)
    return np.asarray(inside * (15 + inside**2 * (3 * inside**2 - 10)) / 8)


def card_factor(down: float, up: float, theta: Floats | float) -> Floats:
    """Factor on a yield in Combine: ``kappa^theta``, smoothly from one kappa to the other.

    Parameters
    ----------
    down, up : float
        Factors at -1 and +1, positive.
    theta : float or array
    """
    theta = np.asarray(theta, dtype=np.float64)
    high, low = np.log(up), -np.log(down)
    between = (high + low) / 2 + smooth_step(2 * theta) * (high - low) / 2
    return np.asarray(np.exp(theta * between))


def workspace_factor(down: float, up: float, theta: Floats | float) -> Floats:
    """Factor on a yield in HistFactory (code 4): a polynomial within -1 and 1, a power beyond."""
    theta = np.asarray(theta, dtype=np.float64)
    high, low = np.log(up), np.log(down)
    # value, slope and curvature at +1 and -1 of 1 + sum of a_k theta^k
    powers = np.arange(1, 7)
    signs = (-1.0) ** powers
    slope, bend = powers, powers * (powers - 1)
    matrix = np.array([np.ones(6), signs, slope, -signs * slope, bend, signs * bend])
    ends = [up - 1, down - 1, up * high, -down * low, up * high**2, down * low**2]
    polynomial = 1 + np.power.outer(theta, powers) @ np.linalg.solve(matrix, ends)
    outside = np.where(theta > 0, up ** np.abs(theta), down ** np.abs(theta))
    return np.asarray(np.where(np.abs(theta) < 1, polynomial, outside))


def largest_difference(down: float, up: float) -> float:
    """Largest relative difference of both factors; beyond -1 and 1 there is none."""
    return float(
        np.max(np.abs(workspace_factor(down, up, _GRID) / card_factor(down, up, _GRID) - 1))
    )


def morphed(nominal: Floats, down: Floats, up: Floats, theta: float) -> Floats:
    """Template at `theta`; both programs agree on this one.

    Parameters
    ----------
    nominal, down, up : ndarray, shape (n_bins,)
        At 0, -1 and +1.
    theta : float
    """
    higher, lower = up - nominal, down - nominal
    bent = theta * float(smooth_step(theta))
    return np.asarray(nominal + ((higher - lower) * theta + (higher + lower) * bent) / 2)
