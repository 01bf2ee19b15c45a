"""The built-in sample: a Z' -> ttbar search in the muon+jets channel, with its truth."""

from __future__ import annotations

from hepflow.samples.build import ensure_sample, is_whole
from hepflow.samples.layout import DatasetInfo, SampleLayout, describe_sample
from hepflow.samples.prepare import prepare_sample
from hepflow.samples.resonance import write_resonance

__all__ = [
    "DatasetInfo",
    "SampleLayout",
    "describe_sample",
    "ensure_sample",
    "is_whole",
    "prepare_sample",
    "write_resonance",
]
