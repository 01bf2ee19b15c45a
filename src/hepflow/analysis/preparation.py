"""From the events of parts to those of nominal and of all object variations, for the channels."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hepflow.analysis import steps
from hepflow.analysis.event_steps import EventSteps
from hepflow.analysis.file_order import in_order
from hepflow.analysis.keeping import kept_rows
from hepflow.analysis.late import LateObjects, late_objects
from hepflow.analysis.later import Later, read_later, with_order, without_unread
from hepflow.analysis.members import split_members
from hepflow.analysis.n_minus_1 import near_baseline
from hepflow.analysis.no_events import NOTHING, selected
from hepflow.analysis.possible import possible_events
from hepflow.analysis.shared import (
    SharedSteps,
    computed_objects,
    nominal_start,
    shared_mask,
    shared_steps,
    start_of,
)
from hepflow.analysis.stack import Known, Origin, Prepared, Stack, block_size, in_groups
from hepflow.analysis.touches import overridden_steps
from hepflow.analysis.unsorted import sorted_behind
from hepflow.analysis.waiting import waiting_masks
from hepflow.errors import InputError, StorageError, did_you_mean
from hepflow.events import packed
from hepflow.functors import select
from hepflow.histograms import Owners
from hepflow.records import NOMINAL, Dataset, Variation
from hepflow.skimming.late import Choose, Late
from hepflow.variations import EVERYTHING, correct_each

Shifts = tuple[Variation, ...]


class Preparation(EventSteps):
    """The way of the events of a part through all steps before the channels."""

    def late_objects_of(self, metadata: Mapping[str, Any]) -> Choose | None:
        """Which objects of the events of a part may be read behind the baseline."""
        if self._own_early():
            return None
        return functools.partial(late_objects, self.spec, self._dataset_of(metadata))

    def prepare_parts(
        self,
        events: Any,
        metadata: Sequence[Mapping[str, Any]],
        lengths: Sequence[int],
        late: Late | None = None,
    ) -> Iterator[Prepared]:
        """Take parts through the steps before the channels, in blocks of object variations.

        Parameters
        ----------
        events
            Of parts of the same dataset, one part after the other. The steps run once for all of
            them, as each treats every event by itself.
        metadata
            Of each part.
        lengths
            Events of each part.
        late
            Objects that the events do not have yet, of those of `late_objects_of`.
        """
        dataset = self._dataset_of(metadata[0])
        events, members = split_members(self.spec, events, dataset, metadata)
        events = in_order(self.spec, dataset, events)
        owners = Owners(np.repeat(np.arange(len(lengths)), lengths), len(lengths))
        base = steps.base_weights(events, dataset, self.spec.weight_mode)
        whole = Stack(events, np.zeros(len(events), dtype=np.intp), base, owners, members)
        shifts = tuple(one for one in self.spec.variations(dataset) if one.kind == "object")
        all_fields = events if late is None else late.template
        shared = self._shared(all_fields, dataset) if shifts and len(events) else None
        prepared, start = self._prepare(whole, dataset, (NOMINAL,), shared, late)
        yield prepared
        if shared is not None:
            yield Prepared(shifts, None, (), owners.count, start=start)
        else:
            most = block_size(events, self.spec.memory_limit)
            for group in in_groups(shifts, len(events), most):
                yield self._prepare(replace(whole, members=None), dataset, group)[0]

    def _shared(self, events: Any, dataset: Dataset) -> SharedSteps | None:
        """What object variations share with nominal; None where the analysis has own steps."""
        return None if self._own_early() else shared_steps(self.spec, dataset, events)

    def _later(self, dataset: Dataset, shared: SharedSteps) -> Later:
        """Columns that are read behind the object corrections, as far as that is known."""
        if overridden_steps(type(self), EventSteps):
            return {}
        return read_later(self.spec, dataset, shared.masks)

    def _possible(self, start: Stack, dataset: Dataset) -> Stack:
        """Without events that no object variation brings into a channel, as far as is known."""
        if overridden_steps(type(self), EventSteps):
            return start
        mask = possible_events(self.spec, dataset, start.events, computed_objects(self.spec))
        if mask is None:
            return start
        start = start.select(mask)
        return start.with_events(packed(start.events))

    def _waiting(self, events: Any, shared: SharedSteps | None) -> frozenset[int]:
        """Masks that come behind the baseline; those that are shared run once, on all events."""
        if self._own_early():
            return frozenset()
        found = waiting_masks(self.spec, events)
        return found if shared is None else found & (shared.masks | shared.early)

    def _masked(self, events: Any, waiting: frozenset[int]) -> Any:
        """Events with the masks applied that do not wait."""
        if not waiting:
            return self.mask_objects(events)
        now = set(range(len(self.spec.masks))) - waiting
        return steps.apply_object_masks(events, self.spec.masks, now)

    def _own_early(self) -> bool:
        """Whether the analysis does a step before the channels in its own way."""
        early = ("correct_objects", "mask_objects", "select_baseline", "certified_events")
        return any(getattr(type(self), one) is not getattr(EventSteps, one) for one in early)

    def _varied(self, groups: Iterable[Prepared], dataset: Dataset) -> Iterator[Prepared]:
        """Take the object variations of each start through their steps, block by block."""
        for prepared in groups:
            start = prepared.start
            if start is None:
                yield prepared
                continue
            shared = self._shared(start.events, dataset)
            if shared is None:
                raise StorageError("prepared events: they are those of another analysis.")
            most = block_size(start.events, self.spec.memory_limit)
            factors: dict[str, Known] = {}
            events = without_unread(self.spec, dataset, start.events, self._later(dataset, shared))
            start = self._possible(start.with_events(events), dataset)
            for group in in_groups(prepared.shifts, len(start.base), most):
                yield self._vary(start, dataset, group, shared, factors)

    def _prepare(
        self,
        whole: Stack,
        dataset: Dataset,
        shifts: Shifts,
        shared: SharedSteps | None = None,
        late: Late | None = None,
    ) -> tuple[Prepared, Stack | None]:
        """Take events through the steps before the channels, for some object variations.

        With `shared` steps, for nominal, also return what object variations start from.
        """
        if not len(whole.base):
            return Prepared(shifts, None, (), whole.owners.count), whole
        events = whole.events
        corrected = [self.correct_objects(events, one, dataset) for one in shifts]
        stack = Stack.of(corrected, whole.base, whole.owners, whole.members)
        waiting = self._waiting(events if late is None else late.template, shared)
        stack = stack.with_events(self._masked(stack.events, waiting))
        masked, alive = stack.events, np.ones(len(stack.base), dtype=np.bool_)
        every = self.spec.varied_failing
        flow = [stack.step("skimmed", alive, every=every)]
        for name, mask in kept_rows(self.spec, events, dataset, len(shifts)):
            flow.append(stack.step(name, mask, every=every))
            stack, alive = stack.select(mask), mask
        near, start, more, there, ended = None, None, None, alive, False
        read = functools.partial(LateObjects.read, self.spec, dataset)
        for where in ("select_baseline", "certified_events"):
            passed = selected(self, where, stack, dataset)
            ended, passed = ended or passed is None, passed or NOTHING
            names = () if ended else passed.steps
            flow += [stack.step(name, mask, every=every) for name, mask in names]
            if where == "select_baseline":
                near = near_baseline(self, stack, passed, dataset)
                if shared is not None:
                    alive = alive.copy()
                    alive[alive] = shared_mask(shared, self.spec.baseline, passed)
                    more = None if late is None else read(late, alive)
                    start = start_of(self.spec, shared, whole, masked, alive, more)
            stack, there = stack.select(passed.mask), there.copy()
            there[there] = passed.mask
        if not len(stack.base):
            found = Prepared(shifts, stack, tuple(flow), whole.owners.count, near, ended=ended)
            return found, start
        if late is not None and more is None:
            more = read(late, there)
        ready = nominal_start(start, stack, shared, masked, whole) if shared and waiting else None
        if ready is not None and shared is not None:
            events, waiting = ready, waiting - shared.early
        elif waiting or more is not None:
            events = packed(stack.events)
            events = events if more is None else more.added_to(events, there)
        else:
            events = stack.events
        stack = stack.with_events(steps.apply_object_masks(events, self.spec.masks, waiting))
        stack = stack.with_events(self.add_ghost_observables(stack.events))
        return Prepared(shifts, stack, tuple(flow), whole.owners.count, near), start

    def _vary(
        self,
        start: Stack,
        dataset: Dataset,
        shifts: Shifts,
        shared: SharedSteps,
        factors: dict[str, Known],
    ) -> Prepared:
        """Take events through those steps before the channels that are not shared."""
        if not len(start.base):
            return Prepared(shifts, None, (), start.owners.count)
        spec = self.spec
        changes = spec.corrections_of(dataset), spec.systematics_of(dataset)
        behind = sorted_behind(spec, dataset, start.events, shared.masks, shifts)
        corrected = correct_each(
            start.events, *changes, shifts, dataset, spec.digests, unsorted=behind
        )
        wanted = with_order(self._later(dataset, shared), behind)
        stack = Stack.of(corrected, start.base, start.owners, wanted=wanted)
        rows = np.tile(np.arange(len(start.base)), len(shifts))
        own_way = type(self).add_ghost_observables is not EventSteps.add_ghost_observables
        moved = shared.moved | ({EVERYTHING} if own_way else computed_objects(spec))
        stack = replace(stack, origin=Origin(start.events, moved, rows, factors))
        unsorted = behind.values()
        events = steps.apply_object_masks(stack.events, spec.masks, shared.masks, unsorted)
        stack = stack.with_events(events)
        if spec.baseline is not None and shared.cuts:
            passed = select(spec.baseline, events, "baseline_selection", shared.cuts)
            stack = stack.select(passed.mask)
        if len(stack.base):
            stack = stack.with_events(self.add_ghost_observables(stack.events))
        return Prepared(shifts, stack, (), start.owners.count)

    def _dataset_of(self, metadata: Mapping[str, Any]) -> Dataset:
        key = metadata["dataset"]
        if key not in self.spec.datasets:
            hint = did_you_mean(key, self.spec.datasets)
            raise InputError(f"the configuration has no dataset {key!r}. {hint}")
        return self.spec.datasets[key]
