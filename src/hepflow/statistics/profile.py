"""The likelihood profiled over everything but the parameter of interest (POI)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.statistics.following import follow, nearby_covariance
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import Minimum, Optimizer, Task, minimise

Floats = NDArray[np.float64]
_IMPROVED = 1e-3  # in twice the negative log-likelihood: a fit that missed its minimum


class Profile:
    """Twice the negative log-likelihood, minimised at fixed values of the POI.

    Every evaluation is kept, and starts from the nearest one before it.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_data,)
    optimizer : {"minuit", "scipy"}
    start : array, shape (n_parameters,), optional
        Parameters near the minimum; default the model's own start.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        data: Floats,
        optimizer: Optimizer = "minuit",
        start: Floats | None = None,
    ) -> None:
        self.likelihood = likelihood
        self._task = Task.free(likelihood, data, optimizer)
        self._start = likelihood.init if start is None else start
        self._known: dict[float, Minimum] = {}
        self._covariance: Floats | None = None  # near the minima found last, the POI held

    def at(self, mu: float) -> Minimum:
        """Minimum with the POI held at `mu`.

        Raises
        ------
        FitError
            No start led to a minimum.
        """
        mu = float(mu)
        if mu not in self._known:
            self._known[mu] = self._followed(mu) or self._fixed(mu, self._near(mu))
        return self._known[mu]

    def _followed(self, mu: float) -> Minimum | None:
        """Minimum reached from its neighbour; None where it takes a minimiser."""
        if not self._known or self._task.optimizer != "minuit":
            return None  # scipy is there to check Minuit: by itself
        task, near = self._task.with_poi_fixed(), self._near(mu)
        start = near.copy()
        start[self.likelihood.poi] = mu
        found = None if self._covariance is None else follow(task, start, self._covariance)
        if found is None:
            self._covariance = nearby_covariance(task, near)
            found = None if self._covariance is None else follow(task, start, self._covariance)
        return found

    def afresh(self, mu: float) -> Minimum:
        """Minimise again at `mu`, from the model's own start; keep the better minimum."""
        again = self._fixed(mu, self.likelihood.init)
        if mu not in self._known or again.value < self._known[mu].value:
            self._known[mu] = again
        return self._known[mu]

    def forget(self, keep: float) -> None:
        """Drop all evaluations but the one at or nearest to `keep`, for the next to start from."""
        if self._known:
            nearest = min(self._known, key=lambda mu: abs(mu - keep))
            self._known = {nearest: self._known[nearest]}

    def _near(self, mu: float) -> Floats:
        if not self._known:
            return self._start
        return self._known[min(self._known, key=lambda one: abs(one - mu))].parameters

    def _fixed(self, mu: float, start: Floats) -> Minimum:
        begin = start.copy()
        begin[self.likelihood.poi] = mu
        return self._require(minimise(self._task.with_poi_fixed(), begin), f"held at {mu:g}")

    def free(self, low: float, high: float) -> Minimum:
        """Minimum with the POI between `low` and `high` instead of its own bounds."""
        task = self._task.with_poi_bounds(low, high)
        start = self._start.copy()
        start[self.likelihood.poi] = np.clip(start[self.likelihood.poi], low, high)
        found = minimise(task, start)
        inner = [one for mu, one in self._known.items() if low <= mu <= high]
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
