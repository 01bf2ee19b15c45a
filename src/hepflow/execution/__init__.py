"""Run a function over items: in this process, on a local pool, or on a Dask cluster."""

from __future__ import annotations

from hepflow.execution.executor import (
    EXECUTORS,
    Executor,
    configured_executor,
    make_executor,
)
from hepflow.execution.outcome import Failure, Outcome
from hepflow.execution.progress import Progress, no_progress

__all__ = [
    "EXECUTORS",
    "Executor",
    "Failure",
    "Outcome",
    "Progress",
    "configured_executor",
    "make_executor",
    "no_progress",
]
