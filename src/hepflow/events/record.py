"""Columns -> one event record: objects with Lorentz vectors."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from hepflow.events.branches import EVENT, Branches, branch_name
from hepflow.events.lists import columns_of, record_parameters


@functools.cache
def behaviour() -> dict[Any, Any]:
    """Lorentz vectors: coffea's for objects, scikit-hep's for missing momentum."""
    import vector.backends.awkward
    from coffea.nanoevents.methods import candidate
    from coffea.nanoevents.methods import vector as coffea_vector

    return {**vector.backends.awkward.behavior, **coffea_vector.behavior, **candidate.behavior}


# Other than pt, eta, phi and mass: a vector has one set of each, and a record with two is none.
COORDINATES = frozenset(
    {"x", "y", "z", "t", "px", "py", "pz", "rho", "theta", "energy", "E", "e", "tau"}
)


def record_name(fields: Iterable[str]) -> str | None:
    """Name of the behaviour that fits the fields of an object; None for a plain record."""
    have = set(fields)
    if have & COORDINATES:
        return None
    if {"pt", "eta", "phi", "mass"} <= have:
        return "PtEtaPhiMCandidate" if "charge" in have else "PtEtaPhiMLorentzVector"
    if {"pt", "phi"} <= have and have.isdisjoint({"eta", "mass"}):
        return "Momentum2D"
    return None


def build_events(columns: Mapping[str, Any], branches: Branches, length: int) -> Any:
    """Put columns together to one event record.

    Parameters
    ----------
    columns
        Awkward arrays by branch name, each of `length` events.
    branches
        Which branch belongs to which object.
    length
        Number of events (needed where there is no column).

    Returns
    -------
    ak.Array
        Record array: objects as lists of records, missing momentum and trigger as records,
        branches of ``event`` at the top.
    """
    import awkward as ak

    fields: dict[str, Any] = {}
    for collection, names in branches.items():
        members = {name: columns[branch_name(collection, name)] for name in names}
        if collection == EVENT:
            fields.update(members)
        elif members:
            fields[collection] = build_object(members)
    if not fields:
        return ak.Array(ak.contents.RecordArray([], [], length=length), behavior=behaviour())
    return ak.zip(fields, depth_limit=1, behavior=behaviour())


def build_object(members: Mapping[str, Any]) -> Any:
    """One object from its columns: jagged ones share one list structure."""
    import awkward as ak

    depth = 2 if any(column.ndim > 1 for column in members.values()) else 1
    return ak.zip(
        dict(members), depth_limit=depth, with_name=record_name(members), behavior=behaviour()
    )


def with_behaviour(events: Any) -> Any:
    """Attach the Lorentz vectors to events that come from a part."""
    import awkward as ak

    return ak.Array(events, behavior=behaviour())


def replace_object(events: Any, name: str, value: Any) -> Any:
    """The same events with one object replaced; the original stays as it is."""
    import awkward as ak

    layout, new = ak.to_layout(events), ak.to_layout(value)
    if not layout.is_tuple and layout.fields and len(new) == len(layout):
        columns = columns_of(layout) | {name: new}
        record = ak.contents.RecordArray(
            list(columns.values()),
            list(columns),
            length=len(layout),
            parameters=record_parameters(layout),
        )
        return ak.Array(record, behavior=events.behavior)
    return ak.with_field(events, value, name)
