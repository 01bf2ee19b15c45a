"""Turn what a worker sent into an outcome."""

from __future__ import annotations

import pickle
from typing import Any

from hepflow.execution.outcome import Failure, Outcome
from hepflow.execution.worker import Report, attempt


def to_outcome(index: int, item: Any, result: Report | Failure) -> Outcome:
    """Outcome of an item from its worker's report, or from the failure of its worker."""
    if isinstance(result, Failure):
        return Outcome(index, item, error=result)
    if result.failure is not None or result.content is None:
        return Outcome(index, item, error=result.failure, seconds=result.seconds)
    content = result.content
    # A value whose class can't be made here is a failure of its item, not of the stage.
    value, failure, _ = attempt(lambda: pickle.loads(content))  # noqa: S301 - from our own worker
    return Outcome(index, item, value, failure, result.seconds)
