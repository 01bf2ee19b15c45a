"""Corrections from correctionlib files and from functions, with their domains checked."""

from __future__ import annotations

from hepflow.corrections.files import evaluate, open_correction
from hepflow.corrections.random import INDEX, inputs_of, random_of, wants_random, with_file_index
from hepflow.corrections.raw import change_in_met, met_columns, uncorrected
from hepflow.corrections.values import (
    VALUES,
    Choice,
    acts_nominally,
    correction_values,
    linked_sources_of,
    per_event,
    sources_of,
)

__all__ = [
    "INDEX",
    "VALUES",
    "Choice",
    "acts_nominally",
    "change_in_met",
    "correction_values",
    "evaluate",
    "inputs_of",
    "linked_sources_of",
    "met_columns",
    "open_correction",
    "per_event",
    "random_of",
    "sources_of",
    "uncorrected",
    "wants_random",
    "with_file_index",
]
