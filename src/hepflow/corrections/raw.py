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


def met_columns(change: Correction | Systematic) -> tuple[str, ...]:
    """Columns of the target's object from which follows how it moves the missing momentum."""
    if not isinstance(change, Correction):
        return ("pt", "phi")
    excluded = () if change.met_excluded is None else (change.met_excluded,)
    return ("pt", "phi", *excluded, *change.met_em_columns)


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
        Difference in pt without the part that is excluded; 0 where less than the threshold is
        left after the change, and where electrons and photons have most of the energy.
    """
    import awkward as ak

    if not isinstance(change, Correction) or change.target is None:
        return after - before
    rest, name = 1.0, change.target[0]
    if change.met_excluded is not None:
        rest = 1.0 - column(events, name, change.met_excluded, f"{where}.met_excluded")
    moved = (after - before) * rest
    if change.met_threshold > 0.0:
        moved = ak.where(after * rest < change.met_threshold, 0.0, moved)
    if change.met_em_columns:
        fields = enumerate(change.met_em_columns)
        parts = (column(events, name, one, f"{where}.met_em_columns[{i}]") for i, one in fields)
        moved = ak.where(sum(parts) >= change.met_em_limit, 0.0, moved)
    return moved
