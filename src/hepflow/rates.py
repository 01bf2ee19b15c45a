"""How fast earlier runs were, stage by stage: measured while they run, kept for the next plan."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hepflow.errors import StorageError
from hepflow.storage import read_json, write_json

FILE = "rates.json"
_MADE_BY = "a run of hepflow"


@dataclass(frozen=True, slots=True)
class Rate:
    """Work that was done, and the CPU time that it took."""

    count: int  # files, events, fits or figures
    cpu_seconds: float  # of the workers, or of the client where it did the work [s]

    def __add__(self, other: Rate) -> Rate:
        """Both together."""
        return Rate(self.count + other.count, self.cpu_seconds + other.cpu_seconds)

    def seconds(self, count: int) -> float:
        """CPU time that so much work takes [s]."""
        return self.cpu_seconds * count / self.count


_measured: contextvars.ContextVar[dict[str, Rate] | None] = contextvars.ContextVar(
    "work of this run", default=None
)


def add(stage: str, count: int, cpu_seconds: float) -> None:
    """Tell of work that was done, where somebody measures."""
    found = _measured.get()
    if found is not None and count > 0:
        found[stage] = found.get(stage, Rate(0, 0.0)) + Rate(count, cpu_seconds)


@contextlib.contextmanager
def measured() -> Iterator[dict[str, Rate]]:
    """Collect what `add` is told, by stage; the mapping grows meanwhile."""
    found: dict[str, Rate] = {}
    token = _measured.set(found)
    try:
        yield found
    finally:
        _measured.reset(token)


def write_rates(folder: Path, found: Mapping[str, Rate]) -> None:
    """Keep what was measured; of stages that did nothing, what is known from before."""
    if found:
        rates = {**read_rates(folder), **found}
        write_json(folder / FILE, {stage: asdict(rate) for stage, rate in rates.items()})


def read_rates(folder: Path) -> dict[str, Rate]:
    """Rates of earlier runs by stage; none where there is no record that can be read."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        rates = {stage: Rate(**one) for stage, one in read_json(path, _MADE_BY).items()}
        return {stage: rate for stage, rate in rates.items() if rate.count > 0}
    except (StorageError, AttributeError, TypeError):
        return {}
