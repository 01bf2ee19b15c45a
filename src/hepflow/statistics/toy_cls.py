"""CLs with toys: the distribution of the test statistic qtilde is not assumed.

qtilde: eq. 16 of Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71 (2011) 1554
[arXiv:1007.1727]; CLs: Read, J. Phys. G 28 (2002) 2693; procedure: ATL-PHYS-PUB-2011-11.
Nuisance parameters of the toys are those of the fit to the data under the same hypothesis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.logging.progress import Task as Progress
from hepflow.statistics.batch import Fits
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.toys import ToySpec, fit_toys, fraction, improved, judged, make_toys

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
BANDS = (-2, -1, 0, 1, 2)  # standard deviations of the background-only expectation
_BACKGROUND, _SIGNAL = 0, 1  # ensembles
_TIE = 1e-6  # in qtilde: toys with the data's own counts reach the data
_LEAST = 0.5  # toys, where none is beyond the data: the logarithm must exist


@dataclass(frozen=True)
class Estimate:
    """Logarithm of CLs and its statistical uncertainty."""

    log_cls: float
    uncertainty: float
    is_bound: bool = False  # no toy with signal is beyond the data: CLs is this or less


@dataclass(frozen=True)
class ToyPoint:
    """CLs of one value of the parameter of interest."""

    mu: float
    observed: Estimate | None  # None without observed data
    expected: tuple[Estimate, ...]  # -2 to +2 sigma


class ToyCls:
    """CLs as a function of the parameter of interest (POI), from toys.

    Toys without signal are made and fitted freely once; those with signal once for each value.
    They follow from the same uniform numbers for each value, so that CLs changes smoothly.

    Parameters
    ----------
    likelihood : Likelihood
    data : array, shape (n_data,), or None
        None: the nominal expectation without signal takes the place of data, and there is no
        observed value.
    spec : ToySpec
    task : Progress
        Is advanced by the number of fits.

    Raises
    ------
    FitError
        The fit to the data failed, or those of more than 1 % of the toys.
    """

    def __init__(
        self, likelihood: Likelihood, data: Floats | None, spec: ToySpec, task: Progress
    ) -> None:
        self.likelihood, self.spec, self.task = likelihood, spec, task
        self._has_data = data is not None
        background = likelihood.nominal()
        background[likelihood.poi] = 0.0
        self._data = (likelihood.expected_data(background) if data is None else data)[np.newaxis]
        self._background = self._of_data(0.0).parameters[0]
        self._toys = make_toys(likelihood, self._background, spec, _BACKGROUND)
        self._top = 0.0  # upper end of the POI in the free fits
        self._free_data: Fits
        self._free_toys: Fits
        self.failed = 0  # fits of toys without signal, and most of those with

    def at(self, mu: float) -> ToyPoint:
        """CLs at `mu`, which is positive, observed and expected."""
        self._widen(mu)
        held = self._of_data(mu)
        made = make_toys(self.likelihood, held.parameters[0], self.spec, _SIGNAL)
        free = self._fit(made, held.parameters[0], (0.0, self._top))
        slope = (held.parameters[0] - self._background) / mu
        with_signal, good = self._qtilde(made, mu, free, slope)
        without, also_good = self._qtilde(self._toys, mu, self._free_toys, slope)
        failed = max(judged(good, f"limit, at {mu:g},"), judged(also_good, f"limit, at {mu:g},"))
        self.failed = max(self.failed, failed)
        tails = _Tails(np.sort(with_signal[good]), np.sort(without[also_good]))
        observed = None
        if self._has_data:
            whole = (0.0, self._top)
            self._free_data = improved(self.likelihood, self._data, self._free_data, held, whole)
            poi = self._free_data.parameters[0, self.likelihood.poi]
            q = held.value[0] - self._free_data.value[0] if poi < mu else 0.0
            observed = tails.at(max(float(q), 0.0))
        return ToyPoint(mu, observed, tuple(tails.expected(band) for band in BANDS))

    def _of_data(self, mu: float) -> Fits:
        start = self.likelihood.nominal()
        found = fit_toys(self.likelihood, self._data, start, poi=mu)
        judged(found.valid, f"limit, at {mu:g}, which are the data,")
        return found

    def _widen(self, mu: float) -> None:
        """Free fits with a range of the POI whose end is beyond any value that matters."""
        if self._top >= 2 * mu and self._top > 0:
            return
        self._top = max(float(self.likelihood.bounds[self.likelihood.poi, 1]), 4 * mu)
        whole = (0.0, self._top)
        self._free_data = fit_toys(self.likelihood, self._data, self._background, poi=whole)
        judged(self._free_data.valid, "limit, which are the data,")
        self._free_toys = self._fit(self._toys, self._background, whole)

    def _fit(self, toys: Floats, start: Floats, poi: float | tuple[float, float]) -> Fits:
        return fit_toys(self.likelihood, toys, start, poi=poi, task=self.task)

    def _qtilde(self, toys: Floats, mu: float, free: Fits, slope: Floats) -> tuple[Floats, Flags]:
        """Test statistic of each toy, and whether its fits converged.

        `slope` says how the other parameters follow the POI, for the start of the fits.
        """
        best = free.parameters[:, self.likelihood.poi]
        held = self._fit(toys, free.parameters + (mu - best)[:, np.newaxis] * slope, mu)
        free = improved(self.likelihood, toys, free, held, (0.0, self._top))
        best = free.parameters[:, self.likelihood.poi]
        q = np.where(best < mu, held.value - free.value, 0.0)
        return np.clip(q, 0.0, None), held.valid & free.valid


@dataclass(frozen=True)
class _Tails:
    """Test statistics of toys with and without signal, sorted."""

    with_signal: Floats
    without: Floats

    def at(self, q: float) -> Estimate:
        """CLs of data with this test statistic."""
        relative, shares = 0.0, []
        for toys in (self.with_signal, self.without):
            beyond = len(toys) - int(np.searchsorted(toys, q - _TIE))
            share, uncertainty = fraction(max(beyond, _LEAST), len(toys))
            relative += (uncertainty / share) ** 2
            shares.append(share)
        none = bool(self.with_signal[-1] < q - _TIE)
        return Estimate(float(np.log(shares[0] / shares[1])), float(np.sqrt(relative)), none)

    def expected(self, band: int) -> Estimate:
        """CLs below which a fraction of the toys without signal is, with its uncertainty.

        Less CLs is more of the test statistic: the band at -2 sigma is the 97.7 % quantile of it.
        """
        from scipy.special import ndtr

        share, n_toys = float(ndtr(-band)), len(self.without)
        spread = np.sqrt(n_toys * share * (1 - share))
        centre = share * n_toys - 0.5  # position among the sorted toys
        low, middle, high = (
            self.at(float(self.without[int(np.clip(round(place), 0, n_toys - 1))]))
            for place in (centre - spread, centre, centre + spread)
        )
        half = (low.log_cls - high.log_cls) / 2
        return Estimate(middle.log_cls, float(np.hypot(middle.uncertainty, half)), middle.is_bound)
