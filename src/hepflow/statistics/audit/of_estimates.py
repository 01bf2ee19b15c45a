"""Checks of what estimates from data are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hepflow.estimates import (
    NO_FACTOR,
    EstimateProblem,
    EstimateSpec,
    estimates_of_config,
    nominal_problems,
    varied_problems,
)
from hepflow.records.histograms import HistogramSet
from hepflow.records.inference import Finding
from hepflow.schema import Config
from hepflow.statistics.audit.codes import ERROR, Where, finding
from hepflow.statistics.audit_spec import AuditSpec
from hepflow.statistics.spec import StatisticsSpec


def estimate_findings(
    histograms: HistogramSet,
    spec: StatisticsSpec,
    config: Config | Mapping[str, Any],
    thresholds: AuditSpec | None = None,
) -> Iterator[Finding]:
    """Estimates in regions of the fit that have no transfer factor, or nothing in them.

    Parameters
    ----------
    histograms : HistogramSet
        As filled: the sidebands are no regions of the fit.
    spec : StatisticsSpec
    config : Config or mapping
        Of the run.
    thresholds : AuditSpec, optional
        Beyond `significance` an input is too far below 0 for chance, which is an error.
    """
    limit = (thresholds or AuditSpec.from_config(config)).significance
    observables = {one.name: one.observable for one in spec.channels}
    for one in estimates_of_config(Config.of(config)):
        if one.channel in observables:
            observable, flow = observables[one.channel], spec.fold_overflow
            for problem in nominal_problems(histograms, one, observable, flow=flow):
                yield _finding(one, problem, limit)
            for problem in varied_problems(histograms, one, observable, flow=flow):
                yield _finding(one, problem, limit)


def _finding(spec: EstimateSpec, problem: EstimateProblem, limit: float) -> Finding:
    source = problem.variation.removesuffix("_up").removesuffix("_down")
    nominal = problem.variation == "nominal"
    where = Where(spec.channel, spec.process, "" if nominal else source)
    if problem.kind == NO_FACTOR:
        return finding("estimate-without-factor", problem.told, where, problem.bins)
    told, severity = problem.told, ""
    if nominal and problem.excess > limit:
        told += f", {problem.excess:.3g} standard deviations below 0"
        severity = ERROR
    return finding("estimate-not-positive", told, where, severity=severity)
