"""CLs as a function of the signal strength, from the asymptotic distribution of qtilde.

Formulae: Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71 (2011) 1554 [arXiv:1007.1727];
CLs: Read, J. Phys. G 28 (2002) 2693.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import LimitError
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.minimise import Minimum, Optimizer, Task, curvature
from hepflow.statistics.normal import log_cdf
from hepflow.statistics.profile import Profile, missed

Floats = NDArray[np.float64]
Five = tuple[float, float, float, float, float]
BANDS = (-2, -1, 0, 1, 2)  # standard deviations of the background-only expectation
_NEAR_TOP = 0.99  # fraction of the range from which the free fit may want a wider one

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClsPoint:
    """CLs of one value of the parameter of interest."""

    observed: float | None  # None without observed data
    expected: Five  # -2 to +2 sigma


class Cls:
    """CLs as a function of the parameter of interest (POI).

    The free fit to data, the background-only fit and the Asimov data are made once; each
    further value of the POI costs one fit to data and one to the Asimov data.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_data,), or None
        None: nothing but the model is used (expected values a priori); otherwise the Asimov
        data come from the background-only fit to the data (a posteriori).
    optimizer : {"newton", "minuit", "scipy"}
    """

    def __init__(
        self, likelihood: Likelihood, data: Floats | None, optimizer: Optimizer = "newton"
    ) -> None:
        self.likelihood = likelihood
        self._say_where_it_starts()
        self._observed: Profile | None = None
        background = likelihood.nominal()
        background[likelihood.poi] = 0.0
        if data is not None:
            self._observed = Profile(likelihood, data, optimizer)
            background = self._observed.at(0.0).parameters
        asimov = likelihood.expected_data(background)
        self._asimov_task = Task.free(likelihood, asimov, optimizer)
        self._asimov = Profile(likelihood, asimov, optimizer, start=background)
        # Asimov data are fitted best by the parameters that made them: no fit needed
        self._asimov_value = likelihood.twice_nll(background, asimov)
        self._background = background
        self._best: Minimum | None = None  # free fit to the observed data
        self._top = 0.0  # upper end of the POI in that fit

    def _say_where_it_starts(self) -> None:
        poi = self.likelihood.poi
        low = float(self.likelihood.bounds[poi, 0])
        if low > 0:
            name = self.likelihood.labels[poi]
            told = "the range of %s starts at %g; CLs compares with no signal: used from 0 on"
            _log.warning(told, name, low)

    def sqrt_q_asimov(self, mu: float) -> float:
        """Root of the test statistic on Asimov data without signal."""
        if mu == 0.0:
            return 0.0
        return math.sqrt(max(self._asimov.at(mu).value - self._asimov_value, 0.0))

    def q_observed(self, mu: float) -> float:
        """Test statistic qtilde on the observed data (eq. 16 of arXiv:1007.1727)."""
        profile = self._profile()
        fixed, free = profile.at(mu), self._free(mu)
        if missed(free, fixed):
            self._best = None
            free = self._free(mu)
        if free.parameters[self.likelihood.poi] >= mu:
            return 0.0
        return max(fixed.value - free.value, 0.0)

    def point(self, mu: float) -> ClsPoint:
        """CLs at `mu`, observed and expected."""
        expected: Any = tuple(self.expected(mu, band) for band in BANDS)
        return ClsPoint(None if self._observed is None else self.observed(mu), expected)

    def points(self, values: Sequence[float]) -> list[ClsPoint]:
        """CLs at many values, whose fits are made together."""
        self._asimov.at_many([mu for mu in values if mu != 0.0])
        if self._observed is not None:
            self._observed.at_many(values)
        return [self.point(mu) for mu in values]

    def expected(self, mu: float, band: int) -> float:
        """CLs at `mu` that is expected without signal, `band` standard deviations off."""
        return _cls(-band, self.sqrt_q_asimov(mu))

    def observed(self, mu: float) -> float:
        """CLs of the observed data at `mu`."""
        root_asimov = self.sqrt_q_asimov(mu)
        if root_asimov == 0.0:
            return 1.0
        q = self.q_observed(mu)
        root = math.sqrt(q)
        if root <= root_asimov:
            return _cls(root - root_asimov, root_asimov)
        return _cls((q - root_asimov**2) / (2 * root_asimov), root_asimov)

    def afresh(self, mu: float, *, data: bool) -> None:
        """Repeat the fits at `mu` from the model's own start and keep what is lower.

        Expected values need the fit to the Asimov data, observed ones that to `data` as well.
        """
        self._asimov.afresh(mu)
        if data:
            self._profile().afresh(mu)

    def forget(self, keep: float) -> None:
        """Drop the evaluations but that at `keep`, which later ones start from."""
        for profile in (self._asimov, self._observed):
            if profile is not None:
                profile.forget(keep)

    def width(self) -> float:
        """Standard deviation of the POI without signal: the scale of the search.

        Raises
        ------
        LimitError
            The POI is fixed, or the likelihood does not depend on it.
        """
        poi = self.likelihood.poi
        name = self.likelihood.labels[poi]
        if self.likelihood.fixed[poi]:
            raise LimitError(
                f"{name} is fixed in the model: no limit exists. "
                "Take `fixed` of it out of the measurement."
            )
        bent = curvature(self._asimov_task, self._background)
        width = float(bent.uncertainty[poi])
        if not width > 0:
            raise LimitError(
                f"the likelihood does not depend on {name}: no limit exists. "
                "Look whether the signal has events in the regions of the fit."
            )
        return width

    def _profile(self) -> Profile:
        if self._observed is None:
            raise LimitError("observed values were asked for, but no observed data were given.")
        return self._observed

    def _free(self, mu: float) -> Minimum:
        """Free fit with the POI not below zero; its upper bound must not matter."""
        poi = self.likelihood.poi
        high = max(float(self.likelihood.bounds[poi, 1]), 2 * mu)
        best = self._best
        if best is None or (high > self._top and best.parameters[poi] > _NEAR_TOP * self._top):
            best = self._profile().free(0.0, high)
            self._best, self._top = best, high
        return best


def _cls(statistic: float, root_asimov: float) -> float:
    """``CL(s+b) / CL(b)`` for a statistic that is normal around -root_asimov and 0."""
    return math.exp(log_cdf(-(statistic + root_asimov)) - log_cdf(-statistic))
