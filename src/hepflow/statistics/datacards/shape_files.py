"""Histograms that a datacard names, from its own folder only."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import UnreadableFile, UnsafeContent, WorkspaceError
from hepflow.statistics.datacards.card import FAKE, ShapeRule
from hepflow.storage import refuse_special

Floats = NDArray[np.float64]
# What uproot and numpy raise where a file is damaged, or no ROOT file at all.
_BROKEN: Final = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError),
    *(RuntimeError, MemoryError, OverflowError, NotImplementedError, AssertionError, zlib.error),
)


@dataclass(frozen=True)
class Histogram:
    """Contents without under- and overflow, which Combine does not look at either."""

    values: Floats  # shape (n_bins,)
    errors: Floats  # shape (n_bins,)

    @property
    def total(self) -> float:
        """Sum of the contents."""
        return float(self.values.sum())


@dataclass
class ShapeFiles:
    """Finds histograms by the `shapes` lines of a card. Use it in a ``with`` statement."""

    folder: Path  # of the card
    rules: Sequence[ShapeRule]
    mass: str  # in the place of $MASS
    _open: dict[Path, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def rule(self, channel: str, process: str) -> ShapeRule | None:
        """The line that counts for a process in a channel; None where it is one count.

        Raises
        ------
        WorkspaceError
            The card has lines `shapes`, and none of them fits.
        """
        if not self.rules:
            return None
        by = {(one.channel, one.process): one for one in self.rules}
        own = channel if any(one.channel == channel for one in self.rules) else "*"
        for place in ((own, process), (own, "*"), ("*", process), ("*", "*")):
            if place in by:
                return None if by[place].file == FAKE else by[place]
        raise WorkspaceError(
            f"no line `shapes` of the card is for process {process!r} in channel {channel!r}. Add "
            "one, with FAKE where the channel is one count."
        )

    def nominal(self, channel: str, process: str) -> Histogram | None:
        """Histogram of a process, or of data_obs; None where the channel is one count.

        Raises
        ------
        WorkspaceError
            It is not there.
        """
        rule = self.rule(channel, process)
        if rule is None:
            return None
        name = self._filled(rule.nominal, channel, process)
        found = self._find(rule, channel, process, name)
        if found is None:
            raise _missing(rule.file, name)
        return found

    def varied(self, channel: str, process: str, source: str) -> tuple[Histogram, Histogram] | None:
        """Histograms at -1 and +1 of a source; None where both are not there.

        Raises
        ------
        WorkspaceError
            One of them is there without the other, or the card does not say where they are.
        """
        rule = self.rule(channel, process)
        if rule is None or not rule.varied:
            return None
        found = {}
        for side in ("Down", "Up"):
            name = self._filled(rule.varied, channel, process, f"{source}{side}")
            found[name] = self._find(rule, channel, process, name)
        (down, low), (up, high) = found.items()
        if low is None and high is None:
            return None
        if low is None or high is None:
            raise _missing(rule.file, down if low is None else up)
        return low, high

    def _filled(self, text: str, channel: str, process: str, systematic: str = "") -> str:
        words = {"PROCESS": process, "CHANNEL": channel, "MASS": self.mass}
        return _replaced(text, {**words, "SYSTEMATIC": systematic})

    def _find(self, rule: ShapeRule, channel: str, process: str, name: str) -> Histogram | None:
        if ":" in name:
            raise WorkspaceError(
                f"{name} is an object of a RooWorkspace. Understood are histograms (TH1): write "
                "the functions as histograms first."
            )
        path = self._path(self._filled(rule.file, channel, process))
        try:
            file = self._opened(path)
            if name not in file:
                return None
            found = file[name]
            if not found.classname.startswith("TH1"):
                raise WorkspaceError(f"{name} of {path.name} is a {found.classname}, and no TH1.")
            return Histogram(
                np.asarray(found.values(), dtype=np.float64),
                np.asarray(found.errors(), dtype=np.float64),
            )
        except _BROKEN as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UnreadableFile(f"{path}: {name} cannot be read ({why}).") from error

    def _path(self, name: str) -> Path:
        """A file below the folder of the card.

        Raises
        ------
        UnsafeContent
            It is not there.
        """
        folder = self.folder.resolve()
        try:
            path = (folder / name).resolve()
            inside = path.is_relative_to(folder) and not path.is_symlink()
        except (OSError, RuntimeError, ValueError):  # links that lead to each other, a zero byte
            inside = False
        if not inside:
            raise UnsafeContent(
                f"the card names the file {name!r}, which is not below its folder {folder}. Put "
                "it there, and name it from there."
            )
        return path

    def _opened(self, path: Path) -> Any:
        import uproot

        if path not in self._open:
            refuse_special(path)
            self._open[path] = uproot.open(path)
        return self._open[path]


def _replaced(text: str, words: Mapping[str, str]) -> str:
    """Text with the keywords of Combine filled in."""
    for word, value in words.items():
        text = text.replace(f"${word}", value)
    return text


def _missing(file: str, name: str) -> WorkspaceError:
    return WorkspaceError(f"{file} has no histogram {name}, which the card names.")
