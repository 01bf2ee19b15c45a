"""Objects that are sorted behind their mask, as fewer are left: the result is the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hepflow.analysis.early import is_plain
from hepflow.analysis.spec import AnalysisSpec
from hepflow.events import EVENT
from hepflow.object_order import index_columns
from hepflow.records import Dataset, Variation
from hepflow.variations import sorts_last


def sorted_behind(
    spec: AnalysisSpec,
    dataset: Dataset,
    events: Any,
    masks: Collection[int],
    shifts: Sequence[Variation],
) -> dict[str, int]:
    """Objects that may be sorted behind a mask, and the position of this mask.

    All of the variations sort them as the last thing; the mask is arithmetic, which gives each
    object the same in any order, and nothing in front of it looks at them; no column of indices
    points to them.

    Parameters
    ----------
    events
        As they are before the object corrections.
    masks
        Positions of the object masks that follow.
    """
    changes = spec.corrections_of(dataset), spec.systematics_of(dataset)
    names = {sorts_last(*changes, shift, dataset) for shift in shifts}
    name = names.pop() if len(names) == 1 else None
    if name is None or name not in events.fields or any(index_columns(events, name)):
        return {}
    for i in sorted(masks):
        mask = spec.masks[i]
        if mask.object == name:
            return {name: i} if is_plain(mask) else {}
        if {name, EVENT} & {one for one, _ in mask.use}:
            return {}
    return {}
