"""The variations that a configuration expands to."""

from __future__ import annotations

from dataclasses import dataclass

from hepflow.datasets import expand_datasets
from hepflow.records import Dataset, Variation
from hepflow.schema import Config
from hepflow.sources import by_year, expand, of_year


@dataclass(frozen=True, slots=True)
class Moved:
    """A source of uncertainty with templates, and what it moves."""

    parameter: str  # nuisance parameter
    kind: str  # "weight", "object" or "sample"
    directions: tuple[str, ...]  # names of the templates
    datasets: tuple[str, ...]  # keys
    everywhere: bool  # whether these are all of simulation


def moved_by(config: Config) -> tuple[Moved, ...]:
    """Sources in the order of the configuration; alternative samples last. Reads no file."""
    datasets = expand_datasets(config)
    corrections, systematics = by_year(config.corrections), by_year(config.systematics)
    names: dict[tuple[str, str], dict[str, None]] = {}
    moved: dict[tuple[str, str], dict[str, None]] = {}
    for dataset in datasets:
        found = expand(
            of_year(corrections, dataset.year), of_year(systematics, dataset.year), dataset
        )
        for one in _without_nominal(found if config.general.run_systematics else ()):
            names.setdefault((one.parameter, one.kind), {})[one.name] = None
            moved.setdefault((one.parameter, one.kind), {})[dataset.key] = None
    simulated = [one.key for one in datasets if not one.is_data]
    sources = [
        Moved(*key, tuple(names[key]), tuple(moved[key]), everywhere=list(moved[key]) == simulated)
        for key in names
    ]
    return (*sources, *(_sample(one) for one in datasets if one.variation != "nominal"))


def _without_nominal(found: tuple[Variation, ...]) -> tuple[Variation, ...]:
    return tuple(one for one in found if one.kind != "nominal")


def _sample(dataset: Dataset) -> Moved:
    return Moved(
        dataset.variation, "sample", (dataset.variation,), (dataset.key,), everywhere=False
    )
