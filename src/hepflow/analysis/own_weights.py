"""Weights from the step that an analysis may override, with what is said where they do not fit."""

from __future__ import annotations

import inspect
from typing import Any

from hepflow.analysis import steps
from hepflow.analysis.event_steps import EventSteps
from hepflow.analysis.steps import Floats
from hepflow.errors import UserFunctionError
from hepflow.records import NOMINAL, Dataset, Variation


def checked_weights(
    loop: EventSteps,
    events: Any,
    dataset: Dataset,
    variations: tuple[Variation, ...],
    where: str,
    *shift: Variation,
) -> dict[str, Floats]:
    """Weights of some events, one for each: nominal and all of `variations`.

    Parameters
    ----------
    where
        For messages.
    shift
        Object variation of the events, where weight sources are linked to it.

    Raises
    ------
    UserFunctionError
        If the step takes no `shift`, or does not give these weights.
    """
    if shift:
        _check_takes_shift(loop)
    given = loop.event_weights(events, dataset, variations, *shift)
    names = (NOMINAL.name, *(one.name for one in variations))
    return steps.check_weights(given, len(events), where, names)


def _check_takes_shift(loop: EventSteps) -> None:
    try:
        inspect.signature(loop.event_weights).bind(None, None, (), NOMINAL)
    except TypeError as error:
        raise UserFunctionError(
            f"event_weights of {type(loop).__name__}: takes no fourth argument, the object "
            "variation that a weight source is linked to (varies_with). Write `def event_weights("
            "self, events, dataset, variations, shift=NOMINAL)`, and hand shift to super()."
        ) from error
