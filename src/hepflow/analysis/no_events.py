"""What a selection gives where no event is left: then no function of the user is called.

Many functions, such as those with ``np.max``, do not take an array without an entry.
"""

from __future__ import annotations

import numpy as np

from hepflow.analysis.event_steps import EventSteps
from hepflow.analysis.stack import Stack
from hepflow.functors import Passed, check_passed
from hepflow.records import Dataset
from hepflow.schema import Channel, Selection

NOTHING = Passed(np.zeros(0, dtype=np.bool_), ())


def selected(loop: EventSteps, step: str, stack: Stack, what: Dataset | Channel) -> Passed | None:
    """Which events pass a step.

    Parameters
    ----------
    step
        ``select_baseline``, ``certified_events`` or ``select_channel``.
    what
        Dataset or channel for the step.

    Returns
    -------
    Passed or None
        None where there are no events, and only the function could name the cuts.

    Raises
    ------
    MaskError
        If the step does not give one boolean for each event.
    """
    own_way = getattr(type(loop), step) is not getattr(EventSteps, step)
    length = len(stack.base)
    if length or (step == "certified_events" and not own_way):
        where = f"{step} ({what.name})" if isinstance(what, Channel) else step
        return check_passed(getattr(loop, step)(stack.events, what), length, where)
    if own_way:
        return None
    return _of_none(what.selection if isinstance(what, Channel) else loop.spec.baseline)


def _of_none(selection: Selection | None) -> Passed | None:
    if selection is None:
        return NOTHING
    if selection.function is not None:
        return None
    masks = {cut.name: NOTHING.mask for cut in selection.cuts}
    return Passed(NOTHING.mask, tuple(masks.items()), masks)
