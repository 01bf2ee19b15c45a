"""How limits on signals are found."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class LimitSettings:
    """How limits are found."""

    confidence_level: float | None = None  # None: that of the analysis, 0.95 without one
    expected_only: bool = False  # do not look at the data
    scan_points: int = 41  # of the drawn CLs scan, which only a single signal has

    @property
    def level(self) -> float:
        """Confidence level."""
        return 0.95 if self.confidence_level is None else self.confidence_level

    def of_analysis(self, level: float, *, expected_only: bool) -> LimitSettings:
        """The same for an analysis: its confidence level, and its data only where it has any."""
        chosen = level if self.confidence_level is None else self.confidence_level
        only = self.expected_only or expected_only
        return replace(self, confidence_level=chosen, expected_only=only)
