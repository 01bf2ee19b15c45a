"""Sections about simulation-based inference: events, trainings, limits, checks, information."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hepflow.records.sbi import method_label
from hepflow.report.content import (
    Block,
    Cell,
    Column,
    Facts,
    Headline,
    Notice,
    Section,
    Table,
)
from hepflow.report.numbers import PLUS_MINUS, count, number, numeric, with_uncertainty
from hepflow.report.sbi_checks import checks_section, information_section
from hepflow.report.sbi_parts import (
    CALCULATORS,
    FOLDER,
    MADE_BY,
    gallery,
    interval,
    level,
    read,
    unit_text,
    units_of,
    with_unit,
)
from hepflow.report.stored import StoredRun
from hepflow.storage import read_json

DATA: Final = {"asimov": "expected (Asimov)", "observed": "observed"}
NO_BREAK: Final = "\N{NO-BREAK SPACE}"


def sections(stored: StoredRun) -> Iterator[Section | None]:
    """All sections of an inference; none where there is none in the folder."""
    folder = stored.folder / FOLDER
    if not folder.is_dir():
        return
    yield _events(stored, read(folder / "events.json"))
    yield _trainings(stored)
    yield _limits(stored, read(folder / "limits.json"))
    yield checks_section(stored)
    yield information_section(stored)


def headlines(stored: StoredRun) -> Iterator[Headline]:
    """Best fit of each method that was trained."""
    for name, one in read(stored.folder / FOLDER / "limits.json").items():
        fit = one["limits"]["fit"]
        words = [
            with_uncertainty(value, width).replace(f"{PLUS_MINUS} ", f"{PLUS_MINUS}{NO_BREAK}")
            for value, width in zip(fit["bestfit"], fit["uncertainty"], strict=True)
        ]
        units = {units_of(stored).get(label, "") for label in fit["labels"]} - {""}
        unit = f" in {unit_text(units.pop())}" if len(units) == 1 else ""
        data = one["limits"]["model"]["data"]
        label = f"{method_label(name)}: {', '.join(fit['labels'])}"
        yield Headline(label, ", ".join(words), f"best fit{unit}, {DATA.get(data, data)}")


def _events(stored: StoredRun, summary: Mapping[str, Any]) -> Section | None:
    if not summary:
        return None
    columns = (
        Column("benchmark"),
        *(Column(with_unit(x["name"], x["unit"]), numeric=True) for x in summary["parameters"]),
        *(Column(title, numeric=True) for title in _OF_BENCHMARKS),
    )
    rows = tuple(
        (
            Cell(one["name"]),
            *(numeric(value) for value in one["values"]),
            count(one["events_generated"]),
            numeric(one["cross_section"], 5),
            count(one["effective_events"]),
        )
        for one in summary["benchmarks"]
    )
    facts = [
        ("Events", f"{summary['events']:,} of {summary['events_generated']:,} pass the cuts"),
        ("Observables", ", ".join(summary["observables"])),
        *_provenance(summary["provenance"]),
    ]
    blocks: list[Block] = [
        Facts(tuple(facts)),
        Table("sbi-benchmarks", "Benchmarks: points with weights of each event", columns, rows),
    ]
    if summary["cutflow"]:
        steps = tuple((Cell(one["name"]), count(one["events"])) for one in summary["cutflow"])
        heads = (Column("requirement"), Column("events", numeric=True))
        blocks.append(Table("sbi-cutflow", "Events after each requirement", heads, steps))
    blocks += gallery(stored, "samples")
    return Section("sbi-events", "Simulated events for inference", tuple(blocks))


def _provenance(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where the events are from, in words."""
    for name, value in found.items():
        title = _TITLES.get(name, name.replace("_", " ").capitalize())
        if isinstance(value, (str, int, float)) and name != "events_generated":  # said already
            yield title, str(value)
        elif name == "settings" and isinstance(value, Mapping):
            plain = [
                f"{key} {number(one) if isinstance(one, (int, float)) else one}"
                for key, one in value.items()
                if isinstance(one, (str, int, float)) and not isinstance(one, bool)
            ]
            yield title, ", ".join(plain).replace("_", " ")


_TITLES: Final = {"pdf": "PDF", "settings": "Settings of the process"}
_OF_BENCHMARKS: Final = ("events generated", "cross-section [pb]", "effective events")


def _trainings(stored: StoredRun) -> Section | None:
    known = read(stored.folder / FOLDER / "limits.json")  # others are of an earlier configuration
    found = sorted((stored.folder / "models").glob("*/member_*/history.json"))
    histories = [path for name in known for path in found if path.parents[1].name == name]
    if not histories:
        return None
    rows = tuple(_training(path) for path in histories)
    columns = (
        Column("method"),
        Column("member"),
        *(Column(title, numeric=True) for title in _OF_TRAININGS),
    )
    note = "Losses at the best epoch, whose weights were kept. Each method has a loss of its own."
    table = Table("sbi-trainings", "Networks", columns, rows, note=note)
    blocks = (table, *gallery(stored, "losses"))
    return Section("sbi-trainings", "Trained networks", blocks)


_OF_TRAININGS: Final = ("epochs", "best epoch", "training loss", "validation loss")


def _training(path: Path) -> tuple[Cell, ...]:
    history = read_json(path, MADE_BY)
    best = history["best_epoch"]
    row = max(best - 1, 0)
    return (
        Cell(method_label(path.parents[1].name)),
        Cell(path.parent.name.removeprefix("member_")),
        count(len(history["training"])),
        count(best),
        numeric(history["training"][row], 5),
        numeric(history["validation"][row], 5) if history["validation"] else Cell("-", -math.inf),
    )


def _limits(stored: StoredRun, methods: Mapping[str, Any]) -> Section | None:
    if not methods:
        return None
    found = {name: one["limits"] for name, one in methods.items()}
    data = next(iter(found.values()))["model"]
    blocks: list[Block] = []
    if data["data"] == "asimov":
        blocks.append(
            Notice("note", "The data are Asimov data, the expectation: nothing is observed.")
        )
    blocks += [
        Notice("warning", f"{method_label(name)}: {note}")
        for name, one in found.items()
        for note in one["fit"]["notes"]
    ]
    blocks += gallery(stored, "contours")
    units = units_of(stored)
    blocks += [_fits(found, units), _intervals(found, units), _regions(found)]
    expected = data["data"] == "asimov"
    facts = [
        ("Data", DATA.get(data["data"], str(data["data"]))),
        ("Expected events" if expected else "Events", number(data["events"])),
        ("Luminosity [1/pb]", number(data["luminosity"])),
        ("Likelihood", "shape and number of events" if data["rate"] else "shape of events alone"),
        *_calibration(found),
    ]
    return Section("sbi-limits", "Inferred parameters", (Facts(tuple(facts)), *blocks))


def _calibration(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Which ratios are calibrated, and with what."""
    mine = {name: one["model"].get("calibration") for name, one in found.items()}
    names = [method_label(name) for name, one in mine.items() if one]
    if names:
        events = next(one["events"] for one in mine.values() if one)
        yield "Calibrated ratios", f"{', '.join(names)}, with {events:,} validation events"


def _fits(found: Mapping[str, Any], units: Mapping[str, str]) -> Table:
    names = next(iter(found.values()))["fit"]["labels"]
    rows = tuple(
        (
            Cell(method_label(method)),
            *(
                Cell(with_uncertainty(value, width), value)
                for value, width in zip(
                    one["fit"]["bestfit"], one["fit"]["uncertainty"], strict=True
                )
            ),
        )
        for method, one in found.items()
    )
    titles = [with_unit(name, units.get(name, "")) for name in names]
    columns = (Column("method"), *(Column(title, numeric=True) for title in titles))
    note = (
        "Uncertainties are those of the curvature at the maximum of the likelihood; where this is "
        "no parabola, the intervals below say more."
    )
    return Table("sbi-fits", "Best fits", columns, rows, note=note)


def _intervals(found: Mapping[str, Any], units: Mapping[str, str]) -> Table:
    """A row for each parameter of a method, a column for each level."""
    lines: dict[tuple[str, str], dict[float, Cell]] = {}
    for method, one in found.items():
        for own in one["fit"]["intervals"]:
            line = lines.setdefault((method, own["parameter"]), {})
            line[own["confidence_level"]] = interval(own["low"], own["high"])
    levels = sorted({value for line in lines.values() for value in line})
    rows = tuple(
        (
            Cell(method_label(method)),
            Cell(with_unit(name, units.get(name, ""))),
            *(line.get(value, Cell("-", -math.inf)) for value in levels),
        )
        for (method, name), line in lines.items()
    )
    columns = (
        Column("method", choice=True),
        Column("parameter", choice=True),
        *(Column(level(value).text, numeric=True) for value in levels),
    )
    caption = "Confidence intervals of one parameter, the others profiled"
    return Table("sbi-intervals", caption, columns, rows)


def _regions(found: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            Cell(method_label(method)),
            level(one["confidence_level"]),
            Cell(CALCULATORS.get(one["calculator"], one["calculator"])),
            *(interval(low, high) for low, high in one["ends"]),
            numeric(one["area"], 3),
        )
        for method, mine in found.items()
        for one in mine["regions"]
    )
    first = next(iter(found.values()))["regions"][0]
    names, units = first["parameters"], first["units"]
    size = {1: "length", 2: "area"}.get(len(names), "volume")
    product = " \N{MULTIPLICATION SIGN} ".join(filter(None, units))
    columns = (
        Column("method", choice=True),
        Column("level", numeric=True),
        Column("calculator", choice=True),
        *(Column(with_unit(*one), numeric=True) for one in zip(names, units, strict=True)),
        Column(with_unit(size, product), numeric=True),
    )
    caption = "Confidence regions in all parameters at once"
    note = "Ends of each parameter in the region, which is not the box that they span."
    return Table("sbi-regions", caption, columns, rows, note=note if len(names) > 1 else "")
