"""Events of an analysis' skims as a table: features, and a weight for each parameter point.

The arrays come from wherever the analysis has them (an analysis' `process` gets events and
metadata with the totals of the dataset); this module knows neither files nor analyses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError, NormalisationError, did_you_mean
from hepflow.inference.records import Benchmark, EventTable, Floats, Nuisance, Parameter
from hepflow.inference.soundness import check_events


@dataclass(frozen=True)
class SkimPart:
    """Events of a dataset that passed the selection, with the dataset's totals.

    `weights` are generator weights times the event's corrections, as the histograms have them:
    of the generator's own point under `nominal`, and of each benchmark and variation.
    """

    features: Mapping[str, ArrayLike]  # by observable, (n_events,) each
    weights: Mapping[str, ArrayLike]  # by benchmark or variation, (n_events,) each
    cross_section: float | None  # [pb], of the dataset (with k-factor and filter efficiency)
    sum_weights: float | None  # generator weights of all events processed, selected or not
    dataset: str = ""
    sampled_from: str = ""  # benchmark at which the dataset was generated; empty: none of them
    share: float = 1.0  # of the physics, where several datasets are samples of the same

    @classmethod
    def of(
        cls,
        metadata: Mapping[str, Any],
        features: Mapping[str, ArrayLike],
        weights: Mapping[str, ArrayLike],
        sampled_from: str = "",
        *,
        k_factor: float = 1.0,
        filter_efficiency: float = 1.0,
    ) -> SkimPart:
        """Of an event part and its metadata, as skims hand them out.

        The cross-section of the metadata is the one that was given; what the configuration says
        besides, k-factor and efficiency of the generator's filter, multiplies it.

        Raises
        ------
        InputError
            Data: it has no weights at other parameter points.
        """
        name = str(metadata.get("dataset", ""))
        section = metadata.get("xsec")
        if metadata.get("is_data"):
            raise InputError(
                f"dataset {name!r} is data and has no weights at parameter points; "
                "use simulated datasets for training, data for the evaluation."
            )
        return cls(
            features,
            weights,
            None if section is None else section * k_factor * filter_efficiency,
            metadata.get("sum_weights"),
            name,
            sampled_from,
        )

    @property
    def factor(self) -> float:
        """From generator weights to weights [pb]: cross-section over sum of weights.

        Raises
        ------
        NormalisationError
            One of the two is missing or not positive.
        """
        for what, value in (
            ("cross-section", self.cross_section),
            ("sum of generator weights", self.sum_weights),
        ):
            if value is None or not math.isfinite(value) or value <= 0:
                raise NormalisationError(
                    f"dataset {self.dataset!r} has the {what} {value}; expected a positive "
                    "number, to normalise its events to pb. Set it in the dataset's section."
                )
        return self.share * float(self.cross_section or 0) / float(self.sum_weights or 1)


@dataclass(frozen=True)
class SkimColumns:
    """Which columns of the parts make a table."""

    parameters: tuple[Parameter, ...]
    benchmarks: tuple[Benchmark, ...]  # weights of these names
    observables: tuple[str, ...]
    nuisances: tuple[Nuisance, ...] = ()  # weights of the names `up` and `down`
    provenance: Mapping[str, Any] = field(default_factory=dict)


def table_from_skims(columns: SkimColumns, parts: Sequence[SkimPart]) -> EventTable:
    """One table of the parts of one or more datasets.

    Datasets add up, as slices of a process do. The weights of a benchmark are normalised with
    the cross-section and the sum of **nominal** generator weights of the dataset: their ratio to
    the nominal weight is what reweighting means, so their own sum carries the change of the
    cross-section, which would be lost by dividing by it. Negative weights enter the sum with
    their sign.

    Parameters
    ----------
    columns : SkimColumns
    parts : sequence of SkimPart
        Several parts of a dataset each have its totals (not the part's own).

    Raises
    ------
    InputError
        A column is missing or has another length, or events that can't be used.
    NormalisationError
        A dataset without cross-section or sum of weights.
    """
    if not parts:
        raise InputError("there are no skims to make a table of; name at least one dataset.")
    tables = [_one(columns, part) for part in parts]
    varied = [name for n in columns.nuisances for name in (n.up, n.down) if name]
    table = EventTable(
        columns.parameters,
        columns.benchmarks,
        columns.observables,
        np.concatenate([one.x for one in tables]),
        np.concatenate([one.weights for one in tables]),
        np.concatenate([one.sampled_from for one in tables]),
        columns.nuisances,
        {name: np.concatenate([one.nuisance_weights[name] for one in tables]) for name in varied},
        columns.provenance,
    )
    return check_events(table, "the events of the skims")


def _one(columns: SkimColumns, part: SkimPart) -> EventTable:
    length = len(np.asarray(next(iter(part.weights.values()), [])))
    names = [benchmark.name for benchmark in columns.benchmarks]
    if part.sampled_from and part.sampled_from not in names:
        raise InputError(
            f"dataset {part.dataset!r} is said to be generated at benchmark "
            f"{part.sampled_from!r}. {did_you_mean(part.sampled_from, names)}"
        )
    origin = names.index(part.sampled_from) if part.sampled_from else -1
    varied = [name for n in columns.nuisances for name in (n.up, n.down) if name]

    def stacked(source: Mapping[str, ArrayLike], wanted: Sequence[str], what: str) -> Floats:
        found = [
            _column(source, name, length, f"{what} of dataset {part.dataset!r}") for name in wanted
        ]
        return np.stack(found, axis=1) if found else np.empty((length, 0))

    weights = stacked(part.weights, names, "weights") * part.factor
    return EventTable(
        columns.parameters,
        columns.benchmarks,
        columns.observables,
        stacked(part.features, columns.observables, "features"),
        weights,
        np.full(length, origin),
        columns.nuisances,
        {
            name: one * part.factor
            for name, one in zip(varied, stacked(part.weights, varied, "weights").T, strict=True)
        },
    )


def _column(source: Mapping[str, ArrayLike], name: str, length: int, what: str) -> Floats:
    if name not in source:
        raise InputError(f"the {what} have no column {name!r}. {did_you_mean(name, source)}")
    column = np.asarray(source[name], dtype=np.float64)
    if column.shape != (length,):
        raise InputError(
            f"column {name!r} of the {what} has shape {column.shape}; expected ({length},), "
            "one number for each event."
        )
    return column
