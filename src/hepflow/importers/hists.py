"""From histograms with category axes to templates by channel, process and variation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError, did_you_mean
from hepflow.importers.spec import (
    NOMINAL,
    AxisRoles,
    ImportSpec,
    by_year,
    renamed,
    variation_name,
)
from hepflow.importers.storages import sums_of_weights, with_flow
from hepflow.records import Axis, Block, HistogramSet, Ledger

_log = logging.getLogger(__name__)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """One histogram, and what its axes do not say."""

    histogram: Any  # of hist or boost-histogram
    observable: str
    channel: str | None = None  # None where it has such an axis
    process: str | None = None
    dataset: str | None = None  # what `ImportSpec.scales` names, where it is not the process
    variation: str | None = None  # nominal where neither this nor an axis says


@dataclass(frozen=True)
class _Part:
    """What one entry of the process axis of one piece adds to a template."""

    channel: str
    observable: str
    process: str
    entry: str  # of the process axis, as in the file
    dataset: str
    axis: Axis
    rows: Mapping[str, tuple[Floats, Floats]]  # variation -> sumw, sumw2 with flow


def from_hists(
    histograms: Mapping[str, Any] | Iterable[Piece],
    spec: ImportSpec,
    axes: AxisRoles | None = None,
) -> HistogramSet:
    """Take over histograms that are in memory.

    Parameters
    ----------
    histograms : mapping or iterable of Piece
        By the name of the observable, each a `hist.Hist` or `boost_histogram.Histogram` with
        category axes for channel, process and variation; or pieces that say what has no axis.
    spec : ImportSpec
    axes : AxisRoles, optional
        What these axes are called.

    Returns
    -------
    HistogramSet
        Sums of weights and of squared weights, under- and overflow included, times
        `ImportSpec.scales`. Its ledger is empty: nothing is known of the events. A variation
        without any content, where nominal has some, was not filled and reads as nominal.

    Raises
    ------
    InputError
        An axis is missing or one is too many, a name does not fit, or variances are unknown.
    """
    roles = axes or AxisRoles()
    if isinstance(histograms, Mapping):
        histograms = [Piece(one, name) for name, one in histograms.items()]
    parts = [part for piece in histograms for part in _parts(piece, spec, roles)]
    if not parts:
        raise InputError("there is no histogram to import. Look at what is selected or left out.")
    _check_given(spec, {one.process for one in parts}, {one.dataset for one in parts})
    return HistogramSet(
        axes=_axes(parts),  # first: contents of different bins are not added
        blocks=_merged(parts),
        cutflows={},
        data_processes=frozenset(spec.data),
        luminosity=by_year(spec.luminosity),
        ledger=Ledger(),
        process_of={one.dataset: one.process for one in parts},
    )


def _check_given(spec: ImportSpec, processes: set[str], datasets: set[str]) -> None:
    for field, given, known in (("data", spec.data, processes), ("scales", spec.scales, datasets)):
        for name in given:
            if name not in known:
                raise InputError(
                    f"`{field}` names {name!r}, of which there is no histogram. "
                    f"{did_you_mean(name, known)}"
                )


def _axes(parts: Iterable[_Part]) -> dict[tuple[str, str], Axis]:
    found: dict[tuple[str, str], Axis] = {}
    for one in parts:
        axis = found.setdefault((one.channel, one.observable), one.axis)
        if axis.edges != one.axis.edges:
            raise InputError(
                f"{one.observable!r} in channel {one.channel!r} has different bin edges for "
                f"{one.dataset!r} than for others. Rebin it, or import it under another name."
            )
    return found


def _merged(parts: Iterable[_Part]) -> dict[tuple[str, str, str], Block]:
    """Blocks by channel, observable and process: what one dataset lacks is its nominal."""
    rows: dict[tuple[str, str, str, str, str], dict[str, tuple[Floats, Floats]]] = {}
    for one in parts:
        key = (one.channel, one.observable, one.process, one.dataset, one.entry)
        mine = rows.setdefault(key, {})
        for name, (sumw, sumw2) in one.rows.items():
            before = mine.get(name, (0.0, 0.0))
            mine[name] = (before[0] + sumw, before[1] + sumw2)
    blocks: dict[tuple[str, str, str], Block] = {}
    for (channel, observable, process, dataset, _), mine in rows.items():
        where = (channel, observable, process)
        block = _block(mine, f"{channel}/{observable}/{dataset}")
        blocks[where] = blocks[where] + block if where in blocks else block
    return blocks


def _block(rows: Mapping[str, tuple[Floats, Floats]], where: str) -> Block:
    if NOMINAL not in rows:
        raise InputError(
            f"{where} has no variation 'nominal' (found: {', '.join(sorted(rows))}). Hand over "
            "the nominal histograms as well, or name it: variations={'<its name>': 'nominal'}."
        )
    filled = [
        name
        for name, (sumw, sumw2) in rows.items()
        if name != NOMINAL and (sumw.any() or sumw2.any())
    ]
    empty = sorted(rows.keys() - {NOMINAL, *filled})
    if empty and rows[NOMINAL][0].any():
        _log.warning("%s: %s without any content, read as nominal", where, ", ".join(empty))
    names = (NOMINAL, *filled)
    sumw, sumw2 = (np.stack([rows[name][i] for name in names]) for i in (0, 1))
    return Block(names, sumw, sumw2)


def _parts(piece: Piece, spec: ImportSpec, roles: AxisRoles) -> Iterator[_Part]:
    """Split one histogram; entries that are left out are not yielded."""
    observable = renamed(piece.observable, spec.observables, "observables")
    if observable is None:
        return
    import hist

    histogram = hist.Hist(piece.histogram)
    given = (piece.channel, piece.process, piece.variation or NOMINAL)
    wanted = (roles.channel, roles.process, roles.variation)
    entries, order = _entries(histogram, wanted, given, piece.observable)
    axis = _observable_axis(histogram.axes[order[-1]], observable)
    sumw, sumw2 = (
        _arranged(one, histogram, order, entries)
        for one in sums_of_weights(histogram, piece.observable, spec.unknown_variances)
    )
    channels = [renamed(one, spec.channels, "channels") for one in entries[0]]
    processes = [renamed(one, spec.processes, "processes") for one in entries[1]]
    variations = _variations(entries[2], spec, piece.observable)
    pairs = product(enumerate(channels), zip(entries[1], enumerate(processes), strict=True))
    for (i, channel), (entry, (j, process)) in pairs:
        if channel is None or process is None:
            continue
        dataset = piece.dataset or str(entry)
        scale = spec.scales.get(dataset, 1.0)
        rows = {
            name: (sumw[i, j, k] * scale, sumw2[i, j, k] * scale**2)
            for k, name in enumerate(variations)
            if name is not None
        }
        yield _Part(channel, observable, process, str(entry), dataset, axis, rows)


def _entries(
    histogram: Any, wanted: tuple[str, ...], given: tuple[str | None, ...], where: str
) -> tuple[list[list[Any]], list[int | None]]:
    """Entries of channel, process and variation, and the positions of these and the observable."""
    present = [axis.name for axis in histogram.axes]
    entries: list[list[Any]] = []
    order: list[int | None] = []
    for role, name, fixed in zip(("channel", "process", "variation"), wanted, given, strict=True):
        if name in present:
            axis = histogram.axes[name]
            if not _is_category(axis):
                raise InputError(f"{where}: the axis {name!r} of the {role}s has no categories.")
            entries.append(list(axis))
            order.append(present.index(name))
        elif fixed is not None:
            entries.append([fixed])
            order.append(None)
        else:
            raise InputError(
                f"{where} has no axis {name!r} for the {role}s (axes: {', '.join(present)}). "
                f"Name it, as in AxisRoles({role}='...'), or hand over Piece(..., {role}='...')."
            )
    rest = [i for i in range(len(present)) if i not in order]
    if len(rest) != 1 or _is_category(histogram.axes[rest[0]]):
        names = ", ".join(repr(present[i]) for i in rest) or "none"
        raise InputError(
            f"{where}: expected one binned axis beside those of channel, process and variation, "
            f"found {names}. Sum over the others first (histogram[{{'axis': sum}}]), name them in "
            "AxisRoles, or leave this histogram out."
        )
    return entries, [*order, rest[0]]


def _is_category(axis: Any) -> bool:
    import hist

    return isinstance(axis, hist.axis.StrCategory | hist.axis.IntCategory)


def _arranged(
    content: Floats, histogram: Any, order: list[int | None], entries: list[list[Any]]
) -> Floats:
    """Content with axes channel, process, variation, observable; flow of the last one only."""
    used = [i for i in order if i is not None]
    content = np.transpose(content, used)
    inside = tuple(slice(len(entries[role])) for role, i in enumerate(order[:-1]) if i is not None)
    beyond = content.sum() - content[inside].sum()
    if not np.isclose(beyond, 0.0, atol=1e-9 * np.abs(content).sum()):
        _log.warning("%g of the content is in no category of the axes and is left out", beyond)
    shape = [len(one) for one in entries]
    return with_flow(content[inside], histogram.axes[used[-1]].traits).reshape(*shape, -1)


def _variations(found: list[Any], spec: ImportSpec, where: str) -> list[str | None]:
    names = [variation_name(one, spec.variations) for one in found]
    taken = [one for one in names if one is not None]
    twice = sorted({one for one in taken if taken.count(one) > 1})
    if twice:
        raise InputError(f"{where}: several variations would be called {', '.join(twice)}.")
    return names


def _observable_axis(axis: Any, name: str) -> Axis:
    edges = tuple(float(edge) for edge in axis.edges)
    if not np.all(np.diff(edges) > 0) or not np.all(np.isfinite(edges)):
        raise InputError(f"{name}: bin edges that are finite and increase are expected: {edges}")
    return Axis(name, axis.label or name, edges)
