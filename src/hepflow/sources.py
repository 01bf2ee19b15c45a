"""Which corrections and sources act on a dataset, and which variations come of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hepflow.corrections import linked_sources_of
from hepflow.estimates import EstimateSpec, estimates_of_config
from hepflow.records import NOMINAL, Dataset, Source, Variation
from hepflow.records.theory import TheoryRule
from hepflow.records.variation import Direction, Kind, SourceKind
from hepflow.schema import Config, Correction, Systematic, UncertaintySource

ALL_YEARS = ""
ByYear = Mapping[str, tuple[Any, ...]]  # entries of a section; under ALL_YEARS one list for all
_SIDES: tuple[Direction, ...] = ("up", "down")


def by_year(section: Sequence[Any] | Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """Entries of a section by year; one list for all years under ``ALL_YEARS``."""
    if isinstance(section, Mapping):
        return {year: tuple(entries) for year, entries in section.items()}
    return {ALL_YEARS: tuple(section)}


def of_year(entries: ByYear, year: str | None) -> tuple[Any, ...]:
    """Entries that hold for a year."""
    return entries[ALL_YEARS] if ALL_YEARS in entries else entries.get(year or "", ())


def applies(processes: list[str] | None, dataset: Dataset) -> bool:
    """Whether a correction or source acts on a dataset; by default on all simulation."""
    if processes is None:
        return not dataset.is_data
    return dataset.process in processes or dataset.name in processes


def missing_in_years(config: Config, datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """Say which corrections some years have and others have not, though they have events for it.

    A year in the name of a correction does not count. A year with an empty list says itself that
    it has none.

    Parameters
    ----------
    datasets
        Expanded from the configuration.
    """
    if not isinstance(config.corrections, Mapping):
        return ()
    filled = {year: own for year, own in config.corrections.items() if own}
    years = {year: [one for one in datasets if one.year == year] for year in filled}
    found: dict[str, dict[str, Correction]] = {}  # without the year in its name -> by year
    for year, own in filled.items():
        for one in own:
            found.setdefault(one.name.replace(year, "").strip("_"), {})[year] = one
    return tuple(
        f"corrections.{year}: nothing named {_names(there)}, which corrections has for "
        f"{', '.join(there)}. Events of {year} go without it."
        for there in found.values()
        for year, mine in years.items()
        if year not in there
        and any(applies(one.applies_to, each) for one in there.values() for each in mine)
    )


def _names(corrections: Mapping[str, Correction]) -> str:
    return " or ".join(dict.fromkeys(repr(one.name) for one in corrections.values()))


def expand(
    corrections: Sequence[Correction], systematics: Sequence[Systematic], dataset: Dataset
) -> tuple[Variation, ...]:
    """All variations of a dataset, nominal first, in the order of the configuration.

    Parameters
    ----------
    corrections, systematics
        Those of the dataset's year.
    """
    if dataset.is_data or dataset.variation != "nominal":
        return (NOMINAL,)
    found = [NOMINAL]
    for one, source, _ in _declared(corrections, systematics):
        if applies(_processes(one), dataset):
            year = _own_year(source, dataset)
            kind: Kind = "object" if one.type == "object" else "weight"
            found += [Variation(source.name, side, kind, year) for side in _sides(source)]
    return tuple(found)


def variations_of_config(
    config: Config, datasets: Iterable[Dataset]
) -> dict[str, tuple[Variation, ...]]:
    """Variations of each dataset by its key; without ``general.run_systematics`` only nominal."""
    corrections, systematics = by_year(config.corrections), by_year(config.systematics)
    alike: dict[tuple[Variation, ...], tuple[Variation, ...]] = {}  # equal ones travel once
    expanded = {}
    for one in datasets:
        found = expand(of_year(corrections, one.year), of_year(systematics, one.year), one)
        chosen = found if config.general.run_systematics else found[:1]
        expanded[one.key] = alike.setdefault(chosen, chosen)
    return expanded


def _declared(
    corrections: Sequence[Correction], systematics: Sequence[Systematic]
) -> Iterator[tuple[Any, Any, SourceKind]]:
    """Entry, source and kind of everything that moves events."""
    for correction in corrections:
        kind: SourceKind = "object" if correction.type == "object" else "weight"
        if correction.up_and_down_idx:
            yield correction, correction, kind
        for source in correction.uncertainty_sources:
            if source.varies_with is None:
                yield correction, source, kind
    for one in systematics:
        if one.type in {"event", "object"}:
            yield one, one, "object" if one.type == "object" else "weight"


def _processes(entry: Correction | Systematic) -> list[str] | None:
    return entry.applies_to if isinstance(entry, Correction) else entry.processes


def _own_year(source: Any, dataset: Dataset) -> str:
    """Year of a source that is a nuisance of its own in each; "" for one that is not."""
    return dataset.year or "" if source.correlation == "uncorrelated" else ""


def _sides(source: Correction | UncertaintySource | Systematic) -> tuple[Direction, ...]:
    """Sides that have a value of their own."""
    if isinstance(source, Correction) or getattr(source, "is_delta", False):
        return _SIDES
    pair = getattr(source, "up_and_down_idx", None)
    down = source.down_function if pair is None else pair[1]
    return _SIDES if down is not None else ("up",)


def parameter_of(name: str, correlation: str, dataset: Dataset) -> str:
    """Name of the nuisance parameter of a source on a dataset."""
    return f"{name}_{dataset.year}" if correlation == "uncorrelated" else name


def sources_of_config(config: Config, datasets: Sequence[Dataset]) -> tuple[Source, ...]:
    """All sources of uncertainty, in the order in which they are declared.

    Parameters
    ----------
    datasets
        The normalisation groups that are processed.

    Returns
    -------
    tuple of Source
        Without ``general.run_systematics`` those of normalisation only.
    """
    nominal = [one for one in datasets if not one.is_data and one.variation == "nominal"]
    found: dict[str, Source] = {}
    estimates = estimates_of_config(config)
    for year, entry in _entries(config):
        of_its_year = [one for one in datasets if year in {"", one.year}]
        named = (*_sources_of(entry, of_its_year), *_of_theory(entry, of_its_year, config))
        for source in (*named, *_of_estimates(entry, estimates)):
            known = found.get(source.name)
            found[source.name] = source if known is None else _joined(known, source)
    wanted = config.general.run_systematics
    subtracted = {name for one in estimates for name in one.subtract}
    return tuple(
        _with_size(source, nominal, subtracted)
        for source in found.values()
        if wanted or source.kind == "normalisation"
    )


def _entries(config: Config) -> Iterator[tuple[str, Correction | Systematic]]:
    """Year and entry of both sections."""
    for section in (by_year(config.corrections), by_year(config.systematics)):
        for year, entries in section.items():
            yield from ((year, entry) for entry in entries)


def _sources_of(entry: Correction | Systematic, datasets: Sequence[Dataset]) -> Iterator[Source]:
    """Sources of one entry, one for each dataset that it acts on."""
    if entry.type == "sample":
        processes = [one.process for one in datasets if _is_sample(one.variation, entry.name)]
        if processes:
            yield _source(entry, entry, "sample", tuple(dict.fromkeys(processes)))
        return
    moved = [
        one
        for one in datasets
        if not one.is_data and one.variation == "nominal" and applies(_processes(entry), one)
    ]
    of_events = _declared([entry], []) if isinstance(entry, Correction) else _declared([], [entry])
    for declared, source, kind in of_events:
        for dataset in moved:
            made = _source(declared, source, kind, (dataset.process,))
            yield replace(made, name=parameter_of(source.name, source.correlation, dataset))
    if isinstance(entry, Systematic) and entry.type == "normalisation" and entry.size is not None:
        for dataset in moved:
            made = _source(entry, entry, "normalisation", (dataset.process,))
            name = parameter_of(entry.name, entry.correlation, dataset)
            downs = {} if entry.size_down is None else {dataset.key: entry.size_down}
            yield replace(made, name=name, sizes={dataset.key: entry.size}, downs=downs)


def _of_theory(
    entry: Correction | Systematic, datasets: Sequence[Dataset], config: Config
) -> Iterator[Source]:
    """Source of theory weights, one for each dataset that it acts on."""
    if not isinstance(entry, Systematic) or entry.type != "theory":
        return
    members = entry.members if isinstance(entry.members, str) else ""
    rule = TheoryRule(entry.name, members, entry.combine, entry.normalisation_only)
    for one in datasets:
        if not one.is_data and one.variation == "nominal" and applies(entry.processes, one):
            kept = entry.keep_yield
            if kept is None:
                kept = not entry.normalisation_only and _has_cross_section(config, one)
            made = _source(entry, entry, "theory", (one.process,))
            name = parameter_of(entry.name, entry.correlation, one)
            yield replace(made, name=name, theory=rule, keeps=(one.key,) if kept else ())


def _has_cross_section(config: Config, dataset: Dataset) -> bool:
    """Whether the uncertainty of a cross-section is declared: a size that names the process.

    One of all processes is the luminosity's and says nothing of a cross-section.
    """
    return any(
        one.type == "normalisation" and dataset.process in (one.processes or ())
        for one in of_year(by_year(config.systematics), dataset.year)
    )


def _of_estimates(
    entry: Correction | Systematic, estimates: Sequence[EstimateSpec]
) -> Iterator[Source]:
    """Size of processes that are estimated from data, all years together."""
    made = {one.process for one in estimates}.intersection(_processes(entry) or ())
    if made and isinstance(entry, Systematic) and entry.type == "normalisation":
        source = _source(entry, entry, "normalisation", tuple(sorted(made)))
        yield replace(source, size=entry.size, size_down=entry.size_down)


def _source(entry: Any, source: Any, kind: SourceKind, processes: tuple[str, ...]) -> Source:
    channels = getattr(entry, "channels", None)
    return Source(
        source.name,
        kind,
        processes,
        tuple(channels) if channels else None,
        symmetrise=bool(getattr(source, "symmetrise", False)),
        smooth=source.smooth,
        group=source.group or entry.group or "",
    )


def _joined(left: Source, right: Source) -> Source:
    """The same source on more datasets."""
    processes = tuple(dict.fromkeys((*left.processes, *right.processes)))
    keeps = tuple(dict.fromkeys((*left.keeps, *right.keeps)))
    sizes, downs = {**left.sizes, **right.sizes}, {**left.downs, **right.downs}
    return replace(left, processes=processes, sizes=sizes, downs=downs, keeps=keeps)


def _with_size(source: Source, nominal: Sequence[Dataset], subtracted: set[str]) -> Source:
    """Tell whether a normalisation source moves whole processes by one size.

    One of a process that is subtracted from data has templates: the estimate moves the other way.
    """
    keys = [one.key for one in nominal if one.process in source.processes]
    sizes = {(source.sizes.get(key), source.downs.get(key)) for key in keys}
    moves_estimates = not subtracted.isdisjoint(source.processes)
    if source.kind != "normalisation" or len(sizes) != 1 or moves_estimates:
        return source
    size, size_down = sizes.pop()
    return replace(source, size=size, size_down=size_down)


def _is_sample(variation: str, source: str) -> bool:
    return variation in {f"{source}_up", f"{source}_down"}


def links_of(corrections: Sequence[Correction], dataset: Dataset) -> dict[str, str]:
    """Linked weight sources of a dataset: their name -> the object source that moves them."""
    return {
        source.name: source.varies_with or ""
        for correction in corrections
        if applies(correction.applies_to, dataset)
        for source in linked_sources_of(correction)
    }
