"""What is said about a whole submission: by whom it may be used, keywords, energy, luminosity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from hepflow.errors import InputError, did_you_mean

LICENCES: Final = {
    "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
}


@dataclass(frozen=True)
class Licence:
    """Licence of the data."""

    name: str = "CC0"  # HEPData's own default
    url: str = LICENCES["CC0"]

    @classmethod
    def read(cls, text: str) -> Licence:
        """Read a known name, or ``NAME=URL``.

        Raises
        ------
        InputError
            The name is not known, and has no URL.
        """
        name, equals, url = text.partition("=")
        if equals and name and url.startswith(("http://", "https://")):
            return cls(name, url)
        if equals or name not in LICENCES:
            raise InputError(
                f"licence {text!r} is not known. {did_you_mean(name, LICENCES)} Or give it as "
                "NAME=URL with an http:// or https:// address."
            )
        return cls(name, LICENCES[name])


@dataclass(frozen=True)
class Record:
    """What holds for all tables."""

    abstract: str = ""
    energy: float | None = None  # center-of-mass energy [TeV]; None: as the run says
    luminosity: float | None = None  # [1/pb]; None: as the run says
    reactions: Sequence[str] = ("P P --> X",)
    phrases: Sequence[str] = ()
    licence: Licence = field(default_factory=Licence)

    def __post_init__(self) -> None:
        for name, value in (("energy", self.energy), ("luminosity", self.luminosity)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} {value:g}: expected a positive number.")
