"""Sizes and times for people."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_TWO_DIGITS = 10
_MINUTE, _HOUR = 60.0, 3600.0


def size(number: float | None) -> str:
    """Bytes with a unit; a question mark where they are not known.

    Examples
    --------
    >>> size(999), size(1_234_567), size(None)
    ('999 B', '1.2 MB', '?')
    """
    if number is None:
        return "?"
    for unit in _UNITS:
        if number < _STEP or unit == _UNITS[-1]:
            break
        number /= _STEP
    whole = number >= _TWO_DIGITS or unit == _UNITS[0]
    return f"{number:.0f} {unit}" if whole else f"{number:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Time with a unit; a question mark where it is not known.

    Examples
    --------
    >>> duration(0.2), duration(42), duration(600), duration(9000), duration(None)
    ('< 1 s', '42 s', '10 min', '2.5 h', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 1:
        return "< 1 s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
