"""What nominal and all object variations have in common, and is done once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.early import early_masks
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.stack import Stack
from hepflow.analysis.steps import apply_object_masks
from hepflow.analysis.touches import ALL, Moved, Step, canonical, steps_of
from hepflow.events import EVENT, Branches, columns_of, packed, replace_object
from hepflow.functors import Passed
from hepflow.records import Dataset
from hepflow.sources import applies
from hepflow.variations import objects_read

if TYPE_CHECKING:
    from hepflow.analysis.late import LateObjects

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SharedSteps:
    """Which steps before the channels object variations take again; the others are shared."""

    moved: frozenset[str]  # objects (and branches without one) that a variation may change
    masks: frozenset[int]  # positions of the object masks that are applied again
    cuts: frozenset[int]  # positions of the cuts of the baseline that are required again
    early: frozenset[int]  # positions of the masks that come before the variations instead


def shared_steps(spec: AnalysisSpec, dataset: Dataset, events: Any) -> SharedSteps | None:
    """Read off the configuration what object variations have in common with nominal.

    Parameters
    ----------
    events
        Uncorrected events.

    Returns
    -------
    SharedSteps
        None where every variation takes all steps: events that fail a cut are wanted of them.
    """
    if spec.varied_failing:
        return None
    steps = [
        one
        for one in steps_of(spec, dataset, _branches(events))
        if one.kind in {"correction", "mask", "baseline"}
    ]
    sources = {one.source for one in spec.variations(dataset) if one.kind == "object"}
    moved: set[str] = set()
    while True:
        found, again = _follow(steps, sources, moved)
        found |= _changed_too_early(spec, dataset, steps, again)
        if found <= moved:
            break
        moved |= found
    baseline = [one for one in steps if one.kind == "baseline"]
    masks = [one for one in steps if one.kind == "mask"]
    applied = {i for i, one in enumerate(masks) if one in again}
    early = early_masks(spec, dataset, events, applied)
    return SharedSteps(
        frozenset(moved),
        frozenset(applied) - early,
        frozenset(i for i, one in enumerate(baseline) if one in again),
        early,
    )


def _branches(events: Any) -> Branches:
    """Columns of events, as branches by object."""
    found: dict[str, tuple[str, ...]] = {
        name: tuple(events[name].fields) for name in events.fields if events[name].fields
    }
    return found | {EVENT: tuple(name for name in events.fields if name not in found)}


def _follow(
    steps: list[Step], sources: Collection[str], before: Collection[str]
) -> tuple[set[str], list[Step]]:
    """Objects that move, where some are known to, and the steps that see it."""
    moved, again = Moved(), []
    moved.add((name, None) for name in before)
    for step in steps:
        writes = {canonical(one)[0] for one in step.writes}
        if (
            not set(step.sources).isdisjoint(sources)
            or moved.reach(step.reads)
            or (
                # all of an object is done again, or nothing
                writes.intersection(name for name, _ in moved.columns)
            )
        ):
            moved.add((name, None) for name in writes)
            again.append(step)
    return {name for name, _ in moved.columns}, again


def _changed_too_early(
    spec: AnalysisSpec, dataset: Dataset, steps: list[Step], again: list[Step]
) -> set[str]:
    """Objects that a shared step changes, and that an earlier one which is done again reads."""
    seen = set(_read_by_changes(spec, dataset))
    found: set[str] = set()
    for step in steps:
        writes = {canonical(one)[0] for one in step.writes}
        if step in again:
            seen |= {canonical(one)[0] for one in step.reads}
        elif ALL[0] in seen:
            found |= writes
        else:
            found |= writes & seen
    return found


def _read_by_changes(spec: AnalysisSpec, dataset: Dataset) -> Iterator[str]:
    """Objects that corrections and sources of objects read or change.

    They are applied to what every variation starts from, so that must be uncorrected.
    """
    changes: list[tuple[Any, Any]] = [
        *((one, one.applies_to) for one in spec.corrections_of(dataset)),
        *((one, one.processes) for one in spec.systematics_of(dataset)),
    ]
    for one, processes in changes:
        if one.type == "object" and applies(processes, dataset):
            yield from objects_read(one)
            yield from (one.target or ())[:1]
            yield from [one.propagate_to_met] if one.propagate_to_met else []


def computed_objects(spec: AnalysisSpec) -> frozenset[str]:
    """Objects, and branches without one, that computed columns are written to."""
    return frozenset(canonical(one)[0] for ghost in spec.ghosts for one in ghost.columns)


def shared_mask(shared: SharedSteps, baseline: Any, passed: Passed) -> Mask:
    """Events that pass all cuts of the baseline which variations do not require again."""
    found = np.ones(len(passed.mask), dtype=np.bool_)
    if baseline is None or passed.alone is None:
        return found
    if baseline.function is not None:
        return found if shared.cuts else passed.mask
    for i, cut in enumerate(baseline.cuts):
        if i not in shared.cuts:
            found = found & passed.alone[cut.name]
    return found


def start_of(
    spec: AnalysisSpec,
    shared: SharedSteps,
    whole: Stack,
    masked: Any,
    alive: Mask,
    more: LateObjects | None = None,
) -> Stack:
    """Events from which object variations start: all that a variation could bring in.

    What moves is uncorrected, with the early masks applied; all else is corrected and masked,
    and has passed its cuts.

    Parameters
    ----------
    whole
        Uncorrected events.
    masked
        The same, nominally corrected and masked, but for what moves.
    alive
        Which of them pass what is shared.
    more
        Objects of these that the others do not have.
    """
    events = whole.events
    for name in masked.fields:
        if name in events.fields and name not in shared.moved:
            events = replace_object(events, name, masked[name])
    start = replace(whole, events=events, members=None).select(alive)
    chosen = packed(start.events)
    chosen = chosen if more is None else more.added_to(chosen, alive)
    early = apply_object_masks(chosen, spec.masks, shared.early if len(chosen) else ())
    return start.with_events(packed(early))


def nominal_start(
    start: Stack | None, stack: Stack, shared: SharedSteps, masked: Any, whole: Stack
) -> Any:
    """Packed events of nominal, with the early masks applied; None where they are not known.

    They are those that object variations start from, where nothing has changed these so far.

    Parameters
    ----------
    start
        As `start_of` makes it; it has the events of nominal, and may have more.
    stack
        Events of nominal that pass the baseline.
    masked, whole
        As `start_of` takes them.
    """
    import awkward as ak

    if start is None or len(start.base) != len(stack.base):
        return None
    before, after = (columns_of(ak.to_layout(one)) for one in (whole.events, masked))
    same = all(after[name] is before[name] for name in shared.moved if name in before)
    return start.events if same and before.keys() == after.keys() else None
