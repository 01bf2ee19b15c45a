"""Run a function over items: in this process, on a local pool, or on a Dask cluster."""

from __future__ import annotations

from hepflow.execution.executor import (
    EXECUTORS,
    Executor,
    configured_executor,
    make_executor,
)
from hepflow.execution.outcome import Failure, Outcome

__all__ = [
    "EXECUTORS",
    "Executor",
    "Failure",
    "Outcome",
    "configured_executor",
    "make_executor",
]
