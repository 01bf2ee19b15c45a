"""What a datacard of Combine says, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

DATA: Final = "data_obs"  # process of the observed events
FAKE: Final = "FAKE"  # in the place of a file: a channel that is one count
SHAPES: Final = ("shape", "shapeN", "shapeN2")  # how a shape morphs; also with a `?` behind


@dataclass(frozen=True)
class Column:
    """One process in one channel."""

    channel: str
    process: str
    index: int  # 0 or negative: a signal
    rate: float | None  # expected events; None: the integral of the histogram

    @property
    def signal(self) -> bool:
        """Whether the parameter of interest multiplies it."""
        return self.index <= 0


@dataclass(frozen=True)
class Effect:
    """What a nuisance parameter does to a column."""

    value: float  # of lnN and lnU: factor at +1; of gmN: events for each one counted;
    # of shapes: how many widths the histograms are away
    down: float | None = None  # factor at -1; None: the inverse of that at +1

    @property
    def factors(self) -> tuple[float, float]:
        """Factors on the yield at -1 and +1."""
        return 1 / self.value if self.down is None else self.down, self.value


@dataclass(frozen=True)
class Nuisance:
    """A line of the card's last part with one effect for each column."""

    name: str
    kind: str  # "lnN", "lnU", "gmN", "shape", "shape?", ...
    effects: Mapping[int, Effect]  # by position of the column; absent: none
    events: int = 0  # of gmN: counted in the sideband


@dataclass(frozen=True)
class RateParameter:
    """A factor on the rate of one column."""

    name: str
    channel: str
    process: str
    value: float
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Constraint:
    """A line `param`: a parameter that was measured elsewhere."""

    name: str
    mean: float
    down: float  # width to the lower side
    up: float


@dataclass(frozen=True)
class Statistics:
    """A line `autoMCStats`."""

    threshold: float  # effective events up to which each process has parameters of its own
    with_signal: bool = False  # whether signals count for the threshold
    mode: int = 1  # 2: a shape changes the yield linearly, not as a power


@dataclass(frozen=True)
class ShapeRule:
    """A line `shapes`: where histograms are."""

    process: str  # or *
    channel: str  # or *
    file: str  # or FAKE
    nominal: str = ""
    varied: str = ""  # empty where there is none


@dataclass(frozen=True)
class Card:
    """A datacard."""

    observed: Mapping[str, float | None]  # by channel; None: the integral of the histogram
    columns: tuple[Column, ...]
    nuisances: tuple[Nuisance, ...] = ()
    rules: tuple[ShapeRule, ...] = ()
    rates: tuple[RateParameter, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    statistics: Mapping[str, Statistics] = field(default_factory=dict)  # by channel
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Approximation:
    """A difference between what a card and a workspace say."""

    what: str
    names: tuple[str, ...]  # of parameters, channels or processes
    largest: float | None = None  # relative difference in a yield; None where it is not known

    def __str__(self) -> str:
        """A line for people."""
        size = "" if self.largest is None else f" (at most {self.largest:.2g} of a yield)"
        return f"{', '.join(self.names)}: {self.what}{size}"


class Notes:
    """Collects differences; several names with the same one are told together."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._largest: dict[str, float] = {}

    def add(self, what: str, name: str, size: float | None = None) -> None:
        """Note a difference of one parameter, channel or process."""
        names = self._names.setdefault(what, [])
        if name not in names:
            names.append(name)
        if size is not None:
            self._largest[what] = max(size, self._largest.get(what, 0.0))

    def told(self) -> tuple[Approximation, ...]:
        """All of them, in the order in which they were met."""
        return tuple(
            Approximation(what, tuple(names), self._largest.get(what))
            for what, names in self._names.items()
        )
