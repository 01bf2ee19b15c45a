"""What a run left in its folder, as far as it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from hepflow.errors import StorageError
from hepflow.records import FitResult, LimitResult, Prediction, Significance
from hepflow.records.inference import Finding, GoodnessOfFit, LikelihoodScan, Ranking
from hepflow.report.pictures import Picture, find_pictures
from hepflow.report.settings import PREVIOUS, RESOLVED
from hepflow.storage import read_json

T = TypeVar("T")
_RUN: Final = "a run of hepflow"
_FIT: Final = "the statistics step"
NO_MODEL: Final = "this run has no statistical model"


@dataclass(frozen=True)
class Inference:
    """Results of the statistics of a run; each None or empty where there is none."""

    absent: str = ""  # why there are none at all; "" where there are
    fit: FitResult | None = None
    limit: LimitResult | None = None
    significance: Significance | None = None
    expected_only: bool = False
    prefit: Prediction | None = None
    postfit: Prediction | None = None
    ranking: Ranking | None = None
    scans: tuple[LikelihoodScan, ...] = ()
    goodness: GoodnessOfFit | None = None
    validation: tuple[Prediction, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    workspace: Mapping[str, Any] = field(default_factory=dict)
    outdated: tuple[str, ...] = ()  # files that are left out, as they are of another model

    @property
    def failed(self) -> bool:
        """Whether there is a fit without a result that may be shown."""
        return self.fit is not None and not self.fit.converged


@dataclass(frozen=True)
class StoredRun:
    """Everything that the report is made from."""

    folder: Path
    run: Mapping[str, Any]  # report/run.json
    finished: float  # when it was written [s since 1970]
    cut_short: bool  # whether a later run began and did not come to its end
    settings: Mapping[str, Any]  # config/resolved.json
    before: Mapping[str, Any] | None  # of the run before; None where there is no record
    invocation: Mapping[str, Any]
    rates: Mapping[str, Any]  # stage -> count, cpu_seconds
    cutflows: Mapping[str, Any]  # histograms/cutflow.json
    pictures: tuple[Picture, ...]
    inference: Inference
    findings: tuple[Finding, ...] | None  # None: no audit


def read_run(folder: Path) -> StoredRun:
    """Read what a run left.

    Parameters
    ----------
    folder
        Output folder of the run.

    Raises
    ------
    MissingArtifact
        No run has come to its end there.
    StorageError
        A file is not what a run writes.
    """
    record = folder / "report" / "run.json"
    run = read_json(record, _RUN)
    finished = record.stat().st_mtime
    started = folder / "config" / RESOLVED
    stages = {one["name"]: one for one in _list(run, "stages", record)}
    without = _why_without(stages)
    return StoredRun(
        folder=folder,
        run=run,
        finished=finished,
        cut_short=started.exists() and started.stat().st_mtime > finished,
        settings=_json(started, {}),
        before=_json(folder / "config" / PREVIOUS, None),
        invocation=_json(folder / "config" / "invocation.json", {}),
        rates=_json(folder / "report" / "rates.json", {}),
        cutflows=_json(folder / "histograms" / "cutflow.json", {}),
        pictures=find_pictures(folder / "plots"),
        inference=Inference(absent=without) if without else _inference(folder / "statistics"),
        findings=None if without else _findings(folder / "statistics" / "audit.json"),
    )


def _why_without(stages: Mapping[str, Mapping[str, str]]) -> str:
    """Why results of statistics are not this run's; "" where they are."""
    stage = stages.get("statistics")
    if stage is None:
        return NO_MODEL
    return f"statistics were left out: {stage['why']}" if stage["outcome"] == "left out" else ""


def _inference(folder: Path) -> Inference:
    fit = _stored(folder / "fit.json", FitResult.from_json)
    if fit is None:
        return Inference(absent=NO_MODEL)
    predictions = _json(folder / "prediction.json", {})
    common = {
        "fit": fit,
        "expected_only": bool(predictions.get("expected_only")),
        "prefit": _part(folder, predictions, "prefit"),
        "groups": _stored(folder / "groups.json", _groups) or {},
        "workspace": _json(folder / "workspace.json", {}),
    }
    if not fit.converged:
        return Inference(**common)
    results = {
        path.name: _stored(path, make)
        for pattern, make in _RESULTS.items()
        for path in sorted(folder.glob(pattern))
    }
    outdated = tuple(name for name, one in results.items() if _is_other(one, fit))
    fresh = {name: one for name, one in results.items() if name not in outdated}
    return Inference(
        **common,
        limit=fresh.get("limit.json"),
        significance=fresh.get("significance.json"),
        postfit=_part(folder, predictions, "postfit"),
        ranking=fresh.get("ranking.json"),
        scans=tuple(one for one in fresh.values() if isinstance(one, LikelihoodScan)),
        goodness=fresh.get("goodness_of_fit.json"),
        validation=fresh.get("validation.json") or (),
        outdated=outdated,
    )


def _is_other(result: Any, fit: FitResult) -> bool:
    """Whether a result is of another model than the fit."""
    digests = {one.get("digest") for one in (getattr(result, "model", {}), fit.model)}
    return len(digests - {None}) > 1


def _stored(path: Path, make: Callable[[Any], T]) -> T | None:
    if not path.exists():
        return None
    content = read_json(path, _FIT)
    try:
        return make(content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StorageError(
            f"{path}: the stored results are not whole ({type(error).__name__}: {error}). "
            f"Repeat {_FIT}, or remove the file."
        ) from error


def _json(path: Path, default: Any) -> Any:
    return read_json(path, _RUN) if path.exists() else default


def _list(content: Any, key: str, path: Path) -> list[Any]:
    """A list of a JSON file."""
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise StorageError(f"{path}: no list {key!r} in it. Repeat {_RUN}.")
    return found


def _own(kind: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a record, without what else a file says."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in content.items() if name in names}


def _limit(content: Mapping[str, Any]) -> LimitResult:
    return LimitResult.from_json(_own(LimitResult, content))


def _significance(content: Mapping[str, Any]) -> Significance:
    return Significance(**_own(Significance, content))


def _groups(content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {str(name): tuple(map(str, members)) for name, members in content.items()}


def _part(folder: Path, predictions: Mapping[str, Any], kind: str) -> Prediction | None:
    if kind not in predictions:
        return None
    return _stored(folder / "prediction.json", lambda found: Prediction.from_json(found[kind]))


def _validation(content: Mapping[str, Any]) -> tuple[Prediction, ...]:
    """Predictions in regions that are not fitted, before and after the fit."""
    if "channels" in content:
        return (Prediction.from_json(content),)
    return tuple(
        Prediction.from_json(content[kind]) for kind in ("prefit", "postfit") if kind in content
    )


def _findings(path: Path) -> tuple[Finding, ...] | None:
    return _stored(path, lambda content: tuple(Finding.from_json(one) for one in content))


_RESULTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "limit.json": _limit,
    "significance.json": _significance,
    "ranking.json": Ranking.from_json,
    "scan_*.json": LikelihoodScan.from_json,
    "goodness_of_fit.json": lambda content: GoodnessOfFit.from_json(_own(GoodnessOfFit, content)),
    "validation.json": _validation,
}
