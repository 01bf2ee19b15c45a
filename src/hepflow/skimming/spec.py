"""What a skim depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hepflow.datasets import all_groups, expand_datasets
from hepflow.events import EVENT, EVENT_ID, Branches, branches_of, merge_branches
from hepflow.keys import AsRead, Key, make_key
from hepflow.records import Dataset
from hepflow.schema import Config, Functor, Systematic
from hepflow.sources import applies, by_year, of_year

STAGE = "skim"


@dataclass(frozen=True)
class SkimSpec:
    """Everything that determines the parts of a skim."""

    datasets: Mapping[str, Dataset]  # by key
    function: Callable[..., Any] | None  # None keeps every event
    use: tuple[tuple[str, str | None], ...]
    static_kwargs: Mapping[str, Any]
    branches: Mapping[str, tuple[str, ...]]  # kept in data and simulation
    mc_branches: Mapping[str, tuple[str, ...]]  # kept in simulation only
    max_retries: int
    ignore_missing: bool = False  # leave out branches that a file does not have
    theory: Mapping[str, tuple[Systematic, ...]] = field(default_factory=dict)
    # sources of theory weights by year; under "" one list for all
    keeps: Mapping[str, Functor] = field(default_factory=dict)  # see `keeps_of`; no part needs them

    @classmethod
    def from_config(cls, config: Config | Mapping[str, Any]) -> SkimSpec:
        """Take what the skim needs from a configuration, which is validated again.

        Raises
        ------
        ConfigurationError
            If the configuration is wrong.
        """
        return cls.of_valid(Config.of(config))

    @classmethod
    def of_valid(cls, valid: Config) -> SkimSpec:
        """Take the same from a configuration that was validated just before."""
        skimming = valid.preprocess.skimming
        datasets = {dataset.key: dataset for dataset in expand_datasets(valid)}
        return cls(
            datasets=datasets,
            function=skimming.function,
            use=tuple(skimming.use),
            static_kwargs=dict(skimming.static_kwargs),
            branches=merge_branches(valid.preprocess.branches),
            mc_branches=merge_branches(valid.preprocess.mc_branches),
            max_retries=skimming.max_retries,
            ignore_missing=valid.preprocess.ignore_missing,
            theory={
                year: tuple(one for one in entries if one.type == "theory")
                for year, entries in by_year(valid.systematics).items()
            },
            keeps=keeps_of(valid, [key for key, one in datasets.items() if is_compared(one)]),
        )

    def only(self, dataset: str) -> SkimSpec:
        """What parts of one dataset need."""
        return replace(self, datasets={dataset: self.datasets[dataset]}, keeps={})

    def kept_branches(self, dataset: Dataset) -> dict[str, tuple[str, ...]]:
        """Branches that a part of this dataset holds."""
        numbers = {EVENT: EVENT_ID} if is_compared(dataset) else {}
        return merge_branches(self.asked_branches(dataset), numbers)

    def asked_branches(self, dataset: Dataset) -> dict[str, tuple[str, ...]]:
        """Those without the numbers of its events that only a search for repeated ones needs."""
        if dataset.is_data:
            return merge_branches(self.branches)
        weight = {"event": (dataset.weight_branch,)} if dataset.weight_branch else {}
        return merge_branches(self.branches, self.mc_branches, weight)

    def theory_of(self, dataset: Dataset) -> tuple[Systematic, ...]:
        """Sources of theory weights that act on a dataset."""
        if dataset.is_data or dataset.variation != "nominal" or not self.theory:
            return ()
        return tuple(
            one for one in of_year(self.theory, dataset.year) if applies(one.processes, dataset)
        )

    def selection_branches(self, kept: Branches) -> dict[str, tuple[str, ...]]:
        """Branches that the selection reads; of a whole object those that are kept."""
        return merge_branches(branches_of(self.use, kept))

    def key(self, dataset: Dataset) -> Key:
        """Key that all parts of a dataset share; an entry range is added by `part_name`."""
        return make_key(
            STAGE,
            selection=self.function,
            use=self.use,
            static_kwargs=AsRead(self.static_kwargs),  # the selection may loop over them
            branches=self.kept_branches(dataset),
            weight_branch=dataset.weight_branch,
            branch_map=dict(dataset.branch_map),
            ignore_missing=self.ignore_missing,
            **_theory_parts(self.theory_of(dataset)),
        )


def is_compared(dataset: Dataset) -> bool:
    """Whether events of a dataset are looked for in the data of all such datasets."""
    return dataset.is_data and dataset.duplicates != "keep"


def keeps_of(config: Config, keys: Collection[str]) -> dict[str, Functor]:
    """Which events count, of each of the datasets that says so (``keep``)."""
    groups = all_groups(config.datasets.datasets)
    return {one.key: one.keep for one in groups if one.keep is not None and one.key in keys}


def _theory_parts(sources: tuple[Systematic, ...]) -> dict[str, Any]:
    """What of sources of theory weights changes the parts; nothing where there is none."""
    kept = ("name", "weights", "members", "lhapdf_id", "relative_to", "normalisation_only")
    return {f"theory weights {one.name}": [getattr(one, name) for name in kept] for one in sources}
