"""Sums of weights and of squared weights of the storages of boost-histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError

Floats = NDArray[np.float64]

_COUNTS = {"Int64", "AtomicInt64"}
_SUMS = {"Double", "Unlimited"}


def sums_of_weights(histogram: Any, name: str, unknown_variances: str) -> tuple[Floats, Floats]:
    """Sums of weights and of squared weights with flow.

    A storage of counts, or of sums that are whole numbers, has the variance of counts: its
    content. Sums of weights say nothing of the variance; it is made up only if asked for.

    Parameters
    ----------
    histogram : hist.Hist
    name : str
        For messages.
    unknown_variances : {"refuse", "poisson"}

    Raises
    ------
    InputError
        The variances are unknown, or the storage holds means.
    """
    kind = histogram.storage_type.__name__
    view = histogram.view(flow=True)
    if kind == "Weight":
        return np.asarray(view["value"], float), np.asarray(view["variance"], float)
    if kind not in _COUNTS | _SUMS:
        raise InputError(
            f"{name} has the storage {kind}; expected sums of weights (Weight, Double, Int64)."
        )
    content = np.asarray(view, dtype=np.float64)
    counted = kind in _COUNTS or bool(np.all((content >= 0) & (content == np.round(content))))
    if not counted and unknown_variances != "poisson":
        raise InputError(
            f"{name} has the storage {kind} with weights: their squares were not summed, so its "
            "statistical uncertainty is unknown. Fill it with storage Weight, or give "
            "unknown_variances='poisson' to take the content itself as the variance."
        )
    return content, np.abs(content)


def with_flow(content: Floats, traits: Any) -> Floats:
    """Add an under- or overflow bin of zero along the last axis where there is none."""
    missing = (int(not traits.underflow), int(not traits.overflow))
    pad = [(0, 0)] * (content.ndim - 1) + [missing]
    return np.pad(content, pad)
