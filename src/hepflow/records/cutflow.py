"""Events after each cut of one channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cutflow:
    """Events after each cut, cumulative, of one dataset or process in one channel."""

    names: tuple[str, ...]
    counts: NDArray[np.int64]  # events, shape (n_cuts,)
    sumw: Floats  # nominal weights, shape (n_cuts,)
    sumw2: Floats
    # by variation, each without variations of its own; None where only nominal was counted
    varied: Mapping[str, Cutflow] | None = None

    def of(self, variation: str) -> Cutflow:
        """Cutflow of one variation alone; nominal where it is absent."""
        found = (self.varied or {}).get(variation, self)
        return replace(found, varied=None)

    def __add__(self, other: Cutflow) -> Cutflow:
        """Sum of two cutflows of the same cuts; an absent variation reads as nominal."""
        if self.names != other.names:
            raise ValueError(f"cutflows of different cuts: {self.names} and {other.names}")
        varied = None
        if self.varied is not None and other.varied is not None:
            names = dict.fromkeys((*self.varied, *other.varied))
            varied = {name: self.of(name) + other.of(name) for name in names}
        return Cutflow(
            self.names,
            self.counts + other.counts,
            self.sumw + other.sumw,
            self.sumw2 + other.sumw2,
            varied,
        )

    def scaled(self, factor: float) -> Cutflow:
        """Weights times `factor`; counts stay."""
        varied = self.varied and {name: one.scaled(factor) for name, one in self.varied.items()}
        return replace(self, sumw=self.sumw * factor, sumw2=self.sumw2 * factor**2, varied=varied)

    def nothing(self) -> Cutflow:
        """The same cuts without an event and without variations."""
        none = np.zeros(len(self.names))
        return Cutflow(self.names, np.zeros(len(none), dtype=np.int64), none, none)

    def with_variation(self, variation: str, flow: Cutflow) -> Cutflow:
        """The same with one more variation, or another cutflow for it."""
        return replace(self, varied={**(self.varied or {}), variation: flow.of("nominal")})

    def reflected(self, source: str) -> Cutflow:
        """The side of a source that is missing, as the other one reflected about nominal.

        Its events and squared weights are those of the other side, whose statistics it has.
        """
        there = [side for side in ("up", "down") if f"{source}_{side}" in (self.varied or {})]
        if len(there) != 1:
            return self
        one = self.of(f"{source}_{there[0]}")
        other = "down" if there[0] == "up" else "up"
        mirrored = replace(one, sumw=2.0 * self.sumw - one.sumw)
        return self.with_variation(f"{source}_{other}", mirrored)
