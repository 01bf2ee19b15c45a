"""Corrections from correctionlib files and from functions, with their domains checked."""

from __future__ import annotations

from hepflow.corrections.files import Evaluator, evaluate, open_correction
from hepflow.corrections.values import Choice, correction_values, per_event, sources_of

__all__ = [
    "Choice",
    "Evaluator",
    "correction_values",
    "evaluate",
    "open_correction",
    "per_event",
    "sources_of",
]
