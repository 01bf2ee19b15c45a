"""What a run, a preserved bundle or a reinterpretation left that can be published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from hepflow.errors import InputError, StorageError
from hepflow.records.prediction import Prediction
from hepflow.records.results import FitResult, LimitResult
from hepflow.reinterpretation.publishing.points import Point
from hepflow.storage import read_json

T = TypeVar("T")
_MADE_BY: Final = "a run, or `hepflow preserve`"
_RESULTS: Final = ("statistics", "results", ".")  # of a run, of a bundle, of a reinterpretation
_CUTFLOWS: Final = ("histograms", "results", ".")
_LIKELIHOODS: Final = ("statistics/workspace.json", "model/background.json", "workspace.json")
_PATCH_SETS: Final = ("model/signal.patchset.json", "patchset.json")


@dataclass(frozen=True)
class Material:
    """Results of one signal point."""

    point: Point
    fit: FitResult | None = None
    limit: LimitResult | None = None
    predictions: tuple[Prediction, ...] = ()  # before and after the fit
    expected_only: bool = False  # the data are the nominal expectation: nothing is observed
    cutflows: Mapping[str, Any] = field(default_factory=dict)  # channel -> process -> steps
    luminosity: float | None = None  # [1/pb]
    energy: float | None = None  # center-of-mass energy [TeV]
    likelihood: tuple[Path, ...] = ()  # workspace and patch set
    fit_file: Path | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)  # "postfit_SR" -> PNG
    left_out: tuple[str, ...] = ()  # what was not found, for people


def read_material(point: Point) -> Material:
    """Read what a folder holds: that of a run, a bundle, or one with ``limit.json``.

    Parameters
    ----------
    point : Point
        Its path is the output folder of a run, a preserved bundle (as
        `readable` gives it), or a folder with ``limit.json``.

    Raises
    ------
    InputError
        There is no such folder, or nothing in it to publish.
    StorageError
        A file is not what hepflow writes.
    """
    folder = point.path
    if not folder.is_dir():
        raise InputError(
            f"{folder} is no folder. Name the output folder of a run or a preserved bundle."
        )
    fit_file = _first(folder, _RESULTS, "fit.json")
    limit_file = _first(folder, _RESULTS, "limit.json")
    if fit_file is None and limit_file is None:
        raise InputError(
            f"{folder} holds neither fit.json nor limit.json: there is nothing to publish. Name "
            "the output folder of a run with statistics, or a preserved bundle."
        )
    fit = _read(fit_file, FitResult.from_json)
    stored = _first(folder, _RESULTS, "prediction.json")
    predicted = _read(stored, _predictions) or ((), False)
    cutflow = _first(folder, _CUTFLOWS, "cutflow.json")
    settings = _settings(folder)
    likelihood = [_first(folder, (".",), *names) for names in (_LIKELIHOODS, _PATCH_SETS)]
    return Material(
        point=point,
        fit=fit,
        limit=_read(limit_file, _limit),
        predictions=predicted[0],
        expected_only=predicted[1],
        cutflows=_read(cutflow, lambda found: dict(found["channels"])) or {},
        luminosity=_luminosity(settings),
        energy=_energy(settings),
        likelihood=tuple(one for one in likelihood if one is not None),
        fit_file=fit_file,
        pictures=_pictures(folder),
        left_out=_left_out(fit, fit_file, limit_file, stored, cutflow, expected_only=predicted[1]),
    )


def _left_out(fit: FitResult | None, *files: Path | None, expected_only: bool) -> tuple[str, ...]:
    what = (
        "fit.json: no parameters and covariance",
        "limit.json: no limits",
        "prediction.json: no yields",
        "cutflow.json: no cutflow",
    )
    missing = [f"no {text}" for text, path in zip(what, files, strict=True) if path is None]
    if fit is not None and not fit.converged:
        missing.append("the fit did not converge: no parameters and covariance")
    if expected_only:
        missing.append("the fit is to the nominal expectation: no data and no observed limit")
    return tuple(missing)


def _first(folder: Path, below: tuple[str, ...], *names: str) -> Path | None:
    paths = [folder / one / name for one in below for name in names]
    return next((path for path in paths if path.is_file()), None)


def _read(path: Path | None, make: Callable[[Any], T]) -> T | None:
    if path is None:
        return None
    try:
        return make(read_json(path, _MADE_BY))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(
            f"{path} is not what hepflow writes ({type(error).__name__}: {error}). Make it again."
        ) from error


def _predictions(stored: Mapping[str, Any]) -> tuple[tuple[Prediction, ...], bool]:
    kinds = [Prediction.from_json(stored[kind]) for kind in ("prefit", "postfit")]
    return tuple(kinds), bool(stored["expected_only"])


def _limit(stored: Mapping[str, Any]) -> LimitResult:
    names = {one.name for one in fields(LimitResult)} - {"scan"}
    return LimitResult.from_json({key: stored[key] for key in names})


def _settings(folder: Path) -> Mapping[str, Any]:
    path = folder / "config" / "resolved.json"
    found = read_json(path, _MADE_BY) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _luminosity(settings: Mapping[str, Any]) -> float | None:
    stated = (settings.get("general") or {}).get("lumi")
    if isinstance(stated, Mapping):
        return float(sum(stated.values()))
    return float(stated) if isinstance(stated, int | float) else None


def _energy(settings: Mapping[str, Any]) -> float | None:
    stated = (settings.get("plotting") or {}).get("center_of_mass_energy")
    return float(stated) if isinstance(stated, int | float) else None


def _pictures(folder: Path) -> dict[str, Path]:
    found = [*(folder / "plots" / "statistics").glob("*.png"), *(folder / "results").glob("*.png")]
    return {path.stem: path for path in sorted(found) if path.is_file()}
