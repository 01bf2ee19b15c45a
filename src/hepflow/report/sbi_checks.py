"""Sections about simulation-based inference: checks of the estimators, Fisher information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hepflow.report.content import Block, Cell, Column, Section, Table
from hepflow.report.numbers import PLUS_MINUS, count, number, numeric, with_uncertainty
from hepflow.report.sbi_parts import FOLDER, gallery, level, read
from hepflow.report.stored import StoredRun

_LATENT: Final = (
    "latent: of hidden variables of the simulation, which no detector sees; no analysis reaches "
    "it, and elements were met that are 3.7 times too large."
)


def checks_section(stored: StoredRun) -> Section | None:
    """How good the estimators are: against the truth, against known means, with toys."""
    folder = stored.folder / FOLDER
    accuracy, checks = read(folder / "accuracy.json"), read(folder / "calibration.json")
    coverage = read(folder / "coverage.json")
    blocks: list[Block] = []
    if accuracy:
        blocks.append(_accuracy(accuracy))
    closures = [(name, one) for name, found in checks.items() for one in found.get("closure", ())]
    if closures:
        blocks.append(_closures(closures))
    covered = [(name, one) for name, found in coverage.items() for one in found["coverage"]]
    if covered:
        blocks.append(_coverage(covered))
    blocks += gallery(stored, "ratio_", "closure", "coverage")
    blocks += gallery(stored, "reliability", "reweighting", folded=True, title="Calibration")
    if not blocks:
        return None
    return Section("sbi-checks", "Checks of the estimators", tuple(blocks))


def _accuracy(accuracy: Mapping[str, Any]) -> Table:
    rows = []
    for name, found in accuracy.items():
        one = found["accuracy"]
        errors = {f"score in {key}": value for key, value in one.get("score", {}).items()}
        if "log_ratio" in one:
            errors["log ratio"] = one["log_ratio"]
        rows += [
            (Cell(name), Cell(what), Cell(f"{100 * value:.3g} %", value))
            for what, value in errors.items()
        ]
    columns = (Column("method"), Column("estimate"), Column("error", numeric=True))
    note = "Mean squared error over variance, against the exact likelihood of the process."
    return Table("sbi-accuracy", "Accuracy", columns, tuple(rows), note=note)


def _closures(closures: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    rows = tuple(
        (
            Cell(name),
            Cell(one["name"]),
            Cell(", ".join(number(value) for value in one["theta"])),
            Cell(f"{one['mean']:.4f} {PLUS_MINUS} {one['uncertainty']:.4f}", one["mean"]),
            numeric(one["expected"]),
        )
        for name, one in closures
    )
    columns = (
        Column("method", choice=True),
        Column("what"),
        Column("at"),
        Column("found", numeric=True),
        Column("expected", numeric=True),
    )
    return Table("sbi-closure", "Closure: means that are known", columns, rows)


def _coverage(covered: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    rows = tuple(
        (
            Cell(name),
            Cell(one["calculator"]),
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
            Cell(name),
            Cell(one["kind"]),
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
        Column("of", choice=True),
        *(Column(f"{names[i]}, {names[j]}", numeric=True) for i, j in pairs),
    )
    table = Table("sbi-information", "Fisher information", columns, rows, note=_LATENT)
    blocks = (*gallery(stored, "information"), table)
    return Section("sbi-information", "Fisher information", blocks)
