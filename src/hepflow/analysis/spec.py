"""What the histograms depend on, and nothing else; this goes to workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepflow.datasets import expand_datasets
from hepflow.errors import CorrectionError
from hepflow.records import Axis, Dataset, Variation
from hepflow.records.histograms import AxisKey
from hepflow.schema import (
    Channel,
    Config,
    Correction,
    GhostObservable,
    GoodObjectMask,
    Selection,
    Systematic,
)
from hepflow.storage import sha256_file
from hepflow.variations import expand


@dataclass(frozen=True)
class AnalysisSpec:
    """Everything that determines the raw histograms of a part."""

    datasets: Mapping[str, Dataset]  # by key
    masks: tuple[GoodObjectMask, ...]
    baseline: Selection | None
    ghosts: tuple[GhostObservable, ...]
    channels: tuple[Channel, ...]
    channel_positions: tuple[int, ...]  # in the configuration, for messages
    corrections: tuple[Correction, ...]
    systematics: tuple[Systematic, ...]
    digests: Mapping[str, str]  # correction file or certified list -> sha256
    weight_mode: str
    run_systematics: bool

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
        valid = Config.of(config)
        wanted = valid.general.channels
        chosen = [
            (i, channel)
            for i, channel in enumerate(valid.channels)
            if wanted is None or channel.name in wanted
        ]
        datasets = {dataset.key: dataset for dataset in expand_datasets(valid)}
        files = {
            one.file: f"corrections[{i}] ({one.name}).file"
            for i, one in enumerate(valid.corrections)
            if one.file
        }
        certified = "the certified runs (general.lumifile, or lumi_mask of the dataset)"
        files |= {one.lumi_mask: certified for one in datasets.values() if one.lumi_mask}
        return cls(
            datasets=datasets,
            masks=tuple(valid.good_object_masks.analysis),
            baseline=valid.baseline_selection,
            ghosts=tuple(valid.ghost_observables),
            channels=tuple(channel for _, channel in chosen),
            channel_positions=tuple(i for i, _ in chosen),
            corrections=tuple(valid.corrections),
            systematics=tuple(valid.systematics),
            digests={file: _digest(file, files[file]) for file in sorted(files)},
            weight_mode=valid.general.weight_mode,
            run_systematics=valid.general.run_systematics,
        )

    def variations(self, dataset: Dataset) -> tuple[Variation, ...]:
        """Variations of a dataset, nominal first; only nominal where they are switched off."""
        found = expand(self.corrections, self.systematics, dataset)
        return found if self.run_systematics else found[:1]

    def axes(self) -> dict[AxisKey, Axis]:
        """Binning of each observable of each channel."""
        return {
            (channel.name, one.name): Axis(one.name, one.label or one.name, tuple(one.binning))
            for channel in self.channels
            for one in channel.observables
        }


def _digest(file: str, where: str) -> str:
    if not Path(file).is_file():
        raise CorrectionError(f"{where}: there is no file {file}. Give the path of one.")
    return sha256_file(file)
