"""Which figures an inference has, from what is stored of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.inference.benchmarks import CHOSEN
from hepflow.inference.records import Benchmark, EventTable, Parameter
from hepflow.inference.workflow.physics import EVENTS
from hepflow.inference.workflow.results import FILES, stored_results
from hepflow.plotting import PlottingSpec
from hepflow.plotting.run import FigureTask
from hepflow.plotting.sbi_numbers import (
    CoverageNumbers,
    ReliabilityNumbers,
    closure_numbers,
    loss_numbers,
    ratio_numbers,
    reweighting_numbers,
    sample_numbers,
)
from hepflow.plotting.sbi_regions import ellipse_numbers, region_numbers
from hepflow.records.inference import LikelihoodScan
from hepflow.records.sbi import (
    Closure,
    Coverage,
    Information,
    Region,
    Reliability,
    Reweighting,
    method_label,
)
from hepflow.storage import read_json

if TYPE_CHECKING:
    from hepflow.inference.workflow.running import Bench

_CURVES: Final = 3  # benchmarks in a figure of samples
_PLANE: Final = 2
MINUS: Final = "\N{MINUS SIGN}"
_LEVEL: Final = 0.68  # of ellipses
Named = Iterator[tuple[str, Any]]


@dataclass(frozen=True)
class Stored:
    """What is there to be drawn."""

    table: EventTable | None
    methods: Mapping[str, Mapping[str, Any]]
    models: Path
    parameters: tuple[Parameter, ...]
    labels: Mapping[str, str]  # of observables and parameters

    def axes(self) -> tuple[str, str]:
        """Titles of the axes of the parameters."""
        one, two = (self._title(parameter) for parameter in self.parameters[:_PLANE])
        return one, two

    def of_benchmark(self, one: Benchmark) -> str:
        """Name of a benchmark; of one that was chosen by a computer, its point."""
        if not one.name.startswith(CHOSEN):
            return "SM" if one.name == "sm" else one.name.replace("_", " ")
        values = zip(self.parameters, one.values, strict=True)
        return ", ".join(f"{self._name(a)} = {b:.2f}" for a, b in values).replace("-", MINUS)

    def quantity(self, told: str) -> str:
        """Title of what is compared: the log ratio, or a component of the score, with its unit."""
        for one in self.parameters:
            if told == f"score in {one.name}":
                unit = one.unit.removeprefix("1/") if one.unit.startswith("1/") else ""
                return f"score in {self._name(one)}" + (f" [{unit}]" if unit else "")
        return r"$\ln\,r$" if told == "ln r" else told

    def _name(self, parameter: Parameter) -> str:
        return self.labels.get(parameter.name) or parameter.label or parameter.name

    def _title(self, parameter: Parameter) -> str:
        name = self._name(parameter)
        return f"{name} [{parameter.unit}]" if parameter.unit else name


def tasks_of(
    bench: Bench, look: PlottingSpec, folder: Path, events: str | None
) -> Iterator[FigureTask]:
    """Figures of events, trainings and results, as far as these are there."""
    stored = _stored(bench, events)
    for kind in bench.study.inference.plots:
        for name, content in _FIGURES[kind](stored):
            yield FigureTask(content, look, folder, name)


def _stored(bench: Bench, events: str | None) -> Stored:
    from hepflow.inference.event_file import read_events

    own, path = bench.study.inference, Path(events) if events else bench.folder / EVENTS
    table = read_events(path) if path.is_file() else None
    there = (bench.folder / next(iter(FILES))).is_file()
    labels = {one.name: one.label for one in own.observables if one.label}
    labels |= {one.name: one.label for one in own.parameters if one.label}
    return Stored(
        table,
        stored_results(bench.folder) if there else {},
        bench.manager.get_models_dir(),
        table.parameters if table else (),
        {**_BUILT_IN, **labels, **bench.study.plotting.parameter_labels},
    )


_BUILT_IN: Final = {
    "mass": r"$m(\mu\mu)$ [GeV]",
    "rapidity": r"$y(\mu\mu)$",
    "cos_theta": r"$\cos\theta^*$",
}


def _samples(stored: Stored) -> Named:
    """Each observable at the first benchmarks."""
    table = stored.table
    if table is None:
        return
    weights = {
        stored.of_benchmark(one): table.weights[:, i]
        for i, one in enumerate(table.benchmarks[:_CURVES])
    }
    for column, name in enumerate(table.observables):
        label = stored.labels.get(name, name)
        yield f"samples_{name}", sample_numbers(table.x[:, column], weights, label)


def _losses(stored: Stored) -> Named:
    for name in stored.methods:
        files = sorted((stored.models / name).glob("member_*/history.json"))
        found = [read_json(path, "`hepflow sbi ml`") for path in files]
        if found:
            yield (
                f"losses_{name}",
                loss_numbers(
                    name,
                    [one["training"] for one in found],
                    [one["validation"] for one in found],
                    [one["best_epoch"] for one in found],
                ),
            )


def _ratios(stored: Stored) -> Named:
    for name, one in stored.methods.items():
        for number, found in enumerate(one.get("comparison", ())):
            yield (
                f"ratio_{name}" + (f"_{number}" if number else ""),
                ratio_numbers(
                    name,
                    np.asarray(found["known"]),
                    np.asarray(found["estimated"]),
                    against=found["against"],
                    quantity=stored.quantity(found["quantity"]),
                ),
            )


def _contours(stored: Stored) -> Named:
    """All methods together, and each alone."""
    scans, regions = {}, {}
    for name, one in stored.methods.items():
        if one["limits"]["scan"]:
            scans[name] = LikelihoodScan.from_json(one["limits"]["scan"])
            regions[name] = [Region.from_json(region) for region in one["limits"]["regions"]]
    if not scans:
        return
    levels = sorted({one.confidence_level for found in regions.values() for one in found})
    common: dict[str, Any] = {"levels": levels, "marks": _marks(stored)}
    yield "contours", region_numbers(scans, stored.axes(), regions=regions, **common)
    for name, scan in scans.items():
        alone = {name: regions[name]}
        yield (
            f"contours_{name}",
            region_numbers({name: scan}, stored.axes(), regions=alone, **common),
        )


def _marks(stored: Stored) -> dict[str, tuple[float, float]]:
    """The truth of Asimov data, or the origin."""
    truth = next(iter(stored.methods.values()))["limits"]["model"]["truth"]
    if truth and any(truth):
        return {"truth": (truth[0], truth[1])}
    return {"SM": (0.0, 0.0)}


def _information(stored: Stored) -> Named:
    """Ellipses of all that is attainable."""
    if len(stored.parameters) != _PLANE or (stored.table and stored.table.nuisances):
        return
    found = {}
    for name, one in stored.methods.items():
        for content in one.get("information", ()):
            info = Information.from_json(content)
            if info.kind in {"full", "histogram", "rate"}:
                found[name if info.kind == "full" else info.kind] = info
    if found:
        yield "information", ellipse_numbers(found, stored.axes(), level=_LEVEL)


def _calibration(stored: Stored) -> Named:
    """Checks of scores and ratios; of calibrated ones, beside what they were before."""
    ratios: dict[str, tuple[Closure, ...]] = {}
    scores: dict[str, tuple[Closure, ...]] = {}
    for name, one in stored.methods.items():
        before = one.get("uncalibrated", {})
        versions = {name: one}
        if before:
            versions = {f"{method_label(name)}, calibrated": one, f"{method_label(name)}": before}
        for said, checks in versions.items():
            closures = tuple(Closure.from_json(found) for found in checks.get("closure", ()))
            if closures:
                (ratios if closures[0].expected else scores)[said] = closures
        if one.get("reliability"):
            curves = tuple(
                Reliability.from_json(checks["reliability"][0]) for checks in versions.values()
            )
            yield f"reliability_{name}", ReliabilityNumbers(tuple(versions), curves)
        for number, found in enumerate(one.get("reweighting", ())):
            check = Reweighting.from_json(found)
            label = stored.labels.get(check.observable, check.observable)
            old = Reweighting.from_json(before["reweighting"][number]) if before else None
            numbers = reweighting_numbers(check, label, uncalibrated=old)
            yield f"reweighting_{name}_{check.observable}", numbers
    if ratios:
        yield "closure", closure_numbers(ratios)
    if scores:
        yield "closure_scores", closure_numbers(scores)


def _coverage(stored: Stored) -> Named:
    found = tuple(
        Coverage.from_json(one)
        for method in stored.methods.values()
        for one in method.get("coverage", ())
    )
    if found:
        yield "coverage", CoverageNumbers(found)


_FIGURES: Final[Mapping[str, Callable[[Stored], Named]]] = {
    "samples": _samples,
    "losses": _losses,
    "ratios": _ratios,
    "contours": _contours,
    "information": _information,
    "calibration": _calibration,
    "coverage": _coverage,
}
