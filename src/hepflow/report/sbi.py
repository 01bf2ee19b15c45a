"""Sections about simulation-based inference: events, trainings, limits, checks, information."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

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
from hepflow.report.numbers import count, number, numeric, with_uncertainty
from hepflow.report.sbi_checks import checks_section, information_section
from hepflow.report.sbi_parts import FOLDER, MADE_BY, gallery, level, read
from hepflow.report.stored import StoredRun
from hepflow.storage import read_json


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
            f"{label} {with_uncertainty(value, width)}"
            for label, value, width in zip(
                fit["labels"], fit["bestfit"], fit["uncertainty"], strict=True
            )
        ]
        yield Headline(name, ", ".join(words), one["limits"]["model"]["data"])


def _events(stored: StoredRun, summary: Mapping[str, Any]) -> Section | None:
    if not summary:
        return None
    names = [one["name"] for one in summary["parameters"]]
    columns = (
        Column("benchmark"),
        *(Column(name, numeric=True) for name in names),
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
        *(
            (name.replace("_", " ").capitalize(), str(value))
            for name, value in summary["provenance"].items()
            if isinstance(value, (str, int, float))
        ),
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


_OF_BENCHMARKS: Final = ("events generated", "cross-section [pb]", "effective events")


def _trainings(stored: StoredRun) -> Section | None:
    known = read(stored.folder / FOLDER / "limits.json")  # others are of an earlier configuration
    found = sorted((stored.folder / "models").glob("*/member_*/history.json"))
    histories = [path for path in found if path.parents[1].name in known]
    if not histories:
        return None
    rows = tuple(_training(path) for path in histories)
    columns = (
        Column("method"),
        Column("member"),
        *(Column(t, numeric=True) for t in ("epochs", "best epoch", "training", "validation")),
    )
    note = "Losses at the best epoch, whose weights were kept."
    table = Table("sbi-trainings", "Networks", columns, rows, note=note)
    blocks = (table, *gallery(stored, "losses"))
    return Section("sbi-trainings", "Trained networks", blocks)


def _training(path: Path) -> tuple[Cell, ...]:
    history = read_json(path, MADE_BY)
    best = history["best_epoch"]
    row = max(best - 1, 0)
    return (
        Cell(path.parents[1].name),
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
        Notice("warning", f"{name}: {note}")
        for name, one in found.items()
        for note in one["fit"]["notes"]
    ]
    blocks += gallery(stored, "contours")
    blocks += [_fits(found), _intervals(found), _regions(found)]
    facts = [
        ("Data", str(data["data"])),
        ("Events", number(data["events"])),
        ("Luminosity [1/pb]", number(data["luminosity"])),
        ("Number of events counts", "yes" if data["rate"] else "no"),
    ]
    return Section("sbi-limits", "Inferred parameters", (Facts(tuple(facts)), *blocks))


def _fits(found: Mapping[str, Any]) -> Table:
    names = next(iter(found.values()))["fit"]["labels"]
    rows = tuple(
        (
            Cell(method),
            *(
                Cell(with_uncertainty(value, width), value)
                for value, width in zip(
                    one["fit"]["bestfit"], one["fit"]["uncertainty"], strict=True
                )
            ),
        )
        for method, one in found.items()
    )
    columns = (Column("method"), *(Column(name, numeric=True) for name in names))
    return Table("sbi-fits", "Best fits", columns, rows)


def _intervals(found: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            Cell(method),
            Cell(interval["parameter"]),
            level(interval["confidence_level"]),
            _end(interval["low"], -math.inf),
            _end(interval["high"], math.inf),
        )
        for method, one in found.items()
        for interval in one["fit"]["intervals"]
    )
    columns = (
        Column("method", choice=True),
        Column("parameter", choice=True),
        *(Column(title, numeric=True) for title in ("level", "from", "to")),
    )
    caption = "Intervals of one parameter, the others profiled"
    return Table("sbi-intervals", caption, columns, rows)


def _regions(found: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            Cell(method),
            level(region["confidence_level"]),
            Cell(region["calculator"]),
            numeric(region["area"]),
            *(
                Cell(f"{_text(low)} to {_text(high)}", -math.inf if low is None else low)
                for low, high in region["ends"]
            ),
        )
        for method, one in found.items()
        for region in one["regions"]
    )
    names = next(iter(found.values()))["fit"]["labels"]
    columns = (
        Column("method", choice=True),
        Column("level", numeric=True),
        Column("calculator", choice=True),
        Column("area", numeric=True),
        *(Column(name, numeric=True) for name in names),
    )
    caption = "Confidence regions in all parameters at once"
    return Table("sbi-regions", caption, columns, rows)


def _end(value: float | None, order: float) -> Cell:
    return Cell("beyond the range", order) if value is None else numeric(value)


def _text(value: float | None) -> str:
    return "beyond" if value is None else number(value)
