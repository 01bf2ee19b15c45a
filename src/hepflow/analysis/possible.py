"""Events that no object variation can bring into a channel: these need not go through any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.early import changed_columns, changes_of
from hepflow.analysis.keep_yield import without_kept
from hepflow.analysis.spec import AnalysisSpec
from hepflow.errors import HepflowError
from hepflow.events import index_target
from hepflow.functors import as_mask, call
from hepflow.records import Dataset
from hepflow.schema import Selection

if TYPE_CHECKING:
    from hepflow.events.rising import Given

Mask = NDArray[np.bool_]
_WHERE = "selection"
_LISTS = 2  # dimensions of columns of objects


def possible_events(
    spec: AnalysisSpec, dataset: Dataset, events: Any, computed: frozenset[str]
) -> Mask | None:
    """Events that may pass the selection of a channel in an object variation.

    All that follows takes objects away. A cut that can only fail by that, such as ``ak.num(pt) >=
    4``, fails in each variation where it fails with all of the objects.

    Parameters
    ----------
    events
        What all object variations start from.
    computed
        Objects that computed columns are written to.

    Returns
    -------
    ndarray or None
        Of shape (n_events,); None where it may be all, or the events before the channels count.
    """
    channels = spec.visible_channels(dataset)
    if not len(events) or not channels or without_kept(spec, dataset) is not None:
        return None
    found = np.zeros(len(events), dtype=np.bool_)
    for channel in channels:
        cuts = list(_failing(spec, dataset, events, computed, channel.selection))
        if not cuts:
            return None
        found |= np.logical_and.reduce(cuts)
    return None if found.all() else found


def _failing(
    spec: AnalysisSpec,
    dataset: Dataset,
    events: Any,
    computed: frozenset[str],
    selection: Selection | None,
) -> Iterator[Mask]:
    """Results of those cuts of a selection that can only fail where objects are taken away."""
    from hepflow.events.rising import is_rising

    if selection is None:
        return
    cuts = [(one.function, one.use) for one in selection.cuts]
    if selection.function is not None:
        cuts.append((selection.function, selection.use))
    for function, use in cuts:
        columns = [_given(spec, dataset, events, computed, *one) for one in use]
        known = [one for one in columns if one is not None]
        if known and len(known) == len(columns) and is_rising(function, known):
            try:
                result = call(function, use, events, _WHERE)
                yield as_mask(result, len(events), _WHERE)
            except HepflowError:
                continue  # told where it is required


def _given(
    spec: AnalysisSpec,
    dataset: Dataset,
    events: Any,
    computed: frozenset[str],
    name: str,
    field: str | None,
) -> Given | None:
    """What is known of a column; None of one that is no list of numbers of known objects."""
    if name not in events.fields or name in computed or field is None:
        return None
    if field not in events[name].fields or index_target(field):
        return None
    if events[name].ndim != _LISTS or events[name][field].ndim != _LISTS:
        return None
    from hepflow.events.rising import Given

    changed = changed_columns(name, changes_of(spec, dataset))
    return Given(name, fixed=field not in changed)
