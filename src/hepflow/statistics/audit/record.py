"""Templates as the audit sees them, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_PRECISION = 1e-6  # relative to the largest content


@dataclass(frozen=True)
class Sides:
    """Templates of one source for one sample; both None where it should have some."""

    up: Floats | None  # shape (n_bins,)
    down: Floats | None
    stated: bool = False  # the configuration says the size of the effect, as a number

    @property
    def complete(self) -> bool:
        """Whether both sides have a template."""
        return self.up is not None and self.down is not None

    def both(self, nominal: Floats) -> tuple[Floats, Floats]:
        """Up and down as the fit reads them: a side that is missing is nominal."""
        return (
            nominal if self.up is None else self.up,
            nominal if self.down is None else self.down,
        )


@dataclass(frozen=True)
class SampleTemplates:
    """One sample in one region."""

    nominal: Floats  # expected events, shape (n_bins,)
    variances: Floats  # sums of squared weights; NaN where they are not known
    sources: Mapping[str, Sides] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """Events that one simulated event stands for: sum of w^2 over sum of w.

        Zero where that is not known.
        """
        total, spread = float(self.nominal.sum()), float(np.nansum(self.variances))
        return spread / total if total > 0 else 0.0


@dataclass(frozen=True)
class RegionTemplates:
    """One region of the fit."""

    samples: Mapping[str, SampleTemplates]
    data: Floats | None = None  # None: not there, or not to be looked at

    def total(self, samples: frozenset[str] | None = None) -> Floats:
        """Expected events of these samples (default all), shape (n_bins,)."""
        chosen = [
            one.nominal for name, one in self.samples.items() if samples is None or name in samples
        ]
        seen = 0 if self.data is None else len(self.data)
        size = len(next(iter(self.samples.values())).nominal) if self.samples else seen
        return np.asarray(np.sum([np.zeros(size), *chosen], axis=0), dtype=np.float64)


@dataclass(frozen=True)
class AuditTemplates:
    """Everything that a fit takes from histograms."""

    regions: Mapping[str, RegionTemplates]
    signal: frozenset[str] = frozenset()  # samples that the parameter of interest multiplies
    declared: bool = False
    # whether it is known where a source acts; else it is read off where it has templates
    published: bool = False
    # a finished model, whose templates whoever has it cannot mend: what is odd, but has been
    # published, such as one-sided effects that are entered on both sides, is a warning

    def sources(self) -> Iterator[tuple[str, str, SampleTemplates, str, Sides]]:
        """Region, sample, its templates, source and its sides."""
        for region, found in self.regions.items():
            for sample, templates in found.samples.items():
                for source, sides in templates.sources.items():
                    yield region, sample, templates, source, sides


def same(one: Floats, other: Floats) -> bool:
    """Whether two templates are equal but for the last digits of single precision.

    What is not finite is not equal to anything.
    """
    if not is_finite(one, other):
        return False
    scale = float(max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0)))
    return bool(np.all(np.abs(one - other) <= _PRECISION * scale))


def is_finite(*templates: Floats | None) -> bool:
    """Whether nothing is NaN or infinite."""
    return all(one is None or bool(np.isfinite(one).all()) for one in templates)
