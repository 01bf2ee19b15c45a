"""What the histograms depend on, and nothing else; this goes to workers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hepflow.blinding import blinded_regions
from hepflow.datasets import expand_datasets
from hepflow.errors import CorrectionError
from hepflow.estimates import EstimateSpec, estimates_of_config
from hepflow.lumi_mask import digest_of_list
from hepflow.records import (
    Axis,
    Blinded,
    Dataset,
    Source,
    Variation,
    blind_ranges,
    is_blind,
)
from hepflow.records.histograms import AxisKey
from hepflow.schema import (
    Channel,
    Config,
    Correction,
    Functor,
    GhostObservable,
    GoodObjectMask,
    NMinusOne,
    Observable,
    Selection,
    Systematic,
)
from hepflow.skimming.spec import keeps_of
from hepflow.sources import (
    ALL_YEARS,
    by_year,
    of_year,
    sources_of_config,
    variations_of_config,
)
from hepflow.storage import sha256_file
from hepflow.variations import place_of


@dataclass(frozen=True)
class AnalysisSpec:
    """Everything that determines the raw histograms of a part."""

    datasets: Mapping[str, Dataset]  # by key
    masks: tuple[GoodObjectMask, ...]
    baseline: Selection | None
    ghosts: tuple[GhostObservable, ...]
    channels: tuple[Channel, ...]
    channel_positions: tuple[int, ...]  # in the configuration, for messages
    corrections: Mapping[str, tuple[Correction, ...]]  # by year; under "" one list for all
    systematics: Mapping[str, tuple[Systematic, ...]]  # likewise
    sources: tuple[Source, ...]
    expanded: Mapping[str, tuple[Variation, ...]]  # by key of the dataset, nominal first
    blind: tuple[Blinded, ...]  # regions whose data stay unseen
    digests: Mapping[str, str]  # correction file or certified list -> sha256
    weight_mode: str
    run_systematics: bool
    memory_limit: float | None = None  # for stacked variations [GB]
    varied_failing: bool = False  # whether events that fail a cut are wanted of variations, too
    keeps: Mapping[str, Functor] = field(default_factory=dict)  # by dataset: which events count
    estimates: tuple[EstimateSpec, ...] = ()  # what is made from the normalised histograms

    @classmethod
    def from_config(cls, config: Config | Mapping[str, Any]) -> AnalysisSpec:
        """Take what filling needs from a configuration, which is validated again.

        Raises
        ------
        ConfigurationError
            If the configuration is wrong.
        CorrectionError
            If a correction file or list of certified runs is missing.
        """
        return cls.of_valid(Config.of(config))

    @classmethod
    def of_valid(cls, valid: Config) -> AnalysisSpec:
        """Take the same from a configuration that was validated just before."""
        spec = cls._of(valid)
        return replace(spec, digests=_digests(spec))

    @classmethod
    def before_files(cls, config: Config | Mapping[str, Any]) -> AnalysisSpec:
        """Take the same, without digests of files, which need not be there yet.

        Raises
        ------
        ConfigurationError
            If the configuration is wrong.
        """
        return cls._of(Config.of(config))

    @classmethod
    def _of(cls, valid: Config) -> AnalysisSpec:
        wanted = valid.general.channels
        chosen = [
            (i, channel)
            for i, channel in enumerate(valid.channels)
            if wanted is None or channel.name in wanted
        ]
        datasets = {dataset.key: dataset for dataset in expand_datasets(valid)}
        return cls(
            datasets=datasets,
            masks=tuple(valid.good_object_masks.analysis),
            baseline=valid.baseline_selection,
            ghosts=tuple(valid.ghost_observables),
            channels=tuple(channel for _, channel in chosen),
            channel_positions=tuple(i for i, _ in chosen),
            corrections=by_year(valid.corrections),
            systematics=by_year(valid.systematics),
            sources=sources_of_config(valid, tuple(datasets.values())),
            expanded=variations_of_config(valid, datasets.values()),
            blind=blinded_regions(valid),
            digests={},
            weight_mode=valid.general.weight_mode,
            run_systematics=valid.general.run_systematics,
            memory_limit=valid.execution.memory_limit,
            varied_failing=_varied_failing(valid),
            keeps=keeps_of(valid, datasets),
            estimates=estimates_of_config(valid),
        )

    def corrections_of(self, dataset: Dataset) -> tuple[Correction, ...]:
        """Corrections of a dataset's year."""
        return of_year(self.corrections, dataset.year)

    def systematics_of(self, dataset: Dataset) -> tuple[Systematic, ...]:
        """Sources without a correction of a dataset's year."""
        return of_year(self.systematics, dataset.year)

    def acting_in(self, channel: str, variations: Iterable[Variation]) -> tuple[Variation, ...]:
        """Those of the variations that move the templates of a channel; nominal does."""
        elsewhere = {one.name for one in self.sources if not one.acts_in(channel)}
        return tuple(one for one in variations if one.parameter not in elsewhere)

    def only(self, channels: Collection[str]) -> AnalysisSpec:
        """The same with some of the channels."""
        chosen = [
            (one, position)
            for one, position in zip(self.channels, self.channel_positions, strict=True)
            if one.name in channels
        ]
        return replace(
            self,
            channels=tuple(one for one, _ in chosen),
            channel_positions=tuple(position for _, position in chosen),
        )

    def visible_channels(self, dataset: Dataset) -> tuple[Channel, ...]:
        """Channels that are filled for a dataset: for data those that are not blind."""
        if not dataset.is_data:
            return self.channels
        return tuple(one for one in self.channels if not is_blind(one.name, self.blind))

    def blind_ranges(self, channel: Channel, dataset: Dataset) -> tuple[Blinded, ...]:
        """Ranges of a channel in which no events of a dataset are shown."""
        return blind_ranges(channel.name, self.blind) if dataset.is_data else ()

    def visible_observables(self, channel: Channel, dataset: Dataset) -> tuple[Observable, ...]:
        """Observables of a channel that are filled for a dataset.

        Where a range of one is blind, the others would show data without simulation to compare.
        """
        ranges = {one.observable for one in self.blind_ranges(channel, dataset)}
        return tuple(one for one in channel.observables if not ranges or one.name in ranges)

    def variations(self, dataset: Dataset) -> tuple[Variation, ...]:
        """Variations of a dataset, nominal first; only nominal where they are switched off."""
        return self.expanded[dataset.key]

    def axes(self) -> dict[AxisKey, Axis]:
        """Binning of each observable of each channel."""
        found: dict[AxisKey, Axis] = {}
        for channel in self.channels:
            for one in channel.observables:
                axis = Axis(one.name, one.label or one.name, tuple(one.binning))
                found[channel.name, one.name] = axis
            for _, other in self.n_minus_1(channel):
                axis = Axis(other.observable, other.label or other.cut, tuple(other.binning))
                found[channel.name, other.observable] = axis
        return found

    def n_minus_1(self, channel: Channel) -> tuple[tuple[str, NMinusOne], ...]:
        """Histograms of a channel without one of the cuts, and where each is configured."""
        names = [one.name for one in self.channels]
        position = self.channel_positions[names.index(channel.name)]
        return (
            *_listed(self.baseline, "baseline_selection"),
            *_listed(channel.selection, f"channels[{position}].selection"),
        )


def _varied_failing(config: Config) -> bool:
    """Whether a channel has a cutflow or an N-1 histogram for each variation."""
    selections = [config.baseline_selection, *(one.selection for one in config.channels)]
    wanted = (one.variations for cuts in selections if cuts for one in cuts.n_minus_1)
    return any(one.cutflow_variations for one in config.channels) or any(wanted)


def _listed(selection: Selection | None, where: str) -> Iterator[tuple[str, NMinusOne]]:
    for i, one in enumerate(selection.n_minus_1 if selection else ()):
        yield f"{where}.n_minus_1[{i}]", one


def _digests(spec: AnalysisSpec) -> dict[str, str]:
    """Digest of each correction file of a year that is there, and of each certified list."""
    years = {one.year or "" for one in spec.datasets.values()} | {ALL_YEARS}
    files = {
        one.file: f"{place_of(one, 'corrections')}.file"
        for year, entries in spec.corrections.items()
        for one in entries
        if one.file and year in years
    }
    lists = {one.lumi_mask for one in spec.datasets.values() if one.lumi_mask}
    digests = {file: _digest(file, files[file]) for file in sorted(files)}
    return digests | {file: digest_of_list(file) for file in sorted(lists)}


def _digest(file: str, where: str) -> str:
    if not Path(file).is_file():
        raise CorrectionError(f"{where}: there is no file {file}. Give the path of one.")
    return sha256_file(file)
