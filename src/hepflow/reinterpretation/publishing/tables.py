"""Tables for HEPData as plain records; nothing of HEPData's own libraries is needed here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.reinterpretation.publishing.material import Material

ABSENT: Final = "-"  # HEPData's sign for no value
DIGITS: Final = 6  # significant ones of yields and limits: far finer than any uncertainty
MATRIX_DIGITS: Final = 8  # of correlations and covariances, so that they can be inverted
_UNIT: Final = re.compile(r"\s*\[([^\[\]]+)\]\s*$")
_WHEN: Final = {"prefit": "before the fit", "postfit": "after the fit"}
Entry = float | int | str | tuple[float, float]


@dataclass(frozen=True)
class ErrorBar:
    """Uncertainty of each value of a column."""

    label: str
    values: Sequence[float | tuple[float, float]]  # symmetric, or (minus, plus) with signs


@dataclass(frozen=True)
class Column:
    """A variable of a table."""

    name: str
    values: Sequence[Entry]  # pairs of edges where it is binned
    units: str = ""
    errors: tuple[ErrorBar, ...] = ()
    qualifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of a submission."""

    name: str
    description: str
    independent: tuple[Column, ...]
    dependent: tuple[Column, ...]
    observables: tuple[str, ...] = ("N",)  # keyword
    picture: str = ""  # name of the run's picture, such as "postfit_SR"
    digits: int = DIGITS
    point: str = ""  # signal point that it belongs to; "" for all
    region: str = ""
    location: str = field(default="Data from the analysis itself", kw_only=True)


def yield_tables(material: Material) -> Iterator[Table]:
    """Events by region and bin, before and after the fit."""
    for prediction in material.predictions:
        yield _regions(prediction, material)
        for channel in prediction.channels:
            yield _bins(channel, prediction, material)


def _regions(prediction: Prediction, material: Material) -> Table:
    channels = prediction.channels
    samples = dict.fromkeys(name for one in channels for name in one.samples)
    totals = [float(one.total.sum()) for one in channels]
    spread = [one.total_uncertainty or 0.0 for one in channels]
    columns = [
        Column(name, [_sum(one.samples.get(name)) for one in channels], "Events")
        for name in samples
    ]
    columns.append(Column("Total", totals, "Events", (ErrorBar("total", spread),)))
    if not material.expected_only and all(one.data is not None for one in channels):
        columns.append(Column("Data", [_sum(one.data) for one in channels], "Events"))
    when = _WHEN[prediction.kind]
    return Table(
        f"Yields by region {when}",
        f"Expected events of each process in each region {when}, with the uncertainty of their "
        "sum (one standard deviation, correlations included), and observed events.",
        (Column("Region", [one.name for one in channels]),),
        tuple(columns),
        point=material.point.name,
    )


def _sum(values: Any) -> float | str:
    return ABSENT if values is None else float(values.sum())


def _bins(channel: ChannelPrediction, prediction: Prediction, material: Material) -> Table:
    label, unit = split_label(channel.label)
    edges = list(zip(channel.edges[:-1], channel.edges[1:], strict=True))
    columns = [Column(name, found.tolist(), "Events") for name, found in channel.samples.items()]
    error = ErrorBar("total", channel.uncertainty.tolist())
    columns.append(Column("Total", channel.total.tolist(), "Events", (error,)))
    if channel.data is not None and not material.expected_only:
        columns.append(Column("Data", channel.data.tolist(), "Events"))
    when = _WHEN[prediction.kind]
    return Table(
        f"Yields in {channel.name} {when}",
        f"Expected events of each process in bins of {label} in the region {channel.name} {when}, "
        "with the uncertainty of their sum (one standard deviation), and observed events.",
        (Column(label, edges, unit),),
        tuple(columns),
        picture=f"{prediction.kind}_{channel.name}",
        point=material.point.name,
        region=channel.name,
    )


def split_label(label: str) -> tuple[str, str]:
    """Title and unit of an axis.

    Examples
    --------
    >>> split_label("m(tt) [GeV]")
    ('m(tt)', 'GeV')
    """
    found = _UNIT.search(label)
    return (label[: found.start()], found[1]) if found else (label, "")


def cutflow_tables(material: Material) -> Iterator[Table]:
    """Events that are left after each cut, by channel."""
    for channel, flows in material.cutflows.items():
        longest_first = sorted(flows.values(), key=len, reverse=True)
        cuts = list(dict.fromkeys(step["cut"] for steps in longest_first for step in steps))
        if cuts:
            yield Table(
                f"Cutflow in {channel}",
                f"Events that are left after each cut of the region {channel}: expected for "
                "simulation, with the statistical uncertainty, and counted for data.",
                (Column("Cut", cuts),),
                tuple(
                    _flow(process, steps, cuts)
                    for process, steps in flows.items()
                    if not (material.expected_only and _counted(steps))
                ),
                point=material.point.name,
                region=channel,
            )


def _flow(process: str, steps: Sequence[Mapping[str, Any]], cuts: Sequence[str]) -> Column:
    found = {step["cut"]: step for step in steps}
    values = [float(found[cut]["sumw"]) if cut in found else ABSENT for cut in cuts]
    spread = [math.sqrt(found[cut]["sumw2"]) if cut in found else 0.0 for cut in cuts]
    return Column(process, values, "Events", () if _counted(steps) else (ErrorBar("stat", spread),))


def _counted(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether events have no weights, as those of data."""
    return all(step["sumw"] == step["events"] == step["sumw2"] for step in steps)


def limit_tables(materials: Sequence[Material], axes: Sequence[str]) -> Iterator[Table]:
    """Upper limits, one row a signal point.

    Parameters
    ----------
    materials : sequence of Material
        Those without a limit are left out.
    axes : sequence of str
        Titles of the values of the points, with units: ``"mass [GeV]"``; none for names.
    """
    found = [(one.point, one.limit, one.expected_only) for one in materials if one.limit]
    for poi, level in dict.fromkeys((limit.poi, limit.confidence_level) for _, limit, _ in found):
        rows = [one for one in found if (one[1].poi, one[1].confidence_level) == (poi, level)]
        points = [point for point, _, _ in rows]
        titles = [split_label(one) for one in axes]
        grid = tuple(
            Column(title, [point.values[place] for point in points], unit)
            for place, (title, unit) in enumerate(titles)
        )
        expected = [limit.expected for _, limit, _ in rows]
        observed = [ABSENT if o or x.observed is None else x.observed for _, x, o in rows]
        bars = tuple(
            ErrorBar(f"{n} sigma", [(e[2 - n] - e[2], e[2 + n] - e[2]) for e in expected])
            for n in (1, 2)
        )
        said = (("Limit", f"upper, {100 * level:g}% CL, CLs"),)
        columns = [Column("Expected limit", [e[2] for e in expected], "", bars, said)]
        if any(one != ABSENT for one in observed):
            columns.insert(0, Column("Observed limit", observed, "", (), said))
        yield Table(
            f"Upper limits on {poi}",
            f"Upper limits on the signal strength {poi} at {100 * level:g}% confidence level "
            "(CLs): observed, and expected with the intervals of one and two standard deviations.",
            grid or (Column("Signal", [point.name for point in points]),),
            tuple(columns),
            ("CLS",),
            picture="limit_scan" if len(rows) == 1 else "",
        )
