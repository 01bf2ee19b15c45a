"""What a reinterpretation leaves: limits, patch set and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.storage import write_json

if TYPE_CHECKING:
    from hepflow.plotting import FigureTask, PlottingSpec
    from hepflow.plotting.exclusion_numbers import ExclusionNumbers
    from hepflow.plotting.scan_numbers import LimitBand
    from hepflow.reinterpretation.bundle import PreservedAnalysis
    from hepflow.reinterpretation.signal_limits import PointResult

_MASS, _PLANE = 1, 2  # parameters of a band, and of a contour


@dataclass(frozen=True)
class Look:
    """Which figures are drawn, and how."""

    draws: bool = True
    each: bool = False  # also figures of each signal where there are several
    formats: tuple[str, ...] = ("pdf", "png")
    labels: Mapping[str, str] = field(default_factory=dict)  # titles of the axes, by parameter
    spec: PlottingSpec | None = None  # of the preserved analysis

    def of_analysis(self, analysis: PreservedAnalysis) -> Look:
        """The same with the labels and colours of a preserved analysis."""
        from hepflow.plotting import PlottingSpec

        return replace(self, spec=PlottingSpec.from_config(analysis.config))

    def plotting(self, point: PointResult) -> PlottingSpec:
        """Look of the figures of one signal."""
        from hepflow.plotting import PlottingSpec

        signals = _signal_samples(point.model.workspace)
        spec = self.spec or PlottingSpec()
        labels = {**spec.labels, **{name: _label(point) for name in signals}}
        return replace(spec, formats=self.formats, labels=labels, signals=signals)


def write_results(
    points: Sequence[PointResult],
    background: Mapping[str, Any],
    patch_set: Mapping[str, Any],
    output: Path,
    look: Look,
) -> tuple[Path, ...]:
    """Write limits, models and figures.

    Parameters
    ----------
    points
        In the order of the patch set.
    background
        Workspace that the patch set is for.
    patch_set
        An entry for each point.
    output
        Folder. A single signal has its files in it, several theirs in ``points/<name>``.
    look
        Which figures.

    Returns
    -------
    tuple of Path
        All files.
    """
    several = len(points) > 1
    folders = [output / "points" / one.name if several else output for one in points]
    files = [
        _written(output / "model" / "background.json", background),
        _written(output / "model" / "signal.patchset.json", patch_set),
    ]
    files += [
        _written(folder / "limit.json", one.to_json())
        for one, folder in zip(points, folders, strict=True)
    ]
    exclusion = exclusion_of(points, look.labels)
    summary = _summary(points, folders, output, patch_set, exclusion)
    files.append(_written(output / "points.json", summary))
    if look.draws:
        files += _drawn(points, folders, output, look, exclusion)
    return tuple(files)


def exclusion_of(
    points: Sequence[PointResult], titles: Mapping[str, str]
) -> LimitBand | ExclusionNumbers | None:
    """Limits against the parameter of the signals, or the contour in two; else None."""
    from hepflow.plotting import exclusion_numbers, limit_band

    labels = tuple(points[0].model.signal.values)
    if len(points) < 2 or len(labels) not in {_MASS, _PLANE}:  # noqa: PLR2004 - a pair
        return None
    signals = [one.model.signal for one in points]
    limits = [one.limit for one in points]
    title = [titles.get(name, name) for name in labels]
    produced = [one.produced for one in signals]
    theory = [one.theory or one.produced for one in signals]
    if len(labels) == _PLANE:
        pairs = zip(theory, produced, strict=True)
        strengths = [a / b if a and b else 1.0 for a, b in pairs]
        places = [(one.values[labels[0]], one.values[labels[1]]) for one in signals]
        return exclusion_numbers(places, limits, labels=(title[0], title[1]), predictions=strengths)
    x = [one.values[labels[0]] for one in signals]
    known = [one for one in produced if one is not None]
    if len(known) < len(signals):
        return limit_band(x, limits, label=title[0])
    band = limit_band(x, limits, label=title[0], cross_sections=known)
    predicted = dict(zip(x, theory, strict=True))
    return replace(band, theory=_array([predicted[one] for one in band.x]))


def _array(values: Sequence[float | None]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _summary(
    points: Sequence[PointResult],
    folders: Sequence[Path],
    output: Path,
    patch_set: Mapping[str, Any],
    exclusion: LimitBand | ExclusionNumbers | None,
) -> dict[str, Any]:
    """Contents of ``points.json``."""
    rows = [
        {
            "name": one.name,
            "values": dict(one.model.signal.values),
            "cross_section_pb": one.model.signal.produced,
            "theory_pb": one.model.signal.theory or one.model.signal.produced,
            "observed": one.limit.observed,
            "expected": list(one.limit.expected),
            "cls_at_observed": one.limit.cls_at_observed,
            "limit": str((folder / "limit.json").relative_to(output)),
        }
        for one, folder in zip(points, folders, strict=True)
    ]
    return {
        "poi": points[0].limit.poi,
        "confidence_level": points[0].limit.confidence_level,
        "background": dict(patch_set["metadata"]["digests"]),
        "remarks": list(points[0].remarks),
        "points": rows,
        "exclusion": None if exclusion is None else exclusion.to_json(),
    }


def _drawn(
    points: Sequence[PointResult],
    folders: Sequence[Path],
    output: Path,
    look: Look,
    exclusion: LimitBand | ExclusionNumbers | None,
) -> list[Path]:
    from hepflow.plotting import FigureTask, draw_tasks

    tasks: list[FigureTask] = []
    if len(points) == 1 or look.each:
        for one, folder in zip(points, folders, strict=True):
            tasks += _tasks_of(one, folder / "plots", look)
    if exclusion is not None:
        spec, remarks = look.plotting(points[0]), points[0].remarks
        tasks.append(FigureTask(exclusion, spec, output / "plots", "exclusion", remarks))
    return draw_tasks(tasks)


def _tasks_of(point: PointResult, folder: Path, look: Look) -> list[FigureTask]:
    """The spectrum of each region, and the CLs scan."""
    from hepflow.plotting import FigureTask, prediction_numbers

    spec, said = look.plotting(point), point.remarks
    tasks = [
        FigureTask(
            prediction_numbers(one, spec, "Pre-fit"), spec, folder, f"spectrum_{one.name}", said
        )
        for one in point.prediction.channels
    ]
    if point.limit.scan is not None:
        tasks.append(FigureTask(point.limit, spec, folder, "limit_scan", said))
    return tasks


def _signal_samples(workspace: Mapping[str, Any]) -> tuple[str, ...]:
    """Samples that the parameter of interest multiplies."""
    poi = workspace["measurements"][0]["config"]["poi"]
    found: dict[str, None] = {}
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            if any(one["name"] == poi for one in sample["modifiers"]):
                found[sample["name"]] = None
    return tuple(found)


def _label(point: PointResult) -> str:
    """Signal in a legend: its name may hold what TeX takes as a command."""
    return point.name.replace("_", " ")


def _written(path: Path, content: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content, sort_keys=False)
    return path
