"""What can be drawn of a source, and how the run that it belongs to draws."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.errors import StorageError
from hepflow.plotting import LOOK_FILE, FigureTask, PlottingSpec
from hepflow.storage import read_json, safe_join

if TYPE_CHECKING:
    from hepflow.plotting import Table

FAILED: Final = "the fit did not converge: nothing of it is drawn"
MADE_BY: Final = "a run of hepflow"
BROKEN: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_KINDS: Final = {
    "StackNumbers": "stack",
    "VariationNumbers": "variations",
    "PullNumbers": "pulls",
    "CorrelationNumbers": "correlation",
    "RankingNumbers": "ranking",
    "GroupNumbers": "ranking",
    "ScanNumbers": "scan",
    "ContourNumbers": "scan",
    "LimitResult": "limit",
    "LimitBand": "limit",
    "GoodnessNumbers": "gof",
}


@dataclass(frozen=True)
class Drawn:
    """Figures and tables of a source."""

    tasks: tuple[FigureTask, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()  # what was not drawn, and why
    facts: Mapping[str, Any] = field(default_factory=dict)  # for the JSON of the command

    def __add__(self, other: Drawn) -> Drawn:
        """Both together."""
        return Drawn(
            self.tasks + other.tasks,
            self.tables + other.tables,
            self.notes + other.notes,
            {**self.facts, **other.facts},
        )


@dataclass(frozen=True)
class Folder:
    """Where the figures go: in the place of the output manager of a run."""

    root: Path

    def get_plots_dir(self, subdir: str | None = None) -> Path:
        """Folder of the figures, or one in it; what is written into it makes it."""
        return self.root if subdir is None else safe_join(self.root, *subdir.split("/"))


def kind_of(task: FigureTask) -> str:
    """Kind of a figure, as the command line calls it."""
    return _KINDS[type(task.content).__name__]


def look_of(path: Path) -> PlottingSpec | None:
    """Specification of the figures of the run that a path belongs to; None outside of a run."""
    run = _run_of(path)
    if run is None:
        return None
    stored = run / "plots" / LOOK_FILE
    try:
        return PlottingSpec.from_json(read_json(stored, MADE_BY))
    except BROKEN as error:
        raise StorageError(f"{stored} cannot be read ({error}). Run again.") from error


def _run_of(path: Path) -> Path | None:
    here = path.resolve()
    for folder in (here, *here.parents):
        if (folder / "plots" / LOOK_FILE).is_file():
            return folder
    return None


def remarks_of(path: Path) -> tuple[str, ...]:
    """What the run said of its input, such as "99.2 % of data"."""
    run = _run_of(path)
    report = run / "report" / "run.json" if run else None
    if report is None or not report.is_file():
        return ()
    stored = read_json(report, MADE_BY)
    return tuple(map(str, stored.get("remarks", ()))) if isinstance(stored, dict) else ()


@dataclass(frozen=True)
class Look:
    """How the figures of a source look, and what they say of its input."""

    spec: PlottingSpec | None  # None: it belongs to no run
    remarks: tuple[str, ...]
    options: argparse.Namespace

    @property
    def known(self) -> PlottingSpec:
        """That of the run, else the usual one."""
        return self.spec or PlottingSpec()

    @classmethod
    def of(cls, path: Path, options: argparse.Namespace) -> Look:
        """That of a source."""
        return cls(look_of(path), remarks_of(path), options)
