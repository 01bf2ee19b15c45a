"""Texts that several figures have: values with errors, and remarks above the axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hepflow.plotting.style import REMARK_COLOUR, TINY, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REMARK = 0.22  # height of a remark [inch]


def value_text(value: float, error: float) -> str:
    """Value and error with as many decimals as two significant digits of the error need.

    Examples
    --------
    >>> value_text(0.77721, 0.0291), value_text(12.3, 4.56)
    ('0.777 ± 0.029', '12.3 ± 4.6')
    """
    if not (np.isfinite(error) and error > 0):
        return f"{number(value)} (fixed)" if error == 0 else f"{number(value)} ± ?"
    decimals = max(1 - int(np.floor(np.log10(error))), 0)
    centre = round(value, decimals) or 0.0  # never a negative zero
    return f"{centre:.{decimals}f} ± {error:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def name_width(names: Sequence[str], size: float) -> float:
    """Estimate the width of the longest name [inch]: half a font size a letter."""
    longest = max((len(re.sub(r"\\[a-z]+|[${}^_]", "m", name)) for name in names), default=0)
    return 0.54 * size / 72 * longest + 0.2


def write_remarks(figure: Figure, remarks: Sequence[str]) -> None:
    """Write lines at the right, at the upper end of a figure."""
    height = figure.get_figheight()
    for i, line in enumerate(remarks):
        y = 1 - (0.03 + REMARK * i) / height
        figure.text(0.985, y, line, color=REMARK_COLOUR, size=TINY, ha="right", va="top")
