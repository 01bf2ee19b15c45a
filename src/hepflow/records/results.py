"""Results of the statistics stage. Each stores what it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.records.inference import (
    Finding,
    GoodnessOfFit,
    Interval,
    LikelihoodScan,
    Ranking,
)
from hepflow.records.prediction import Prediction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitResult:
    """A maximum-likelihood fit; from histograms or from simulation-based inference alike."""

    poi: str
    labels: tuple[str, ...]
    bestfit: Floats  # shape (n_parameters,)
    uncertainty: Floats  # shape (n_parameters,)
    correlation: Floats  # shape (n_parameters, n_parameters)
    twice_nll: float
    goodness_of_fit: float | None  # p-value against the saturated model; None where not computed
    converged: bool
    model: Mapping[str, Any] = field(default_factory=dict)  # digest, backend, optimizer, ...
    notes: tuple[str, ...] = ()  # what a reader must know: parameter at a bound, ...
    intervals: tuple[Interval, ...] = ()  # from the profiled likelihood, where asked for

    def value(self, label: str) -> tuple[float, float]:
        """Best fit and uncertainty of one parameter."""
        index = self.labels.index(label)
        return float(self.bestfit[index]), float(self.uncertainty[index])

    def to_json(self) -> dict[str, Any]:
        """Contents of ``fit.json``."""
        return {
            "poi": self.poi,
            "labels": list(self.labels),
            "bestfit": self.bestfit.tolist(),
            "uncertainty": self.uncertainty.tolist(),
            "correlation": self.correlation.tolist(),
            "twice_nll": self.twice_nll,
            "goodness_of_fit": self.goodness_of_fit,
            "converged": self.converged,
            "notes": list(self.notes),
            "intervals": [asdict(one) for one in self.intervals],
            "model": dict(self.model),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FitResult:
        """Inverse of `to_json`."""
        return cls(
            poi=data["poi"],
            labels=tuple(data["labels"]),
            bestfit=np.asarray(data["bestfit"], dtype=np.float64),
            uncertainty=np.asarray(data["uncertainty"], dtype=np.float64),
            correlation=np.asarray(data["correlation"], dtype=np.float64),
            twice_nll=data["twice_nll"],
            goodness_of_fit=data["goodness_of_fit"],
            converged=data["converged"],
            model=data["model"],
            notes=tuple(data.get("notes", ())),
            intervals=tuple(Interval(**one) for one in data.get("intervals", ())),
        )


@dataclass(frozen=True)
class Significance:
    """Discovery significance of the signal, and what it was expected to be."""

    observed_p: float | None  # None where observed data may not be used
    observed_z: float | None
    expected_p: float
    expected_z: float
    calculator: str = "asymptotic"  # or "toys"
    model: Mapping[str, Any] = field(default_factory=dict)  # digest, ...; number, seed of toys


@dataclass(frozen=True)
class LimitScan:
    """CLs over the parameter of interest, for drawing only (limits come from root finding)."""

    poi_values: tuple[float, ...]
    observed: tuple[float, ...] | None  # CLs; None where observed data may not be used
    expected: tuple[tuple[float, ...], ...]  # five curves, -2 to +2 sigma


@dataclass(frozen=True)
class LimitResult:
    """Upper limit on the parameter of interest at `confidence_level`."""

    poi: str
    poi_range: tuple[float, float]
    confidence_level: float
    observed: float | None  # None where observed data may not be used
    expected: tuple[float, float, float, float, float]  # -2, -1, 0, +1, +2 sigma
    expected_kind: str  # "a_priori" or "a_posteriori"
    cls_at_observed: float | None
    test_statistic: str
    calculator: str
    model: Mapping[str, Any]  # digest, background_uncertainty, backend, optimizer
    scan: LimitScan | None = None

    def to_json(self) -> dict[str, Any]:
        """Contents of ``limit.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LimitResult:
        """Inverse of `to_json`."""
        fields = dict(data)
        fields["poi_range"] = tuple(data["poi_range"])
        fields["expected"] = tuple(data["expected"])
        if data.get("scan"):
            scan = data["scan"]
            fields["scan"] = LimitScan(
                tuple(scan["poi_values"]),
                tuple(scan["observed"]) if scan["observed"] is not None else None,
                tuple(tuple(curve) for curve in scan["expected"]),
            )
        return cls(**fields)


@dataclass(frozen=True)
class StatisticsResult:
    """All that the statistics of a run found."""

    fit: FitResult
    limit: LimitResult | None  # None where not asked for, or where the fit failed
    significance: Significance | None  # likewise
    prefit: Prediction
    postfit: Prediction
    expected_only: bool  # the data in the fit are the nominal expectation
    findings: tuple[Finding, ...] = ()  # of the audit of the templates
    ranking: Ranking | None = None
    scans: tuple[LikelihoodScan, ...] = ()
    goodness: GoodnessOfFit | None = None  # where it was asked for with toys
    validation: tuple[Prediction, ...] = ()  # of regions that are not fitted: before and after
