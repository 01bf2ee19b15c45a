"""What a variation is, and the source that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hepflow.records.theory import TheoryRule

Direction = Literal["nominal", "up", "down"]
Kind = Literal["nominal", "weight", "object"]
SourceKind = Literal["weight", "object", "normalisation", "sample", "theory"]


@dataclass(frozen=True, slots=True, order=True)
class Variation:
    """One way to look at the events: nominal, or one source moved up or down."""

    source: str  # as declared: "muon_id_sf", "jes_pileup"; "" for nominal
    direction: Direction
    kind: Kind
    year: str = ""  # of a source that is a nuisance of its own in each year

    @property
    def parameter(self) -> str:
        """Nuisance parameter of the source: its name, with the year where it has its own."""
        return f"{self.source}_{self.year}" if self.year else self.source

    @property
    def name(self) -> str:
        """Name on the variation axis: ``nominal`` or ``<source>_up`` / ``<source>_down``."""
        return "nominal" if self.kind == "nominal" else f"{self.parameter}_{self.direction}"


NOMINAL = Variation("", "nominal", "nominal")


@dataclass(frozen=True, slots=True)
class Source:
    """A source of uncertainty, declared once for filling, bands and fit."""

    name: str  # nuisance parameter, with the year where each has its own
    kind: SourceKind
    processes: tuple[str, ...]  # simulated processes that it moves
    channels: tuple[str, ...] | None = None  # None: all
    symmetrise: bool = False  # a missing side is the other one reflected about nominal
    sizes: Mapping[str, float] = field(default_factory=dict, hash=False)
    # relative size by key of a nominal dataset, when up; of a normalisation source only
    size: float | None = None  # the size that all datasets of the processes share; else templates
    theory: TheoryRule | None = None  # of a source of theory weights
    keeps: tuple[str, ...] = ()  # nominal datasets whose yield its members keep, by key
    downs: Mapping[str, float] = field(default_factory=dict, hash=False)
    # likewise when down, of datasets for which it is another one
    size_down: float | None = None  # when down, where that is another one than `size`
    smooth: bool = False  # the fit smooths its templates
    group: str = ""  # of its nuisance parameter; empty: by its kind

    @property
    def makes_templates(self) -> bool:
        """Whether the source has templates; else it moves whole processes by `size`."""
        return self.kind != "normalisation" or self.size is None

    def factors(self, dataset: str) -> tuple[tuple[Direction, float], tuple[Direction, float]]:
        """Factors of a normalisation source on the yield of a dataset, with their sides."""
        up = self.sizes[dataset]
        return ("up", 1.0 + up), ("down", 1.0 - self.downs.get(dataset, up))

    def acts_in(self, channel: str) -> bool:
        """Whether the source moves the templates of a channel."""
        return self.channels is None or channel in self.channels
