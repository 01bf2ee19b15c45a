"""Figures of single results, told apart by what their files hold."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from hepflow.cli.plotting.found import BROKEN, FAILED, MADE_BY, Drawn, Folder, Look
from hepflow.errors import FitError, InputError, StorageError
from hepflow.plotting import (
    FigureTask,
    fit_tasks,
    goodness_numbers,
    inference_tasks,
    limit_band,
    one_variation,
    prediction_numbers,
    workspace_variations,
    yields_table,
)
from hepflow.plotting.run import TITLES
from hepflow.records import FitResult, LimitResult
from hepflow.records.inference import GoodnessOfFit, LikelihoodScan, Ranking
from hepflow.records.prediction import Prediction
from hepflow.storage import read_json


class Alike:
    """Results that share a figure where there are several."""

    def __init__(self) -> None:
        self.limits: list[tuple[LimitResult, Look, Path]] = []
        self.scans: list[tuple[LikelihoodScan, Look]] = []

    def drawn(self, folder: Folder, options: argparse.Namespace) -> Drawn:
        """Draw limits by mass as one band, and scans of a parameter together."""
        found = Drawn()
        if self.scans:
            look, scans = self.scans[0][1], [one for one, _ in self.scans]
            tasks = inference_tasks(look.known, folder, scans=scans, remarks=look.remarks)
            found += Drawn(tuple(tasks))
        if len(self.limits) > 1 or (self.limits and options.x):
            return found + self._band(folder, options)
        for limit, look, path in self.limits:
            if limit.scan is None:
                raise InputError(
                    f"{path} has no scan of CLs to draw. Compute the limit with scan points, or "
                    "give several limits with --x."
                )
            found += Drawn(tuple(fit_tasks(look.known, folder, limit=limit, remarks=look.remarks)))
        return found

    def _band(self, folder: Folder, options: argparse.Namespace) -> Drawn:
        if not options.x:
            raise InputError(
                f"{len(self.limits)} limits: say with --x at which value each of them is, such as "
                "--x 1000,1500,2000."
            )
        sections = options.cross_sections
        band = limit_band(
            _numbers("--x", options.x),
            [one for one, _, _ in self.limits],
            label=options.x_label,
            cross_sections=None if sections is None else _numbers("--cross-sections", sections),
        )
        look, where = self.limits[0][1], folder.get_plots_dir("statistics")
        task = FigureTask(band, look.known, where, "limit_band", look.remarks)
        return Drawn((task,), facts={"band": band.to_json()})


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{option} {text}: expected numbers with commas.") from error


def of_result(path: Path, folder: Folder, look: Look, alike: Alike) -> Drawn:
    """Tell by its keys what a file holds."""
    content = read_json(path, MADE_BY)
    keys = set(content) if isinstance(content, dict) else set()
    for needed, read in _RESULTS.items():
        if keys >= set(needed):
            try:
                return read(content, path, folder, look, alike)
            except BROKEN as error:
                told = f"{type(error).__name__}: {error}"
                raise StorageError(
                    f"{path}: the stored result is not whole ({told}). Make it again."
                ) from error
    raise InputError(
        f"{path} is no result that can be drawn. `hepflow plot --help` lists what can be."
    )


def _fit(content: Any, path: Path, folder: Folder, look: Look, _: Alike) -> Drawn:
    result = FitResult.from_json(content)
    if not result.converged:
        raise FitError(
            f"{path}: the fit did not converge, so that nothing in it is a result. Nothing is "
            "drawn; repeat the fit."
        )
    spec = look.known
    if look.spec is None:
        spec = replace(spec, norm_factors=_free(path.parent / "workspace.json"))
    return Drawn(tuple(fit_tasks(spec, folder, fit=result, remarks=look.remarks)))


def _free(workspace: Path) -> tuple[str, ...]:
    """Parameters of a workspace beside a fit, if there is one, that are no pulls: factors."""
    if not workspace.is_file():
        return ()
    content = read_json(workspace, MADE_BY)
    found: dict[str, None] = {}
    for channel in content["channels"]:
        for sample in channel["samples"]:
            for one in sample["modifiers"]:
                if one["type"] in {"normfactor", "lumi"}:
                    found[one["name"]] = None
                elif one["type"] in {"shapefactor", "shapesys"}:
                    bins = range(len(sample["data"]))
                    found |= dict.fromkeys(f"{one['name']}[{k}]" for k in bins)
    return tuple(found)


def _limit(content: Any, path: Path, _: Folder, look: Look, alike: Alike) -> Drawn:
    limit = LimitResult.from_json(_own(LimitResult, content))
    alike.limits.append((limit, look, path))
    return Drawn()


def _scan(content: Any, _path: Path, _: Folder, look: Look, alike: Alike) -> Drawn:
    alike.scans.append((LikelihoodScan.from_json(_own(LikelihoodScan, content)), look))
    return Drawn()


def _ranking(content: Any, _path: Path, folder: Folder, look: Look, _: Alike) -> Drawn:
    ranking = Ranking.from_json(content)
    return Drawn(tuple(inference_tasks(look.known, folder, ranking=ranking, remarks=look.remarks)))


def _goodness(content: Any, _path: Path, folder: Folder, look: Look, _: Alike) -> Drawn:
    result = GoodnessOfFit.from_json(_own(GoodnessOfFit, content))
    where = folder.get_plots_dir("statistics")
    numbers = goodness_numbers(result)
    return Drawn((FigureTask(numbers, look.known, where, "goodness_of_fit", look.remarks),))


def _own(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a record: a file has others beside them."""
    return {one.name: content[one.name] for one in fields(kind) if one.name in content}


def _predictions(content: Any, path: Path, folder: Folder, look: Look, _: Alike) -> Drawn:
    fit = path.parent / "fit.json"
    good = not fit.is_file() or bool(read_json(fit, MADE_BY)["converged"])
    kinds = [kind for kind in TITLES if kind in content and (good or kind == "prefit")]
    found = sum(
        (_prediction(content[kind], path, folder, look, _) for kind in kinds), start=Drawn()
    )
    return found + Drawn(notes=() if good else (FAILED,))


def _prediction(content: Any, path: Path, folder: Folder, look: Look, _: Alike) -> Drawn:
    return _of_prediction(Prediction.from_json(content), folder, look, path.stem)


def _of_prediction(prediction: Prediction, folder: Folder, look: Look, stem: str) -> Drawn:
    spec, where = look.known, folder.get_plots_dir("statistics")
    first = "validation_" if stem == "validation" else ""
    title = TITLES[prediction.kind] + (", validation region" if first else "")
    tasks = [
        FigureTask(
            prediction_numbers(channel, spec, title),
            spec,
            where,
            f"{first}{prediction.kind}_{channel.name}",
            look.remarks,
        )
        for channel in prediction.channels
    ]
    return Drawn(tuple(tasks), (yields_table(prediction, spec, remarks=look.remarks),))


def _workspace(_content: Any, path: Path, folder: Folder, look: Look, _: Alike) -> Drawn:
    from hepflow.statistics import predict
    from hepflow.statistics.loading import load_likelihood
    from hepflow.statistics.source import read_workspace

    workspace = read_workspace(path, look.options.patch)
    likelihood, data = load_likelihood(workspace)
    prediction = predict(likelihood, None if _is_asimov(path) else data)
    axes = {one.name: (one.label, one.edges) for one in prediction.channels}
    found = _of_prediction(prediction, folder, look, path.stem)
    varied = workspace_variations(workspace, axes)
    tasks = [one_variation(one, look.known, folder, look.remarks) for one in varied]
    return found + Drawn(tuple(tasks))


def _is_asimov(workspace: Path) -> bool:
    """Whether what a run's workspace calls observed is the expectation, such as of a blind run."""
    beside = workspace.parent / "prediction.json"
    return beside.is_file() and bool(read_json(beside, MADE_BY).get("expected_only"))


# What a file is, by the keys that only such a file has.
_RESULTS: Final[Mapping[tuple[str, ...], Callable[[Any, Path, Folder, Look, Alike], Drawn]]] = {
    ("channels", "observations", "measurements"): _workspace,
    ("labels", "correlation", "converged"): _fit,
    ("poi_range", "expected"): _limit,
    ("poi", "impacts"): _ranking,
    ("parameters", "delta"): _scan,
    ("statistic", "toys"): _goodness,
    ("kind", "channels"): _prediction,
    ("prefit",): _predictions,
}
