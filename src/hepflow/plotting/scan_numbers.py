"""Numbers of the figures about scans of the likelihood, limits by mass, and goodness of fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.records.inference import GoodnessOfFit, LikelihoodScan
from hepflow.records.prediction import Floats
from hepflow.records.results import LimitResult

LEVELS = (0.6826894921370859, 0.95)  # confidence levels of intervals and contours
FINER = 8  # points of a contour for each one of the scan
_CUBIC = 3
_FEWEST = _CUBIC + 1  # points of a cubic spline
_LOWEST, _HIGHEST = 0, -1  # of the expected limits: -2 and +2 standard deviations


@dataclass(frozen=True)
class Curve:
    """One scan in one parameter."""

    name: str  # "observed" or "asimov"
    values: Floats  # of the parameter, increasing, shape (n_points,)
    delta: Floats  # -2 ln(L/L_max), shape (n_points,)
    bestfit: float
    intervals: tuple[tuple[float, float | None, float | None], ...]  # level, low, high


@dataclass(frozen=True)
class ScanNumbers:
    """Scans of the likelihood in the same parameter."""

    parameter: str
    curves: tuple[Curve, ...]
    rises: tuple[tuple[float, float], ...]  # confidence level, rise of -2 ln L


@dataclass(frozen=True)
class ContourNumbers:
    """Scan of the likelihood in two parameters, made finer for smooth contours."""

    parameters: tuple[str, str]
    name: str  # "observed" or "asimov"
    x: Floats  # of the first parameter, shape (n_x,)
    y: Floats  # of the second one, shape (n_y,)
    delta: Floats  # -2 ln(L/L_max), shape (n_y, n_x); NaN where a fit failed
    bestfit: tuple[float, float]
    rises: tuple[tuple[float, float], ...]  # confidence level, rise of -2 ln L


def rise(level: float, n_parameters: int) -> float:
    """Rise of -2 ln L at the border of a confidence region.

    Parameters
    ----------
    level : float
        Confidence level.
    n_parameters : int
        How many parameters the region is in.

    Notes
    -----
    S. S. Wilks, Ann. Math. Stat. 9 (1938) 60.

    Examples
    --------
    >>> round(rise(0.6826894921370859, 1), 4), round(rise(0.95, 1), 2), round(rise(0.95, 2), 2)
    (1.0, 3.84, 5.99)
    """
    from scipy.special import gammaincinv

    return 2.0 * float(gammaincinv(n_parameters / 2.0, level))


def likelihood_numbers(scans: Sequence[LikelihoodScan]) -> ScanNumbers | ContourNumbers:
    """Collect the numbers of a figure of scans.

    Parameters
    ----------
    scans : sequence of LikelihoodScan
        In the same parameter, such as observed and expected, or one in two parameters.

    Raises
    ------
    InputError
        The scans are in different parameters, or several are in two.
    """
    first = scans[0]
    if len(first.parameters) == 1 and all(one.parameters == first.parameters for one in scans):
        levels = [one.confidence_level for scan in scans for one in scan.intervals] or LEVELS
        return ScanNumbers(
            first.parameters[0],
            tuple(_curve(one) for one in scans),
            tuple((level, rise(level, 1)) for level in sorted(dict.fromkeys(levels))),
        )
    if len(scans) > 1:
        names = ", ".join("/".join(one.parameters) for one in scans)
        raise InputError(
            f"one figure cannot hold the scans of {names}. Draw scans of one parameter together, "
            "and those of two each by itself."
        )
    return _contour(first)


def _curve(scan: LikelihoodScan) -> Curve:
    found = [(one.confidence_level, one.low, one.high) for one in scan.intervals]
    return Curve(
        scan.data,
        np.asarray(scan.values[0], dtype=np.float64),
        np.asarray(scan.delta, dtype=np.float64),
        scan.bestfit[0],
        tuple(sorted(found, key=lambda one: one[0])),
    )


def _contour(scan: LikelihoodScan) -> ContourNumbers:
    x, y = (np.asarray(one, dtype=np.float64) for one in scan.values)
    delta = np.asarray(scan.delta, dtype=np.float64).reshape(len(x), len(y))
    if np.isfinite(delta).all() and min(len(x), len(y)) >= _FEWEST:
        x, y, delta = _finer(x, y, delta)
    return ContourNumbers(
        (scan.parameters[0], scan.parameters[1]),
        scan.data,
        x,
        y,
        delta.T,
        (scan.bestfit[0], scan.bestfit[1]),
        tuple((level, rise(level, 2)) for level in LEVELS),
    )


def _finer(x: Floats, y: Floats, delta: Floats) -> tuple[Floats, Floats, Floats]:
    """Cubic spline through the points of a scan, which has no noise."""
    from scipy.interpolate import RectBivariateSpline

    close_x = np.linspace(x[0], x[-1], FINER * (len(x) - 1) + 1)
    close_y = np.linspace(y[0], y[-1], FINER * (len(y) - 1) + 1)
    spline = RectBivariateSpline(x, y, delta, kx=_CUBIC, ky=_CUBIC)
    return close_x, close_y, np.maximum(np.asarray(spline(close_x, close_y)), 0.0)


@dataclass(frozen=True)
class LimitBand:
    """Upper limits by a parameter of the signal, such as its mass."""

    label: str  # title of the axis with unit: "m(Z') [GeV]"
    x: tuple[float, ...]  # increasing
    poi: str
    confidence_level: float
    expected: Floats  # shape (n_points, 5): -2 to +2 standard deviations
    observed: Floats | None  # shape (n_points,); None where observed data may not be used
    theory: Floats | None = None  # predicted, in the unit of the limits, shape (n_points,)
    quantity: str = ""  # title of the axis of the limits; empty: the parameter of interest

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "label": self.label,
            "x": list(self.x),
            "poi": self.poi,
            "confidence_level": self.confidence_level,
            "expected": self.expected.tolist(),
            "observed": None if self.observed is None else self.observed.tolist(),
            "theory": None if self.theory is None else self.theory.tolist(),
            "quantity": self.quantity,
            "excluded": [list(one) for one in excluded(self)],
            "expected_to_be_excluded": [list(one) for one in excluded(self, expected=True)],
        }


def limit_band(
    x: Sequence[float],
    limits: Sequence[LimitResult],
    *,
    label: str = "",
    cross_sections: Sequence[float] | None = None,
    quantity: str = "",
) -> LimitBand:
    """Collect limits by a parameter of the signal.

    Parameters
    ----------
    x : sequence of float
        Value of the parameter for each limit, in any order.
    limits : sequence of LimitResult
        On the same parameter of interest at the same confidence level.
    label : str
        Title of the axis with unit.
    cross_sections : sequence of float, optional
        Predicted cross-section at each value [pb]. Given: limits on a signal strength become
        limits on the cross-section, and the prediction is drawn. Otherwise the prediction is a
        signal strength of 1.
    quantity : str
        Title of the axis of the limits.

    Raises
    ------
    InputError
        The lists differ in length, a value occurs twice, or the limits don't fit together.
    """
    _check_band(x, limits, cross_sections)
    order = np.argsort(np.asarray(x, dtype=np.float64))
    factor = np.ones(len(order)) if cross_sections is None else np.asarray(cross_sections)[order]
    chosen = [limits[index] for index in order]
    seen = [one.observed for one in chosen]
    observed = np.array([np.nan if one is None else one for one in seen])
    return LimitBand(
        label=label or "signal hypothesis",
        x=tuple(float(x[index]) for index in order),
        poi=chosen[0].poi,
        confidence_level=chosen[0].confidence_level,
        expected=np.array([one.expected for one in chosen]) * factor[:, None],
        observed=None if None in seen else observed * factor,
        theory=np.asarray(factor, dtype=np.float64),
        quantity=quantity or ("" if cross_sections is None else "Cross section [pb]"),
    )


def _check_band(
    x: Sequence[float], limits: Sequence[LimitResult], cross_sections: Sequence[float] | None
) -> None:
    given = {"values": len(x)}
    given |= {} if cross_sections is None else {"cross-sections": len(cross_sections)}
    for name, count in given.items():
        if count != len(limits):
            raise InputError(
                f"there are {len(limits)} limits and {count} {name}. Give one for each limit, in "
                "the same order."
            )
    if len(set(x)) < len(x):
        raise InputError(f"a value of {list(x)} occurs twice. Give one limit for each.")
    kinds = {(one.poi, one.confidence_level) for one in limits}
    if len(kinds) > 1:
        told = ", ".join(f"{poi} at {100 * level:g} % CL" for poi, level in sorted(kinds))
        raise InputError(f"limits on different things cannot be one band: {told}.")


def excluded(band: LimitBand, *, expected: bool = False) -> tuple[tuple[float, float], ...]:
    """Ranges in which the limit is below the prediction, between points log-linear.

    Parameters
    ----------
    band : LimitBand
        With a prediction.
    expected : bool
        For the median expected limit in the place of the observed one.
    """
    limit = band.expected[:, 2] if expected else band.observed
    if limit is None or band.theory is None:
        return ()
    distance = np.log(limit) - np.log(band.theory)
    ranges: list[list[float]] = []
    for index, (place, here) in enumerate(zip(band.x, distance, strict=True)):
        before = distance[index - 1] if index else np.nan
        if index and (before < 0) != (here < 0):
            edge = float(np.interp(0.0, *_rising(before, here, band.x[index - 1], place)))
            if here < 0:
                ranges.append([edge, place])
            else:
                ranges[-1][1] = edge
        elif here < 0:
            if index:
                ranges[-1][1] = place
            else:
                ranges.append([place, place])
    return tuple((low, high) for low, high in ranges)


def _rising(
    before: float, here: float, x_before: float, x_here: float
) -> tuple[list[float], list[float]]:
    ends = sorted([(float(before), x_before), (float(here), x_here)])
    return [one[0] for one in ends], [one[1] for one in ends]


@dataclass(frozen=True)
class GoodnessNumbers:
    """Distribution of the goodness-of-fit statistic in toys, with what was observed."""

    statistic: float
    p_value: float | None
    edges: Floats  # shape (n_bins + 1,)
    toys: Floats  # toys in each bin, shape (n_bins,)
    x: Floats  # shape (n_points,)
    asymptotic: Floats  # toys a bin that the chi-squared distribution gives, shape (n_points,)
    degrees_of_freedom: int
    failed: int  # toys whose fit did not converge


def goodness_numbers(result: GoodnessOfFit) -> GoodnessNumbers:
    """Bin the toys of a goodness of fit.

    Raises
    ------
    InputError
        There are no toys.
    """
    if not result.toys:
        raise InputError(
            "the goodness of fit has no toys to draw. Compute it with toys, as `hepflow gof` does "
            "with --toys."
        )
    toys = np.asarray(result.toys, dtype=np.float64)
    low, high = min(toys.min(), result.statistic), max(toys.max(), result.statistic)
    margin = 0.05 * (high - low) or 0.5
    bins = int(np.clip(np.sqrt(len(toys)), 10, 50))
    edges = np.linspace(max(low - margin, 0.0), high + margin, bins + 1)
    x = np.linspace(edges[0], edges[-1], 201)[1:]
    return GoodnessNumbers(
        statistic=result.statistic,
        p_value=result.p_value,
        edges=edges,
        toys=np.histogram(toys, edges)[0].astype(np.float64),
        x=x,
        asymptotic=len(toys) * (edges[1] - edges[0]) * _chi2(x, result.degrees_of_freedom),
        degrees_of_freedom=result.degrees_of_freedom,
        failed=result.failed,
    )


def _chi2(x: Floats, degrees: int) -> Floats:
    """Density of the chi-squared distribution; 0 without degrees of freedom."""
    from scipy.special import gammaln

    if degrees < 1:
        return np.zeros_like(x)
    half = degrees / 2.0
    exponent = (half - 1.0) * np.log(x) - x / 2.0 - half * np.log(2.0) - gammaln(half)
    return np.asarray(np.exp(exponent), dtype=np.float64)
