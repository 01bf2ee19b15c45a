"""Cross-sections and luminosities with their units, as people write them."""

from __future__ import annotations

import math
import re
from typing import Final

from hepflow.errors import InputError

_BARN: Final = {"mb": 1e9, "ub": 1e6, "nb": 1e3, "pb": 1.0, "fb": 1e-3, "ab": 1e-6}  # in pb
_NUMBER: Final = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_UNIT: Final = "|".join(_BARN)
_CROSS_SECTION: Final = re.compile(rf"{_NUMBER}({_UNIT})\s*")
_LUMINOSITY: Final = re.compile(
    rf"{_NUMBER}(?:1?\s*/\s*({_UNIT})|({_UNIT})\s*(?:\^|\*\*)?\s*-1)\s*"
)


def cross_section(text: str) -> float:
    """Cross-section in pb.

    Parameters
    ----------
    text : str
        Number and unit: mb, ub, nb, pb, fb or ab.

    Raises
    ------
    InputError
        Without a unit, or not positive.

    Examples
    --------
    >>> cross_section("44.873 fb")
    0.044873
    """
    found = _CROSS_SECTION.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text!r} is no cross-section with a unit. Write it such as '44.873 fb'; units are "
            f"{', '.join(_BARN)}."
        )
    value = _positive(float(found[1]), text, "cross-section") * _BARN[found[2]]
    return float(f"{value:.15g}")  # decimal numbers stay what they are


def luminosity(text: str) -> float:
    """Integrated luminosity in 1/pb.

    Parameters
    ----------
    text : str
        Number and unit: /fb, 1/fb, fb-1 or fb^-1, and likewise for the other units.

    Raises
    ------
    InputError
        Without a unit, or not positive.

    Examples
    --------
    >>> luminosity("140.1 /fb")
    140100.0
    """
    found = _LUMINOSITY.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text!r} is no luminosity with a unit. Write it such as '140.1 /fb'; units are "
            f"{', '.join('/' + unit for unit in _BARN)}."
        )
    value = _positive(float(found[1]), text, "luminosity")
    return float(f"{value / _BARN[found[2] or found[3]]:.15g}")


def _positive(value: float, text: str, what: str) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{text!r}: a {what} is positive.")
    return value
