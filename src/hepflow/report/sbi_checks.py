"""Sections about simulation-based inference: checks of the estimators, Fisher information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hepflow.records.sbi import method_label
from hepflow.report.content import Block, Cell, Column, Section, Table
from hepflow.report.numbers import MINUS, count, number, numeric, with_uncertainty
from hepflow.report.sbi_parts import (
    CALCULATORS,
    FOLDER,
    gallery,
    level,
    point,
    read,
    unit_text,
    units_of,
)
from hepflow.report.stored import StoredRun

_LATENT: Final = (
    "Hidden variables of the simulation are seen by no detector: no analysis reaches their "
    "information, and elements were met that are 3.7 times too large."
)
_SOURCES: Final = {"rate": "Simulation", "latent": "Simulation"}  # no estimator is in these
_KINDS: Final = {
    "full": "shape and rate",
    "histogram": "contents of bins",
    "latent": "hidden variables",
}


def checks_section(stored: StoredRun) -> Section | None:
    """How good the estimators are: against the truth, against known means, with toys."""
    folder = stored.folder / FOLDER
    accuracy, checks = read(folder / "accuracy.json"), read(folder / "calibration.json")
    coverage, units = read(folder / "coverage.json"), units_of(stored)
    blocks: list[Block] = []
    if accuracy:
        blocks.append(_accuracy(accuracy))
    closures = [
        (said, one)
        for name, found in checks.items()
        for said, version in _versions(name, found)
        for one in version.get("closure", ())
    ]
    if closures:
        blocks.append(_closures(closures, list(units)))
    covered = [(name, one) for name, found in coverage.items() for one in found["coverage"]]
    if covered:
        blocks.append(_coverage(covered))
    blocks += gallery(stored, "ratio-", "closure", "coverage")
    blocks += gallery(stored, "reliability", "reweighting", folded=True, title="Calibration")
    if not blocks:
        return None
    return Section("sbi-checks", "Checks of the estimators", tuple(blocks))


def _versions(name: str, found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Checks of a method; where its ratio is calibrated, those of before, too."""
    label = method_label(name)
    if not found.get("uncalibrated"):
        return [(label, found)]
    return [(f"{label}, calibrated", found), (label, found["uncalibrated"])]


def _accuracy(accuracy: Mapping[str, Any]) -> Table:
    rows = []
    for name, found in accuracy.items():
        one = found["accuracy"]
        errors = {f"score in {key}": value for key, value in one.get("score", {}).items()}
        if "log_ratio" in one:
            errors["log ratio"] = one["log_ratio"]
        if "log_ratio_uncalibrated" in one:
            errors["log ratio before it was calibrated"] = one["log_ratio_uncalibrated"]
        rows += [
            (Cell(method_label(name)), Cell(what), Cell(f"{100 * value:.3g} %", value))
            for what, value in errors.items()
        ]
    columns = (Column("method"), Column("estimate"), Column("error", numeric=True))
    note = "Mean squared error over variance, against the exact likelihood of the process."
    return Table("sbi-accuracy", "Accuracy", columns, tuple(rows), note=note)


def _closures(closures: Sequence[tuple[str, Mapping[str, Any]]], names: Sequence[str]) -> Table:
    rows = tuple(
        (
            Cell(name),
            Cell(one["name"]),
            Cell(point(one["theta"])),
            Cell(with_uncertainty(one["mean"], one["uncertainty"]), one["mean"]),
            numeric(one["expected"]),
            Cell(f"{one['pull']:+.1f}".replace("-", MINUS), one["pull"]),
        )
        for name, one in closures
    )
    columns = (
        Column("method", choice=True),
        Column("what"),
        Column(f"at ({', '.join(names)})" if names else "at"),
        Column("found", numeric=True),
        Column("expected", numeric=True),
        Column("pull", numeric=True),
    )
    note = "Pull: distance from what is expected in standard deviations."
    return Table("sbi-closure", "Closure: means that are known", columns, rows, note=note)


def _coverage(covered: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    rows = tuple(
        (
            Cell(method_label(name)),
            Cell(CALCULATORS.get(one["calculator"], one["calculator"])),
            level(one["confidence_level"]),
            Cell(with_uncertainty(one["fraction"], one["uncertainty"]), one["fraction"]),
            count(one["toys"]),
        )
        for name, one in covered
    )
    columns = (
        Column("method", choice=True),
        Column("calculator", choice=True),
        *(Column(title, numeric=True) for title in ("level", "covered", "toys")),
    )
    return Table("sbi-coverage", "Toys whose region contains the truth", columns, rows)


def information_section(stored: StoredRun) -> Section | None:
    """Fisher information of all methods."""
    methods = read(stored.folder / FOLDER / "information.json")
    found = [(name, one) for name, mine in methods.items() for one in mine["information"]]
    if not found:
        return None
    names = found[0][1]["parameters"]
    pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names))]
    rows = tuple(
        (
            Cell(_SOURCES.get(one["kind"], method_label(name))),
            Cell(_KINDS.get(one["kind"], one["kind"])),
            *(
                Cell(
                    with_uncertainty(one["matrix"][i][j], one["uncertainty"][i][j]),
                    one["matrix"][i][j],
                )
                for i, j in pairs
            ),
        )
        for name, one in found
    )
    columns = (
        Column("from", choice=True),
        Column("information in", choice=True),
        *(Column(f"{names[i]}, {names[j]}", numeric=True) for i, j in pairs),
    )
    one = found[0][1]
    at = ", ".join(f"{x} = {number(y)}" for x, y in zip(names, one["theta"], strict=False))
    units = {unit_text(unit) for unit in one["units"]}
    unit = f" [({_inverse(next(iter(units)))})²]" if len(units) == 1 and units != {""} else ""
    caption = f"Fisher information at {at} and {number(one['luminosity'])}/pb{unit}"
    note = _LATENT if any(one["kind"] == "latent" for _, one in found) else ""
    table = Table("sbi-information", caption, columns, rows, note=note)
    blocks = (*gallery(stored, "information"), table)
    return Section("sbi-information", "Fisher information", blocks)


def _inverse(unit: str) -> str:
    return unit.removeprefix("1/") if unit.startswith("1/") else f"1/{unit}"
