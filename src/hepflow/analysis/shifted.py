"""Weights of events of object variations: what does not move is evaluated once an event."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.stack import Floats, Known, Mask, Origin, Stack
from hepflow.analysis.steps import correction_factor
from hepflow.analysis.touches import ALL
from hepflow.corrections import linked_sources_of
from hepflow.errors import HepflowError
from hepflow.records import Dataset, Variation
from hepflow.schema import Correction
from hepflow.sources import applies
from hepflow.variations import objects_read

_MOST = 2  # events for each that is wanted: up to here it pays to evaluate all of them


def shared_factors(spec: AnalysisSpec, stack: Stack, dataset: Dataset) -> dict[str, Floats]:
    """Factors of the weight that no object variation moves, evaluated once an event.

    Returns
    -------
    dict
        Name of the correction -> its value for each row of the stack, (n_rows,). Empty where
        it is not known what the rows are versions of.
    """
    origin = stack.origin
    if origin is None or not len(stack.base):
        return {}
    length = len(origin.events)
    wanted = np.zeros(length, dtype=np.bool_)
    wanted[origin.rows] = True
    found = {}
    for i, one in _event_corrections(spec, dataset).items():
        if _stays(one, origin):
            factor = functools.partial(correction_factor, spec, one, f"corrections[{i}]")
            known = origin.factors.get(one.name)
            if known is None:
                known = origin.factors[one.name] = _known(factor, origin.events, wanted)
            new = wanted & ~known.there
            if new.any():
                known.values[new] = factor(origin.events[new])
                known.there |= new
            found[one.name] = known.values.take(origin.rows)
    return found


def _known(factor: Callable[[Any], Floats], events: Any, wanted: Mask) -> Known:
    """Factors of all events where most are wanted at once; each variation wants a few others.

    Of events that no variation selects a factor may not be known, which is no error.
    """
    if _MOST * np.count_nonzero(wanted) >= len(events):
        with contextlib.suppress(HepflowError), np.errstate(all="ignore"):
            return Known(np.array(factor(events)), np.ones(len(events), dtype=np.bool_))
    return Known(np.ones(len(events)), np.zeros(len(events), dtype=np.bool_))


def shifted_weights(
    spec: AnalysisSpec,
    events: Any,
    base: Floats,
    dataset: Dataset,
    shift: Variation,
    shared: Mapping[str, Floats],
) -> Floats:
    """Product of all factors, with sources that are linked to an object variation moved.

    Parameters
    ----------
    base
        Generator weights, shape (n_events,).
    shared
        Factors that are known, of these events, by name of their correction.
    """
    weights = base
    for i, one in _event_corrections(spec, dataset).items():
        factor = shared.get(one.name)
        if factor is None:
            factor = correction_factor(spec, one, f"corrections[{i}]", events, shift)
        weights = weights * factor
    return weights


def _event_corrections(spec: AnalysisSpec, dataset: Dataset) -> dict[int, Correction]:
    return {
        i: one
        for i, one in enumerate(spec.corrections_of(dataset))
        if one.type == "event" and applies(one.applies_to, dataset)
    }


def _stays(correction: Correction, origin: Origin) -> bool:
    """Whether a correction reads nothing that a variation may move, and has no linked source."""
    reads = objects_read(correction)
    moves = linked_sources_of(correction) or ALL[0] in reads or ALL[0] in origin.moved
    return not moves and reads.isdisjoint(origin.moved)
