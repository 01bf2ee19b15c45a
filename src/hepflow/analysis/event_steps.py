"""The steps that an analysis may override: what happens to the events of one variation."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepflow.analysis import steps
from hepflow.analysis.spec import AnalysisSpec
from hepflow.errors import InputError
from hepflow.events import BLOCK_ID
from hepflow.functors import Passed, call, naming, select
from hepflow.lumi_mask import certified, load_certified
from hepflow.records import NOMINAL, Dataset, Variation
from hepflow.schema import Channel, Observable
from hepflow.variations import correct_objects


class EventSteps:
    """The steps from the events of a part to its raw histograms.

    The steps of one variation, in this order: `correct_objects`, `mask_objects`,
    `select_baseline`, `certified_events` (data), `add_ghost_observables`, `select_channel`,
    `observable`, `event_weights`. Each gets its events and returns something new. From
    `mask_objects` on, the events of several object variations come as one longer array, one
    variation after the other: a step treats each event by itself.

    Attributes
    ----------
    spec : AnalysisSpec
        What the histograms depend on.
    """

    def __init__(self, spec: AnalysisSpec) -> None:
        self.spec = spec

    # -- steps to override ---------------------------------------------------------------

    def correct_objects(self, events: Any, variation: Variation, dataset: Dataset) -> Any:
        """Events with corrected (and varied) objects.

        Parameters
        ----------
        events
            Uncorrected events of the part, shape (n_events,).
        variation
            Nominal, or the object variation to apply.
        dataset
            The events' normalisation group.
        """
        spec = self.spec
        corrections, systematics = spec.corrections_of(dataset), spec.systematics_of(dataset)
        return correct_objects(events, corrections, systematics, variation, dataset, spec.digests)

    def mask_objects(self, events: Any) -> Any:
        """Events with only the good objects, shape (n_events,)."""
        return steps.apply_object_masks(events, self.spec.masks)

    def select_baseline(self, events: Any, dataset: Dataset) -> Passed:  # noqa: ARG002 - for subclasses
        """Which events pass the requirements of all channels."""
        if self.spec.baseline is None:
            return Passed(np.ones(len(events), dtype=np.bool_), ())
        return select(self.spec.baseline, events, "baseline_selection")

    def certified_events(self, events: Any, dataset: Dataset) -> Passed:
        """Which events of data are in certified luminosity blocks; all of simulation."""
        file = dataset.lumi_mask
        if file is None:
            every = np.ones(len(events), dtype=np.bool_)
            # Datasets of a process are added up: their cutflows have the same steps.
            alike = (o for o in self.spec.datasets.values() if o.process == dataset.process)
            named = any(one.lumi_mask is not None for one in alike)
            return Passed(every, (("certified", every),) if named else ())
        for name in BLOCK_ID:
            if name not in events.fields:
                raise InputError(
                    f"the list of certified runs needs the branch {name!r}; add it to "
                    "preprocess.branches.event."
                )
        ranges = load_certified(file, self.spec.digests[file])
        runs, blocks = (np.asarray(events[name]) for name in BLOCK_ID)
        mask = certified(runs, blocks, ranges)
        return Passed(mask, (("certified", mask),))

    def add_ghost_observables(self, events: Any) -> Any:
        """Events with the computed columns."""
        for i, ghost in enumerate(self.spec.ghosts):
            with naming(ghost.function):
                events = steps.add_ghosts(events, ghost, f"ghost_observables[{i}]")
        return events

    def select_channel(self, events: Any, channel: Channel) -> Passed:
        """Which events are in a channel."""
        if channel.selection is None:
            return Passed(np.ones(len(events), dtype=np.bool_), ())
        return select(channel.selection, events, f"{self.path_of(channel)}.selection")

    def observable(self, events: Any, channel: Channel, observable: Observable) -> Any:
        """Value of an observable: one for each event, or a list for each event."""
        where = f"{self.path_of(channel)}.observables ({observable.name})"
        return call(observable.function, observable.use, events, where)

    def event_weights(
        self,
        events: Any,
        dataset: Dataset,
        variations: tuple[Variation, ...],
        shift: Variation = NOMINAL,
    ) -> dict[str, Any]:
        """Weights by variation, nominal first, each of shape (n_events,).

        Parameters
        ----------
        events
            Events of one channel, with corrected and masked objects.
        dataset
            The events' normalisation group.
        variations
            Weight variations that are wanted (others are ignored).
        shift
            Object variation of the events, given where weight sources are linked to it.
        """
        base = steps.base_weights(events, dataset, self.spec.weight_mode)
        factors = steps.weight_factors(self.spec, events, dataset, variations, shift)
        return steps.combine_weights(base, factors, variations)

    def path_of(self, channel: Channel) -> str:
        """Where a channel stands in the configuration, with its name."""
        names = [one.name for one in self.spec.channels]
        position = self.spec.channel_positions[names.index(channel.name)]
        return f"channels[{position}] ({channel.name})"
