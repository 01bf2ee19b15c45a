"""Expected yields of a HistFactory model and their derivatives, in plain numpy.

A *cell* is one bin of one sample of one channel. Its yield is
``(nominal + sum of histosys shifts) * product of factors``, with the interpolations that
HistFactory calls code 4 (normsys) and code 4p (histosys), as pyhf evaluates them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A factor of exactly zero would make "the product of the others" 0/0; this one is zero
# for every sum it enters and still divides out again.
_ALMOST_ZERO = 1e-100
_PER_BIN = ("staterror", "shapesys", "shapefactor")


@dataclass
class _Collected:
    """Modifiers of a model while its specification is walked."""

    bins: list[Ints] = field(default_factory=list)
    nominal: list[Floats] = field(default_factory=list)
    rows: list[tuple[str, str, slice]] = field(default_factory=list)  # channel, sample, cells
    shifts: list[tuple[int, slice, Floats, Floats]] = field(default_factory=list)
    norms: list[tuple[int, slice, float, float]] = field(default_factory=list)
    plain: list[tuple[Ints, Ints]] = field(default_factory=list)  # parameters, cells


class Yields:
    """Yields of a pyhf model with normsys code 4 and histosys code 4p.

    Parameters
    ----------
    model : pyhf.Model
        Without batch size.

    Raises
    ------
    WorkspaceError
        A modifier type is unknown, or a normalisation factor is not positive.
    """

    def __init__(self, model: Any) -> None:
        found = _collect(model)
        self.n_parameters = int(model.config.npars)
        self.n_bins = int(sum(model.config.channel_nbins.values()))
        self.rows = tuple(found.rows)
        self.bin_of_cell: Ints = np.concatenate(found.bins)
        self.nominal: Floats = np.concatenate(found.nominal)
        self._set_shifts(found)
        self._set_factors(found)

    def _set_shifts(self, found: _Collected) -> None:
        parameters = sorted({parameter for parameter, *_ in found.shifts})
        row_of = {parameter: row for row, parameter in enumerate(parameters)}
        self._shift_parameters = np.asarray(parameters, dtype=np.int64)
        self._linear = np.zeros((len(parameters), len(self.nominal)))
        self._curved = np.zeros_like(self._linear)
        for parameter, cells, low, high in found.shifts:
            nominal = self.nominal[cells]
            self._linear[row_of[parameter], cells] += (high - low) / 2
            self._curved[row_of[parameter], cells] += (high + low - 2 * nominal) / 16

    def _set_factors(self, found: _Collected) -> None:
        n_par, n_cells = self.n_parameters, len(self.nominal)
        self._norm_parameters = np.asarray([one[0] for one in found.norms], dtype=np.int64)
        self._norm_low = np.asarray([one[2] for one in found.norms], dtype=np.float64)
        self._norm_high = np.asarray([one[3] for one in found.norms], dtype=np.float64)
        self._norm_coefficients = _code4_coefficients(self._norm_low, self._norm_high)
        # values: [parameters, normsys factors, 1]; every cell has the 1 so that none is empty
        values = [one[0] for one in found.plain]
        cells = [one[1] for one in found.plain]
        for k, (_, where, _, _) in enumerate(found.norms):
            covered = np.arange(where.start, where.stop)
            values.append(np.full(len(covered), n_par + k))
            cells.append(covered)
        values.append(np.full(n_cells, n_par + len(found.norms)))
        cells.append(np.arange(n_cells))
        flat_values, flat_cells = np.concatenate(values), np.concatenate(cells)
        order = np.argsort(flat_cells, kind="stable")
        self._pair_value: Ints = flat_values[order]
        self._pair_cell: Ints = flat_cells[order]
        self._starts = np.searchsorted(self._pair_cell, np.arange(n_cells))

    def cells(self, parameters: Floats) -> Floats:
        """Yield of every cell, shape (n_cells,)."""
        base, _, product = self._parts(parameters)
        return np.asarray(base * product)

    def bins(self, parameters: Floats) -> Floats:
        """Yield of every bin, summed over samples, shape (n_bins,)."""
        return self._to_bins(self.cells(parameters))

    def pull_back(self, parameters: Floats, of_bins: Any) -> tuple[Floats, Floats]:
        """Yields of the bins, and the gradient of a function of them.

        Parameters
        ----------
        parameters : array, shape (n_parameters,)
        of_bins : callable
            From the yields, shape (n_bins,), to the derivative by them, same shape.

        Returns
        -------
        tuple of array
            Yields, shape (n_bins,), and gradient, shape (n_parameters,).
        """
        base, values, product = self._parts(parameters)
        cells = base * product
        bins = self._to_bins(cells)
        by_cell = np.asarray(of_bins(bins))[self.bin_of_cell]
        weights = (by_cell * cells)[self._pair_cell]
        by_value = np.bincount(self._pair_value, weights=weights, minlength=len(values)) / values
        gradient = by_value[: self.n_parameters].copy()
        alpha = parameters[self._norm_parameters]
        by_norm = by_value[self.n_parameters : -1] * self._norm_slopes(alpha)
        np.add.at(gradient, self._norm_parameters, by_norm)
        if len(self._shift_parameters):
            alpha, by_base = parameters[self._shift_parameters], by_cell * product
            slope = self._linear @ by_base + _curve_slope(alpha) * (self._curved @ by_base)
            gradient[self._shift_parameters] += slope
        return bins, gradient

    def _to_bins(self, cells: Floats) -> Floats:
        return np.asarray(
            np.bincount(self.bin_of_cell, weights=cells, minlength=self.n_bins), dtype=np.float64
        )

    def _parts(self, parameters: Floats) -> tuple[Floats, Floats, Floats]:
        base = self.nominal
        if len(self._shift_parameters):
            alpha = parameters[self._shift_parameters]
            base = base + alpha @ self._linear + _curve(alpha) @ self._curved
        norms = self._norm_factors(parameters[self._norm_parameters])
        values = np.concatenate([parameters, norms, [1.0]])
        values[values == 0.0] = _ALMOST_ZERO
        product = np.multiply.reduceat(values[self._pair_value], self._starts)
        return base, values, product

    def _norm_factors(self, alpha: Floats) -> Floats:
        inside = 1.0 + alpha * _polynomial(self._norm_coefficients, alpha)
        outside = np.where(alpha > 0, self._norm_high, self._norm_low) ** np.abs(alpha)
        return np.where(np.abs(alpha) < 1, inside, outside)

    def _norm_slopes(self, alpha: Floats) -> Floats:
        powers = np.arange(1, 7)[:, np.newaxis]
        inside = _polynomial(self._norm_coefficients * powers, alpha)
        side = np.where(alpha > 0, self._norm_high, self._norm_low)
        outside = np.sign(alpha) * np.log(side) * side ** np.abs(alpha)
        return np.where(np.abs(alpha) < 1, inside, outside)


def _polynomial(coefficients: Floats, alpha: Floats) -> Floats:
    """Horner's scheme; `coefficients` of shape (n, len(alpha)), constant term first."""
    total = np.zeros_like(alpha)
    for row in coefficients[::-1]:
        total = total * alpha + row
    return total


def _curve(alpha: Floats) -> Floats:
    square = alpha**2
    inside = square * (15.0 + square * (3.0 * square - 10.0))
    return np.where(square > 1, 8.0 * np.abs(alpha), inside)


def _curve_slope(alpha: Floats) -> Floats:
    square = alpha**2
    inside = alpha * (30.0 + square * (18.0 * square - 40.0))
    return np.where(square > 1, 8.0 * np.sign(alpha), inside)


def _code4_coefficients(low: Floats, high: Floats) -> Floats:
    """Coefficients of alpha**1 to alpha**6 that join both exponentials twice differentiably."""
    n = np.arange(1, 7)
    sides = [np.ones(6), (-1.0) ** n]
    matrix = np.array(
        [
            *sides,
            n * sides[0],
            n * (-1.0) ** (n - 1),
            n * (n - 1) * sides[0],
            n * (n - 1) * sides[1],
        ]
    )
    log_high, log_low = np.log(high), np.log(low)
    wanted = np.array(
        [
            high - 1,
            low - 1,
            high * log_high,
            -low * log_low,
            high * log_high**2,
            low * log_low**2,
        ]
    )
    return np.linalg.solve(matrix, wanted)


def _collect(model: Any) -> _Collected:
    found = _Collected()
    channels = {channel["name"]: channel for channel in model.spec["channels"]}
    used: dict[str, int] = {}  # parameters of a staterror that earlier channels took
    start = 0
    for name in model.config.channels:
        bins = model.config.channel_slices[name]
        stat = set()
        for sample in channels[name]["samples"]:
            nominal = np.asarray(sample["data"], dtype=np.float64)
            cells = slice(start, start + len(nominal))
            start = cells.stop
            found.bins.append(np.arange(bins.start, bins.stop))
            found.nominal.append(nominal)
            found.rows.append((name, sample["name"], cells))
            for modifier in sample["modifiers"]:
                _add_modifier(model, found, modifier, used)
                if modifier["type"] == "staterror":  # the others are shared between channels
                    stat.add(modifier["name"])
        for parameter_set in stat:
            used[parameter_set] = used.get(parameter_set, 0) + bins.stop - bins.start
    return found


def _add_modifier(
    model: Any, found: _Collected, modifier: Mapping[str, Any], used: Mapping[str, int]
) -> None:
    name, kind, data = modifier["name"], modifier["type"], modifier["data"]
    first = model.config.par_slice(name).start
    channel, sample, cells = found.rows[-1]
    covered = np.arange(cells.start, cells.stop)
    if kind == "histosys":
        low, high = (np.asarray(data[key], dtype=np.float64) for key in ("lo_data", "hi_data"))
        found.shifts.append((first, cells, low, high))
    elif kind == "normsys":
        if not (data["lo"] > 0 and data["hi"] > 0):
            raise WorkspaceError(
                f"normsys {name!r} of sample {sample!r} in channel {channel!r} has factors "
                f"{data['lo']} and {data['hi']}. Both must be positive: correct the templates."
            )
        found.norms.append((first, cells, float(data["lo"]), float(data["hi"])))
    elif kind in ("normfactor", "lumi"):
        found.plain.append((np.full(len(covered), first), covered))
    elif kind in _PER_BIN:
        offset = first + used.get(name, 0)
        found.plain.append((np.arange(offset, offset + len(covered)), covered))
    else:
        raise WorkspaceError(
            f"modifier type {kind!r} of {name!r} in channel {channel!r} is not known. "
            "Known: histosys, normsys, normfactor, lumi, staterror, shapesys, shapefactor."
        )


def rows_of_channel(yields: Yields, channel: str) -> Iterator[tuple[str, slice]]:
    """Samples of a channel with their cells."""
    return ((sample, cells) for name, sample, cells in yields.rows if name == channel)
