"""Corrections from correctionlib files and from functions, with their domains checked."""

from __future__ import annotations

from hepflow.corrections.files import evaluate, open_correction
from hepflow.corrections.random import inputs_of, wants_random, with_file_index
from hepflow.corrections.values import (
    Choice,
    correction_values,
    linked_sources_of,
    per_event,
    sources_of,
)

__all__ = [
    "Choice",
    "correction_values",
    "evaluate",
    "inputs_of",
    "linked_sources_of",
    "open_correction",
    "per_event",
    "sources_of",
    "wants_random",
    "with_file_index",
]
