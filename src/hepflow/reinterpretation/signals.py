"""A new signal: its files, its size, and where it stands in the space of its parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from hepflow.errors import InputError, did_you_mean
from hepflow.remote import identity, is_remote

SumOfWeights = Literal["auto", "events", "runs"]
SUMS_OF_WEIGHTS: Final = ("auto", "events", "runs")
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")  # what pyhf admits in a patch set


@dataclass(frozen=True)
class Signal:
    """One signal hypothesis, as files of simulated events and their normalisation."""

    name: str  # letters, digits and underscores: names files, and the entry of the patch set
    files: Mapping[str, tuple[str, ...]]  # by year; "" where the analysis names no year
    cross_section: float | None = None  # [pb]; None where it is only filled yet
    k_factor: float = 1.0
    filter_efficiency: float = 1.0
    values: Mapping[str, float] = field(default_factory=dict)  # of the model: {"m": 2000.0}
    process: str = ""  # of the preserved analysis whose place it takes; empty: its only signal
    sum_of_weights: SumOfWeights = "auto"  # as `sumw_source` of a dataset
    tree: str | None = None  # default that of the preserved signal
    branch_map: Mapping[str, str] = field(default_factory=dict)  # wanted -> name in the file
    theory: float | None = None  # [pb] predicted cross-section; None: that of the signal

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"signal {self.name!r}: a name has letters, digits and underscores only, as pyhf "
                "wants it in a patch set."
            )
        sizes = {
            "cross-section": self.cross_section,
            "k-factor": self.k_factor,
            "filter efficiency": self.filter_efficiency,
            "theory cross-section": self.theory,
        }
        for name, value in sizes.items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"signal {self.name!r}: the {name} {value:g} is not positive.")
        if self.filter_efficiency > 1:
            raise InputError(
                f"signal {self.name!r}: the filter efficiency {self.filter_efficiency:g} is no "
                "fraction of at most 1."
            )
        wrong = [name for name, value in self.values.items() if not math.isfinite(value)]
        if wrong:
            raise InputError(f"signal {self.name!r}: the value of {wrong[0]} is not finite.")

    @property
    def produced(self) -> float | None:
        """Cross-section with k-factor and filter efficiency [pb]."""
        if self.cross_section is None:
            return None
        return self.cross_section * self.k_factor * self.filter_efficiency

    def to_json(self) -> dict[str, Any]:
        """Plain containers; URLs hold neither user nor query."""
        shown = {
            year: [identity(one) if is_remote(one) else one for one in files]
            for year, files in self.files.items()
        }
        return {
            "name": self.name,
            "values": dict(self.values),
            "process": self.process,
            "files": shown,
            "cross_section_pb": self.cross_section,
            "k_factor": self.k_factor,
            "filter_efficiency": self.filter_efficiency,
            "sum_of_weights": self.sum_of_weights,
            "tree": self.tree,
            "branch_map": dict(self.branch_map),
            "theory_pb": self.theory,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signal:
        """Inverse of `to_json`."""
        return cls(
            name=data["name"],
            files={year: tuple(files) for year, files in data["files"].items()},
            cross_section=data["cross_section_pb"],
            k_factor=data["k_factor"],
            filter_efficiency=data["filter_efficiency"],
            values=data["values"],
            process=data["process"],
            sum_of_weights=data["sum_of_weights"],
            tree=data["tree"],
            branch_map=data["branch_map"],
            theory=data["theory_pb"],
        )


def files_by_year(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Files as they stand on the command line: ``FILE``, or ``YEAR=FILE`` where there are years.

    Examples
    --------
    >>> files_by_year(["a.root", "b.root"]), files_by_year(["2016=a.root", "2017=b.root"])
    ({'': ('a.root', 'b.root')}, {'2016': ('a.root',), '2017': ('b.root',)})
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        year, equals, file = word.partition("=")
        if not equals or not re.fullmatch(r"\w+", year) or Path(word).exists():
            year, file = "", word
        found[year] = (*found.get(year, ()), file)
    return found


def named_values(words: Sequence[str], what: str) -> dict[str, float]:
    """Numbers by name, from ``NAME=NUMBER``.

    Raises
    ------
    InputError
        A word is something else, or a name occurs twice.

    Examples
    --------
    >>> named_values(["m=2000", "width=10"], "--point")
    {'m': 2000.0, 'width': 10.0}
    """
    found: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value) or name in found:
            raise InputError(
                f"{what} {word}: expected NAME=NUMBER, such as m=2000, each name once."
            )
        found[name] = value
    return found


def chosen_process(wanted: str, signals: Sequence[str]) -> str:
    """The preserved signal whose place a new one takes.

    Raises
    ------
    InputError
        There is no such signal, or there are several and none is named.
    """
    if not wanted and len(signals) == 1:
        return signals[0]
    if wanted in signals:
        return wanted
    shown = ", ".join(signals)
    if not wanted:
        raise InputError(
            f"the preserved analysis has several signals ({shown}). Name the one whose place the "
            "new signal takes (--process); the others are left out."
        )
    hint = did_you_mean(wanted, signals)
    raise InputError(f"the preserved analysis has no signal {wanted!r}. {hint} It has: {shown}.")


def check_distinct(signals: Sequence[Signal]) -> tuple[str, ...]:
    """Names of the parameters that all points give; a point occurs once.

    Raises
    ------
    InputError
        A name or a point occurs twice, or points give other parameters than the first one.
    """
    if not signals:
        raise InputError("there is no signal. Give at least one.")
    names = [one.name for one in signals]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"several signals have the name {twice[0]!r}. Give each a name of its own."
        )
    labels = tuple(signals[0].values)
    for one in signals:
        if set(one.values) != set(labels):
            raise InputError(
                f"the signal {one.name!r} gives values of ({', '.join(one.values) or 'nothing'}), "
                f"but {signals[0].name!r} of ({', '.join(labels) or 'nothing'}). Give the same "
                "parameters for all."
            )
    places = [tuple(one.values[label] for label in labels) for one in signals]
    again = [one.name for i, one in enumerate(signals) if places[i] in places[:i]]
    if labels and again:
        raise InputError(f"the signal {again[0]!r} is at the same point as another one.")
    return labels
