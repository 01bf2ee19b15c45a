"""What must be said of foreign histograms, as their files do not hold it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hepflow.errors import InputError
from hepflow.importers.safe_load import MAX_BYTES

NOMINAL = "nominal"
Renaming = Mapping[Any, str | None]  # name or id in the file -> name here; None leaves it out

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
# A direction in lower case needs the underscore: "pileup" is a source, not the upper "pile".
_DIRECTION = re.compile(
    r"^(?P<source>.+?)(?:_(?P<a>[Uu]p|UP|[Dd]own|DOWN)|(?P<b>Up|UP|Down|DOWN))$"
)


@dataclass(frozen=True)
class ImportSpec:
    """How foreign histograms become ours."""

    luminosity: float | Mapping[str, float]  # [1/pb], or by year
    data: tuple[str, ...] = ()  # processes that hold collision data, as they are called here
    channels: Renaming = field(default_factory=dict)
    processes: Renaming = field(default_factory=dict)  # several may become one: they are added
    variations: Renaming = field(default_factory=dict)  # to "nominal", "<source>_up" or "_down"
    observables: Renaming = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    # dataset or process, as in the file -> factor on its weights, where it is not normalised yet
    unknown_variances: Literal["refuse", "poisson"] = "refuse"
    # for weights in a storage without variances; "poisson": the variance is the absolute content
    max_bytes: int = MAX_BYTES  # of a file when decompressed


def by_year(luminosity: float | Mapping[str, float]) -> dict[str, float]:
    """Luminosity by year; the key "" where one number was given."""
    if isinstance(luminosity, Mapping):
        return {str(year): float(value) for year, value in luminosity.items()}
    return {"": float(luminosity)}


@dataclass(frozen=True, slots=True)
class AxisRoles:
    """Names of the axes; the one that is left over is the observable's."""

    channel: str = "channel"
    process: str = "process"
    variation: str = "variation"


def renamed(entry: Hashable, renaming: Renaming, field_name: str) -> str | None:
    """Name that an entry of a file has here, or None where it is left out.

    Raises
    ------
    InputError
        An id without a name, or a name that a histogram key cannot hold.
    """
    if entry in renaming:
        name = renaming[entry]
        if name is None:
            return None
    elif isinstance(entry, str):
        name = entry
    else:
        raise InputError(
            f"the id {entry!r} has no name. Give it in `{field_name}`, such as "
            f"{field_name}={{{entry!r}: 'name'}}; None leaves it out."
        )
    if not _NAME.match(name) or "__" in name:
        raise InputError(
            f"{name!r} cannot be a name here: expected letters, digits and _ . + - without '__', "
            f"which separates names in histogram keys. Give another in `{field_name}`, such as "
            f"{field_name}={{{entry!r}: 'name'}}; None leaves it out."
        )
    return name


def variation_name(entry: Hashable, renaming: Renaming) -> str | None:
    """Name of a variation here: ``nominal``, ``<source>_up`` or ``<source>_down``.

    Raises
    ------
    InputError
        The name says no direction.

    Examples
    --------
    >>> [variation_name(one, {}) for one in ("nominal", "mu_up", "pileupUp", "JES_TotalDown")]
    ['nominal', 'mu_up', 'pileup_up', 'JES_Total_down']
    """
    name = renamed(entry, renaming, "variations")
    if name is None or name == NOMINAL:
        return name
    match = _DIRECTION.match(name)
    if match is None:
        raise InputError(
            f"the variation {name!r} says neither up nor down. Give its name in `variations`, "
            f"such as variations={{{entry!r}: 'source_up'}} or 'nominal'; None leaves it out."
        )
    return f"{match['source']}_{(match['a'] or match['b']).lower()}"
