"""Points of a signal grid, as they are named on the command line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hepflow.errors import InputError

_NAME: Final = re.compile(r"[A-Za-z0-9_]+")  # what pyhf takes as the name of a patch or label
_NUMBER: Final = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?(?![A-Za-z0-9.])")
_SYNTAX: Final = "NAME:VALUE,...=PATH, such as zprime_2000:2000=runs/m2000"
Value = int | float | str


@dataclass(frozen=True)
class Point:
    """One signal of a grid, and where its results lie."""

    name: str  # letters, digits and underscores
    values: tuple[Value, ...]  # one for each label of the grid, such as the mass
    path: Path


def read_points(words: Sequence[str], labels: Sequence[str]) -> tuple[Point, ...]:
    """Read points as ``NAME:VALUE,...=PATH``, ``NAME=PATH`` or ``PATH``.

    Without a name it is that of the file or folder; without values they are the numbers between
    the underscores of the name, as in ``sbottom_1300_205_60``.

    Parameters
    ----------
    words : sequence of str
    labels : sequence of str
        Names of the values; none where the points have no values.

    Returns
    -------
    tuple of Point
        In the order of their values.

    Raises
    ------
    InputError
        A point has no name that pyhf takes or another number of values, or two are the same.
    """
    for label in labels:
        if not _NAME.fullmatch(label):
            raise InputError(
                f"label {label!r}: expected letters, digits and underscores, such as mass."
            )
    points = sorted((_point(word, labels) for word in words), key=_order)
    for what, found in (
        ("name", Counter(one.name for one in points)),
        ("values", Counter(one.values for one in points if labels)),
    ):
        twice = [one for one, times in found.items() if times > 1]
        if twice:
            raise InputError(
                f"two points have the same {what}: {twice[0]}. Tell them apart as {_SYNTAX}."
            )
    return tuple(points)


def _order(point: Point) -> tuple[object, ...]:
    values = tuple((isinstance(one, str), one) for one in point.values)
    return (values, point.name)


def _point(word: str, labels: Sequence[str]) -> Point:
    head, equals, path = ("", "", word) if Path(word).exists() else word.partition("=")
    if not equals:
        head, path = "", word
    name, colon, text = head.partition(":")
    stem = re.sub(r"\.(json|zip)$", "", Path(path).resolve().name)
    stem, name = name or stem, name or re.sub(r"[^A-Za-z0-9_]+", "_", stem)
    if not _NAME.fullmatch(name):
        raise InputError(
            f"point {word!r}: its name {name!r} has other signs than letters, digits and "
            f"underscores. Expected {_SYNTAX}."
        )
    found = text.split(",") if colon else _NUMBER.findall(stem.replace("_", " "))
    if len(found) != len(labels) and (colon or labels):
        raise InputError(
            f"point {word!r} has {len(found)} values, expected {len(labels)}: "
            f"{', '.join(labels) or 'there are no labels'}. Give them as {_SYNTAX}."
        )
    return Point(name, tuple(map(_value, found)) if labels else (), Path(path))


def _value(text: str) -> Value:
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if abs(found) < float("inf"):
            return found
    return text.strip()
