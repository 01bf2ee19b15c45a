"""Numbers of the figures of template variations: what a source does to a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.plotting.numbers import source_names
from hepflow.plotting.spec import PlottingSpec
from hepflow.records import HistogramSet
from hepflow.records.prediction import Floats

PANELS = 8  # processes of a figure at most


@dataclass(frozen=True)
class Variation:
    """A template and its variations by one source, each of shape (n_bins,)."""

    name: str  # process; empty for the sum of all of them
    nominal: Floats
    up: Floats
    down: Floats
    statistical: Floats  # standard deviation of nominal, of the finite simulated sample

    @property
    def sizes(self) -> tuple[float, float]:
        """Relative change of the sum over the bins, up and down; 0 for an empty template."""
        total = float(self.nominal.sum())
        if total <= 0:
            return 0.0, 0.0
        return float(self.up.sum()) / total - 1.0, float(self.down.sum()) / total - 1.0

    @property
    def effect(self) -> float:
        """Mean change of a bin in events, by which sources are ordered."""
        both = np.abs(self.up - self.nominal) + np.abs(self.down - self.nominal)
        return float(both.sum()) / 2.0


@dataclass(frozen=True)
class VariationNumbers:
    """What one source does to the processes of one region."""

    channel: str
    source: str
    label: str  # axis title with unit
    edges: Floats  # shape (n_bins + 1,)
    total: Variation  # sum of all processes, also of those that the source does not touch
    processes: tuple[Variation, ...]  # those that it does, largest effect first
    left_out: int  # processes that are not shown


def variation_numbers(
    histograms: HistogramSet, channel: str, observable: str, source: str, spec: PlottingSpec
) -> VariationNumbers:
    """Collect nominal, up and down of all processes of a region.

    Parameters
    ----------
    histograms : HistogramSet
        Normalised histograms with their variations.
    channel, observable : str
        Which histogram.
    source : str
        Name without direction.
    spec : PlottingSpec
        Treatment of the flow bins.
    """

    def template(process: str, variation: str) -> Any:
        found = histograms.template(channel, observable, process, variation)
        return found.folded() if spec.fold_overflow else found

    names = [
        name
        for name in histograms.processes(channel, observable)
        if name not in histograms.data_processes
    ]
    everyone = [
        Variation(
            name,
            template(name, "nominal").values,
            template(name, f"{source}_up").values,
            template(name, f"{source}_down").values,
            np.sqrt(template(name, "nominal").variances),
        )
        for name in names
    ]
    axis = histograms.axes[channel, observable]
    return _numbers(channel, source, axis.label or axis.name, axis.edges, everyone)


def _numbers(
    channel: str, source: str, label: str, edges: Sequence[float], everyone: Sequence[Variation]
) -> VariationNumbers:
    touched = sorted((one for one in everyone if one.effect > 0), key=lambda one: -one.effect)
    nothing = np.zeros(len(edges) - 1)

    def total(name: str) -> Floats:
        return np.asarray(sum((getattr(one, name) for one in everyone), nothing))

    spread = np.sqrt(sum((one.statistical**2 for one in everyone), nothing))
    return VariationNumbers(
        channel,
        source,
        label,
        np.asarray(edges, dtype=np.float64),
        Variation("", total("nominal"), total("up"), total("down"), np.asarray(spread)),
        tuple(touched[:PANELS]),
        max(len(touched) - PANELS, 0),
    )


def all_variations(
    histograms: HistogramSet, observables: Mapping[str, str], spec: PlottingSpec
) -> list[VariationNumbers]:
    """Every source of every region that changes something, largest effect first.

    Parameters
    ----------
    histograms : HistogramSet
        Normalised histograms with their variations.
    observables : mapping
        Region -> observable, such as those of the fit.
    spec : PlottingSpec
        Treatment of the flow bins.
    """
    return by_effect(
        variation_numbers(histograms, channel, observable, source, spec)
        for channel, observable in observables.items()
        if (channel, observable) in histograms.axes
        for source in source_names(histograms.variations(channel, observable))
    )


def by_effect(numbers: Iterable[VariationNumbers]) -> list[VariationNumbers]:
    """Leave out what changes nothing; largest relative effect on a region first."""
    found = [one for one in numbers if one.processes]

    def size(one: VariationNumbers) -> float:
        return max(part.effect for part in (one.total, *one.processes)) / max(
            float(one.total.nominal.sum()), 1e-300
        )

    return sorted(found, key=size, reverse=True)


def workspace_variations(
    workspace: Mapping[str, Any],
    axes: Mapping[str, tuple[str, Sequence[float]]] | None = None,
) -> list[VariationNumbers]:
    """Template variations of a HistFactory workspace, largest effect first.

    Parameters
    ----------
    workspace : mapping
        As its JSON is.
    axes : mapping, optional
        Channel -> axis title and bin edges; without it bins are counted.
    """
    found = []
    for channel in workspace["channels"]:
        samples = channel["samples"]
        names = dict.fromkeys(
            modifier["name"]
            for sample in samples
            for modifier in sample["modifiers"]
            if modifier["type"] in {"normsys", "histosys"}
        )
        bins = len(samples[0]["data"]) if samples else 0
        label, edges = (axes or {}).get(channel["name"], ("bin", range(bins + 1)))
        for name in names:
            everyone = [_of_sample(sample, name) for sample in samples]
            found.append(_numbers(channel["name"], name, label, list(edges), everyone))
    return by_effect(found)


def _of_sample(sample: Mapping[str, Any], source: str) -> Variation:
    """Variation by a source: its shape, times its change of the yield."""
    nominal = np.asarray(sample["data"], dtype=np.float64)
    up, down, spread = nominal, nominal, np.zeros_like(nominal)
    for modifier in sample["modifiers"]:
        kind, content = modifier["type"], modifier["data"]
        if kind == "staterror":
            spread = np.asarray(content, dtype=np.float64)
        elif modifier["name"] == source and kind == "histosys":
            up = up + np.asarray(content["hi_data"]) - nominal
            down = down + np.asarray(content["lo_data"]) - nominal
    for modifier in sample["modifiers"]:
        if modifier["name"] == source and modifier["type"] == "normsys":
            up, down = up * modifier["data"]["hi"], down * modifier["data"]["lo"]
    return Variation(sample["name"], nominal, up, down, spread)
