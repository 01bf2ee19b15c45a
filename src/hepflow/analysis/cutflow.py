"""Cutflows of a channel, for nominal or for each variation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepflow.histograms import Owners, Step, fill_cutflow
from hepflow.records import NOMINAL, Cutflow, Variation

Floats = NDArray[np.float64]
Flow = dict[str, Cutflow]  # by variation
LAST = "corrected"


@dataclass(frozen=True)
class Corrected:
    """Events of a channel with all corrections, which is the last step of its cutflow."""

    weights: Mapping[str, Floats]  # of nominal and of weight variations, each (n_nominal,)
    shifted: Floats  # of the events of object variations, behind the nominal ones, (n_shifted,)
    shift: NDArray[np.intp]  # variation of each event, not decreasing, (n_nominal + n_shifted,)
    owners: Owners  # of all these events

    def steps(self, position: int, variation: Variation) -> dict[str, Step]:
        """Last step by variation: of an object variation, or of all that share nominal events."""
        first = len(self.shift) - len(self.shifted)
        if variation == NOMINAL:
            mine = self.owners.select(slice(first))
            return {name: Step(LAST, one, mine) for name, one in self.weights.items()}
        others = self.owners.select(slice(first, None))
        every = Step(LAST, self.shifted, others, self.shift[first:])
        return {variation.name: every.of_shift(position)}


def channel_flows(
    before: Sequence[Step],
    last: Corrected,
    shifts: Sequence[Variation],
    acting: Sequence[Variation],
    *,
    every: bool,
) -> list[Flow]:
    """Cutflows of one channel for some object variations; one by variation for each part.

    Parameters
    ----------
    before
        Steps up to the last one, with generator weights.
    shifts
        Object variations that are in `before` and `last`, nominal among them or not.
    acting
        Those of them that move the channel; the others read as nominal.
    every
        Whether variations are wanted; otherwise only nominal.
    """
    found: dict[str, list[Cutflow]] = {}
    for i, one in enumerate(shifts):
        if one == NOMINAL or (every and one in acting):
            steps = [step.of_shift(i) for step in before]
            for name, step in last.steps(i, one).items():
                if every or name == NOMINAL.name:
                    found[name] = fill_cutflow([*steps, step])
    return [
        {name: flows[part] for name, flows in found.items()} for part in range(last.owners.count)
    ]


def joined_flows(
    left: Mapping[str, list[Flow]], right: Mapping[str, list[Flow]]
) -> dict[str, list[Flow]]:
    """Variations of the same channels and parts beside each other."""
    return {
        name: [a | b for a, b in zip(left[name], flows, strict=True)] if name in left else flows
        for name, flows in right.items()
    } | {name: flows for name, flows in left.items() if name not in right}


def as_cutflow(flow: Flow, *, every: bool) -> Cutflow:
    """Nominal cutflow, with the variations where they are wanted."""
    varied = {name: one for name, one in flow.items() if name != NOMINAL.name}
    return replace(flow[NOMINAL.name], varied=varied if every else None)
