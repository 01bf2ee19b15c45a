"""Which figures an inference has, from what is stored of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.inference.records import EventTable, Parameter
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
from hepflow.records.sbi import Closure, Coverage, Information, Region, Reliability, Reweighting
from hepflow.storage import read_json

if TYPE_CHECKING:
    from hepflow.inference.workflow.running import Bench

_CURVES: Final = 3  # benchmarks in a figure of samples
_PLANE: Final = 2
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

    def _title(self, parameter: Parameter) -> str:
        name = self.labels.get(parameter.name) or parameter.label or parameter.name
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
        one.name.replace("_", " "): table.weights[:, i]
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
                    quantity=r"$\ln\,r$" if found["quantity"] == "ln r" else found["quantity"],
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
    ratios: dict[str, tuple[Closure, ...]] = {}
    scores: dict[str, tuple[Closure, ...]] = {}
    for name, one in stored.methods.items():
        closures = tuple(Closure.from_json(found) for found in one.get("closure", ()))
        if closures:
            (ratios if closures[0].expected else scores)[name] = closures
        curves = tuple(Reliability.from_json(found) for found in one.get("reliability", ()))
        if curves:
            methods = tuple(name for _ in curves)
            yield f"reliability_{name}", ReliabilityNumbers(methods[:1], curves[:1])
        for found in one.get("reweighting", ()):
            check = Reweighting.from_json(found)
            label = stored.labels.get(check.observable, check.observable)
            yield f"reweighting_{name}_{check.observable}", reweighting_numbers(check, label)
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
