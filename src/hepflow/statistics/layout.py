"""Where the numbers of a model stand in arrays, so that yields are a few array operations.

A *row* is one sample of one channel, a *cell* one bin of a row. Arrays of cells have the shape
(n_bins, n_samples), where the samples are those of the bin's channel; what is left over in a
channel with fewer samples has no yield.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.histfactory import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """Places of cells and their nominal yields."""

    nominal: Floats  # shape (n_bins, n_samples)
    row_of: Ints  # same shape; the number of rows where there is none
    column: tuple[int, ...]  # of each row, among the samples of its channel
    channels: tuple[tuple[slice, slice], ...]  # bins and rows of each channel
    flat: Ints  # place of each cell in a flat array of cells, row after row

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.column)


@dataclass(frozen=True)
class Shifts:
    """Templates of ``histosys``, whose parameters are the first ones of a model."""

    n: int  # parameters
    linear: Floats  # half of up - down, shape (n_bins, n_samples, n)
    curved: Floats  # up + down - 2 nominal, divided by 16, same shape


@dataclass(frozen=True)
class RowFactors:
    """Factors on whole rows: ``normfactor`` and ``lumi`` (plain), then ``normsys``."""

    row: Ints  # of each factor
    parameter: Ints  # of each factor
    n_plain: int
    low: Floats  # of each normsys
    high: Floats
    order: Ints  # puts all factors, and a one for each row, into the order of rows
    starts: Ints  # of each row, and of what has none, in that order


@dataclass(frozen=True)
class BinFactors:
    """Factors on single cells: ``shapefactor``, ``shapesys``, ``staterror``."""

    cell: Ints  # flat place of the cell of each factor; sorted by parameter, then by bin
    bin: Ints
    parameter: Ints
    layers: tuple[Ints, ...]  # parameter on each cell, n_parameters for none; as many as needed
    segments: Ints  # where the factors of another parameter or bin start
    n_shared: int  # segments of parameters that may act on several bins
    single_bin: Ints  # the bin of each parameter of the other segments, one segment for each


def place_cells(model: Model) -> Cells:
    """Places of the cells of a model."""
    counts: dict[str, int] = {}
    column: list[int] = []
    for row in model.rows:
        column.append(counts.get(row.channel, 0))
        counts[row.channel] = column[-1] + 1
    shape = (model.rows[-1].bins.stop, max(counts.values()))
    nominal = np.zeros(shape)
    row_of: Ints = np.full(shape, len(model.rows), dtype=np.int64)
    flat = []
    for index, (row, place) in enumerate(zip(model.rows, column, strict=True)):
        nominal[row.bins, place] = row.nominal
        row_of[row.bins, place] = index
        flat.append(np.arange(row.bins.start, row.bins.stop) * shape[1] + place)
    channels, start = [], 0
    for name, bins in model.channels.items():
        channels.append((bins, slice(start, start + counts[name])))
        start += counts[name]
    return Cells(nominal, row_of, tuple(column), tuple(channels), np.concatenate(flat))


def place_shifts(model: Model, cells: Cells) -> Shifts:
    """Templates of a model's ``histosys`` modifiers."""
    place = dict(zip(model.rows, cells.column, strict=True))
    entries = [(model.first[name], row, *data) for row, name, data in model.with_kind("histosys")]
    n_shifts = 1 + max((one[0] for one in entries), default=-1)
    linear, curved = (np.zeros((*cells.nominal.shape, n_shifts)) for _ in range(2))
    for parameter, row, low, high in entries:
        where = (row.bins, place[row], parameter)
        linear[where] = (high - low) / 2
        curved[where] = (high + low - 2 * row.nominal) / 16
    return Shifts(n_shifts, linear, curved)


def place_row_factors(model: Model) -> RowFactors:
    """Factors of a model on whole rows."""
    index = {row: position for position, row in enumerate(model.rows)}
    plain = [
        (index[row], model.first[name]) for row, name, _ in model.with_kind("normfactor", "lumi")
    ]
    norms = [
        (index[row], model.first[name], *data) for row, name, data in model.with_kind("normsys")
    ]
    rows = np.array([one[0] for one in (*plain, *norms)], dtype=np.int64)
    # each row has a one, so that none is empty, nor the row of cells that are not there
    with_ones = np.concatenate([rows, np.arange(len(model.rows) + 1)])
    order = np.argsort(with_ones, kind="stable")
    return RowFactors(
        rows,
        np.array([one[1] for one in (*plain, *norms)], dtype=np.int64),
        len(plain),
        np.array([one[2] for one in norms], dtype=np.float64),
        np.array([one[3] for one in norms], dtype=np.float64),
        order,
        np.searchsorted(with_ones[order], np.arange(len(model.rows) + 1)),
    )


def place_bin_factors(model: Model, cells: Cells, n_parameters: int, n_dense: int) -> BinFactors:
    """Factors of a model on single cells.

    Parameters
    ----------
    model : Model
    cells : Cells
    n_parameters : int
    n_dense : int
        Parameters before those that act on one bin only.
    """
    triples = list(_bin_factors(model, cells.column))
    empty: Ints = np.empty((3, 0), dtype=np.int64)
    bins, columns, owners = np.concatenate([empty, *triples], axis=1)
    order = np.lexsort((bins, owners))
    bins, columns, owners = bins[order], columns[order], owners[order]
    segments = np.flatnonzero(np.diff(owners, prepend=-1) | np.diff(bins, prepend=-1))
    n_shared = int(np.searchsorted(owners[segments], n_dense))
    return BinFactors(
        bins * cells.nominal.shape[1] + columns,
        bins,
        owners,
        _layers(triples, cells.nominal.shape, n_parameters),
        segments,
        n_shared,
        bins[segments[n_shared:]],
    )


def _bin_factors(model: Model, column: Sequence[int]) -> Iterator[Ints]:
    """Bins, columns and parameters of each modifier with a parameter of its own in each bin."""
    used: dict[str, int] = {}  # parameters of a staterror that earlier channels took
    offset_of: dict[tuple[str, str], int] = {}  # by name and channel
    for row, place in zip(model.rows, column, strict=True):
        n_bins = len(row.nominal)
        for kind, name in row.modifiers:
            if kind not in ("shapefactor", "shapesys", "staterror"):
                continue
            first = model.first[name]
            if kind == "staterror":  # the others start anew in each channel
                if (name, row.channel) not in offset_of:
                    offset_of[name, row.channel] = used.get(name, 0)
                    used[name] = used.get(name, 0) + n_bins
                first += offset_of[name, row.channel]
            bins = np.arange(row.bins.start, row.bins.stop)
            yield np.array([bins, np.full(n_bins, place), first + np.arange(n_bins)])


def _layers(triples: Sequence[Ints], shape: tuple[int, ...], default: int) -> tuple[Ints, ...]:
    layers: list[Ints] = []
    for bins, columns, owners in triples:
        for layer in layers:
            if (layer[bins, columns] == default).all():
                break
        else:
            layer = np.full(shape, default, dtype=np.int64)
            layers.append(layer)
        layer[bins, columns] = owners
    return tuple(layers)
