"""Expected yields of a HistFactory model and their slopes, for many points at once.

The yield of a cell is ``(nominal + sum of histosys shifts) * product of factors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics import layout
from hepflow.statistics.histfactory import Model
from hepflow.statistics.interpolation import Curve, Factors, shift

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A factor of exactly zero would make "the product of the others" 0/0; this one is zero
# for every sum it enters and still divides out again.
_ALMOST_ZERO = 1e-100


@dataclass(frozen=True)
class Slopes:
    """Derivatives of the yields of bins.

    Parameters that act on one bin only, and are measured elsewhere (``staterror``, ``shapesys``),
    are kept apart as `single`: they are the last ones of a model.
    """

    dense: Floats  # shape (n_points, n_bins, n_dense)
    single: Floats  # by the parameter, of its bin, shape (n_points, n_single)


@dataclass(frozen=True)
class Parts:
    """What cells are a product of."""

    cells: Floats  # yields, shape (n_points, n_bins, n_samples)
    product: Floats  # of all factors, same shape
    values: Floats  # parameters without exact zeros, shape (n_points, n_parameters)
    norms: Curve  # of normsys entries, shape (n_points, n_entries)
    curve: Curve  # of histosys parameters, shape (n_points, n_shifts)

    @property
    def bins(self) -> Floats:
        """Yields of bins, shape (n_points, n_bins)."""
        return np.asarray(self.cells.sum(axis=2))


class Yields:
    """Yields of a model.

    Parameters
    ----------
    model : Model
    codes : mapping
        Interpolation code of ``histosys`` and of ``normsys``.
    """

    def __init__(self, model: Model, codes: Mapping[str, str]) -> None:
        self.rows = tuple((row.channel, row.sample, row.cells) for row in model.rows)
        self.n_bins = model.rows[-1].bins.stop
        self.n_parameters = sum(len(one.init) for one in model.sets)
        n_single = sum(len(one.init) for one in model.sets if one.constraint and not one.scalar)
        self.n_dense = self.n_parameters - n_single
        self.n_scalar = sum(len(one.init) for one in model.sets if one.scalar)
        self.place = layout.place_cells(model)
        self.shifts = layout.place_shifts(model, self.place)
        self.row_factors = layout.place_row_factors(model)
        self.bin_factors = layout.place_bin_factors(
            model, self.place, self.n_parameters, self.n_dense
        )
        self._code = codes["histosys"]
        self._norms = Factors(codes["normsys"], self.row_factors.low, self.row_factors.high)

    @property
    def single_bins(self) -> Ints:
        """Bin of each parameter that acts on one bin only, shape (n_single,)."""
        return self.bin_factors.single_bin

    def cells(self, parameters: Floats) -> Floats:
        """Yield of every cell, row after row, shape (n_cells,)."""
        found = self.parts(parameters[np.newaxis]).cells
        return np.asarray(found.reshape(-1)[self.place.flat])

    def bins(self, parameters: Floats) -> Floats:
        """Yield of every bin, summed over samples.

        Parameters
        ----------
        parameters : array, shape (n_parameters,) or (n_points, n_parameters)

        Returns
        -------
        array, shape (n_bins,) or (n_points, n_bins)
        """
        found = self.parts(np.atleast_2d(parameters)).bins
        return np.asarray(found[0] if parameters.ndim == 1 else found)

    def parts(self, parameters: Floats) -> Parts:
        """Cells at many points, from parameters of shape (n_points, n_parameters)."""
        n_points, some = len(parameters), self.row_factors
        values = np.where(parameters == 0.0, _ALMOST_ZERO, parameters)
        norms = self._norms.at(parameters[:, some.parameter[some.n_plain :]])
        ones = np.ones((n_points, self.place.n_rows + 1))
        factors = [values[:, some.parameter[: some.n_plain]], norms.value, ones]
        ordered = np.concatenate(factors, axis=1)[:, some.order]
        product = np.multiply.reduceat(ordered, some.starts, axis=1)[:, self.place.row_of]
        if self.bin_factors.layers:
            with_one = np.concatenate([values, np.ones((n_points, 1))], axis=1)
            for layer in self.bin_factors.layers:
                product *= with_one[:, layer]
        base, curve = self._base(parameters)
        return Parts(base * product, product, values, norms, curve)

    def _base(self, parameters: Floats) -> tuple[Floats, Curve]:
        """Templates with their shifts, and the curved part of these."""
        n_shifts, nominal = self.shifts.n, self.place.nominal
        linear, curve = shift(self._code, parameters[:, :n_shifts])
        if not n_shifts:
            return nominal[np.newaxis], curve
        flat = (-1, n_shifts)
        moved = linear @ self.shifts.linear.reshape(flat).T
        moved += curve.value @ self.shifts.curved.reshape(flat).T
        return nominal + moved.reshape(-1, *nominal.shape), curve

    def slopes(self, parts: Parts) -> Slopes:
        """First derivatives of the yields of bins."""
        n_points, n_shifts = len(parts.cells), self.shifts.n
        dense = np.zeros((n_points, self.n_bins, self.n_dense))
        if len(self.row_factors.row):
            of_rows = self.row_slopes(parts)
            for bins, rows in self.place.channels:
                cells = parts.cells[:, bins, : rows.stop - rows.start]
                dense[:, bins, : self.n_scalar] = cells @ of_rows[:, rows]
        if n_shifts:
            by_bin = parts.product.transpose(1, 0, 2)
            slopes = by_bin @ self.shifts.linear
            slopes += (by_bin @ self.shifts.curved) * parts.curve.slope
            dense[:, :, :n_shifts] += slopes.transpose(1, 0, 2)
        return Slopes(dense, self._bin_slopes(dense, parts))

    def _bin_slopes(self, dense: Floats, parts: Parts) -> Floats:
        """Derivatives by parameters of single cells; those of several bins go to `dense`."""
        some = self.bin_factors
        if not len(some.segments):
            return np.zeros((len(dense), 0))
        flat = parts.cells.reshape(len(dense), -1)
        by_factor = flat[:, some.cell] / parts.values[:, some.parameter]
        sums = np.add.reduceat(by_factor, some.segments, axis=1)
        shared = some.segments[: some.n_shared]
        dense[:, some.bin[shared], some.parameter[shared]] = sums[:, : some.n_shared]
        return np.asarray(sums[:, some.n_shared :])

    def row_slopes(self, parts: Parts) -> Floats:
        """Logarithmic slopes of the factor of each row, shape (n_points, n_rows, n_scalar)."""
        some = self.row_factors
        of_rows = np.zeros((len(parts.cells), self.place.n_rows, self.n_scalar))
        plain = 1.0 / parts.values[:, some.parameter[: some.n_plain]]
        of_rows[:, some.row, some.parameter] = np.concatenate([plain, parts.norms.slope], axis=1)
        return of_rows


def rows_of_channel(yields: Yields, channel: str) -> Iterator[tuple[str, slice]]:
    """Samples of a channel with their cells."""
    return ((sample, cells) for name, sample, cells in yields.rows if name == channel)
