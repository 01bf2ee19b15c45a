"""What a model is made of, as configured: regions, factors and sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GROUP_OF_KIND = {
    "weight": "weight corrections",
    "object": "object corrections",
    "normalisation": "normalisations",
    "sample": "alternative samples",
    "theory": "theory",
}  # where the configuration names no group


@dataclass(frozen=True, slots=True)
class FitChannel:
    """One region of the fit, or one that is predicted with its result."""

    name: str
    label: str  # for people
    kind: str  # "signal", "control" or "validation"
    observable: str  # its histogram enters the fit
    axis_label: str  # with unit
    edges: tuple[float, ...]  # of the fit; `binning.fit_channels` merges them further
    rebinned: bool = False  # whether these are other edges than those that are filled


@dataclass(frozen=True, slots=True)
class NormFactorSpec:
    """A free factor on the yield of processes."""

    name: str
    processes: tuple[str, ...]
    nominal: float
    bounds: tuple[float, float]
    channels: tuple[str, ...] | None = None  # None: all
    fixed: bool = False  # stays at nominal


@dataclass(frozen=True, slots=True)
class NormalisationSpec:
    """A relative uncertainty on the yield of processes, such as the luminosity's."""

    name: str
    size: float  # 0.025 is 2.5 %; when up
    processes: tuple[str, ...]
    channels: tuple[str, ...] | None = None  # None: all
    down: float | None = None  # when down; None: `size`
    group: str = GROUP_OF_KIND["normalisation"]


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """Statistical uncertainty of the factor by which processes are estimated from data."""

    name: str  # templates <name>_up and <name>_down hold its size
    processes: tuple[str, ...]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlternativeSpec:
    """An alternative sample, and the samples that it takes the place of."""

    process: str
    datasets: tuple[str, ...]  # keys; without any of these it cannot be compared


@dataclass(frozen=True, slots=True)
class ShapeSpec:
    """A source with up and down templates."""

    name: str  # variations are <name>_up and <name>_down
    processes: tuple[str, ...]
    channels: tuple[str, ...] | None = None  # None: all
    alternatives: tuple[AlternativeSpec, ...] = ()  # where alternative samples make the templates
    theory: str = ""  # name of its entry, where theory weights make the templates
    smooth: bool = False  # the ratio of varied to nominal is smoothed
    group: str = GROUP_OF_KIND["weight"]

    def left_out(self, processes: Iterable[str], dropped: Iterable[str]) -> bool:
        """Whether no alternative sample of these processes is left, as datasets were dropped."""
        chosen = [one for one in self.alternatives if one.process in processes]
        return bool(chosen) and all({*one.datasets} & {*dropped} for one in chosen)

    def smooths(self, channel: str, process: str) -> bool:
        """Whether templates of a process in a channel are smoothed."""
        here = self.channels is None or channel in self.channels
        return self.smooth and here and process in self.processes
