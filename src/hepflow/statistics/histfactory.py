"""The HistFactory JSON, read into plain records: channels, samples, modifiers, parameters.

Format: pyhf's schema version 1.0.0. Everything that can be wrong with it is said here, with the
place; nothing further down looks at the JSON again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics import parameter_sets as parameters
from hepflow.statistics.parameter_sets import ParameterSet

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KINDS = ("histosys", "lumi", "normfactor", "normsys", "shapefactor", "shapesys", "staterror")
_INTERPOLATED = {"histosys", "normsys"}  # the only kinds that may share a parameter


@dataclass(frozen=True, eq=False)
class Row:
    """One sample of one channel."""

    channel: str
    sample: str
    bins: slice  # among the bins of all channels
    cells: slice  # among the bins of all rows
    nominal: Floats
    modifiers: Mapping[tuple[str, str], Any]  # by kind and name: its data

    def __str__(self) -> str:
        return f"channel {self.channel!r}, sample {self.sample!r}"


@dataclass(frozen=True)
class Model:
    """Contents of a workspace that a likelihood needs."""

    channels: Mapping[str, slice]  # sorted by name, as pyhf has them
    rows: tuple[Row, ...]
    sets: tuple[ParameterSet, ...]
    first: Mapping[str, int] = field(default_factory=dict)  # index of a set's first parameter

    def with_kind(self, *kinds: str) -> Iterator[tuple[Row, str, Any]]:
        """Rows with the name and the data of their modifiers of these kinds."""
        for row in self.rows:
            for (kind, name), data in row.modifiers.items():
                if kind in kinds:
                    yield row, name, data


def read_model(
    channels: Sequence[Mapping[str, Any]], settings: Sequence[Mapping[str, Any]]
) -> Model:
    """Read the channels of a workspace and the parameters of one measurement.

    Parameters
    ----------
    channels : sequence of mapping
        ``channels`` of the workspace.
    settings : sequence of mapping
        ``config.parameters`` of the measurement.

    Raises
    ------
    WorkspaceError
        Names the channel, the sample and the modifier, and what was expected.
    """
    slices, rows = _rows(channels)
    if not rows:
        raise WorkspaceError("the workspace has no channels. Expected at least one with a sample.")
    sets = parameters.configured(tuple(_wanted(rows)), settings)
    if not sets:
        raise WorkspaceError("the workspace has no modifier, thus no parameter that could be fit.")
    first, start = {}, 0
    for one in sets:
        first[one.name] = start
        start += len(one.init)
    return Model(slices, rows, sets, first)


def entry(found: Any, required: Sequence[str], where: str) -> Mapping[str, Any]:
    """Check that these keys and no others are there.

    Raises
    ------
    WorkspaceError
        Names the place and the key.
    """
    if not isinstance(found, Mapping):
        raise WorkspaceError(f"{where} is {type(found).__name__}; expected a JSON object.")
    missing = [key for key in required if key not in found]
    if missing:
        raise WorkspaceError(f"{where} has no key {missing[0]!r}. Expected {', '.join(required)}.")
    extra = sorted(set(found) - set(required))
    if extra:
        raise WorkspaceError(
            f"{where} has the key {extra[0]!r}, which HistFactory does not know. "
            f"Expected {', '.join(required)}."
        )
    return found


def array(values: Any, length: int | None, where: str) -> Floats:
    """Numbers as an array of this length.

    Raises
    ------
    WorkspaceError
        No list, another length, or a value that is not a finite number.
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WorkspaceError(f"{where} holds something that is not a number: {error}.") from error
    if found.ndim != 1 or not len(found):
        raise WorkspaceError(f"{where} is {values!r}; expected a list of numbers.")
    if length is not None and len(found) != length:
        raise WorkspaceError(f"{where} has {len(found)} values; the channel has {length} bins.")
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise WorkspaceError(
            f"{where} is not finite in bin {bad[0]}: {found[bad[0]]}. Correct the template."
        )
    return found


def _rows(channels: Sequence[Mapping[str, Any]]) -> tuple[dict[str, slice], tuple[Row, ...]]:
    named: dict[str, Mapping[str, Any]] = {}
    for position, one in enumerate(channels):
        name = entry(one, ("name", "samples"), f"channel {position}")["name"]
        if name in named:
            raise WorkspaceError(f"channel {name!r} is there twice. Rename or merge them.")
        named[name] = one
    slices: dict[str, slice] = {}
    rows: list[Row] = []
    for name in sorted(named):
        samples = named[name]["samples"]
        if not samples:
            raise WorkspaceError(f"channel {name!r} has no sample: no fit is possible.")
        start = slices[next(reversed(slices))].stop if slices else 0
        for one in samples:
            rows.append(_row(one, name, rows, start))
            if any(row.sample == rows[-1].sample for row in rows[:-1] if row.channel == name):
                raise WorkspaceError(f"{rows[-1]} is there twice. Rename or merge them.")
        slices[name] = rows[-1].bins
    return slices, tuple(rows)


def _row(found: Any, channel: str, before: Sequence[Row], start: int) -> Row:
    sample = entry(found, ("name", "data", "modifiers"), f"a sample of channel {channel!r}")
    where = f"channel {channel!r}, sample {sample['name']!r}"
    same = before[-1] if before and before[-1].channel == channel else None
    length = None if same is None else len(same.nominal)
    nominal = array(sample["data"], length, f"`data` of {where}")
    first = before[-1].cells.stop if before else 0
    modifiers: dict[tuple[str, str], Any] = {}
    for one in sample["modifiers"]:
        modifier = entry(one, ("name", "type", "data"), f"a modifier of {where}")
        kind, name = modifier["type"], modifier["name"]
        if kind not in KINDS:
            raise WorkspaceError(
                f"modifier type {kind!r} of {name!r} in {where} is not known. "
                f"Known: {', '.join(KINDS)}."
            )
        if (kind, name) in modifiers:
            raise WorkspaceError(f"{kind} {name!r} is twice in {where}. Take one out.")
        modifiers[kind, name] = _checked(kind, name, modifier["data"], len(nominal), where)
    bins, cells = slice(start, start + len(nominal)), slice(first, first + len(nominal))
    return Row(channel, sample["name"], bins, cells, nominal, modifiers)


def _checked(kind: str, name: str, data: Any, n_bins: int, where: str) -> Any:
    """Data of a modifier as arrays or numbers."""
    place = f"{kind} {name!r} of {where}"
    if kind == "histosys":
        both = entry(data, ("lo_data", "hi_data"), f"`data` of {place}")
        return tuple(
            array(both[key], n_bins, f"`{key}` of {place}") for key in ("lo_data", "hi_data")
        )
    if kind == "normsys":
        both = entry(data, ("lo", "hi"), f"`data` of {place}")
        low, high = array([both["lo"], both["hi"]], None, f"`data` of {place}")
        if not (low > 0 and high > 0):
            raise WorkspaceError(
                f"{place} has factors {both['lo']} and {both['hi']}. "
                "Both must be positive: correct the templates."
            )
        return float(low), float(high)
    if kind in ("shapesys", "staterror"):
        return array(data, n_bins, f"`data` of {place}")
    return None


def _wanted(rows: Sequence[Row]) -> Iterator[ParameterSet]:
    """Parameters that modifiers ask for, in pyhf's order: by kind, channel, sample and name."""
    ordered = sorted(rows, key=lambda row: (row.channel, row.sample))
    kind_of: dict[str, str] = {}
    for kind in KINDS:
        users: dict[str, list[Row]] = {}
        for row in ordered:
            for name in sorted(name for of, name in row.modifiers if of == kind):
                users.setdefault(name, []).append(row)
        names = sorted(users) if kind == "staterror" else list(users)
        for name in names:
            known = kind_of.setdefault(name, kind)
            if known == kind:
                yield _set_of(kind, name, users[name])
            elif {known, kind} != _INTERPOLATED:
                raise WorkspaceError(
                    f"{users[name][0]}: {kind} {name!r} has the name of a {known}. "
                    "Only normsys and histosys may share one: rename it."
                )


def _set_of(kind: str, name: str, users: Sequence[Row]) -> ParameterSet:
    if kind in _INTERPOLATED:
        return parameters.interpolated(name)
    if kind == "normfactor":
        return parameters.free_factor(name)
    if kind == "lumi":
        return parameters.luminosity(name)
    if kind == "shapefactor":
        longest = max(users, key=lambda row: len(row.nominal))
        if len(longest.nominal) > len(users[0].nominal):
            raise WorkspaceError(
                f"{longest}: shapefactor {name!r} has {len(users[0].nominal)} parameters from "
                f"channel {users[0].channel!r}, but there are {len(longest.nominal)} bins here."
            )
        return parameters.free_bins(name, len(users[0].nominal))
    if kind == "shapesys":
        if users[1:]:
            raise WorkspaceError(
                f"{users[1]}: shapesys {name!r} is that of {users[0]} as well. "
                "It cannot be shared: give each its own name."
            )
        return parameters.poisson_bins(
            name, users[0].nominal.tolist(), users[0].modifiers[kind, name].tolist()
        )
    return parameters.normal_bins(name, _relative_errors(name, users))


def _relative_errors(name: str, users: Sequence[Row]) -> list[float]:
    """Statistical uncertainty of the sum of the samples, of all channels one after another."""
    channels = sorted({row.channel for row in users})
    samples = {row.sample for row in users}
    found: list[float] = []
    for channel in channels:
        here = [row for row in users if row.channel == channel]
        missing = samples - {row.sample for row in here}
        if missing:
            raise WorkspaceError(
                f"staterror {name!r} acts on sample {min(missing)!r} in another channel, but not "
                f"in channel {channel!r}. Give the statistical error of each channel its own name."
            )
        total = np.sum([row.nominal for row in here], axis=0)
        variance = np.sum([row.modifiers["staterror", name] ** 2 for row in here], axis=0)
        inside = total > 0
        errors = np.sqrt(variance) / np.where(inside, total, 1.0)
        found.extend(np.where(inside, errors, 0.0).tolist())
    return found
