"""Sections about the model: systematic uncertainties and what the audit of templates found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hepflow.records.inference import Finding
from hepflow.report.content import Block, Cell, Column, Gallery, Level, Notice, Section, Table
from hepflow.report.events import figures_of
from hepflow.report.numbers import PLUS_MINUS, counted, identifier, number, signed
from hepflow.report.stored import StoredRun

STATISTICS: Final = "statistics of the simulation"
_SEVERITIES: Final[Mapping[str, Level]] = {"error": "problem", "warning": "warning"}
_ACCEPTED: Final = "accepted"  # by the configuration, with a reason
_SMALL: Final = 0.005  # [%] rounds to nothing
_LARGE: Final = 50.0  # [%] of the events of a sample: worth a look


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one source moves the events of one sample in one region."""

    region: str
    sample: str
    source: str
    up: float  # relative: 0.02 is 2 % more
    down: float
    shape: bool  # whether it moves bins differently


def effects_of(workspace: Mapping[str, Any]) -> tuple[Effect, ...]:
    """Effect of each source on the events of each sample, as the model has it.

    Parameters
    ----------
    workspace
        A HistFactory workspace. Free factors are no uncertainties and left out; a parameter of
        the shape in each bin (``staterror``, ``shapesys``) moves all bins independently.
    """
    return tuple(
        effect
        for channel in workspace.get("channels", ())
        for sample in channel["samples"]
        for effect in _of_sample(channel["name"], sample, _luminosity(workspace))
    )


def _luminosity(workspace: Mapping[str, Any]) -> dict[str, float]:
    """Relative uncertainties of the parameters whose constraint the measurement states."""
    first: Mapping[str, Any] = next(iter(workspace.get("measurements", ())), {})
    parameters = (first.get("config") or {}).get("parameters") or ()
    return {one["name"]: one["sigmas"][0] for one in parameters if one.get("sigmas")}


def _of_sample(
    region: str, sample: Mapping[str, Any], sigmas: Mapping[str, float]
) -> Iterator[Effect]:
    nominal = math.fsum(sample["data"])
    if nominal <= 0:
        return
    factors: dict[str, tuple[float, float]] = {}  # a source may have a size and a shape
    shapes: set[str] = set()
    for one in sample["modifiers"]:
        found = _sides(one, nominal, sigmas)
        if found is not None:
            name = STATISTICS if one["type"] in {"staterror", "shapesys"} else one["name"]
            before = factors.get(name, (1.0, 1.0))
            factors[name] = (before[0] * found[0], before[1] * found[1])
            if one["type"] not in {"normsys", "lumi"}:
                shapes.add(name)
    for name, (up, down) in factors.items():
        yield Effect(region, sample["name"], name, up - 1.0, down - 1.0, name in shapes)


def _sides(
    modifier: Mapping[str, Any], nominal: float, sigmas: Mapping[str, float]
) -> tuple[float, float] | None:
    """Factors on the events of a sample; None where the modifier is no uncertainty."""
    kind, data = modifier["type"], modifier["data"]
    if kind == "normsys":
        return data["hi"], data["lo"]
    if kind == "histosys":
        return math.fsum(data["hi_data"]) / nominal, math.fsum(data["lo_data"]) / nominal
    if kind == "lumi":
        sigma = sigmas.get(modifier["name"], 0.0)
        return 1.0 + sigma, 1.0 - sigma
    if kind in {"staterror", "shapesys"}:
        width = math.sqrt(math.fsum(one**2 for one in data)) / nominal
        return 1.0 + width, 1.0 - width
    return None


def systematics_section(stored: StoredRun) -> Section | None:
    """Effect of each source of uncertainty on the events of each sample."""
    effects = effects_of(stored.inference.workspace)
    group_of = {
        parameter: group
        for group, members in stored.inference.groups.items()
        for parameter in members
    }
    blocks: list[Block] = [
        _effects(region, [one for one in effects if one.region == region], group_of)
        for region in dict.fromkeys(one.region for one in effects)
    ]
    templates = figures_of(stored, ["template"])
    if templates:
        blocks.append(Gallery(templates, "Templates with their variations", folded=True))
    if not blocks:
        if not stored.inference.absent:
            return None
        blocks.append(Notice("note", f"No table of effects: {stored.inference.absent}."))
    intro = (
        "Change of the expected events when a source moves by one standard deviation up and "
        "down, before the fit, in percent."
    )
    return Section("systematics", "Systematic uncertainties", tuple(blocks), intro)


def _effects(region: str, effects: Sequence[Effect], group_of: Mapping[str, str]) -> Table:
    samples = tuple(dict.fromkeys(one.sample for one in effects))
    sources = dict.fromkeys(one.source for one in effects)
    found = {(one.source, one.sample): one for one in effects}
    groups = any(source in group_of for source in sources)
    rows = []
    for source in sources:
        mine = [found.get((source, sample)) for sample in samples]
        shape = any(one is not None and one.shape for one in mine)
        group = [Cell(group_of.get(source, "-"))] if groups else []
        kind = Cell("norm and shape" if shape else "norm")
        rows.append((Cell(source), *group, kind, *map(_effect, mine)))
    titles = [Column("source")]
    titles += [Column("group", choice=True)] if groups else []
    titles += [Column("kind", choice=True)]
    titles += [Column(sample, numeric=True) for sample in samples]
    name, caption = identifier("effects", region), f"Effect on the events of {region} [%]"
    return Table(name, caption, tuple(titles), tuple(rows), search=True)


def _effect(effect: Effect | None) -> Cell:
    if effect is None:
        return Cell("-", -1.0)
    up, down = 100 * effect.up, 100 * effect.down
    largest = max(abs(up), abs(down))
    level: Level | None = "warning" if largest > _LARGE else None
    if largest < _SMALL:
        return Cell("0", 0.0)
    if math.isclose(up, -down, rel_tol=1e-9):
        return Cell(f"{PLUS_MINUS}{number(largest, 2)}", largest, level)
    return Cell(f"{_percent(up)} / {_percent(down)}", largest, level)


def _percent(value: float) -> str:
    """Two digits, but no more than two decimals."""
    return "0" if abs(value) < _SMALL else signed(value if abs(value) >= 1 else round(value, 2), 2)


def audit_section(stored: StoredRun) -> Section | None:
    """What the audit of templates found."""
    findings = stored.findings
    if findings is None:
        return None
    title = "Audit of the templates"
    if not findings:
        return Section("audit", title, (Notice("good", "The audit found nothing."),))
    columns = (
        Column("severity", choice=True),
        Column("finding", choice=True),
        Column("region", choice=True),
        Column("sample", choice=True),
        Column("source"),
        Column("bins"),
        Column("what it is"),
    )
    rows = tuple(_finding(one) for one in findings)
    caption = ", ".join(by_severity(findings))
    table = Table("audit-findings", f"Findings: {caption}", columns, rows, search=True)
    intro = (
        "Errors stop the fit; warnings are for a person to look at; accepted is what the "
        "configuration names with a reason. Bins are counted from 0."
    )
    return Section("audit", title, (table,), intro)


def _place(severity: str) -> tuple[bool, str]:
    return severity == _ACCEPTED, severity


def by_severity(findings: Sequence[Finding]) -> Iterator[str]:
    """Number of findings by severity, errors first."""
    for severity in sorted({one.severity for one in findings}, key=_place):
        many = sum(one.severity == severity for one in findings)
        yield f"{many:,} accepted" if severity == _ACCEPTED else counted(many, severity)


def _finding(one: Finding) -> tuple[Cell, ...]:
    bins = ", ".join(map(str, one.bins))
    return (
        Cell(one.severity, level=_SEVERITIES.get(one.severity)),
        Cell(one.code),
        Cell(one.region or "-"),
        Cell(one.sample or "all"),
        Cell(one.systematic or "nominal"),
        Cell(bins or "all", float(one.bins[0]) if one.bins else -1.0),
        Cell(one.message),
    )
