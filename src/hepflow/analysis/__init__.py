"""The `Analysis` base class: from skimmed events to histograms, fit and limit."""

from hepflow.analysis.base import Analysis
from hepflow.analysis.event_loop import EventLoop
from hepflow.analysis.results import AnalysisResult
from hepflow.analysis.spec import AnalysisSpec

__all__ = ["Analysis", "AnalysisResult", "AnalysisSpec", "EventLoop"]
