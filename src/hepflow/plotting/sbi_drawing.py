"""How the figures of simulation-based inference are drawn, by the type of their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hepflow.plotting.draw_sbi import draw_losses, draw_ratios, draw_samples
from hepflow.plotting.draw_sbi_checks import draw_closure, draw_coverage, draw_reliability
from hepflow.plotting.draw_sbi_regions import draw_ellipses, draw_regions
from hepflow.plotting.sbi_numbers import (
    ClosureNumbers,
    CoverageNumbers,
    LossNumbers,
    RatioNumbers,
    ReliabilityNumbers,
    SampleNumbers,
)
from hepflow.plotting.sbi_regions import EllipseNumbers, RegionNumbers

SBI_DRAWING: dict[type, Callable[..., Any]] = {
    SampleNumbers: draw_samples,
    LossNumbers: draw_losses,
    RatioNumbers: draw_ratios,
    RegionNumbers: draw_regions,
    EllipseNumbers: draw_ellipses,
    ReliabilityNumbers: draw_reliability,
    ClosureNumbers: draw_closure,
    CoverageNumbers: draw_coverage,
}
