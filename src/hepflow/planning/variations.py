"""The variations that a configuration expands to: what each moves, and what is computed for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hepflow.analysis import AnalysisSpec
from hepflow.analysis.touches import (
    Moved,
    Step,
    Touches,
    column_name,
    split_columns,
    steps_of,
    together,
    touches_of,
)
from hepflow.corrections import linked_sources_of, sources_of
from hepflow.events import EVENT, merge_branches
from hepflow.records import Dataset, Source, Variation
from hepflow.schema import Config, Correction, Systematic, UncertaintySource
from hepflow.skimming import SkimSpec
from hepflow.sources import applies, links_of, parameter_of

# What the side that a source does not have reads as; "" where it has both.
OtherSide = Literal["", "reflected", "nominal"]
_BOTH = {"up", "down"}


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """One source of uncertainty: where it acts, and what follows from it."""

    parameter: str  # nuisance parameter: with the year where each has its own
    kind: str  # "object", "weight", "linked", "normalisation", "sample", "theory"
    templates: Mapping[str, tuple[str, ...]]  # name -> keys of the datasets that have it
    directions: tuple[str, ...]  # those of them with a value of their own: "up", "down"
    processes: tuple[str, ...]
    datasets: tuple[str, ...]  # keys; of the datasets that it acts on
    everywhere: bool  # whether these are all of nominal simulation, of its years
    other_side: OtherSide = ""
    difference: bool = False  # its value is added to the nominal one
    years: tuple[str, ...] = ()  # of the datasets; empty where they have none
    correlation: str = "correlated"  # between the years
    channels: tuple[str, ...] | None = None  # None: all
    factor: str = ""  # of the weight, which is evaluated again; or the list of theory weights
    varies_with: str = ""  # object source that a linked source moves with
    linked: tuple[str, ...] = ()  # weight sources that move with this object source
    sizes: Mapping[str, float] = field(default_factory=dict)  # relative, by dataset
    size: float | None = None  # relative, of the whole process, which is a parameter of the fit
    downs: Mapping[str, float] = field(default_factory=dict)  # when down, where that is another one
    size_down: float | None = None  # likewise of the whole process
    touches: Touches | None = None  # of an object source
    skim: bool = False  # whether the skim reads what it moves: a cut there needs a margin


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is filled."""

    object_variations: int  # nominal included, of the dataset that has most
    weight_variations: int  # of the dataset that has most
    distinct: int  # names of variations that are filled, without nominal
    sources: int  # with variations that are filled
    histograms: int  # one for each dataset, channel, observable and variation
    bins: int  # of all of them, under- and overflow included


@dataclass(frozen=True, slots=True)
class VariationPlan:
    """All sources in the order of the configuration, and what they come to."""

    sources: tuple[PlannedSource, ...]
    counts: Counts
    collections: tuple[str, ...]  # objects with branches that are kept
    overridden: tuple[str, ...]  # steps of the analysis' own: they may read anything


def plan_variations(config: Config, overridden: Collection[str] = ()) -> VariationPlan:
    """Expand the variations of a configuration, and follow each; no file is opened.

    Parameters
    ----------
    overridden
        Steps that the analysis does in its own way, as `overridden_steps` names them.

    Raises
    ------
    ConfigurationError
        If the configuration is wrong.
    """
    spec, skim = AnalysisSpec.before_files(config), SkimSpec.from_config(config)
    kept = {one.key: skim.kept_branches(one) for one in spec.datasets.values()}
    steps = {
        one.key: steps_of(spec, one, kept[one.key], overridden) for one in spec.datasets.values()
    }
    filled = [_filled(spec, one, skim, steps) for one in spec.sources]
    linked = _linked(spec) if spec.run_systematics else ()
    return VariationPlan(
        sources=(*filled, *linked),
        counts=_counts(spec),
        collections=tuple(name for name in merge_branches(*kept.values()) if name != EVENT),
        overridden=tuple(overridden),
    )


# -- one source --------------------------------------------------------------------------


def _filled(
    spec: AnalysisSpec, source: Source, skim: SkimSpec, steps: Mapping[str, Sequence[Step]]
) -> PlannedSource:
    """Row of a source, whatever its kind."""
    moved = _moved_by(spec, source)
    varied = [(one, v) for one in moved for v in spec.variations(one) if v.parameter == source.name]
    entries = [_declared(spec, one, source.name) for one in moved]
    own = [one for one in entries if one is not None]
    templates = _templates(spec, source, varied)
    directions = tuple(dict.fromkeys(name.rpartition("_")[2] for name in templates))
    names = tuple(dict.fromkeys(v.source for _, v in varied))
    linked = {name: with_ for one in moved for name, with_ in _links(spec, one).items()}
    on = {one.key: v for one, v in varied}  # one side tells for both
    found = [_followed(spec, source, v, steps[key]) for key, v in on.items()]
    is_object = source.kind == "object"
    return PlannedSource(
        parameter=source.name,
        kind=source.kind,
        templates=templates,
        directions=directions,
        processes=source.processes,
        datasets=tuple(one.key for one in moved),
        everywhere=_everywhere(spec, moved),
        other_side=_other_side(directions, symmetrise=source.symmetrise),
        difference=any(getattr(one, "is_delta", False) for one in own),
        years=tuple(dict.fromkeys(one.year for one in moved if one.year)),
        correlation=next((one.correlation for one in own), "correlated"),
        channels=source.channels,
        factor=_factor(spec, source, varied, own),
        linked=tuple(name for name, with_ in linked.items() if with_ in names),
        sizes=dict(source.sizes),
        size=source.size,
        downs=dict(source.downs),
        size_down=source.size_down,
        touches=together(found) if is_object else None,
        skim=is_object and any(_skimmed(skim, v.source, steps[key]) for key, v in on.items()),
    )


def _nominal(spec: AnalysisSpec) -> list[Dataset]:
    return [one for one in spec.datasets.values() if not one.is_data and one.variation == "nominal"]


def _everywhere(spec: AnalysisSpec, moved: Sequence[Dataset]) -> bool:
    years = {one.year for one in moved}
    return bool(moved) and [one.key for one in moved] == [
        o.key for o in _nominal(spec) if o.year in years
    ]


def _moved_by(spec: AnalysisSpec, source: Source) -> list[Dataset]:
    """Nominal datasets that a source acts on."""
    among = [one for one in _nominal(spec) if one.process in source.processes]
    if source.kind in {"object", "weight"}:
        return [o for o in among if any(v.parameter == source.name for v in spec.variations(o))]
    if source.kind == "normalisation":
        return [one for one in among if one.key in source.sizes]
    if source.kind == "sample":
        samples = [one for one in spec.datasets.values() if _is_side(one.variation, source.name)]
        replaced = {key for one in samples for key in one.replaces}
        return [one for one in among if one.key in replaced]
    # What is combined from members is asked for by its own name.
    return [one for one in among if _declared(spec, one, source.name) is not None]


def _is_side(name: str, source: str) -> bool:
    return name in {f"{source}_up", f"{source}_down"}


def _templates(
    spec: AnalysisSpec, source: Source, varied: Iterable[tuple[Dataset, Variation]]
) -> dict[str, tuple[str, ...]]:
    """Names of the templates that a source has, with the datasets that they come of."""
    pairs = [(v.name, one.key) for one, v in varied]
    if source.kind == "sample":
        pairs = [
            (one.variation, one.key)
            for one in spec.datasets.values()
            if _is_side(one.variation, source.name)
        ]
    if source.kind == "normalisation" and source.makes_templates:
        pairs = [(f"{source.name}_{side}", key) for key in source.sizes for side in ("up", "down")]
    return {
        name: tuple(key for other, key in pairs if other == name)
        for name in dict.fromkeys(name for name, _ in pairs)
    }


def _other_side(directions: Sequence[str], *, symmetrise: bool) -> OtherSide:
    if len(_BOTH.intersection(directions)) != 1:
        return ""
    return "reflected" if symmetrise else "nominal"


def _declared(spec: AnalysisSpec, dataset: Dataset, parameter: str) -> Any:
    """What the configuration says about a source on a dataset; None where it says nothing."""
    declared: list[Correction | UncertaintySource | Systematic] = []
    for one in spec.corrections_of(dataset):
        declared += [one] if one.up_and_down_idx else []
        declared += one.uncertainty_sources
    declared += spec.systematics_of(dataset)
    named = (s for s in declared if parameter_of(s.name, s.correlation, dataset) == parameter)
    return next(named, None)


def _factor(
    spec: AnalysisSpec,
    source: Source,
    varied: Iterable[tuple[Dataset, Variation]],
    entries: Iterable[Any],
) -> str:
    """Factors of the weight in which a source takes another value."""
    found: dict[str, None] = {}
    if source.theory is not None:
        found |= dict.fromkeys(one.weights for one in entries)
    if source.kind == "weight":
        for dataset, variation in varied:
            corrections = spec.corrections_of(dataset)
            names = [one.name for one in corrections if variation.source in sources_of(one)]
            found |= dict.fromkeys(names or [variation.source])
    return ", ".join(found)


def _followed(
    spec: AnalysisSpec, source: Source, variation: Variation, steps: Iterable[Step]
) -> Touches:
    acting = {"", *(one.name for one in spec.channels if source.acts_in(one.name))}
    return touches_of(variation.source, [one for one in steps if one.channel in acting])


def _skimmed(skim: SkimSpec, source: str, steps: Iterable[Step]) -> bool:
    """Whether the skim reads a column that the corrections of objects move."""
    moved = Moved()
    moved.add(touches_of(source, [one for one in steps if one.kind == "correction"]).columns)
    return moved.reach(skim.use)


# -- linked sources ----------------------------------------------------------------------


def _links(spec: AnalysisSpec, dataset: Dataset) -> dict[str, str]:
    return links_of(spec.corrections_of(dataset), dataset)


def _linked(spec: AnalysisSpec) -> Iterator[PlannedSource]:
    """Weight sources that are no nuisance of their own, as they move with an object source."""
    found: dict[str, list[Dataset]] = {}
    for one in _nominal(spec):
        for name in _links(spec, one):
            found.setdefault(name, []).append(one)
    for name, datasets in found.items():
        first = datasets[0]
        correction, source = next(
            (one, source)
            for one in spec.corrections_of(first)
            if applies(one.applies_to, first)
            for source in linked_sources_of(one)
            if source.name == name
        )
        yield PlannedSource(
            parameter=name,
            kind="linked",
            templates={},
            directions=(),
            processes=tuple(dict.fromkeys(one.process for one in datasets)),
            datasets=tuple(one.key for one in datasets),
            everywhere=_everywhere(spec, datasets),
            difference=source.is_delta,
            years=tuple(dict.fromkeys(one.year for one in datasets if one.year)),
            factor=correction.name,
            varies_with=source.varies_with or "",
        )


# -- how much ----------------------------------------------------------------------------


def _counts(spec: AnalysisSpec) -> Counts:
    """Count what filling makes; templates of normalisation and reflected sides come later."""
    by_dataset = [spec.variations(one) for one in spec.datasets.values()]
    moving = {v for found in by_dataset for v in found if v.kind != "nominal"}
    filled = [one for dataset in spec.datasets.values() for one in _filled_of(spec, dataset)]
    return Counts(
        object_variations=max((_number(found, "object") + 1 for found in by_dataset), default=0),
        weight_variations=max((_number(found, "weight") for found in by_dataset), default=0),
        distinct=len({v.name for v in moving}),
        sources=len({v.parameter for v in moving}),
        histograms=sum(number for number, _ in filled),
        bins=sum(number * bins for number, bins in filled),
    )


def _filled_of(spec: AnalysisSpec, dataset: Dataset) -> Iterator[tuple[int, int]]:
    """Histograms of each observable of a dataset, and the bins that each has."""
    axes = spec.axes()
    for channel in spec.visible_channels(dataset):
        acting = len(spec.acting_in(channel.name, spec.variations(dataset)))
        wanted = [(one.name, acting) for one in spec.visible_observables(channel, dataset)]
        wanted += [
            (one.observable, acting if one.variations else 1)
            for _, one in spec.n_minus_1(channel)
            if not (dataset.is_data and spec.blind)
        ]
        for name, number in wanted:
            yield number, len(axes[channel.name, name].edges) + 1


def _number(variations: Iterable[Variation], kind: str) -> int:
    return sum(one.kind == kind for one in variations)


def plain(plan: VariationPlan) -> dict[str, Any]:
    """Give the plan as plain containers, for JSON."""
    counts = {name: getattr(plan.counts, name) for name in Counts.__slots__}
    return {
        "sources": [_plain_source(one, plan.collections) for one in plan.sources],
        "counts": counts,
        "overridden": list(plan.overridden),
    }


def _plain_source(one: PlannedSource, collections: Collection[str]) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in PlannedSource.__slots__ if name != "touches"}
    if one.touches is None:
        return values
    columns, whole = split_columns(one.touches.columns, collections)
    return values | {
        "columns": [column_name(column) for column in columns],
        "rearranged": whole,
        "again": [_plain_step(step) for step in one.touches.again],
        "as_nominal": [_plain_step(step) for step in one.touches.shared],
    }


def _plain_step(step: Step) -> dict[str, str]:
    return {"kind": step.kind, "name": step.name, "channel": step.channel}
