"""Bins of one or several observables, as given or with equally many events in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.records import Floats, Ints

MOST = 250_000  # bins


@dataclass(frozen=True)
class Binning:
    """Bins of a point in several dimensions; the first and last ones reach to infinity.

    The edges of an observable may differ from bin to bin of those before it.
    """

    edges: tuple[Floats, ...]  # inner edges of each observable, shape (n_bins before it, n - 1)

    @classmethod
    def of_edges(cls, edges: Sequence[Sequence[float]]) -> Binning:
        """Same edges everywhere; the outermost are where the axes of figures end.

        Parameters
        ----------
        edges : sequence of sequence of float
            Increasing, of each observable. What lies outside is counted in the bins at the ends.

        Raises
        ------
        InputError
            Edges don't increase, or there are fewer than two bins.
        """
        found, before = [], 1
        for one in edges:
            line = np.asarray(one, dtype=np.float64)
            if len(line) < 3 or not (np.diff(line) > 0).all():  # noqa: PLR2004 - two bins
                raise InputError(
                    f"bin edges must increase and make two bins at least: {list(one)} do not."
                )
            found.append(np.repeat(line[None, 1:-1], before, axis=0))
            before *= len(line) - 1
        return cls(tuple(found))

    @classmethod
    def equal_shares(cls, x: Floats, weights: Floats, bins: Sequence[int]) -> Binning:
        """Bins that hold the same weight each: first by one observable, then by the next in each.

        Parameters
        ----------
        x : ndarray, shape (n, d)
            Events.
        weights : ndarray, shape (n,)
            Their weights.
        bins : sequence of int
            Number of bins of each observable, at least 2.

        Raises
        ------
        InputError
            Too few or too many bins for the events.
        """
        total = int(np.prod(bins))
        if min(bins) < 2 or total > min(MOST, len(x) // 2):  # noqa: PLR2004 - of a histogram
            raise InputError(
                f"{len(x)} events cannot be put into {' x '.join(map(str, bins))} bins with equal "
                "shares. Choose 2 bins or more of each observable, and two events or more a bin."
            )
        found = []
        place = np.zeros(len(x), dtype=np.int64)
        before = 1
        for column, n in enumerate(bins):
            rows = np.stack([
                _quantiles(x[place == one, column], weights[place == one], n)
                for one in range(before)
            ])  # fmt: skip
            found.append(rows)
            place = place * n + (x[:, column, None] >= rows[place]).sum(axis=1)
            before *= n
        return cls(tuple(found))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of bins of each observable."""
        return tuple(one.shape[1] + 1 for one in self.edges)

    @property
    def size(self) -> int:
        """Number of bins."""
        return int(np.prod(self.shape))

    def index(self, x: Floats) -> Ints:
        """Bin of each event, shape (n,); the last observable runs fastest."""
        place = np.zeros(len(x), dtype=np.int64)
        for column, rows in enumerate(self.edges):
            n = rows.shape[1] + 1
            if len(rows) == 1 or (rows == rows[0]).all():
                here = np.searchsorted(rows[0], x[:, column], side="right")
            else:
                here = (x[:, column, None] >= rows[place]).sum(axis=1)
            place = place * n + here
        return place


def _quantiles(values: Floats, weights: Floats, n: int) -> Floats:
    """Inner edges of bins with equal weight."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    share = (share - 0.5 * weights[order]) / share[-1]
    return np.asarray(np.interp(np.arange(1, n) / n, share, values[order]), dtype=np.float64)
