"""Numbers of the figure of excluded signals in two parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError
from hepflow.records.prediction import Floats
from hepflow.records.results import LimitResult

BANDS = ("expected_minus_2", "expected_minus_1", "expected", "expected_plus_1", "expected_plus_2")
_FEWEST = 3  # points of a triangle
_ENOUGH = 6  # points below which a contour is a guess
Line = Floats  # shape (n_points, 2)
_Edge = tuple[int, int]


@dataclass(frozen=True)
class ExclusionNumbers:
    """Upper limits at points of two parameters, and where they reach the prediction."""

    labels: tuple[str, str]  # titles of the axes, with units
    x: Floats  # shape (n_points,)
    y: Floats  # shape (n_points,)
    observed: Floats | None  # limit over prediction, shape (n_points,); None: not to be shown
    expected: Floats  # likewise, shape (n_points, 5): -2 to +2 standard deviations
    contours: Mapping[str, tuple[Line, ...]]  # "observed" and `BANDS`: where they are 1
    confidence_level: float
    remarks: tuple[str, ...] = ()  # why there is no contour, or one of little worth

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "labels": list(self.labels),
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "confidence_level": self.confidence_level,
            "observed": None if self.observed is None else self.observed.tolist(),
            "expected": self.expected.tolist(),
            "contours": {
                name: [line.tolist() for line in lines] for name, lines in self.contours.items()
            },
            "remarks": list(self.remarks),
        }


def exclusion_numbers(
    points: Sequence[tuple[float, float]],
    limits: Sequence[LimitResult],
    *,
    labels: tuple[str, str],
    predictions: Sequence[float] | None = None,
) -> ExclusionNumbers:
    """Find where the limit on the signal strength reaches the prediction.

    Between points the logarithm of the limit is interpolated linearly on the triangles of
    Delaunay, of parameters that are scaled to the same range. Nothing is extrapolated.

    Parameters
    ----------
    points : sequence of pairs
        Values of the two parameters for each limit.
    limits : sequence of LimitResult
        On the signal strength.
    labels : tuple of str
        Titles of the axes.
    predictions : sequence of float, optional
        Predicted signal strength of each point; default 1.

    Raises
    ------
    InputError
        The lists differ in length, or the limits are on different things.
    """
    factor = np.ones(len(limits)) if predictions is None else np.asarray(predictions)
    if not len(points) == len(limits) == len(factor):
        raise InputError(
            f"there are {len(points)} points, {len(limits)} limits and {len(factor)} predictions. "
            "Give one of each for every signal."
        )
    kinds = {(one.poi, one.confidence_level) for one in limits}
    if len(kinds) > 1:
        told = ", ".join(f"{poi} at {100 * level:g} % CL" for poi, level in sorted(kinds))
        raise InputError(f"limits on different things cannot be one contour: {told}.")
    place = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    expected = np.array([one.expected for one in limits]) / factor[:, np.newaxis]
    seen = [one.observed for one in limits]
    observed = None if None in seen else np.array(seen, dtype=np.float64) / factor
    triangles = _triangles(place)
    values = dict(zip(BANDS, expected.T, strict=True))
    values |= {} if observed is None else {"observed": observed}
    return ExclusionNumbers(
        labels,
        place[:, 0],
        place[:, 1],
        observed,
        expected,
        {name: _contour(place, np.log(one), triangles) for name, one in values.items()},
        limits[0].confidence_level,
        _remarks(len(place), len(triangles)),
    )


def _remarks(points: int, triangles: int) -> tuple[str, ...]:
    if not triangles:
        return (f"no contour: {points} points on a line or fewer than {_FEWEST}; add points",)
    if points < _ENOUGH:
        return (f"contours from {points} points only",)
    return ()


def _triangles(place: Floats) -> NDArray[np.int64]:
    """Corners of the triangles, shape (n_triangles, 3); none where the points are on a line."""
    from scipy.spatial import Delaunay, QhullError

    nothing = np.empty((0, _FEWEST), dtype=np.int64)
    if len(place) < _FEWEST:
        return nothing
    width = np.ptp(place, axis=0)
    if not width.all():
        return nothing
    try:
        found = Delaunay((place - place.min(axis=0)) / width)
    except QhullError:
        return nothing
    return np.asarray(found.simplices, dtype=np.int64)


def _contour(place: Floats, values: Floats, triangles: NDArray[np.int64]) -> tuple[Line, ...]:
    """Lines along which the interpolated values are zero."""
    neighbours: dict[_Edge, list[_Edge]] = {}
    above = values > 0
    for corners in triangles.tolist():
        edges = [(min(a, b), max(a, b)) for a, b in zip(corners, corners[1:] + corners[:1])]  # noqa: B905 - of the same list
        cut = [edge for edge in edges if above[edge[0]] != above[edge[1]]]
        for one, other in ((cut[0], cut[1]), (cut[1], cut[0])) if cut else ():
            neighbours.setdefault(one, []).append(other)
    crossing = {edge: _crossing(place, values, edge) for edge in neighbours}
    ways = _ways(neighbours)
    return tuple(np.array([crossing[edge] for edge in way]) for way in ways)


def _crossing(place: Floats, values: Floats, edge: _Edge) -> Floats:
    """Point of an edge at which the values are zero."""
    start, end = edge
    part = values[start] / (values[start] - values[end])
    return np.asarray(place[start] + part * (place[end] - place[start]), dtype=np.float64)


def _ways(neighbours: Mapping[_Edge, Sequence[_Edge]]) -> list[list[_Edge]]:
    """Edges in the order in which a line crosses them; open lines first, then closed ones."""
    left = dict.fromkeys(sorted(neighbours, key=lambda edge: (len(neighbours[edge]), edge)))
    ways = []
    while left:
        way = [next(iter(left))]
        left.pop(way[0])
        while following := [one for one in neighbours[way[-1]] if one in left]:
            way.append(following[0])
            left.pop(following[0])
        if len(way) > 2 and way[0] in neighbours[way[-1]]:  # noqa: PLR2004 - a closed line
            way.append(way[0])
        ways.append(way)
    return ways
