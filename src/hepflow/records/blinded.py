"""Which observed data stay unseen, and what of an axis that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.records.histograms import Axis


@dataclass(frozen=True, slots=True)
class Blinded:
    """A channel without its data, or without those in a range of one observable."""

    channel: str
    observable: str | None = None  # None: the whole channel
    low: float = 0.0  # lower edge of the range, in the unit of the observable
    high: float = 0.0  # upper edge


def is_blind(channel: str, regions: Iterable[Blinded]) -> bool:
    """Whether a channel shows no data at all."""
    return any(one.channel == channel and one.observable is None for one in regions)


def blind_ranges(channel: str, regions: Iterable[Blinded]) -> tuple[Blinded, ...]:
    """Ranges of a channel's observables in which no data are shown."""
    return tuple(one for one in regions if one.channel == channel and one.observable is not None)


def blind_bins(axis: Axis, region: Blinded) -> NDArray[np.bool_]:
    """Bins that a range touches: whole ones, so that none is shown in part. Shape (n_bins,)."""
    edges = np.asarray(axis.edges)
    return np.asarray((edges[:-1] < region.high) & (edges[1:] > region.low), dtype=np.bool_)


def unseen(values: NDArray[np.float64], axis: Axis, region: Blinded) -> NDArray[np.bool_]:
    """Which values are in the blind bins, or beyond an end of the axis that the range reaches."""
    blind = blind_bins(axis, region)
    below, above = region.low < axis.edges[0], region.high > axis.edges[-1]
    cells = np.searchsorted(np.asarray(axis.edges), values, side="right")
    return np.asarray(np.concatenate([[below], blind, [above]])[cells], dtype=np.bool_)
