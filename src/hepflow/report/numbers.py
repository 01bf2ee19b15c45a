"""Numbers as a reader wants them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping

from hepflow.report.content import Cell

MINUS = "\N{MINUS SIGN}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_MINUTE = 60.0
_COMMAS, _SHORT = 1e4, 1e12  # numbers between are written in full
_LETTERS: Mapping[str, str] = {  # by command of TeX; the small Greek ones are looked up
    "lambda": "\N{GREEK SMALL LETTER LAMDA}",
    "Delta": "\N{GREEK CAPITAL LETTER DELTA}",
    "ell": "l",
    "ge": "\N{GREATER-THAN OR EQUAL TO}",
    "le": "\N{LESS-THAN OR EQUAL TO}",
    "to": "\N{RIGHTWARDS ARROW}",
    "rightarrow": "\N{RIGHTWARDS ARROW}",
    "times": "\N{MULTIPLICATION SIGN}",
    "pm": PLUS_MINUS,
    "prime": "\N{PRIME}",
    "quad": " ",
}


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; a dash where there is none.

    Examples
    --------
    >>> number(0.65079), number(1234567.0), number(None)
    ('0.6508', '1,234,567', '-')
    """
    if value is None or not math.isfinite(value):
        return "-" if value is None else str(value)
    whole = _COMMAS <= abs(value) < _SHORT
    text = f"{value:,.0f}" if whole else f"{value:.{digits}g}"
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, zero without one."""
    return number(value, digits) if value <= 0 else f"+{number(value, digits)}"


def with_uncertainty(value: float, uncertainty: float) -> str:
    """Value and uncertainty, rounded to two digits of the latter.

    Examples
    --------
    >>> with_uncertainty(0.15071, 0.26514), with_uncertainty(1388.2, 37.0)
    ('0.15 ± 0.27', '1,388 ± 37')
    """
    if not (math.isfinite(uncertainty) and uncertainty > 0 and math.isfinite(value)):
        return f"{number(value)} {PLUS_MINUS} {number(uncertainty)}"
    places = 1 - math.floor(math.log10(uncertainty))
    kept = min(max(places, 0), 12)
    # Zero is added so that there is no negative zero.
    texts = (f"{round(one, places) + 0.0:,.{kept}f}" for one in (value, uncertainty))
    return f" {PLUS_MINUS} ".join(texts).replace("-", MINUS)


def numeric(value: float | None, digits: int = 4) -> Cell:
    """Cell of a number."""
    return Cell(number(value, digits), -math.inf if value is None else float(value))


def count(value: float) -> Cell:
    """Cell of a whole number."""
    return Cell(f"{value:,.0f}".replace("-", MINUS), float(value))


def counted(many: int, what: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{many:,} {what}{'' if many == 1 else 's'}"


def seconds(value: float) -> str:
    """A time.

    Examples
    --------
    >>> seconds(0.0214), seconds(31.12), seconds(3725.0)
    ('0.02 s', '31.1 s', '62 min 5 s')
    """
    if value < 1:
        return f"{value:.2f} s"
    if value < _MINUTE:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), int(_MINUTE))
    return f"{minutes:,} min {rest} s"


def size(n_bytes: float) -> str:
    """Size of a file.

    Examples
    --------
    >>> size(512), size(1_234_567)
    ('512 B', '1.2 MB')
    """
    for unit, name in _UNITS:
        if n_bytes >= unit:
            return f"{n_bytes / unit:.1f} {name}"
    return f"{n_bytes:.0f} B"


def plain(label: str) -> str:
    r"""A label with TeX between dollars as plain text.

    Examples
    --------
    >>> plain(r"$m(t\\bar{t})$ [GeV]"), plain(r"$p_T^{miss}$, no $\\mu$"), plain("5 $")
    ('m(tt) [GeV]', 'pTmiss, no μ', '5 $')
    """
    pieces = label.split("$")
    if len(pieces) % 2 == 0:  # a dollar without its other one is a dollar
        return label
    inside = (_without_tex(one) if i % 2 else one for i, one in enumerate(pieces))
    return " ".join("".join(inside).split())


def _without_tex(formula: str) -> str:
    text = re.sub(r"\\([A-Za-z]+)", lambda found: _letter(found[1]), formula)
    return re.sub(r"\\[,;:! ]", " ", text).translate(str.maketrans("", "", "{}_^\\"))


def _letter(name: str) -> str:
    if name in _LETTERS:
        return _LETTERS[name]
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {name}")
    except KeyError:
        return ""


def identifier(*words: str) -> str:
    """A name for links and files: letters, digits and hyphens.

    Examples
    --------
    >>> identifier("SR", "n_minus_1_met <b>")
    'sr-n-minus-1-met-b'
    """
    found = re.sub(r"[^0-9a-z]+", "-", "-".join(words).lower()).strip("-")
    return found or "x"
