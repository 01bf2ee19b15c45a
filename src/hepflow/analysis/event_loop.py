"""What happens to the events of one part: the steps that an analysis may override."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hepflow.analysis import steps
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.stack import Floats, Prepared, Stack, block_size, in_groups
from hepflow.errors import InputError, did_you_mean
from hepflow.events import BLOCK_ID
from hepflow.functors import Passed, call, check_passed, naming, select
from hepflow.histograms import (
    Owners,
    Rows,
    Step,
    Values,
    empty_rows,
    fill_block,
    fill_cutflow,
    fill_rows,
    join_rows,
    observable_values,
)
from hepflow.lumi_mask import certified, load_certified
from hepflow.records import NOMINAL, Dataset, RawHistograms, Variation, unseen
from hepflow.records.histograms import AxisKey, Cutflow
from hepflow.schema import Channel, Observable
from hepflow.sources import links_of
from hepflow.variations import correct_objects

Shifts = tuple[Variation, ...]


class EventLoop:
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
        for i, mask in enumerate(self.spec.masks):
            where = f"good_object_masks.analysis[{i}] ({mask.object})"
            with naming(mask.function):
                events = steps.apply_object_mask(events, mask, where)
        return events

    def select_baseline(self, events: Any, dataset: Dataset) -> Passed:  # noqa: ARG002 - for subclasses
        """Which events pass the requirements of all channels."""
        if self.spec.baseline is None:
            return Passed(np.ones(len(events), dtype=np.bool_), ())
        return select(self.spec.baseline, events, "baseline_selection")

    def certified_events(self, events: Any, dataset: Dataset) -> Passed:
        """Which events of data are in certified luminosity blocks; all of simulation."""
        file = dataset.lumi_mask
        if file is None:
            return Passed(np.ones(len(events), dtype=np.bool_), ())
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
        return select(channel.selection, events, f"{self._path_of(channel)}.selection")

    def observable(self, events: Any, channel: Channel, observable: Observable) -> Any:
        """Value of an observable: one for each event, or a list for each event."""
        where = f"{self._path_of(channel)}.observables ({observable.name})"
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

    # -- filling -------------------------------------------------------------------------

    def process_chunk(self, events: Any, metadata: Mapping[str, Any]) -> RawHistograms:
        """Fill the histograms of one part. Pure: this is what runs on workers.

        Object variations are stacked to one longer array, in blocks of at most `STACK_EVENTS`
        events, so that each step runs once for all of them.

        Parameters
        ----------
        events
            Skimmed events of the part.
        metadata
            As the skim made it: dataset, file, entry range, counts and sums of the part.

        Returns
        -------
        RawHistograms
            Filled with generator weights times corrections; not yet normalised.
        """
        return self.fill_prepared(self.prepare_parts([(events, metadata)]), [metadata])[0]

    def prepare_parts(self, parts: Sequence[tuple[Any, Mapping[str, Any]]]) -> Iterator[Prepared]:
        """Take parts through the steps before the channels, in blocks of object variations.

        Parameters
        ----------
        parts
            Events and metadata; all of the same dataset and with the same columns. The steps run
            once for all of them, as each treats every event by itself.
        """
        events = joined_events([part for part, _ in parts])
        dataset = self._dataset_of(parts[0][1])
        owners = Owners(np.repeat(np.arange(len(parts)), [len(e) for e, _ in parts]), len(parts))
        most = block_size(events, self.spec.memory_limit)
        for group in in_groups(self._shifts(dataset), len(events), most):
            yield self._prepare(events, owners, dataset, group)

    def _shifts(self, dataset: Dataset) -> Shifts:
        """Nominal and the object variations of a dataset."""
        return (NOMINAL, *(one for one in self.spec.variations(dataset) if one.kind == "object"))

    def fill_prepared(
        self, groups: Iterable[Prepared], metadata: Sequence[Mapping[str, Any]]
    ) -> list[RawHistograms]:
        """Fill the channels from prepared events; one result for each part.

        Each has the histograms that `process_chunk` gives for it alone, to the last bit.

        Parameters
        ----------
        groups
            As `prepare_parts` makes them; one is in memory at a time.
        metadata
            Of each part.
        """
        dataset = self._dataset_of(metadata[0])
        weights = tuple(one for one in self.spec.variations(dataset) if one.kind == "weight")
        blocks: dict[AxisKey, Rows] = {}
        cutflows: dict[str, list[Cutflow]] = {}
        for prepared in groups:
            filled, flows = self._fill(prepared, dataset, weights)
            blocks = {
                key: join_rows(blocks[key], rows) if key in blocks else rows
                for key, rows in filled.items()
            }
            cutflows = cutflows or flows
        return [
            RawHistograms(
                axes=self.spec.axes(),
                blocks={(*key, dataset.key): rows.as_block(i) for key, rows in blocks.items()},
                cutflows={(name, dataset.key): flows[i] for name, flows in cutflows.items()},
                ledger=steps.ledger_of([one]),
            )
            for i, one in enumerate(metadata)
        ]

    def _prepare(self, events: Any, owners: Owners, dataset: Dataset, shifts: Shifts) -> Prepared:
        """Take events through the steps before the channels, for some object variations."""
        if not len(events):
            return Prepared(shifts, None, (), owners.count)
        base = steps.base_weights(events, dataset, self.spec.weight_mode)
        corrected = [self.correct_objects(events, one, dataset) for one in shifts]
        stack = Stack.of(corrected, base, owners)
        stack = replace(stack, events=self.mask_objects(stack.events))
        flow = [stack.step("skimmed", np.ones(len(stack.base), dtype=np.bool_))]
        for select_events in (self.select_baseline, self.certified_events):
            where = select_events.__name__
            passed = check_passed(select_events(stack.events, dataset), len(stack.base), where)
            flow += [stack.step(name, mask) for name, mask in passed.steps]
            stack = stack.select(passed.mask)
        stack = replace(stack, events=self.add_ghost_observables(stack.events))
        return Prepared(shifts, stack, tuple(flow), owners.count)

    def _fill(
        self, prepared: Prepared, dataset: Dataset, weights: Shifts
    ) -> tuple[dict[AxisKey, Rows], dict[str, list[Cutflow]]]:
        """Fill all channels for some object variations, and for the weights with nominal."""
        channels, shifts = self.spec.visible_channels(dataset), prepared.shifts
        stack, flow = prepared.stack, prepared.flow
        if stack is None:
            return self._empty(shifts, weights, channels, dataset, prepared.n_parts), {}
        blocks: dict[AxisKey, Rows] = {}
        cutflows: dict[str, list[Cutflow]] = {}
        for channel in channels:
            where = f"select_channel ({channel.name})"
            passed = check_passed(
                self.select_channel(stack.events, channel), len(stack.base), where
            )
            chosen = stack.select(passed.mask)
            filled, last = self._fill_channel(chosen, channel, dataset, shifts, weights)
            blocks.update(filled)
            if shifts[0] == NOMINAL:
                own = [stack.step(name, mask) for name, mask in passed.steps]
                # What was counted before would tell, by difference, what a blind region holds.
                blind = dataset.is_data and self.spec.blind
                cutflows[channel.name] = fill_cutflow([last] if blind else [*flow, *own, last])
        return blocks, cutflows

    def _fill_channel(
        self, stack: Stack, channel: Channel, dataset: Dataset, shifts: Shifts, weights: Shifts
    ) -> tuple[dict[AxisKey, Rows], Step]:
        """Fill one channel, and return the last step of its cutflow: with all corrections."""
        stack = self._without_unseen(stack, channel, dataset)
        if not len(stack.base):
            empty = self._empty(shifts, weights, (channel,), dataset, stack.owners.count)
            return empty, Step("corrected", stack.base, stack.owners)
        first = int((stack.shift == 0).sum()) if shifts[0] == NOMINAL else 0
        label = f"channel {channel.name!r}, dataset {dataset.key!r}"
        acting = self.spec.acting_in(channel.name, weights)
        nominal = self._weights(stack.events[:first], dataset, acting, label)
        shifted = self._shifted_weights(stack, first, dataset, shifts, label)
        rows = stack.shift[first:] - (1 if shifts[0] == NOMINAL else 0)
        others = tuple(one for one in shifts if one != NOMINAL)
        names = tuple(one.name for one in others)
        moved = tuple(one.name for one in self.spec.acting_in(channel.name, others))
        axes = self.spec.axes()
        blocks = {}
        for observable in self.spec.visible_observables(channel, dataset):
            key = (channel.name, observable.name)
            values = self._values(stack, channel, observable)
            head, tail = values.split(first)
            axis, mine = axes[key], stack.owners.select(slice(first))
            own = (fill_block(head, nominal, axis, mine),) if shifts[0] == NOMINAL else ()
            rest = stack.owners.select(slice(first, None))
            filled = fill_rows(tail, shifted, rows, names, axis, rest)
            blocks[key] = join_rows(*own, filled if moved == names else filled.only(moved))
        last = Step("corrected", nominal["nominal"], stack.owners.select(slice(first)))
        return blocks, last

    def _values(self, stack: Stack, channel: Channel, observable: Observable) -> Values:
        where = f"{self._path_of(channel)}.observables ({observable.name})"
        with naming(observable.function):
            result = self.observable(stack.events, channel, observable)
            return observable_values(result, len(stack.base), where)

    def _without_unseen(self, stack: Stack, channel: Channel, dataset: Dataset) -> Stack:
        """Leave out events of data that lie in a blind range."""
        axes = self.spec.axes()
        for region in self.spec.blind_ranges(channel, dataset):
            if len(stack.base):
                wanted = next(o for o in channel.observables if o.name == region.observable)
                values = self._values(stack, channel, wanted)
                hidden = unseen(values.flat, axes[channel.name, wanted.name], region)
                events = values.spread(np.arange(len(stack.base)))
                seen = np.ones(len(stack.base), dtype=np.bool_)
                seen[events[hidden]] = False
                stack = stack.select(seen)
        return stack

    def _shifted_weights(
        self, stack: Stack, first: int, dataset: Dataset, shifts: Shifts, label: str
    ) -> Floats:
        """Nominal weights of the rows behind `first`, with linked sources moved, (n_rows,)."""
        events, shift = stack.events[first:], stack.shift[first:]
        linked = set(links_of(self.spec.corrections_of(dataset), dataset).values())
        found = np.zeros(len(shift))
        alone = [i for i, one in enumerate(shifts) if one.source in linked]
        together = ~np.isin(shift, alone)
        if together.any():
            chosen = events if together.all() else events[together]
            found[together] = self._weights(chosen, dataset, (), label)["nominal"]
        for i in alone:
            here = shift == i
            if here.any():
                weights = self.event_weights(events[here], dataset, (), shifts[i])
                found[here] = steps.check_weights(weights, int(here.sum()), label)["nominal"]
        return found

    def _weights(
        self, events: Any, dataset: Dataset, variations: Shifts, label: str
    ) -> dict[str, Floats]:
        if not len(events):
            names = ("nominal", *(one.name for one in variations))
            return dict.fromkeys(names, np.zeros(0))
        weights = self.event_weights(events, dataset, variations)
        return steps.check_weights(weights, len(events), label)

    def _empty(
        self,
        shifts: Shifts,
        weights: Shifts,
        channels: tuple[Channel, ...],
        dataset: Dataset,
        n_parts: int,
    ) -> dict[AxisKey, Rows]:
        axes, empty = self.spec.axes(), {}
        for channel in channels:
            names = [one.name for one in self.spec.acting_in(channel.name, shifts)]
            if shifts[0] == NOMINAL:
                names[1:1] = [one.name for one in self.spec.acting_in(channel.name, weights)]
            for one in self.spec.visible_observables(channel, dataset):
                key = (channel.name, one.name)
                empty[key] = empty_rows(tuple(names), axes[key], n_parts)
        return empty

    def _path_of(self, channel: Channel) -> str:
        names = [one.name for one in self.spec.channels]
        position = self.spec.channel_positions[names.index(channel.name)]
        return f"channels[{position}] ({channel.name})"

    def _dataset_of(self, metadata: Mapping[str, Any]) -> Dataset:
        key = metadata["dataset"]
        if key not in self.spec.datasets:
            hint = did_you_mean(key, self.spec.datasets)
            raise InputError(f"the configuration has no dataset {key!r}. {hint}")
        return self.spec.datasets[key]


def joined_events(parts: Sequence[Any]) -> Any:
    """Events of several parts as one array, with their behaviour."""
    import awkward as ak

    return parts[0] if len(parts) == 1 else ak.concatenate(parts)
