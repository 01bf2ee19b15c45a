"""Tables of a result: yields by region and process, and effects of the sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hepflow.plotting.fit_numbers import is_statistical
from hepflow.plotting.numbers import source_names, stack_order
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import parameter_label, pretty
from hepflow.plotting.tables import Cell, Label, Sides, Table, Value
from hepflow.records import HistogramSet
from hepflow.records.inference import Ranking
from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.records.results import FitResult, StatisticsResult

_KINDS = {"prefit": "before the fit", "postfit": "after the fit"}


def yields_table(
    prediction: Prediction, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> Table:
    """Expected events by process and region, their sum with its uncertainty, and the data.

    Parameters
    ----------
    prediction : Prediction
        Before or after the fit.
    spec : PlottingSpec
        Order and labels.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    regions = prediction.channels
    sums: dict[str, float] = {}
    for region in regions:
        for name, values in region.samples.items():
            sums[name] = sums.get(name, 0.0) + float(np.sum(values))
    order = stack_order(sums, spec.order, last=spec.signals)[::-1]

    def row(name: str) -> tuple[Cell, ...]:
        cells = [_sum(region, name) for region in regions]
        return (_process(name, spec), *cells)

    total: tuple[Cell, ...] = (
        "Sum",
        *(Value(float(one.total.sum()), one.total_uncertainty) for one in regions),
    )
    data: tuple[Cell, ...] = ("Data", *(_observed(one) for one in regions))
    heads = (
        Label(one.name, spec.channel_labels.get(one.name, pretty(one.name))) for one in regions
    )
    seen = any(cell is not None for cell in data[1:])
    return Table(
        f"yields_{prediction.kind}",
        f"Events {_KINDS[prediction.kind]}",
        ("", *heads),
        (*(row(name) for name in order), None, total, *([data] if seen else [])),
        tuple(remarks),
    )


def _process(name: str, spec: PlottingSpec) -> Label:
    return Label(name, spec.labels.get(name, pretty(name)))


def _parameter(name: str, spec: PlottingSpec) -> Label:
    return Label(name, parameter_label(name, spec))


def _sum(region: ChannelPrediction, sample: str) -> Cell:
    values = region.samples.get(sample)
    return None if values is None else Value(float(np.sum(values)))


def _observed(region: ChannelPrediction) -> Cell:
    if region.data is None or not np.isfinite(region.data).all():
        return None
    return Value(float(region.data.sum()))


def systematics_table(
    histograms: HistogramSet,
    channel: str,
    observable: str,
    spec: PlottingSpec,
    *,
    remarks: Sequence[str] = (),
) -> Table:
    """Effect of each source on the events of a region, up and down in percent.

    Parameters
    ----------
    histograms : HistogramSet
        Normalised histograms with their variations.
    channel, observable : str
        Which histogram: all of the region's events, or those within the axis.
    spec : PlottingSpec
        Labels, sources on the size of processes, treatment of the flow bins.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    there = histograms.processes(channel, observable)
    processes = [name for name in there if name not in histograms.data_processes]

    def events(names: Sequence[str], variation: str = "nominal") -> float:
        found = histograms.total(channel, observable, names, variation)
        return float((found.folded() if spec.fold_overflow else found).values.sum())

    columns = [processes, *([name] for name in processes)]
    nominal = [events(names) for names in columns]
    moved = {
        source: [
            (events(names, f"{source}_up"), events(names, f"{source}_down")) for names in columns
        ]
        for source in source_names(histograms.variations(channel, observable))
    }
    for one in spec.normalisations:
        if one.channels is None or channel in one.channels:
            hit = [
                events([n for n in names if one.processes is None or n in one.processes])
                for names in columns
            ]
            both = zip(nominal, hit, strict=True)
            moved[one.name] = [
                (now + one.sizes[0] * part, now + one.sizes[1] * part) for now, part in both
            ]
    return _table_of_effects(channel, processes, nominal, moved, spec, remarks)


def _table_of_effects(
    channel: str,
    processes: Sequence[str],
    nominal: Sequence[float],
    moved: Mapping[str, Sequence[tuple[float, float]]],
    spec: PlottingSpec,
    remarks: Sequence[str],
) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            _parameter(source, spec),
            *(_sides(now, *both) for now, both in zip(nominal, found, strict=True)),
        )
        for source, found in moved.items()
    ]
    rows.sort(key=lambda row: -_size(row[1]))
    return Table(
        f"systematics_{channel}",
        f"Effect on the events in {pretty(channel)} [%]",
        ("Source", "Sum", *(_process(name, spec) for name in processes)),
        tuple(rows),
        tuple(remarks),
    )


def _sides(nominal: float, up: float, down: float) -> Cell:
    if nominal <= 0 or (up == nominal and down == nominal):
        return None
    return Sides(100 * (up / nominal - 1.0), 100 * (down / nominal - 1.0))


def _size(cell: Cell) -> float:
    return max(abs(cell.up), abs(cell.down)) if isinstance(cell, Sides) else 0.0


def fit_table(result: FitResult, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Table:
    """Best fit of each parameter.

    Parameters
    ----------
    result : FitResult
        A converged fit.
    spec : PlottingSpec
        Labels.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    rows = tuple(
        (_parameter(name, spec), Value(float(value), float(error)))
        for name, value, error in zip(
            result.labels, result.bestfit, result.uncertainty, strict=True
        )
        if error > 0 and not is_statistical(name)
    )
    more = len(result.labels) - len(rows)
    left = (f"{more} more: fixed ones, and the statistics of the templates",) if more else ()
    notes = (*remarks, *result.notes, *left)
    return Table("parameters", "Best fit", ("Parameter", "Value"), rows, notes)


def impact_table(ranking: Ranking, spec: PlottingSpec, *, remarks: Sequence[str] = ()) -> Table:
    """Parts of the uncertainty of the parameter of interest by group, and their share of it.

    Parameters
    ----------
    ranking : Ranking
        With groups.
    spec : PlottingSpec
        Labels.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    poi, label = ranking.poi, parameter_label(ranking.poi, spec)

    def row(name: str | Label, impact: float) -> tuple[Cell, ...]:
        share = 100 * impact / ranking.uncertainty if ranking.uncertainty > 0 else np.nan
        return (name, Value(impact), f"{share:.0f}" if np.isfinite(share) else "")

    groups = [row(_parameter(one.group, spec), one.impact) for one in ranking.groups]
    return Table(
        "impacts",
        f"Uncertainty of {poi} = {ranking.bestfit:.3g}",
        (
            "Source",
            Label(f"Uncertainty of {poi}", f"Uncertainty of {label}"),
            "Part of the total [%]",
        ),
        (*groups, None, row("Total", ranking.uncertainty)),
        tuple(remarks),
    )


def result_tables(
    result: StatisticsResult, spec: PlottingSpec, *, remarks: Sequence[str] = ()
) -> list[Table]:
    """Make all tables of the statistics of a run.

    Parameters
    ----------
    result : StatisticsResult
        Of a fit that did not converge only what is known before it is in a table.
    spec : PlottingSpec
        Order and labels.
    remarks : sequence of str
        What a reader must know; a line each.
    """
    tables = [yields_table(result.prefit, spec, remarks=remarks)]
    if result.fit.converged:
        tables += [
            yields_table(result.postfit, spec, remarks=remarks),
            fit_table(result.fit, spec, remarks=remarks),
        ]
        if result.ranking is not None and result.ranking.groups:
            tables.append(impact_table(result.ranking, spec, remarks=remarks))
    return tables
