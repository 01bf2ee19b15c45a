"""The sections of our configuration that follow from one of cabinetry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepflow.errors import Problem
from hepflow.importers.cabinetry_sources import Source
from hepflow.importers.cabinetry_templates import Entry, names_in
from hepflow.records import HistogramSet

_BOUNDS = (0.0, 10.0)  # pyhf's, where cabinetry gives none


@dataclass(frozen=True)
class Names:
    """Names here by names in the cabinetry configuration."""

    regions: Mapping[str, str]
    samples: Mapping[str, str]
    sources: Mapping[str, str]  # by name of the nuisance parameter
    factors: Mapping[str, str]
    observables: Mapping[str, str]  # by region


def sections_of(
    config: Entry, names: Names, sources: Sequence[Source], histograms: HistogramSet
) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Sections ``channels``, ``statistics`` and ``systematics``, and the sources with templates."""
    simulated = [one for one in config["Samples"] if not one.get("Data")]
    systematics: list[dict[str, Any]] = []
    shapes: dict[str, tuple[str, ...]] = {}
    for source in sources:
        name = names.sources[source.name]
        found = source.samples(simulated, config["Regions"])
        processes = [names.samples[one] for one in found]
        if not processes:
            continue
        if source.size is None:
            shapes[name] = tuple(processes)
        else:
            entry = {"name": name, "type": "normalisation", "size": source.size}
            systematics.append({**entry, "processes": processes})
    sections = {
        "channels": [_channel(one, names, histograms) for one in config["Regions"]],
        "statistics": _statistics(config, names, simulated),
        "systematics": systematics,
    }
    return sections, shapes


def _channel(region: Entry, names: Names, histograms: HistogramSet) -> dict[str, Any]:
    channel, observable = names.regions[region["Name"]], names.observables[region["Name"]]
    axis = histograms.axes[channel, observable]
    entry = {"name": observable, "binning": list(axis.edges), "label": axis.label}
    return {
        "name": channel,
        "label": region["Name"],
        "kind": "signal",
        "observables": [entry],
        "fit_observable": observable,
    }


def _statistics(config: Entry, names: Names, simulated: Sequence[Entry]) -> dict[str, Any]:
    general = config["General"]
    found = {
        "measurement": general["Measurement"],
        "norm_factors": [
            _factor(one, names, simulated, _fixed(config).get(one["Name"], 1.0))
            for one in config["NormFactors"]
            if _samples(one, simulated)
        ],
        "mc_stat": not all(one.get("DisableStaterror") for one in simulated),
    }
    poi = general.get("POI", "")
    return {**found, "poi": names.factors.get(poi, poi)} if poi else found


def _samples(entry: Entry, simulated: Sequence[Entry]) -> list[str]:
    chosen = names_in(entry, "Samples")
    return [one["Name"] for one in simulated if not chosen or one["Name"] in chosen]


def _factor(
    entry: Entry, names: Names, simulated: Sequence[Entry], default: float
) -> dict[str, Any]:
    return {
        "name": names.factors[entry["Name"]],
        "processes": [names.samples[one] for one in _samples(entry, simulated)],
        "nominal": float(entry.get("Nominal", default)),
        "bounds": tuple(float(one) for one in entry.get("Bounds", _BOUNDS)),
    }


def _fixed(config: Entry) -> dict[str, float]:
    return {one["Name"]: float(one["Value"]) for one in config["General"].get("Fixed", [])}


def settings_left_out(config: Entry) -> list[Problem]:
    """Settings that have no counterpart here."""
    return [*_of_the_model(config), *_of_the_selection(config)]


def _of_the_model(config: Entry) -> Iterator[Problem]:
    free = "is free in the fit: parameters cannot be fixed here"
    for name in _fixed(config):
        yield Problem(f"General.Fixed[{name}]", free)
    all_regions = {one["Name"] for one in config["Regions"]}
    simulated = [one for one in config["Samples"] if not one.get("Data")]
    for one in config["NormFactors"]:
        where = f"NormFactors[{one['Name']}]"
        chosen = set(names_in(one, "Regions"))
        if chosen and all_regions - chosen:
            message = "acts in all regions here"
            hint = "Split its samples by region, such as ttbar_sr and ttbar_cr."
            yield Problem(f"{where}.Regions", message, hint)
        if not _samples(one, simulated):
            yield Problem(where, "acts on no simulated sample")
    without = [one["Name"] for one in simulated if one.get("DisableStaterror")]
    if without and len(without) < len(simulated):
        message = f"holds for {', '.join(without)} only; here it is a setting for all processes"
        yield Problem("Samples[].DisableStaterror", message, "All have statistical uncertainties.")


def _of_the_selection(config: Entry) -> Iterator[Problem]:
    hint = "Write it as a function: `channels[].selection` and `observables[].function`."
    entries = (*config["Regions"], *config["Samples"])
    entries += tuple(
        {"Name": f"{one['Name']} {side}", **one[side]}
        for one in config.get("Systematics", [])
        for side in ("Up", "Down")
    )
    for one in entries:
        for key in ("Filter", "Weight", "Tree"):
            if key in one:
                yield Problem(f"{one['Name']}.{key}", f"{one[key]!r} is not translated", hint)
