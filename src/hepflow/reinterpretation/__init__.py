"""A finished analysis meets a new signal: plain histograms, preserved bundles, workflows."""

from hepflow.reinterpretation.interpretation import Archive, interpret
from hepflow.reinterpretation.points_file import read_points
from hepflow.reinterpretation.quantities import cross_section, luminosity
from hepflow.reinterpretation.reinterpreting import (
    Reinterpretation,
    reinterpret,
    reinterpret_workspace,
)
from hepflow.reinterpretation.scaling import Scale, scale_histogram
from hepflow.reinterpretation.settings import LimitSettings
from hepflow.reinterpretation.signal_results import Look
from hepflow.reinterpretation.signals import Signal

__all__ = [
    "Archive",
    "LimitSettings",
    "Look",
    "Reinterpretation",
    "Scale",
    "Signal",
    "cross_section",
    "interpret",
    "luminosity",
    "read_points",
    "reinterpret",
    "reinterpret_workspace",
    "scale_histogram",
]
