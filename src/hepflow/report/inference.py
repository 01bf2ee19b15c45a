"""Sections about inference: fit, ranking, likelihood scans, limit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hepflow.records import FitResult, LimitResult, LimitScan, Significance
from hepflow.records.inference import GoodnessOfFit, Impact, Interval, Ranking
from hepflow.report.content import (
    Block,
    Cell,
    Column,
    Facts,
    Figure,
    Gallery,
    Level,
    Notice,
    Section,
    Table,
)
from hepflow.report.events import figures_of, yields_table
from hepflow.report.numbers import MINUS, SIGMA, number, numeric, signed, with_uncertainty
from hepflow.report.stored import Inference, StoredRun

_STATISTICAL: Final = ("staterror_", "gamma_")
_MODEL: Final = {  # what is on record of a model, in words
    "digest": "SHA-256 of the model",
    "poi_bounds": "Range of the parameter of interest",
}
_BANDS: Final = (f"{MINUS}2 {SIGMA}", f"{MINUS}1 {SIGMA}", "median", f"+1 {SIGMA}", f"+2 {SIGMA}")
_PULLED: Final = 2.0  # standard deviations
_STRONG: Final = 0.2  # correlation with the parameter of interest that is worth a look
_MOST: Final = 10
_BAD_FIT: Final = 0.01  # p-value


def failure(fit: FitResult) -> str:
    """What to say of a fit without a result."""
    why = "; ".join(fit.notes) or "it did not converge"
    return f"The fit has no result that may be shown: {why}."


def fit_section(stored: StoredRun) -> Section:
    """The fit: parameters, correlations, yields and figures."""
    found = stored.inference
    title = "Fit"
    if found.fit is None:
        return Section("fit", title, (Notice("note", f"No fit: {found.absent}."),))
    before = figures_of(stored, ["prefit"])
    blocks: list[Block] = []
    if found.failed:
        blocks.append(Notice("problem", failure(found.fit)))
        blocks.append(Notice("note", "What follows is the prediction before the fit."))
    else:
        blocks.append(Facts(tuple(_facts(found, found.fit))))
        blocks += [Notice("warning", note) for note in found.fit.notes]
        blocks.append(_parameters(found, found.fit))
        if found.fit.intervals:
            data = "asimov" if found.expected_only else "observed"
            rows = [_interval(one, data) for one in found.fit.intervals]
            blocks.append(_interval_table("minos", rows))
        strong = _correlations(found.fit)
        blocks += [strong] if strong.rows else []
        drawn = figures_of(stored, ["postfit", "pulls", "correlation", "goodness"])
        blocks += [Gallery(drawn)] if drawn else []
        blocks += [yields_table(found.postfit, "postfit")] if found.postfit else []
    blocks += [yields_table(found.prefit, "prefit")] if found.prefit else []
    blocks += [Gallery(before, "Before the fit")] if before else []
    return Section("fit", title, tuple(blocks))


def _facts(found: Inference, fit: FitResult) -> Iterator[tuple[str, str]]:
    asimov = " (Asimov data: the nominal expectation)" if found.expected_only else ""
    yield f"Best fit of {fit.poi}", with_uncertainty(*fit.value(fit.poi)) + asimov
    yield "Twice the negative log-likelihood", number(fit.twice_nll, 8)
    if found.goodness is not None:
        yield "Goodness of fit", goodness_text(found.goodness)
    elif fit.goodness_of_fit is not None:
        yield "Goodness of fit", f"p = {number(fit.goodness_of_fit, 3)} (saturated model)"
    for name, value in fit.model.items():
        if not isinstance(value, Mapping):
            text = " to ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield _MODEL.get(name, name.replace("_", " ").capitalize()), text


def goodness_text(one: GoodnessOfFit) -> str:
    """Goodness of fit in words."""
    p = "no p-value" if one.p_value is None else f"p = {number(one.p_value, 3)}"
    toys = f", {len(one.toys):,} toys" if one.toys else ""
    failed = f", {one.failed:,} more did not converge" if one.failed else ""
    value, freedom = number(one.statistic), one.degrees_of_freedom
    return f"{p} (statistic {value}, {freedom} degrees of freedom, {one.calculator}{toys}{failed})"


def _kinds(workspace: Mapping[str, Any]) -> dict[str, str]:
    """Type of the modifiers of each parameter, in words."""
    words = {"normfactor": "free factor", "lumi": "luminosity", "shapefactor": "free factor"}
    found: dict[str, str] = {}
    for channel in workspace.get("channels", ()):
        for sample in channel["samples"]:
            for one in sample["modifiers"]:
                found.setdefault(one["name"], words.get(one["type"], one["type"]))
    return {name: "nuisance" if kind in _SYSTEMATIC else kind for name, kind in found.items()}


_SYSTEMATIC: Final = {"normsys", "histosys"}


def _kind(label: str, kinds: Mapping[str, str], poi: str) -> str:
    if label == poi:
        return "POI"
    if label.startswith(_STATISTICAL):
        return "bin statistics"
    return kinds.get(label) or kinds.get(label.partition("[")[0]) or "nuisance"


def _parameters(found: Inference, fit: FitResult) -> Table:
    kinds = _kinds(found.workspace)
    ranked = {one.parameter: one for one in found.ranking.impacts} if found.ranking else {}
    groups = {name: group for group, members in found.groups.items() for name in members}
    index = fit.labels.index(fit.poi)
    rows = []
    for i, label in enumerate(fit.labels):
        value, width = float(fit.bestfit[i]), float(fit.uncertainty[i])
        kind = _kind(label, kinds, fit.poi)
        pull, constraint = _pull(kind, value, width, ranked.get(label))
        held = width == 0
        rows.append((
            Cell(label),
            Cell(f"{kind}, held" if held else kind),
            *([Cell(groups.get(label, "-"))] if groups else []),
            Cell(number(value) if held else with_uncertainty(value, width), value),
            _pull_cell(pull),
            numeric(constraint, 3),
            numeric(None if held else float(fit.correlation[index, i]), 2),
        ))  # fmt: skip
    columns = [Column("parameter"), Column("kind", choice=True)]
    columns += [Column("group", choice=True)] if groups else []
    columns += [
        Column(title, numeric=True)
        for title in ("best fit", "pull", "constraint", f"correlation with {fit.poi}")
    ]
    note = (
        "Pull: distance from the nominal value in units of the uncertainty before the fit. "
        "Constraint: uncertainty after the fit by that before."
    )
    return Table("parameters", "Parameters", tuple(columns), tuple(rows), search=True, note=note)


def _pull(
    kind: str, value: float, width: float, impact: Impact | None
) -> tuple[float | None, float | None]:
    """Pull and constraint; None where the model does not say the width before the fit."""
    if impact is not None and impact.prefit_uncertainty > 0:
        return impact.pull, width / impact.prefit_uncertainty
    if kind == "nuisance":  # its constraint is 0 +- 1
        return value, width
    return None, None


def _pull_cell(pull: float | None) -> Cell:
    if pull is None:
        return Cell("-", -99.0)
    level: Level | None = "warning" if abs(pull) >= _PULLED else None
    text = "0" if abs(pull) < 1e-4 else signed(pull, 2)  # noqa: PLR2004 - nothing to see
    return Cell(text, pull, level)


def _correlations(fit: FitResult) -> Table:
    """The strongest correlations, without statistics of bins."""
    names = [i for i, label in enumerate(fit.labels) if not label.startswith(_STATISTICAL)]
    pairs = [
        (float(fit.correlation[i, j]), fit.labels[i], fit.labels[j])
        for k, i in enumerate(names)
        for j in names[k + 1 :]
    ]
    strong = sorted((one for one in pairs if abs(one[0]) >= _STRONG), key=lambda one: -abs(one[0]))
    rows = tuple((Cell(a), Cell(b), Cell(signed(c, 2), c)) for c, a, b in strong[:_MOST])
    columns = (Column("parameter"), Column("and"), Column("correlation", numeric=True))
    return Table("correlations", "The strongest correlations", columns, rows, folded=True)


def ranking_section(stored: StoredRun) -> Section | None:
    """Impacts of the parameters on the parameter of interest."""
    ranking = stored.inference.ranking
    if ranking is None:
        return None
    drawn = figures_of(stored, ["ranking"])
    blocks: tuple[Block, ...] = ((Gallery(drawn),) if drawn else ()) + (_impacts(ranking),)
    if ranking.groups:
        rows = tuple(
            (
                Cell(one.group),
                Cell(f"{len(one.parameters)}", float(len(one.parameters))),
                numeric(one.impact),
            )
            for one in ranking.groups
        )
        columns = (Column("group"), *(Column(t, numeric=True) for t in ("parameters", "impact")))
        blocks += (Table("group-impacts", "Impact of groups", columns, rows),)
    value = with_uncertainty(ranking.bestfit, ranking.uncertainty)
    intro = (
        f"How far {ranking.poi} moves when a parameter is held one standard deviation above or "
        f"below its best fit. {ranking.poi}: {value}."
    )
    return Section("ranking", "Ranking", blocks, intro)


def _impacts(ranking: Ranking) -> Table:
    rows = tuple(
        (
            Cell(f"{rank}", float(rank)),
            Cell(one.parameter),
            Cell(one.group or "-"),
            Cell(f"{signed(one.postfit[1])} / {signed(one.postfit[0])}", one.size),
            Cell("-", -1.0)
            if one.prefit is None
            else Cell(
                f"{signed(one.prefit[1])} / {signed(one.prefit[0])}", max(map(abs, one.prefit))
            ),
            _pull_cell(one.pull),
        )
        for rank, one in enumerate(ranking.impacts, start=1)
    )
    columns = (
        Column("rank", numeric=True),
        Column("parameter"),
        Column("group", choice=True),
        *(Column(t, numeric=True) for t in ("impact, up / down", "impact before the fit", "pull")),
    )
    return Table("impacts", f"Impacts on {ranking.poi}", columns, rows, search=True)


def scans_section(stored: StoredRun) -> Section | None:
    """Profiled likelihoods over parameters, with their intervals."""
    scans = stored.inference.scans
    drawn = figures_of(stored, ["scan"]) if scans else ()
    if not scans:
        return None
    rows = [_interval(one, scan.data) for scan in scans for one in scan.intervals]
    blocks: tuple[Block, ...] = (Gallery(drawn),) if drawn else ()
    if rows:
        blocks += (_interval_table("intervals", rows),)
    listed = "; ".join(" and ".join(scan.parameters) for scan in scans)
    return Section("scans", "Likelihood scans", blocks, f"Scanned: {listed}.")


def _interval_table(name: str, rows: Iterable[tuple[Cell, ...]]) -> Table:
    numbers = ("level", "best fit", "from", "to")
    columns = (Column("parameter"), Column("data"), *(Column(t, numeric=True) for t in numbers))
    return Table(name, "Intervals from the likelihood", columns, tuple(rows))


def _interval(one: Interval, data: str) -> tuple[Cell, ...]:
    ends = [
        Cell("beyond the range", end) if value is None else numeric(value)
        for value, end in ((one.low, -math.inf), (one.high, math.inf))
    ]
    level = Cell(f"{100 * one.confidence_level:.3g} %", one.confidence_level)
    return Cell(one.parameter), Cell(data), level, numeric(one.bestfit), *ends


def limit_section(stored: StoredRun) -> Section | None:
    """Upper limit, significance and the scan of CLs."""
    limit, discovery = stored.inference.limit, stored.inference.significance
    drawn: tuple[Figure, ...] = figures_of(stored, ["limit"]) if limit is not None else ()
    blocks: list[Block] = []
    if limit is not None:
        blocks += [_limits(limit), Facts(tuple(_limit_facts(limit)))]
    if discovery is not None:
        blocks.append(_significance(discovery))
    if drawn:
        blocks.append(Gallery(drawn))
    if limit is not None and limit.scan is not None:
        blocks.append(_cls(limit.poi, limit.scan))
    return Section("limit", "Limit and significance", tuple(blocks)) if blocks else None


def _significance(discovery: Significance) -> Table:
    rows = [("expected", discovery.expected_z, discovery.expected_p)]
    if discovery.observed_z is not None and discovery.observed_p is not None:
        rows.insert(0, ("observed", discovery.observed_z, discovery.observed_p))
    columns = (Column("which"), *(Column(t, numeric=True) for t in ("significance", "p-value")))
    cells = tuple((Cell(name), numeric(z, 3), numeric(p, 3)) for name, z, p in rows)
    note = f"Calculator: {discovery.calculator}."
    return Table("significance", "Significance of a discovery", columns, cells, note=note)


def _limits(limit: LimitResult) -> Table:
    toys = limit.model.get("toys", {})
    rows = []
    if limit.observed is not None:
        rows.append(("observed", limit.observed, toys.get("observed_uncertainty")))
    errors = toys.get("expected_uncertainty") or [None] * len(_BANDS)
    bands = zip(_BANDS, limit.expected, errors, strict=True)
    rows += [(f"expected, {name}", value, error) for name, value, error in bands]
    caption = f"Upper limit on {limit.poi} at {100 * limit.confidence_level:g} % confidence level"
    columns = (Column("limit"), Column(limit.poi, numeric=True))
    return Table("limits", caption, columns, tuple((Cell(n), _limit(v, e)) for n, v, e in rows))


def _limit(value: float, error: float | None) -> Cell:
    """A limit, with its statistical uncertainty where it comes from toys."""
    return numeric(value) if error is None else Cell(with_uncertainty(value, error), value)


def _cls(poi: str, scan: LimitScan) -> Table:
    """CLs at each value of a scan; the expected curves run from -2 to +2 sigma."""
    titles = [name if name == "median" else f"median {name}" for name in _BANDS]
    curves = list(scan.expected)
    if scan.observed is not None:
        titles, curves = ["observed", *titles], [scan.observed, *curves]
    columns = (Column(poi, numeric=True), *(Column(title, numeric=True) for title in titles))
    rows = tuple(
        (numeric(value), *(numeric(curve[i], 3) for curve in curves))
        for i, value in enumerate(scan.poi_values)
    )
    return Table("cls", "CLs", columns, rows, folded=True)


def _limit_facts(limit: LimitResult) -> Iterator[tuple[str, str]]:
    yield "Test statistic", limit.test_statistic
    yield "Calculator", limit.calculator
    yield "Expected limits", limit.expected_kind.replace("_", " ")
    if limit.cls_at_observed is not None:
        yield "CLs at the observed limit", number(limit.cls_at_observed, 6)


def is_bad(p_value: float | None) -> bool:
    """Whether a goodness of fit is so small that a reader must be told."""
    return p_value is not None and p_value < _BAD_FIT
