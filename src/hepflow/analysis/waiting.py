"""Object masks that can wait until the baseline has dropped most events."""

from __future__ import annotations

from typing import Any

from hepflow.analysis.spec import AnalysisSpec
from hepflow.events import EVENT, index_target
from hepflow.object_order import index_columns


def waiting_masks(spec: AnalysisSpec, events: Any) -> frozenset[int]:
    """Positions of the masks that neither the baseline nor a mask which it needs can see.

    Empty where events that fail the baseline are wanted, as they go through all masks.
    """
    baseline = spec.baseline
    if baseline is None or baseline.n_minus_1 or spec.varied_failing:
        return frozenset()
    read = [*baseline.use, *(column for cut in baseline.cuts for column in cut.use)]
    seen = {name for name, _ in read}
    needed: set[int] = set()
    while True:
        more = {
            i
            for i, mask in enumerate(spec.masks)
            if i not in needed
            and (
                mask.object in seen
                or any(index_columns(events, mask.object))
                # it reads an object as it is before a mask that does not wait
                or not _sees(spec, i, events).isdisjoint(
                    spec.masks[j].object for j in needed if j > i
                )
            )
        }
        if (EVENT, None) in read or any(EVENT in _reads(spec, i, whole=True) for i in more):
            return frozenset()
        if not more:
            return frozenset(range(len(spec.masks))) - needed
        needed |= more
        seen |= {name for i in more for name in _reads(spec, i)}


def _reads(spec: AnalysisSpec, position: int, *, whole: bool = False) -> set[str]:
    """Objects that a mask reads; with `whole` those that it takes with all their columns."""
    return {name for name, field in spec.masks[position].use if field is None or not whole}


def _sees(spec: AnalysisSpec, position: int, events: Any) -> set[str]:
    """Objects whose masks make a difference for a mask: also those that its columns point to."""
    if EVENT in _reads(spec, position, whole=True):
        return {one.object for one in spec.masks}
    found = _reads(spec, position)
    for name, field in spec.masks[position].use:
        inside = events[name].fields if field is None and name in events.fields else ()
        found |= {target for one in (field, *inside) if one and (target := index_target(one))}
    return found
