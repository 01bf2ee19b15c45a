"""From the events of parts to raw histograms: nominal, and all variations in stacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hepflow.analysis import steps
from hepflow.analysis.cutflow import (
    Corrected,
    Flow,
    as_cutflow,
    channel_flows,
    joined_flows,
    without_last,
)
from hepflow.analysis.keep_yield import YieldRows, join_yields, yields_of
from hepflow.analysis.members import member_weights
from hepflow.analysis.n_minus_1 import fill_n_minus_1
from hepflow.analysis.no_events import NOTHING, selected
from hepflow.analysis.own_weights import checked_weights
from hepflow.analysis.preparation import Preparation, Shifts
from hepflow.analysis.shifted import shared_factors, shifted_weights
from hepflow.analysis.stack import Floats, Prepared, Stack
from hepflow.events import packed
from hepflow.functors import naming
from hepflow.histograms import (
    Rows,
    Values,
    empty_rows,
    fill_block,
    fill_rows,
    join_rows,
    observable_values,
)
from hepflow.records import NOMINAL, Dataset, RawHistograms, unseen
from hepflow.records.histograms import AxisKey
from hepflow.schema import Channel, Observable
from hepflow.sources import links_of


class EventLoop(Preparation):
    """The way of the events of a part through all steps, to its raw histograms."""

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
        prepared = self.prepare_parts(events, [metadata], [len(events)])
        return self.fill_prepared(prepared, [metadata])[0]

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
        cutflows: dict[str, list[Flow]] = {}
        kept: list[YieldRows] = []
        for prepared in self._varied(groups, dataset):
            kept += yields_of(self, prepared, dataset, weights)
            filled, flows = self._fill(prepared, dataset, weights)
            blocks |= {
                key: join_rows(blocks[key], rows) if key in blocks else rows
                for key, rows in filled.items()
            }
            cutflows = joined_flows(cutflows, flows)
        varied = {one.name for one in self.spec.channels if one.cutflow_variations}
        return [
            RawHistograms(
                axes=self.spec.axes(),
                blocks={(*key, dataset.key): rows.as_block(i) for key, rows in blocks.items()},
                cutflows={
                    (name, dataset.key): as_cutflow(flows[i], name, every=name in varied)
                    for name, flows in cutflows.items()
                },
                ledger=steps.ledger_of([one]),
                yields={dataset.key: join_yields(kept).of(i)} if kept else {},
            )
            for i, one in enumerate(metadata)
        ]

    def _fill(
        self, prepared: Prepared, dataset: Dataset, weights: Shifts
    ) -> tuple[dict[AxisKey, Rows], dict[str, list[Flow]]]:
        """Fill all channels for some object variations, and for the weights with nominal."""
        channels, shifts = self.spec.visible_channels(dataset), prepared.shifts
        stack, flow = prepared.stack, prepared.flow
        if stack is None:
            empty = self._empty(shifts, weights, channels, dataset, prepared.n_parts)
            for channel in channels:
                empty |= fill_n_minus_1(self, prepared, channel, dataset, weights, None)
            return empty, {}
        blocks: dict[AxisKey, Rows] = {}
        cutflows: dict[str, list[Flow]] = {}
        for channel in channels:
            passed = selected(self, "select_channel", stack, channel)
            ended, passed = prepared.ended or passed is None, passed or NOTHING
            chosen = stack.select(passed.mask)
            filled, last = self._fill_channel(chosen, channel, dataset, shifts, weights)
            blocks |= filled
            blocks |= fill_n_minus_1(self, prepared, channel, dataset, weights, passed)
            every = channel.cutflow_variations
            if every or shifts[0] == NOMINAL:
                named = () if prepared.ended else passed.steps
                own = [stack.step(name, mask, every=every) for name, mask in named]
                # What was counted before would tell, by difference, what a blind region holds.
                blind = dataset.is_data and self.spec.blind
                moved = self.spec.acting_in(channel.name, shifts)
                before = () if blind else (*flow, *own)
                flows = channel_flows(before, last, shifts, moved, every=every)
                cutflows[channel.name] = without_last(flows) if before and ended else flows
        return blocks, cutflows

    def _fill_channel(
        self, stack: Stack, channel: Channel, dataset: Dataset, shifts: Shifts, weights: Shifts
    ) -> tuple[dict[AxisKey, Rows], Corrected]:
        """Fill one channel, and return the last step of its cutflow: with all corrections."""
        stack = self._without_unseen(stack, channel, dataset)
        if not len(stack.base):
            empty = self._empty(shifts, weights, (channel,), dataset, stack.owners.count)
            names = ("nominal", *(one.name for one in self.spec.acting_in(channel.name, weights)))
            nothing = dict.fromkeys(names, stack.base)
            return empty, Corrected(nothing, stack.base, stack.shift, stack.owners)
        first = int((stack.shift == 0).sum()) if shifts[0] == NOMINAL else 0
        label = f"channel {channel.name!r}, dataset {dataset.key!r}"
        acting = self.spec.acting_in(channel.name, weights)
        if shifts[0] == NOMINAL:  # a hundred weights read the same columns
            stack = stack.with_events(packed(stack.events))
        nominal = self._weights(stack.events[:first], dataset, acting, label)
        members = member_weights(self.spec, stack.members, nominal, dataset, channel.name)
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
            own = (fill_block(head, nominal | members, axis, mine),) if shifts[0] == NOMINAL else ()
            rest = stack.owners.select(slice(first, None))
            filled = fill_rows(tail, shifted, rows, names, axis, rest)
            blocks[key] = join_rows(*own, filled if moved == names else filled.only(moved))
        return blocks, Corrected(nominal, shifted, stack.shift, stack.owners)

    def _values(self, stack: Stack, channel: Channel, observable: Observable) -> Values:
        where = f"{self.path_of(channel)}.observables ({observable.name})"
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
        alone = [i for i, one in enumerate(shifts) if one.source in linked]
        own_way = type(self).event_weights is not EventLoop.event_weights
        shared = {} if own_way else shared_factors(self.spec, stack, dataset)
        found = np.zeros(len(shift))
        for i, mine in [(-1, ~np.isin(shift, alone)), *((i, shift == i) for i in alone)]:
            count = int(mine.sum())
            here = slice(None) if count == len(mine) else mine
            if count:
                one = shifts[i] if i >= 0 else NOMINAL
                chosen = events if count == len(mine) else events[mine]
                if own_way:
                    linked_to = (one,) if i >= 0 else ()
                    weights = checked_weights(self, chosen, dataset, (), label, *linked_to)
                else:
                    known = {name: factor[here] for name, factor in shared.items()}
                    base = stack.base[first:][here]
                    product = shifted_weights(self.spec, chosen, base, dataset, one, known)
                    weights = steps.check_weights({"nominal": product}, count, label)
                found[here] = weights["nominal"]
        return found

    def _weights(
        self, events: Any, dataset: Dataset, variations: Shifts, label: str
    ) -> dict[str, Floats]:
        if not len(events):
            names = ("nominal", *(one.name for one in variations))
            return dict.fromkeys(names, np.zeros(0))
        return checked_weights(self, events, dataset, variations, label)

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
