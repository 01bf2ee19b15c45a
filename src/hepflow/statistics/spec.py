"""What the statistics stage needs from the configuration, frozen and without functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hepflow.blinding import blinded_regions
from hepflow.datasets import expand_datasets
from hepflow.errors import ConfigurationError, Problem, did_you_mean
from hepflow.estimates import EstimateSpec, estimates_of_config
from hepflow.records import Dataset, HistogramSet, Ledger, Source
from hepflow.schema import Channel, Config
from hepflow.schema.checks_binning import position
from hepflow.sources import sources_of_config
from hepflow.statistics.audit_spec import AuditSpec
from hepflow.statistics.inference_spec import InferenceSpec
from hepflow.statistics.model_parts import (
    GROUP_OF_KIND,
    AlternativeSpec,
    FitChannel,
    NormalisationSpec,
    NormFactorSpec,
    ShapeSpec,
    TransferSpec,
)

__all__ = [
    "AlternativeSpec",
    "FitChannel",
    "NormFactorSpec",
    "NormalisationSpec",
    "ShapeSpec",
    "StatisticsSpec",
    "TransferSpec",
    "source_remarks",
]


@dataclass(frozen=True, slots=True)
class StatisticsSpec:
    """Model, fit and limit as configured."""

    measurement: str
    poi: str  # may be empty where the model is the user's own
    channels: tuple[FitChannel, ...]
    processes: tuple[str, ...]  # simulated, and estimated from data
    data_processes: tuple[str, ...]
    norm_factors: tuple[NormFactorSpec, ...]
    normalisations: tuple[NormalisationSpec, ...] = ()
    shapes: tuple[ShapeSpec, ...] = ()
    fold_overflow: bool = False
    mc_stat: bool = True
    mc_stat_threshold: float = 0.0
    confidence_level: float = 0.95
    limit: bool = True
    significance: bool = True
    scan_points: int = 21
    backend: Literal["hepflow", "pyhf"] = "hepflow"
    optimizer: Literal["newton", "minuit", "scipy"] = "newton"
    cabinetry_config: str | None = None  # the user's own, where given
    blind: tuple[str, ...] = ()  # regions of the fit whose data stay unseen
    transfers: tuple[TransferSpec, ...] = ()
    estimated: tuple[str, ...] = ()  # those of `processes` that are estimated from data
    poi_given: str = ""  # as configured; empty where `poi` is only the first norm factor
    min_expectation: float = 0.0  # of background in a bin [events]; 0: bins are as configured
    validation: tuple[FitChannel, ...] = ()  # regions that are predicted, not fitted
    blind_validation: tuple[str, ...] = ()  # those of them whose data stay unseen
    inference: InferenceSpec = field(default_factory=InferenceSpec)  # beyond the fit
    audit: AuditSpec = field(default_factory=AuditSpec)  # before the fit

    @classmethod
    def from_config(cls, config: Config | Mapping[str, Any]) -> StatisticsSpec:
        """Build from a configuration, which is validated again.

        Raises
        ------
        ConfigurationError
            The configuration is wrong, or has nothing to fit.
        """
        valid = Config.of(config)
        section = valid.statistics
        simulated, data = _processes(valid)
        factors = tuple(_norm_factors(valid, simulated))
        normalisations, shapes = _sources(valid, simulated)
        poi = section.poi or (factors[0].name if factors else "")
        if factors or not section.cabinetry_config:
            _require_fit(factors, poi)
        return cls(
            measurement=section.measurement,
            poi=poi,
            channels=tuple(one for one in _channels(valid) if one.kind != "validation"),
            processes=simulated,
            data_processes=data,
            norm_factors=factors,
            normalisations=normalisations,
            shapes=shapes,
            fold_overflow=valid.plotting.fold_overflow,
            mc_stat=section.mc_stat,
            mc_stat_threshold=section.mc_stat_threshold,
            confidence_level=section.confidence_level,
            limit=section.limit,
            significance=section.significance,
            scan_points=section.scan_points,
            backend=section.backend,
            optimizer=section.optimizer,
            cabinetry_config=section.own_cabinetry_config,
            blind=_blind(valid, validation=False),
            transfers=_transfers(valid),
            estimated=tuple(dict.fromkeys(one.process for one in estimates_of_config(valid))),
            poi_given=section.poi or "",
            min_expectation=section.min_expectation,
            validation=tuple(_validation(valid)),
            blind_validation=_blind(valid, validation=True),
            inference=InferenceSpec.from_section(section),
            audit=AuditSpec.from_config(valid),
        )


def _require_fit(factors: tuple[NormFactorSpec, ...], poi: str) -> None:
    names = [one.name for one in factors]
    if poi not in names:
        message = f"{poi!r} is not a norm factor of a process that is used."
        hint = did_you_mean(poi, names)
        raise ConfigurationError([Problem("statistics.norm_factors", message, hint)])


def _processes(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Processes that are expected and those of data, in the order of the datasets.

    Those that are estimated from data stand behind the simulated ones.
    """
    simulated: dict[str, None] = {}
    data: dict[str, None] = {}
    wanted = config.general.processes
    for entry in config.datasets.datasets:
        process = entry.process or entry.name
        is_data = entry.name == "data" if entry.is_data is None else entry.is_data
        if is_data or wanted is None or process in wanted:
            (data if is_data else simulated)[process] = None
    simulated |= dict.fromkeys(one.process for one in estimates_of_config(config))
    return tuple(simulated), tuple(data)


def _channels(config: Config) -> Iterator[FitChannel]:
    """All regions that are processed, those of validation included."""
    wanted = config.general.channels
    for channel in config.channels:
        if wanted is not None and channel.name not in wanted:
            continue
        chosen = next(one for one in channel.observables if one.name == channel.fit_observable)
        edges, filled = _edges(channel), tuple(float(edge) for edge in chosen.binning)
        yield FitChannel(
            name=channel.name,
            label=channel.label or channel.name,
            kind=channel.kind,
            observable=chosen.name,
            axis_label=chosen.label or chosen.name,
            edges=edges or filled,
            rebinned=bool(edges) and edges != filled,
        )


def _validation(config: Config) -> Iterator[FitChannel]:
    """Validation regions but those that an estimate is made from: it is not known there."""
    sidebands = {name for one in estimates_of_config(config) for name in one.regions}
    for channel in _channels(config):
        if channel.kind == "validation" and channel.name not in sidebands:
            yield channel


def _edges(channel: Channel) -> tuple[float, ...]:
    """Edges of the fit as those of the observable that they are; empty where none are given."""
    chosen = next(one for one in channel.observables if one.name == channel.fit_observable)
    places = [position(edge, chosen.binning) for edge in channel.fit_binning or ()]
    return tuple(float(chosen.binning[place]) for place in places if place is not None)


def _blind(config: Config, *, validation: bool) -> tuple[str, ...]:
    regions = [one.name for one in _channels(config) if (one.kind == "validation") is validation]
    blind = [one.channel for one in blinded_regions(config)]
    return tuple(dict.fromkeys(name for name in blind if name in regions))


def _transfers(config: Config) -> tuple[TransferSpec, ...]:
    """One for each nuisance parameter; the channels that share it have the same factor."""
    found: dict[str, list[EstimateSpec]] = {}
    for one in estimates_of_config(config):
        if one.parameter is not None:
            found.setdefault(one.parameter, []).append(one)
    return tuple(
        TransferSpec(
            name,
            tuple(dict.fromkeys(one.process for one in estimates)),
            tuple(one.channel for one in estimates),
        )
        for name, estimates in found.items()
    )


def _among(chosen: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Processes in the order of the datasets; None means all simulated ones."""
    return known if chosen is None else tuple(name for name in known if name in chosen)


def _norm_factors(config: Config, simulated: tuple[str, ...]) -> Iterator[NormFactorSpec]:
    for factor in config.statistics.norm_factors:
        processes = _among(factor.processes, simulated)
        if processes:
            low, high = factor.bounds
            channels = None if factor.channels is None else tuple(factor.channels)
            yield NormFactorSpec(
                factor.name, processes, factor.nominal, (low, high), channels, factor.fixed
            )


def _sources(
    config: Config, simulated: tuple[str, ...]
) -> tuple[tuple[NormalisationSpec, ...], tuple[ShapeSpec, ...]]:
    """Sources that move whole processes by one size, and those with templates."""
    datasets = expand_datasets(config)
    found = [
        (one, _among(list(one.processes), simulated)) for one in sources_of_config(config, datasets)
    ]
    sizes = tuple(
        NormalisationSpec(one.name, one.size, processes, one.channels, one.size_down, _group(one))
        for one, processes in found
        if not one.makes_templates and one.size is not None and processes
    )
    estimates = estimates_of_config(config)
    shapes = tuple(
        _with_estimates(
            ShapeSpec(
                one.name,
                processes,
                one.channels,
                _alternatives(one, datasets),
                one.theory.source if one.theory else "",
                one.smooth,
                _group(one),
            ),
            estimates,
        )
        for one, processes in found
        if one.makes_templates and processes
    )
    return sizes, shapes


def _group(source: Source) -> str:
    return source.group or GROUP_OF_KIND[source.kind]


def _with_estimates(shape: ShapeSpec, estimates: Sequence[EstimateSpec]) -> ShapeSpec:
    """The same source, acting also on what is estimated where its processes are subtracted."""
    for one in estimates:
        acts = shape.channels is None or not {*one.regions}.isdisjoint(shape.channels)
        if acts and not {*one.subtract}.isdisjoint(shape.processes):
            channels = None if shape.channels is None else (*shape.channels, one.channel)
            shape = replace(
                shape,
                processes=tuple(dict.fromkeys((*shape.processes, one.process))),
                channels=None if channels is None else tuple(dict.fromkeys(channels)),
            )
    return shape


def _alternatives(source: Source, datasets: Sequence[Dataset]) -> tuple[AlternativeSpec, ...]:
    """Alternative samples of a source; none where functions or sizes make its templates."""
    names = {f"{source.name}_{side}" for side in ("up", "down")}
    return tuple(
        AlternativeSpec(one.process, (one.key, *one.replaces))
        for one in datasets
        if source.kind == "sample" and one.variation in names
    )


def source_remarks(config: Config, histograms: HistogramSet) -> tuple[str, ...]:
    """Remark on sources without an alternative sample, or without weights of a known order.

    Parameters
    ----------
    config
        The validated configuration.
    histograms
        Their ledger tells which datasets were left out.
    """
    dropped = histograms.ledger.dropped()
    shapes = _sources(config, _processes(config)[0])[1] if dropped else ()
    gone = [one.name for one in shapes if one.left_out(one.processes, dropped)]
    remarks = (f"without source {', '.join(gone)}",) if gone else ()
    return (*remarks, *(_on_weights(histograms.ledger) if config.general.run_systematics else ()))


def _on_weights(ledger: Ledger) -> Iterator[str]:
    """Remark on theory weights that events do not have, or whose order no title tells."""
    for source, datasets in ledger.without_theory().items():
        yield f"no {source} weights in {_named(datasets)}"
    for source, datasets in ledger.assumed_theory().items():
        yield f"order of {source} weights assumed in {_named(datasets)}"


def _named(datasets: Iterable[str]) -> str:
    return ", ".join(one.removesuffix("__nominal") for one in datasets)
