"""Numbers of the figures of confidence regions in two parameters, of several methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from hepflow.errors import InputError
from hepflow.plotting.scan_numbers import LEVELS, ContourNumbers, likelihood_numbers, rise
from hepflow.records.inference import LikelihoodScan
from hepflow.records.prediction import Floats
from hepflow.records.sbi import Information, Region

POINTS = 181  # of an ellipse


@dataclass(frozen=True)
class RegionCurve:
    """Regions of one method: where `depth` of a level is negative."""

    name: str
    x: Floats  # of the first parameter, shape (n_x,)
    y: Floats  # of the second one, shape (n_y,)
    depths: tuple[tuple[float, str, Floats], ...]  # level, calculator, (n_y, n_x)
    bestfit: tuple[float, float]
    data: str  # "observed" or "asimov"


@dataclass(frozen=True)
class RegionNumbers:
    """Confidence regions of several methods in the same two parameters."""

    labels: tuple[str, str]  # titles of the axes, with unit
    curves: tuple[RegionCurve, ...]
    marks: tuple[tuple[str, tuple[float, float]], ...]  # points with names, such as the SM
    limits: tuple[tuple[float, float], tuple[float, float]]  # of the axes


def region_numbers(
    scans: Mapping[str, LikelihoodScan],
    labels: tuple[str, str],
    *,
    regions: Mapping[str, Sequence[Region]] | None = None,
    levels: Sequence[float] = LEVELS,
    marks: Mapping[str, tuple[float, float]] | None = None,
) -> RegionNumbers:
    """Collect the confidence regions of methods.

    Parameters
    ----------
    scans : mapping
        Scan of the likelihood in two parameters, by the name of the method.
    labels : tuple of str
        Titles of the axes, with unit.
    regions : mapping, optional
        Further regions of methods: those of the Neyman construction are drawn as well.
    levels : sequence of float
        Confidence levels of the asymptotic regions, which have two degrees of freedom.
    marks : mapping, optional
        Points to mark, by name, such as the Standard Model.

    Raises
    ------
    InputError
        There is no scan, or one in other than two parameters.
    """
    if not scans:
        raise InputError("there is no scan of the likelihood to draw regions of.")
    curves = []
    for name, scan in scans.items():
        numbers = likelihood_numbers([scan])
        if not isinstance(numbers, ContourNumbers):
            raise InputError(
                f"the scan of {name} is in {', '.join(scan.parameters)}; regions are drawn in two "
                "parameters."
            )
        depths = [(level, "asymptotic", numbers.delta - rise(level, 2)) for level in levels]
        toys = [one for one in (regions or {}).get(name, ()) if one.calculator == "neyman"]
        depths += [(one.confidence_level, "neyman", _toy_depth(scan, one)) for one in toys]
        curves.append(
            RegionCurve(name, numbers.x, numbers.y, tuple(depths), numbers.bestfit, scan.data)
        )
    points = tuple((marks or {}).items())
    return RegionNumbers(labels, tuple(curves), points, _limits(curves, points))


def _toy_depth(scan: LikelihoodScan, region: Region) -> Floats:
    """Rise of -2 ln L less its critical value, on the fine grid of a contour."""
    both = (scan, replace(scan, delta=region.critical))
    rise_there, critical = (cast("ContourNumbers", likelihood_numbers([one])) for one in both)
    return rise_there.delta - critical.delta


def _limits(
    curves: Sequence[RegionCurve], marks: Sequence[tuple[str, tuple[float, float]]]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of the axes: the largest regions with a margin; a region that goes on has none."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    bottom, top = np.full(2, np.inf), np.full(2, -np.inf)  # of regions that leave their scan
    for curve in curves:
        for _, _, depth in curve.depths:
            rows, columns = np.nonzero(depth <= 0)
            for axis, (scan, index) in enumerate(((curve.x, columns), (curve.y, rows))):
                if len(index):
                    first, last = int(index.min()), int(index.max())
                    low[axis] = min(low[axis], scan[first])
                    high[axis] = max(high[axis], scan[last])
                    bottom[axis] = min(bottom[axis], scan[0]) if not first else bottom[axis]
                    top[axis] = max(top[axis], scan[-1]) if last + 1 == len(scan) else top[axis]
        low, high = np.minimum(low, curve.bestfit), np.maximum(high, curve.bestfit)
    for _, place in marks:
        low, high = np.minimum(low, place), np.maximum(high, place)
    margin = 0.12 * np.maximum(high - low, 1e-12)
    low = np.where(bottom <= low, low, low - margin)
    high = np.where(top >= high, high, high + margin)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


@dataclass(frozen=True)
class Ellipse:
    """Expected region of one information matrix."""

    name: str
    kind: str
    x: Floats
    y: Floats


@dataclass(frozen=True)
class EllipseNumbers:
    """Expected regions from Fisher information."""

    labels: tuple[str, str]  # titles of the axes, with unit
    centre: tuple[float, float]
    level: float
    ellipses: tuple[Ellipse, ...]
    left_out: tuple[str, ...]  # without information in some direction: no ellipse


def ellipse_numbers(
    information: Mapping[str, Information],
    labels: tuple[str, str],
    *,
    level: float = LEVELS[0],
) -> EllipseNumbers:
    """Ellipses within which two parameters are expected to be found.

    Parameters
    ----------
    information : mapping
        In the same two parameters, by name.
    labels : tuple of str
        Titles of the axes, with unit.
    level : float
        Confidence level, with two degrees of freedom.

    Raises
    ------
    InputError
        There is none, or one in other than the same two parameters.
    """
    kinds = {one.parameters for one in information.values()}
    if len(kinds) != 1 or len(next(iter(kinds))) != 2:  # noqa: PLR2004 - a plane
        raise InputError(
            "ellipses are drawn of information in the same two parameters. Project or profile the "
            "others first."
        )
    first = next(iter(information.values()))
    centre = (first.theta[0], first.theta[1])
    angles = np.linspace(0.0, 2.0 * np.pi, POINTS)
    circle = np.sqrt(rise(level, 2)) * np.stack([np.cos(angles), np.sin(angles)])
    drawn, flat = [], []
    for name, one in information.items():
        values, vectors = np.linalg.eigh(one.matrix)
        if values[0] <= 1e-9 * max(values[-1], 1e-300):
            flat.append(name)
            continue
        x, y = vectors @ (circle / np.sqrt(values)[:, None])
        drawn.append(Ellipse(name, one.kind, centre[0] + x, centre[1] + y))
    return EllipseNumbers(labels, centre, level, tuple(drawn), tuple(flat))
