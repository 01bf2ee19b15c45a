"""Theory weights of the events of an entry range: sums over all of them, and columns to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.members import NOMINAL_PLACE, Layout, layout_of
from hepflow.errors import InputError
from hepflow.events import EVENT, OpenFile, check_branches
from hepflow.records.theory import MemberSums, column_name, set_name
from hepflow.remote import shown
from hepflow.schema import Systematic

Floats = NDArray[np.float64]
Members = NDArray[np.float32]


@dataclass(frozen=True)
class TheoryColumns:
    """Members of all sources."""

    sums: tuple[MemberSums, ...]
    columns: Mapping[str, Members] = field(default_factory=dict)  # each of (n_events, n_members)

    def added_to(self, events: Any, chosen: NDArray[np.bool_]) -> Any:
        """Events with the columns; `chosen` tells which of all events they are, (n_events,)."""
        import awkward as ak

        for name, values in self.columns.items():
            events = ak.with_field(events, ak.Array(values[chosen]), name)
        return events


def branches_of_theory(sources: Sequence[Systematic]) -> tuple[str, ...]:
    """Branches that sources of theory weights read."""
    names = [name for one in sources for name in (one.weights, one.relative_to) if name]
    return tuple(dict.fromkeys(names))


def theory_columns(
    sources: Sequence[Systematic], file: OpenFile, start: int, stop: int, weights: Floats
) -> TheoryColumns:
    """Read the theory weights of an entry range, and add them up over all of its events.

    Parameters
    ----------
    sources
        Of type ``theory``, that act on the dataset.
    weights
        Generator weight of each event, shape (n_events,).

    Raises
    ------
    InputError
        If lists differ in length, are none that is known, or hold something that is no number.
    """
    if not sources:
        return TheoryColumns(())
    there = [name for name in branches_of_theory(sources) if name in file.names]
    read = file.read(there, start, stop)
    sums: list[MemberSums] = []
    columns: dict[str, Members] = {}
    for one in sources:
        layout = _layout(one, file, read)
        if layout is None:
            sums.append((one.name, "", (), ()))
            continue
        values = _members(one, layout, file, read, len(weights))
        signs, members = np.sign(weights), set_name(layout.members, layout.numbers)
        sums.append((one.name, members, _added(weights, values), _added(signs, values)))
        if not one.normalisation_only:
            columns[column_name(one.name, members)] = values
    return TheoryColumns(tuple(sums), columns)


def _added(weights: Floats, members: Members) -> tuple[float, ...]:
    """Sums over the events; for members of one they are those of the weights, to the last bit."""
    return tuple(float((weights * column).sum()) for column in members.T)


def _layout(source: Systematic, file: OpenFile, read: Mapping[str, Any]) -> Layout | None:
    """Where the members are; None where the events have none, or there is none in the file."""
    import awkward as ak

    name = source.weights or ""
    if name not in file.names or not file.num_entries:
        return None
    array = read[name] if len(read[name]) else file.read([name], 0, 1)[name]
    where = f"{shown(file.filename)}, {name}"
    if array.ndim < 2:  # noqa: PLR2004 - a list for each event
        raise InputError(f"{where}: has one number for each event, expected a list of weights.")
    lengths = np.unique(ak.to_numpy(ak.num(array, axis=1)))
    if len(lengths) > 1:
        raise InputError(
            f"{where}: has between {lengths[0]} and {lengths[-1]} weights in an event. Expected "
            "the same number in each."
        )
    return layout_of(source, int(lengths[0]), file.title(name), where)


def _members(
    source: Systematic, layout: Layout, file: OpenFile, read: Mapping[str, Any], length: int
) -> Members:
    """Members over the nominal weight, shape (n_events, n_members)."""
    import awkward as ak

    flat = np.asarray(ak.to_numpy(ak.flatten(read[source.weights or ""], axis=1)), dtype=np.float64)
    lists = flat.reshape(length, -1) if length else flat.reshape(0, max(layout.places) + 1)
    chosen = np.ones((length, len(layout.places)))
    for i, place in enumerate(layout.places):
        if place != NOMINAL_PLACE:
            chosen[:, i] = lists[:, place]
    if source.relative_to is not None:
        check_branches(file, {EVENT: (source.relative_to,)}, f"relative_to of {source.name}")
        there = [place != NOMINAL_PLACE for place in layout.places]
        nominal = np.asarray(read[source.relative_to], dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            chosen[:, there] /= nominal[:, None]
    bad = ~np.isfinite(chosen).all(axis=1)
    if bad.any():
        raise InputError(
            f"{shown(file.filename)}, {source.weights}: {int(bad.sum())} of {length} events have "
            f"weights of {source.name!r} that are not finite. Leave the source out of this "
            "process (processes), or give members without these."
        )
    return chosen.astype(np.float32)
