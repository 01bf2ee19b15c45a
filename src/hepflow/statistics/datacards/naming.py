"""Names as the text of a card and a ROOT file can have them."""

from __future__ import annotations

import re
from typing import Final

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards.card import DATA

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.]")
_PREFIXES: Final = {"channel": "bin", "parameter": "theta"}  # that Combine puts before a digit


class Names:
    """Hands out the names of the card; two things never get one name."""

    def __init__(self) -> None:
        self._old: dict[tuple[str, str], str] = {("process", DATA): ""}

    def channel(self, name: str) -> str:
        """Name of a channel."""
        return self._given("channel", name)

    def process(self, name: str) -> str:
        """Name of a sample."""
        return self._given("process", name)

    def parameter(self, name: str) -> str:
        """Name of a parameter."""
        return self._given("parameter", name)

    def known(self, name: str) -> str:
        """Name of a parameter that has one already; else empty."""
        return next(
            (new for (kind, new), old in self._old.items() if (kind, old) == ("parameter", name)),
            "",
        )

    def group(self, name: str) -> str:
        """Name of a group of parameters."""
        return self._given("group", name)

    def changed(self) -> dict[str, str]:
        """Names of the workspace by those of the card, where they differ."""
        return {new: old for (_, new), old in self._old.items() if old and old != new}

    def _given(self, kind: str, name: str) -> str:
        """A name with signs that a card can have.

        Raises
        ------
        WorkspaceError
            Another one has it.
        """
        new = _UNFIT.sub("_", name)
        if new[:1].isdigit() and kind in _PREFIXES:
            new = f"{_PREFIXES[kind]}{new}"
        old = self._old.setdefault((kind, new), name)
        if old != name:
            raise WorkspaceError(
                f"the {kind} {name!r} would be {new!r} in the card, as {old or DATA!r} is. Rename "
                "it in the workspace."
            )
        return new
