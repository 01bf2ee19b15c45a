"""Where numerators of training samples lie: benchmarks, grids, and normal or uniform priors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError, did_you_mean
from hepflow.inference.records import Benchmark, Floats


class ThetaSource(Protocol):
    """Parameter points for training."""

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Points, shape (n, n_parameters)."""
        ...


@dataclass(frozen=True)
class Points:
    """Given points, each as often as the others (to one); of more than are wanted, some."""

    values: Floats  # shape (n_points, n_parameters)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Points in turn, or as many of them as wanted, chosen at random."""
        count = len(self.values)
        if n < count:
            chosen: Floats = self.values[np.sort(rng.choice(count, n, replace=False))]
            return chosen
        return self.values[np.arange(n) % count]


def benchmark_points(benchmarks: Sequence[Benchmark], names: Sequence[str] = ()) -> Points:
    """Benchmarks as points; of all of them, or of those named.

    Raises
    ------
    InputError
        A name that no benchmark has.
    """
    known = {benchmark.name: benchmark.values for benchmark in benchmarks}
    for name in names:
        if name not in known:
            raise InputError(f"there is no benchmark {name!r}. {did_you_mean(name, known)}")
    return Points(np.array([known[name] for name in names or known], dtype=float))


def grid(axes: Sequence[ArrayLike]) -> Points:
    """All combinations of values along the axes, the last axis fastest.

    Examples
    --------
    >>> grid([[0, 1], [5, 6]]).values.tolist()
    [[0.0, 5.0], [0.0, 6.0], [1.0, 5.0], [1.0, 6.0]]
    """
    rows = list(itertools.product(*(np.asarray(axis, dtype=float).tolist() for axis in axes)))
    if not rows:
        raise InputError("a grid without points; give each parameter at least one value.")
    return Points(np.array(rows, dtype=float).reshape(len(rows), len(axes)))


@dataclass(frozen=True)
class Normal:
    """Independent normal distributions of the parameters."""

    mean: tuple[float, ...]
    width: tuple[float, ...]  # standard deviations; 0 keeps a parameter at its mean

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.width) or min(self.width, default=0.0) < 0:
            raise InputError(
                f"a normal prior has the means {self.mean} and widths {self.width}; "
                "expected one of each per parameter, widths not negative."
            )

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Points, shape (n, n_parameters)."""
        return np.array(self.mean) + np.array(self.width) * rng.standard_normal((n, len(self.mean)))


@dataclass(frozen=True)
class Uniform:
    """Independent uniform distributions of the parameters."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or any(
            a > b for a, b in zip(self.low, self.high, strict=True)
        ):
            raise InputError(
                f"a uniform prior has the lower ends {self.low} and upper ends {self.high}; "
                "expected one of each per parameter, in this order."
            )

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Points, shape (n, n_parameters)."""
        low, high = np.array(self.low), np.array(self.high)
        points: Floats = low + (high - low) * rng.random((n, len(self.low)))
        return points


@dataclass(frozen=True)
class Product:
    """Independent sources side by side, such as a normal for one and a uniform for the next."""

    parts: tuple[ThetaSource, ...]

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Points, shape (n, n_parameters)."""
        # Given points come in turn: shuffled, or those of two parts would always go together.
        drawn = [rng.permutation(part.draw(n, rng), axis=0) for part in self.parts]
        return np.concatenate(drawn, axis=1)
