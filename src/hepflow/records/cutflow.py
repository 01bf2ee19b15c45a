"""Events after each cut of one channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepflow.records.dataset import Dataset

Floats = NDArray[np.float64]
LAST = "corrected"  # step of a cutflow with all corrections


@dataclass(frozen=True)
class Cutflow:
    """Events after each cut, cumulative, of one dataset or process in one channel.

    One that does not come to `LAST` ends where no event was left: without events it is not known
    which steps a function would have named.
    """

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
        """Sum of two cutflows of the same cuts; an absent variation reads as nominal.

        One that ends where no event was left has none behind that, either.
        """
        if self.names != other.names:
            if not self.fits(other):
                raise ValueError(f"cutflows of different cuts: {self.names} and {other.names}")
            longest = max(self.names, other.names, key=len)
            return self.extended(longest) + other.extended(longest)
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

    def fits(self, other: Cutflow) -> bool:
        """Whether both have the same cuts, as far as events of them came."""
        short, long = sorted((self, other), key=lambda one: len(one.names))
        if short.names == long.names:
            return True
        nothing = not any(one.counts[-1] for one in (short, *(short.varied or {}).values()))
        return nothing and long.names[: len(short.names)] == short.names

    def extended(self, names: tuple[str, ...]) -> Cutflow:
        """The same with these names, of which the last ones are cuts that no event came to."""
        if names == self.names:
            return self
        more = np.zeros(len(names) - len(self.names))
        return Cutflow(
            names,
            np.concatenate([self.counts, more.astype(np.int64)]),
            np.concatenate([self.sumw, more]),
            np.concatenate([self.sumw2, more]),
            self.varied and {name: one.extended(names) for name, one in self.varied.items()},
        )

    def without_last(self) -> Cutflow:
        """The same without the last cut; it has no variations yet."""
        return Cutflow(self.names[:-1], self.counts[:-1], self.sumw[:-1], self.sumw2[:-1])

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


def completed(
    flows: Mapping[tuple[str, str], Cutflow], datasets: Mapping[str, Dataset]
) -> dict[tuple[str, str], Cutflow]:
    """Cutflows with zeros where they end early, for the steps that others of the channel have.

    Parameters
    ----------
    flows
        By channel and key of the dataset.
    datasets
        By key; the others are those of the same process, or else simulation or data alike.
    """
    longest: dict[tuple[str, str | bool], tuple[str, ...]] = {}
    for (channel, key), flow in flows.items():
        for kind in (datasets[key].process, datasets[key].is_data):
            known = longest.get((channel, kind), ())
            if flow.names[-1] == LAST and len(flow.names) > len(known):
                longest[channel, kind] = flow.names
    found = {}
    for (channel, key), flow in flows.items():
        alike = longest.get((channel, datasets[key].is_data), ())
        others = longest.get((channel, datasets[key].process), alike)
        found[channel, key] = flow.extended(_continued(flow.names, others))
    return found


def _continued(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Names up to where they end, and those of the others behind the last one that both have."""
    if names[-1] == LAST or not others:
        return names
    behind = [i + 1 for i, name in enumerate(others) if name in names]
    return (*names, *others[max(behind, default=0) :])
