"""Choice of benchmarks: the points between which weights are interpolated best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.morphing import find_components, monomials, points_of, undetermined
from hepflow.inference.records import Benchmark, Floats, Ints, Parameter

CHOSEN = "morphing_basis_vector_"  # begin of the names of chosen benchmarks, as in MadMiner
_DIGITS = 4  # of chosen values, in units of the range: cards hold them as they are


def complete(
    parameters: Sequence[Parameter],
    given: Sequence[Benchmark] = (),
    *,
    seed: int,
    candidates: int = 200,
    sweeps: int = 3,
) -> tuple[Benchmark, ...]:
    """Given benchmarks and as many chosen ones as the model needs.

    The weight at a point is a combination of the benchmarks' weights; if the coefficients are
    large, large numbers cancel and the statistical error grows with them. Chosen is therefore
    what makes the expected sum of their squares small over the region of the parameters
    (the criterion of MadMiner, arXiv:1907.10621); its expectation is a closed form here, not an
    average over test points. The search starts from the best of many random sets and then
    exchanges one point at a time against candidates as long as that helps.

    Parameters
    ----------
    parameters : sequence of Parameter
        Their ranges are the region.
    given : sequence of Benchmark
        Kept as they are, first. The Standard Model is usually one of them.
    seed : int
        The same seed gives the same benchmarks.
    candidates : int
        Random sets to start from, and points tried in each exchange.
    sweeps : int
        How often each chosen point may be exchanged.

    Returns
    -------
    tuple of Benchmark
        Chosen ones are named ``morphing_basis_vector_<index>``.

    Raises
    ------
    InputError
        A range that is empty.
    """
    for parameter in parameters:
        if not (
            np.isfinite([parameter.low, parameter.high]).all() and parameter.low < parameter.high
        ):
            raise InputError(
                f"parameter {parameter.name!r} has the range [{parameter.low}, {parameter.high}]; "
                "expected two finite numbers, the lower one first."
            )
    components = find_components(parameters)
    fixed = points_of(parameters, given)
    n_missing = len(undetermined(fixed, components)) if len(fixed) else len(components)
    if not n_missing:
        return tuple(given)
    rng = np.random.default_rng(seed)
    search = _Search(parameters, components)
    points = search.start(fixed, n_missing, candidates, rng)
    for _ in range(sweeps):
        if not search.exchange(points, len(fixed), candidates, rng):
            break
    chosen = [
        Benchmark(f"{CHOSEN}{index}", tuple(float(f"{v:.6g}") for v in points[index]))
        for index in range(len(fixed), len(points))
    ]
    return (*given, *chosen)


def expected_size(
    parameters: Sequence[Parameter], points: Floats, components: Ints | None = None
) -> float:
    """Mean sum of squared coefficients over the region of the parameters; infinite if singular.

    Parameters
    ----------
    parameters : sequence of Parameter
    points : ndarray, shape (n_benchmarks, n_parameters)
    components : ndarray of int, optional
        Default `find_components`.
    """
    chosen = find_components(parameters) if components is None else components
    return float(_Search(parameters, chosen).sizes(points[None])[0])


class _Search:
    def __init__(self, parameters: Sequence[Parameter], components: Ints) -> None:
        self.components = components
        self.low = np.array([parameter.low for parameter in parameters])
        self.width = np.array([parameter.high for parameter in parameters]) - self.low
        # Parameters in units of their largest value: then all components are of order one.
        self.unit = np.maximum(np.abs(self.low), np.abs(self.low + self.width))
        self.moments = self._moments()

    def _moments(self) -> Floats:
        """Expectations of the products of two components over the region."""
        low, high = self.low / self.unit, (self.low + self.width) / self.unit
        powers = self.components[:, None, :] + self.components[None, :, :] + 1
        means = (high**powers - low**powers) / (powers * (high - low))
        product: Floats = means.prod(axis=-1)
        return product

    def sizes(self, sets: Floats) -> Floats:
        """Expected sum of squares for sets of points, shape (n_sets, n_points, n_parameters)."""
        basis = monomials(sets / self.unit, self.components)
        # sum over benchmarks of E[(phi M)_b^2] = tr(M^T E[phi phi^T] M), with M the inverse
        gram = np.swapaxes(basis, -1, -2) @ basis
        size = np.full(len(sets), np.inf)
        sound = np.linalg.cond(gram) < 1e14  # noqa: PLR2004  (two digits before rounding rules)
        size[sound] = np.trace(np.linalg.solve(gram[sound], self.moments), axis1=-2, axis2=-1)
        return size

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        unit = np.round(rng.random((*shape, len(self.low))), _DIGITS)
        points: Floats = self.low + self.width * unit
        return points

    def start(
        self, fixed: Floats, n_missing: int, candidates: int, rng: np.random.Generator
    ) -> Floats:
        drawn = self.draw((candidates, n_missing), rng)
        repeated = np.broadcast_to(fixed, (candidates, *fixed.shape))
        sets = np.concatenate([repeated, drawn], axis=1)
        best: Floats = sets[np.argmin(self.sizes(sets))].copy()
        return best

    def exchange(
        self, points: Floats, first: int, candidates: int, rng: np.random.Generator
    ) -> bool:
        """Exchange each chosen point for the best candidate, in place; whether any was."""
        changed = False
        for index in range(first, len(points)):
            sets = np.repeat(points[None], candidates + 1, axis=0)
            sets[1:, index] = self.draw((candidates,), rng)
            best = int(np.argmin(self.sizes(sets)))
            points[index] = sets[best, index]
            changed |= best > 0
        return changed
