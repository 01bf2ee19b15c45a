"""Results of the statistics stage on disk: written one by one, read back without pyhf."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from hepflow.errors import StorageError
from hepflow.records.inference import Finding, GoodnessOfFit, LikelihoodScan, Ranking
from hepflow.records.prediction import Prediction
from hepflow.records.results import FitResult, LimitResult, Significance, StatisticsResult
from hepflow.storage import file_name, read_json, write_json

STEP: Final = "the statistics stage"
FILES: Final = (
    "workspace",
    "input",
    "groups",
    "audit",
    "fit",
    "prediction",
    "validation",
    "limit",
    "significance",
    "ranking",
    "goodness_of_fit",
)  # without suffix, in the order in which they are written
_SCANS: Final = "scan_*.json"


def result_files(folder: str | Path) -> list[Path]:
    """Files of the stage that are there."""
    named = [Path(folder) / f"{name}.json" for name in FILES]
    return [path for path in named if path.exists()] + sorted(Path(folder).glob(_SCANS))


def forget_results(folder: str | Path) -> None:
    """Remove the files of an earlier model."""
    for path in result_files(folder):
        path.unlink()


def scan_name(scan: LikelihoodScan) -> str:
    """Name of the file of a scan, without suffix; parameters may hold any characters."""
    return "_".join(("scan", *map(file_name, scan.parameters)))


def keep_labels(statistics_dir: str | Path, found: StatisticsResult) -> bool:
    """Write the predictions again where their labels are others by now.

    Parameters
    ----------
    statistics_dir
        Holds the results of `run_statistics`.
    found
        These results, with the labels of today.

    Returns
    -------
    bool
        Whether they were written.
    """
    today = {"prediction": {"prefit": found.prefit.to_json(), "postfit": found.postfit.to_json()}}
    if found.validation:
        today["validation"] = {one.kind: one.to_json() for one in found.validation}
    written = False
    for name, content in today.items():
        path = Path(statistics_dir) / f"{name}.json"
        stored = read_json(path, made_by=STEP)
        plain = json.loads(json.dumps(content))
        if any(stored[kind] != one for kind, one in plain.items()):
            write_json(path, {**stored, **content})
            written = True
    return written


def load_statistics(statistics_dir: str | Path) -> StatisticsResult:
    """Read what `run_statistics` wrote, without importing pyhf or cabinetry.

    Raises
    ------
    MissingArtifact
        The stage has not run.
    StorageError
        What is there is not what it writes.
    """
    folder = Path(statistics_dir)
    try:
        return _stored(folder)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StorageError(
            f"{folder}: the stored results are not whole ({type(error).__name__}: {error}). "
            f"Repeat {STEP}."
        ) from error


def _stored(folder: Path) -> StatisticsResult:
    result = FitResult.from_json(read_json(folder / "fit.json", made_by=STEP))
    predictions = read_json(folder / "prediction.json", made_by=STEP)
    validation = _read(folder, "validation")
    limit, discovery = _read(folder, "limit"), _read(folder, "significance")
    ranked, goodness = _read(folder, "ranking"), _read(folder, "goodness_of_fit")
    scans = [read_json(path, STEP) for path in sorted(folder.glob(_SCANS))]
    return StatisticsResult(
        fit=result,
        limit=None if limit is None else LimitResult.from_json(_own(LimitResult, limit)),
        significance=None if discovery is None else Significance(**_own(Significance, discovery)),
        prefit=Prediction.from_json(predictions["prefit"]),
        postfit=Prediction.from_json(predictions["postfit"]),
        expected_only=predictions["expected_only"],
        findings=tuple(Finding.from_json(one) for one in _read(folder, "audit") or ()),
        ranking=None if ranked is None else Ranking.from_json(ranked),
        scans=tuple(LikelihoodScan.from_json(_own(LikelihoodScan, one)) for one in scans),
        goodness=None
        if goodness is None
        else GoodnessOfFit.from_json(_own(GoodnessOfFit, goodness)),
        validation=()
        if validation is None
        else tuple(Prediction.from_json(validation[kind]) for kind in ("prefit", "postfit")),
    )


def _read(folder: Path, name: str) -> Any:
    path = folder / f"{name}.json"
    return read_json(path, STEP) if path.exists() else None


def _own(kind: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a result, without what is said about its input."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
