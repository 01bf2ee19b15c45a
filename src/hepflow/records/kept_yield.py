"""Sums of weights with and without corrections that are to keep the yield."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KeptYield:
    """Sums over the events behind the baseline selection, of one dataset.

    A variation that is absent reads as nominal, as in histograms.
    """

    variations: tuple[str, ...]  # "nominal" first
    without: Floats  # weights without these corrections, shape (n_variations,)
    weighted: Floats  # with them, shape (n_variations,)

    def __add__(self, other: KeptYield) -> KeptYield:
        """Sum over the union of the variations."""
        names = tuple(dict.fromkeys((*self.variations, *other.variations)))
        left, right = self._rows(names), other._rows(names)
        return KeptYield(
            names,
            self.without[left] + other.without[right],
            self.weighted[left] + other.weighted[right],
        )

    def _rows(self, names: tuple[str, ...]) -> list[int]:
        there = {name: row for row, name in enumerate(self.variations)}
        return [there.get(name, 0) for name in names]

    def factors(self, names: tuple[str, ...]) -> Floats:
        """What gives each of these variations its yield without the corrections back, (n_names,).

        Not finite where the weights with them add up to zero and those without them do not.
        """
        rows = self._rows(names)
        without, weighted = self.without[rows], self.weighted[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((without == 0) & (weighted == 0), 1.0, without / weighted)
