"""Sources of uncertainty as entries of a cabinetry configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hepflow.errors import WorkspaceError
from hepflow.records.histograms import HistogramSet
from hepflow.statistics.spec import ShapeSpec, StatisticsSpec

_log = logging.getLogger(__name__)
_DIRECTIONS = (("Up", "up"), ("Down", "down"))


def normalisation_entries(spec: StatisticsSpec, used: tuple[str, ...]) -> list[dict[str, Any]]:
    """Sources that move whole processes by one size.

    Parameters
    ----------
    spec : StatisticsSpec
    used : tuple of str
        Processes that have events in a region of the fit.
    """
    return [
        {
            "Name": one.name,
            "Type": "Normalization",
            "Up": {"Normalization": one.size},
            "Down": {"Normalization": -(one.size if one.down is None else one.down)},
            "Samples": samples,
            **in_regions(one.channels, spec),
        }
        for one in spec.normalisations
        if (samples := _among(one.processes, used)) and _acts(one.channels, spec)
    ]


def _acts(channels: tuple[str, ...] | None, spec: StatisticsSpec) -> bool:
    """Whether a source moves a region of the fit."""
    return channels is None or any(one.name in channels for one in spec.channels)


def in_regions(channels: tuple[str, ...] | None, spec: StatisticsSpec) -> dict[str, list[str]]:
    """Regions that a source is limited to."""
    if channels is None:
        return {}
    return {"Regions": [one.name for one in spec.channels if one.name in channels]}


def shape_entries(
    histograms: HistogramSet,
    spec: StatisticsSpec,
    used: tuple[str, ...],
    idle: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
    """Sources with up and down templates.

    Parameters
    ----------
    histograms : HistogramSet
        Tell which variations are there.
    spec : StatisticsSpec
    used : tuple of str
        Processes that have events in a region of the fit.
    idle : mapping
        Regions, by process, in which it is without events: a source cannot multiply its yield.

    Raises
    ------
    WorkspaceError
        A source has no templates. One whose alternative samples were dropped is left out
        instead, with a warning.
    """
    found = []
    for shape in spec.shapes:
        samples = _among(shape.processes, used) if _acts(shape.channels, spec) else []
        present = _variations(histograms, spec, samples)
        sides = {
            side: f"{shape.name}_{direction}"
            for side, direction in _DIRECTIONS
            if f"{shape.name}_{direction}" in present
        }
        if samples and not sides:
            if shape.theory in histograms.ledger.without_theory():
                _log.warning("source %s is left out of the fit: no event has weights", shape.name)
                continue
            if not shape.left_out(samples, histograms.ledger.dropped()):
                _missing(shape, present)
            _log.warning(
                "source %s is left out of the fit: its alternative samples, or what they replace, "
                "were left out (execution.on_missing)",
                shape.name,
            )
            continue
        if samples:
            found += [
                {
                    **names,
                    "Type": "NormPlusShape",
                    # a side that was not filled reads as nominal
                    **{
                        side: {"VariationPath": f"__{sides[side]}" if side in sides else ""}
                        for side, _ in _DIRECTIONS
                    },
                    **where,
                }
                for names, where in _places(shape, spec, samples, idle)
            ]
    return found


def _places(
    shape: ShapeSpec,
    spec: StatisticsSpec,
    samples: Sequence[str],
    idle: Mapping[str, Sequence[str]],
) -> Iterator[tuple[dict[str, str], dict[str, Sequence[str]]]]:
    """Names, samples and regions of the entries of a source.

    An entry acts on all of its samples in all of its regions. A sample without events in one of
    them has an entry of its own, for the same parameter.
    """
    limited = in_regions(shape.channels, spec)
    together = [one for one in samples if not idle[one]]
    if together:
        yield {"Name": shape.name}, {"Samples": together, **limited}
    for sample in samples:
        chosen = limited.get("Regions", [one.name for one in spec.channels])
        regions = [one for one in chosen if one not in idle[sample]]
        if idle[sample] and regions:
            names = {"Name": f"{shape.name}__{sample}", "ModifierName": shape.name}
            yield names, {"Samples": [sample], "Regions": regions}


def _missing(shape: ShapeSpec, present: Iterable[str]) -> None:
    filled = ", ".join(sorted(set(present) - {"nominal"})) or "none"
    raise WorkspaceError(
        f"the source {shape.name!r} is configured, but the histograms of "
        f"{', '.join(shape.processes)} hold neither {shape.name}_up nor {shape.name}_down "
        f"(filled: {filled}). Fill the histograms again with this configuration."
    )


def _variations(
    histograms: HistogramSet, spec: StatisticsSpec, processes: Iterable[str]
) -> set[str]:
    keys = [(c.name, c.observable, p) for c in spec.channels for p in processes]
    blocks: Mapping[Any, Any] = histograms.blocks
    return {name for key in keys if key in blocks for name in blocks[key].variations}


def _among(processes: Iterable[str], used: tuple[str, ...]) -> list[str]:
    return [process for process in processes if process in used]
