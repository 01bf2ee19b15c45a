"""Types of configuration values that more than one section uses."""

from __future__ import annotations

import itertools
import math
import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

MAX_BINS = 1_000_000  # more than that is a typing mistake, not a histogram


@dataclass(frozen=True)
class TextForm:
    """Mark of a type whose values have a written form of their own, commas included."""


def not_yet(reasons: Mapping[str, str]) -> BeforeValidator:
    """Refuse these values with the reason why they are not admitted yet."""

    def refuse(value: Any) -> Any:
        if isinstance(value, str) and value in reasons:
            raise PydanticCustomError("not_yet", "{why}", {"why": reasons[value]})
        return value

    return BeforeValidator(refuse)


def _number(value: Any) -> Any:
    """Bring the numbers of other libraries into Python's; texts and truth values are none.

    Raises
    ------
    ValueError
        If the value is a text or a truth value.
    """
    if isinstance(value, (bool, str, bytes)):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic collects ValueError only
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def _path_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def as_list(value: Any) -> Any:
    """Take a single text as a list of one."""
    return [value] if isinstance(value, (str, os.PathLike)) else value


def _year_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _separable(name: str) -> str:
    if "__" in name:
        raise ValueError("expected a name without '__', which separates names in histogram keys")
    return name


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_number)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Field(min_length=1)]
PathText = Annotated[str, Field(min_length=1), BeforeValidator(_path_text)]
Year = Annotated[str, Field(min_length=1), BeforeValidator(_year_text)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"), AfterValidator(_separable)]
Names = Annotated[list[Text], Field(min_length=1), BeforeValidator(as_list)]
Function = Callable[..., Any]


def _column(entry: Any) -> Any:
    """Bring ``"Muon.pt"``, ``"Muon"`` and ``["Muon", "pt"]`` into one form.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(entry, str):
        name, dot, field = entry.partition(".")
        entry = (name, field if dot else None)
    match entry:
        case [str(name), str(field)] if name and field:
            return (name, field)
        case [str(name), None] if name:
            return (name, None)
    raise ValueError('expected a column such as ("Muon", "pt") or "Muon.pt"')


Column = Annotated[tuple[Text, str | None], TextForm(), BeforeValidator(_column)]
Columns = list[Column]


def parse_binning(value: Any) -> Any:
    """Turn ``"low,high,nbins"``, a list or an array of edges into a list of edges.

    Raises
    ------
    ValueError
        If a text does not give a range and a number of bins.

    Examples
    --------
    >>> parse_binning("0,1,4")
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if not isinstance(value, str):
        return value.tolist() if hasattr(value, "tolist") else value
    try:
        low_text, high_text, bins_text = value.split(",")
        low, high, bins = float(low_text), float(high_text), int(bins_text)
    except ValueError:
        raise ValueError('expected "low,high,nbins" or a list of edges') from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError('expected "low,high,nbins" with finite low < high')
    if not 1 <= bins <= MAX_BINS:
        raise ValueError(f'expected "low,high,nbins" with 1 to {MAX_BINS} bins')
    return [low + (high - low) * i / bins for i in range(bins)] + [high]


def _increasing(edges: list[float]) -> list[float]:
    if not edges[1:]:
        raise ValueError("expected two or more bin edges")
    for i, (left, right) in enumerate(itertools.pairwise(edges)):
        if not left < right:
            raise ValueError(f"expected increasing bin edges (edge {i + 1} is not above edge {i})")
    return edges


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] < bounds[1]:
        raise ValueError("expected a lower and a higher bound")
    return bounds


Binning = Annotated[
    list[Number], TextForm(), BeforeValidator(parse_binning), AfterValidator(_increasing)
]
Bounds = Annotated[tuple[Number, Number], AfterValidator(_ordered)]
