"""What failed in a run, kept so that one command does exactly that again."""

from __future__ import annotations

from hepflow.failed.command import replay_command
from hepflow.failed.keeping import Replayable, failure_log, how_to_replay, keep_failed
from hepflow.failed.reading import read_failed, records_in
from hepflow.failed.record import STAGES, FailedError, FailedItem, Invocation

__all__ = [
    "STAGES",
    "FailedError",
    "FailedItem",
    "Invocation",
    "Replayable",
    "failure_log",
    "how_to_replay",
    "keep_failed",
    "read_failed",
    "records_in",
    "replay_command",
]
