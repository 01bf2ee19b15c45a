"""The likelihood profiled over everything but the parameter of interest (POI)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.statistics.batch import fit_many
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import Minimum, Optimizer, Task, minimise
from hepflow.statistics.several import distinct, minima, minimise_widely

Floats = NDArray[np.float64]
_IMPROVED = 1e-3  # in twice the negative log-likelihood: a fit that missed its minimum


class Profile:
    """Twice the negative log-likelihood, minimised at fixed values of the POI.

    Every evaluation is kept, and starts from the nearest one before it.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_data,)
    optimizer : {"newton", "minuit", "scipy"}
    start : array, shape (n_parameters,), optional
        Parameters near the minimum; default the model's own start.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        data: Floats,
        optimizer: Optimizer = "newton",
        start: Floats | None = None,
    ) -> None:
        self.likelihood = likelihood
        self._task = Task.free(likelihood, data, optimizer)
        self._start = likelihood.init if start is None else start
        self._known: dict[float, list[Minimum]] = {}  # the lowest comes first
        self._minima: list[Minimum] = []  # of the free fit

    def at(self, mu: float) -> Minimum:
        """Minimum with the POI held at `mu`.

        Raises
        ------
        FitError
            No start led to a minimum.
        """
        mu = float(mu)
        if mu not in self._known:
            self._find([mu])
        return self._known[mu][0]

    def at_many(self, points: Sequence[float]) -> list[Minimum]:
        """Minima with the POI held at each of these values, found together.

        Raises
        ------
        FitError
            No start led to a minimum.
        """
        wanted = [float(mu) for mu in points]
        missing = sorted({mu for mu in wanted if mu not in self._known})
        if missing:
            self._find(missing)
        return [self._known[mu][0] for mu in wanted]

    def _find(self, points: Sequence[float]) -> None:
        held = self._task.with_poi_fixed()
        if self._task.optimizer != "newton" or not self.likelihood.differentiable:
            for mu in points:
                start = self._starts_at(mu)[0] if self._known else self._held(mu, self._start)
                self._keep(mu, [minimise(held, start)])
            return
        if not self._minima:
            self._minima = minima(self._task, self._start)
            self._keep(points[0], minima(held, self._held(points[0], self._start)))
        starts = [self._starts_at(mu) for mu in points]
        fits = fit_many(self.likelihood, held.data, np.concatenate(starts), held.fixed)
        rows = zip(fits.parameters, fits.value.tolist(), fits.valid.tolist(), strict=True)
        for mu, begin in zip(points, starts, strict=True):
            self._keep(mu, distinct(held, [Minimum(*next(rows)) for _ in begin]))

    def _starts_at(self, mu: float) -> Floats:
        """Minima of the nearest value that is known, the model's own start, other minima."""
        near = self._known[min(self._known, key=lambda one: abs(one - mu))]
        known = [one.parameters for one in (*near, *self._minima[1:])]
        return np.array([self._held(mu, one) for one in (*known, self.likelihood.init)])

    def _held(self, mu: float, parameters: Floats) -> Floats:
        moved = parameters.copy()
        moved[self.likelihood.poi] = mu
        return moved

    def _keep(self, mu: float, found: list[Minimum]) -> None:
        self._require(found[0], f"held at {mu:g}")
        self._known[mu] = found

    def afresh(self, mu: float) -> Minimum:
        """Minimise again at `mu`, from the model's own start; keep the better minimum."""
        held = self._task.with_poi_fixed()
        again = minima(held, self._held(mu, self.likelihood.init))
        self._keep(mu, distinct(held, [*self._known.get(mu, ()), *again]))
        return self._known[mu][0]

    def forget(self, keep: float) -> None:
        """Drop all evaluations but the one at or nearest to `keep`, for the next to start from."""
        if self._known:
            nearest = min(self._known, key=lambda mu: abs(mu - keep))
            self._known = {nearest: self._known[nearest]}

    def free(self, low: float, high: float) -> Minimum:
        """Minimum with the POI between `low` and `high` instead of its own bounds."""
        task = self._task.with_poi_bounds(low, high)
        start = self._start.copy()
        start[self.likelihood.poi] = np.clip(start[self.likelihood.poi], low, high)
        found = minimise_widely(task, start)
        inner = [one[0] for mu, one in self._known.items() if low <= mu <= high]
        lowest = min(inner, key=lambda one: one.value, default=found)
        if not found.valid or lowest.value < found.value - _IMPROVED:
            found = min(found, minimise(task, lowest.parameters), key=lambda one: one.value)
        return self._require(found, f"free between {low:g} and {high:g}")

    def _require(self, found: Minimum, how: str) -> Minimum:
        if not found.valid:
            name = self.likelihood.labels[self.likelihood.poi]
            raise FitError(
                f"the fit with {name} {how} did not converge. "
                "Look at the templates and bounds of the other parameters."
            )
        return found


def missed(free: Minimum, fixed: Minimum) -> bool:
    """Whether a fit with the POI held found a lower value than the free fit."""
    return math.isfinite(fixed.value) and fixed.value < free.value - _IMPROVED
