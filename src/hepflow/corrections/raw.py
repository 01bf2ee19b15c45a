"""Corrections that start from the raw pt, and what a new pt takes off the missing momentum."""

from __future__ import annotations

from typing import Any

from hepflow.functors import column
from hepflow.schema import Correction, Systematic


def uncorrected(events: Any, correction: Correction, where: str) -> Any:
    """Events whose target has the pt from before it was corrected, where that is asked for.

    The mass is left: a correction that replaces pt scales it by new over old.
    """
    import awkward as ak

    if correction.raw_factor is None or correction.target is None:
        return events
    name, field = correction.target
    before = column(events, name, field, f"{where}.target")
    factor = column(events, name, correction.raw_factor, f"{where}.raw_factor")
    raw = ak.with_field(events[name], before * (1.0 - factor), field)
    return ak.with_field(events, raw, name)


def change_in_met(
    change: Correction | Systematic, events: Any, before: Any, after: Any, where: str
) -> Any:
    """How far each object moves the missing momentum.

    Parameters
    ----------
    before, after
        Its pt [GeV], shape (n_events, var).

    Returns
    -------
    ak.Array
        Difference in pt without the part that is excluded; 0 where no more than the threshold is
        left after the change.
    """
    import awkward as ak

    if not isinstance(change, Correction) or change.target is None:
        return after - before
    rest = 1.0
    if change.met_excluded is not None:
        name = change.target[0]
        rest = 1.0 - column(events, name, change.met_excluded, f"{where}.met_excluded")
    moved = (after - before) * rest
    if change.met_threshold == 0.0:
        return moved
    return ak.where(after * rest < change.met_threshold, 0.0, moved)
