"""Cutflows of a channel, for nominal or for each variation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import UserFunctionError
from hepflow.histograms import Owners, Step, fill_cutflow
from hepflow.records import NOMINAL, Cutflow, Variation
from hepflow.records.cutflow import LAST

Floats = NDArray[np.float64]
Flow = dict[str, Cutflow]  # by variation


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


def without_last(flows: Sequence[Flow]) -> list[Flow]:
    """Cutflows that end where no event was left, as steps in front of the last are not known."""
    return [{name: one.without_last() for name, one in flow.items()} for flow in flows]


def different_cuts(
    channel: str, flows: tuple[Cutflow, Cutflow], places: tuple[str, str]
) -> UserFunctionError:
    """Error where the steps of two cutflows have different names."""
    return UserFunctionError(
        f"the selection of channel {channel!r}, or the baseline, has the steps "
        f"{', '.join(flows[0].names)} in {places[0]}, but {', '.join(flows[1].names)} in "
        f"{places[1]}. Give the same names in the same order whatever the events are: add each "
        "requirement to the PackedSelection, also where all events pass it."
    )


def as_cutflow(flow: Flow, channel: str, *, every: bool) -> Cutflow:
    """Nominal cutflow, with the variations where they are wanted.

    Raises
    ------
    UserFunctionError
        If the cuts of the channel have other names in one variation than in another.
    """
    first, most = max(flow.items(), key=lambda item: len(item[1].names))
    for name, one in flow.items():
        if not one.fits(most):
            places = (f"the variation {first}", f"the variation {name}")
            raise different_cuts(channel, (most, one), places)
    flow = {name: one.extended(most.names) for name, one in flow.items()}
    varied = {name: one for name, one in flow.items() if name != NOMINAL.name}
    return replace(flow[NOMINAL.name], varied=varied if every else None)
