"""Names of a cabinetry configuration as histogram keys can hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hepflow.errors import InputError, Problem

_FOREIGN = re.compile(r"[^A-Za-z0-9_.+-]+")


def plain_names(names: Iterable[str], where: str) -> dict[str, str]:
    """Names here by names there: what a histogram key cannot hold becomes ``-`` or ``_``.

    Raises
    ------
    InputError
        Two of them would be called the same.

    Examples
    --------
    >>> plain_names(["Signal region", "CR__1"], "Regions")
    {'Signal region': 'Signal-region', 'CR__1': 'CR_1'}
    """
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub("__+", "_", _FOREIGN.sub("-", name)).lstrip("_.+-") or "unnamed"
        if name not in found and plain in found.values():
            raise InputError(
                f"{where}: two entries would be called {plain!r}. Use other names for them in the "
                "cabinetry configuration: letters, digits and _ . + - without '__'."
            )
        found[name] = plain
    return found


def renamings(names: Mapping[str, str], where: str) -> list[Problem]:
    """Say which names have changed."""
    return [
        Problem(f"{where}[{name}]", f"is called {plain!r} here")
        for name, plain in names.items()
        if name != plain
    ]
