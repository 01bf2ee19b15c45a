"""The non-differentiable analysis: cuts, histograms, fit and limit as configured."""

from __future__ import annotations

from hepflow.analysis import Analysis


class NonDiffAnalysis(Analysis):
    """Search with fixed cuts, as the configuration describes it.

    All steps are those of `Analysis`. A subclass in another folder overrides what it does
    differently, for example `select_channel` or `event_weights`.
    """
