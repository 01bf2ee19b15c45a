"""What the sections about simulation-based inference share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hepflow.report.content import Block, Cell, Figure, Gallery
from hepflow.report.events import figures_of
from hepflow.report.stored import StoredRun
from hepflow.storage import read_json

FOLDER: Final = "inference"  # below the output folder, and below that of the figures
MADE_BY: Final = "`hepflow sbi`"


def read(path: Path) -> Mapping[str, Any]:
    """Contents of a file of results; empty where it is not there."""
    found: Mapping[str, Any] = read_json(path, MADE_BY) if path.exists() else {}
    return found


def gallery(stored: StoredRun, *starts: str, folded: bool = False, title: str = "") -> list[Block]:
    """Figures whose names begin so, in this order; nothing where there are none."""
    known = figures_of(stored, ["sbi"])
    prefix = f"{FOLDER}-"
    found: tuple[Figure, ...] = tuple(
        one for start in starts for one in known if one.name.removeprefix(prefix).startswith(start)
    )
    return [Gallery(found, title, folded)] if found else []


def level(value: float) -> Cell:
    """A confidence level."""
    return Cell(f"{100 * value:.3g} %", value)
