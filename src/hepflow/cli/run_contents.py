"""What a run left in its folder, as far as two runs are compared by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from hepflow.cli.run_differences import RunContents
from hepflow.errors import InputError, StorageError

_RUN: Final = "a run of hepflow"
_CONFIG: Final = Path("config") / "resolved.json"
_RESULTS: Final = Path("statistics")


def run_contents(folder: Path) -> RunContents:
    """Read a run, or as much of it as there is.

    Raises
    ------
    InputError
        It is no folder of a run, or a file of it is damaged.
    """
    from hepflow.histograms import LOSSLESS_FILE

    histograms = folder / "histograms" / LOSSLESS_FILE
    if not any(path.is_file() for path in (folder / _CONFIG, histograms, *_results(folder))):
        raise InputError(
            f"{folder} is no folder of a run: it has neither {_CONFIG}, nor histograms, nor "
            "results of a fit. Name the output folder of a run (general.output_dir)."
        )
    try:
        return _contents(folder, histograms)
    except (StorageError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}: what the run left is not whole ({error}).") from error


def _results(folder: Path) -> tuple[Path, Path, Path]:
    names = ("fit", "limit", "significance")
    fit, limit, significance = (folder / _RESULTS / f"{name}.json" for name in names)
    return fit, limit, significance


def _contents(folder: Path, histograms: Path) -> RunContents:
    from hepflow.histograms import read_histograms
    from hepflow.records import FitResult, LimitResult, Significance

    fit, limit, significance = (
        None if _left_out(folder) else _json(path) for path in _results(folder)
    )
    return RunContents(
        config=_json(folder / _CONFIG),
        histograms=read_histograms(histograms) if histograms.is_file() else None,
        fit=None if fit is None else FitResult.from_json(fit),
        limit=None if limit is None else LimitResult.from_json(_own(LimitResult, limit)),
        significance=(
            None if significance is None else Significance(**_own(Significance, significance))
        ),
    )


def _json(path: Path) -> Any:
    from hepflow.storage import read_json

    return read_json(path, _RUN) if path.is_file() else None


def _left_out(folder: Path) -> bool:
    """Whether results of statistics are those of an earlier run in the same folder."""
    run = _json(folder / "report" / "run.json") or {}
    return any(
        one["name"] == "statistics" and one["outcome"] == "left out"
        for one in run.get("stages", ())
    )


def _own(kind: type[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a result, without what is said about its input."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
