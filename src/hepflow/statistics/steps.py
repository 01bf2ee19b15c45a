"""The steps of the statistics stage once there is a model, each written when it is done."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hepflow.records.histograms import HistogramSet
from hepflow.records.inference import Finding, GoodnessOfFit, LikelihoodScan, Ranking
from hepflow.records.prediction import Prediction
from hepflow.records.results import FitResult, LimitResult, Significance, StatisticsResult
from hepflow.statistics.binning import fit_channels
from hepflow.statistics.discovery import significance
from hepflow.statistics.fitting import fit
from hepflow.statistics.goodness import goodness_with_toys
from hepflow.statistics.groups import groups_of
from hepflow.statistics.impacts import ranking
from hepflow.statistics.intervals import minos
from hepflow.statistics.likelihood import Floats, Likelihood
from hepflow.statistics.limits import upper_limit
from hepflow.statistics.loading import load_likelihood
from hepflow.statistics.prediction import predict
from hepflow.statistics.scans import scan
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.stored import scan_name
from hepflow.statistics.toy_discovery import significance_with_toys
from hepflow.statistics.toy_limits import upper_limit_with_toys
from hepflow.statistics.validation import predict_validation
from hepflow.storage import write_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Steps:
    """One step after the other, each written as soon as it is there."""

    spec: StatisticsSpec
    histograms: HistogramSet
    folder: Path
    origin: Mapping[str, Any]
    expected_only: bool

    def run(self, workspace: Mapping[str, Any], findings: tuple[Finding, ...]) -> StatisticsResult:
        """All that is asked for."""
        spec = self.spec
        if self.origin:
            write_json(self.folder / "input.json", self.origin)
        likelihood, data = load_likelihood(workspace, backend=spec.backend)
        spec.inference.require_parameters(likelihood)
        groups = groups_of(spec, likelihood.labels)
        write_json(self.folder / "groups.json", groups)
        result = self._fit(likelihood, data)
        prefit, postfit = self._predictions(likelihood, data, result)
        found = StatisticsResult(
            fit=result,
            limit=None,
            significance=None,
            prefit=prefit,
            postfit=postfit,
            expected_only=self.expected_only,
            findings=findings,
            validation=self._validation(result),
        )
        if not result.converged:
            return found
        return replace(
            found,
            limit=self._limit(likelihood, data),
            significance=self._significance(likelihood, data),
            ranking=self._ranking(likelihood, data, result, groups),
            scans=self._scans(likelihood, data, result),
            goodness=self._goodness(likelihood, data, result),
        )

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        write_json(self.folder / f"{name}.json", {**content, **self.origin})

    def _fit(self, likelihood: Likelihood, data: Floats) -> FitResult:
        result = fit(likelihood, data, optimizer=self.spec.optimizer)
        if result.converged and self.spec.inference.minos:
            intervals = minos(likelihood, data, result, self.spec.inference.minos)
            result = replace(result, intervals=intervals)
        self._write("fit", result.to_json())
        for note in result.notes:
            _log.warning("fit: %s", note)
        return result

    def _predictions(
        self, likelihood: Likelihood, data: Floats, result: FitResult
    ) -> tuple[Prediction, Prediction]:
        shown = None if self.expected_only else data
        channels = fit_channels(self.histograms, self.spec)
        prefit = predict(likelihood, shown, channels=channels)
        postfit = predict(likelihood, shown, result, channels=channels)
        both = {"prefit": prefit.to_json(), "postfit": postfit.to_json()}
        self._write("prediction", {**both, "expected_only": self.expected_only})
        return prefit, postfit

    def _validation(self, result: FitResult) -> tuple[Prediction, ...]:
        """Regions that are not fitted; those of a model of the user's own are not known."""
        if not self.spec.validation or self.spec.cabinetry_config is not None:
            return ()
        after = (None, result) if result.converged else (None,)
        found = tuple(predict_validation(self.histograms, self.spec, one) for one in after)
        self._write("validation", {one.kind: one.to_json() for one in found})
        return found

    def _limit(self, likelihood: Likelihood, data: Floats) -> LimitResult | None:
        spec = self.spec
        if not spec.limit:
            return None
        common: dict[str, Any] = {
            "confidence_level": spec.confidence_level,
            "expected_only": self.expected_only,
        }
        if spec.inference.calculator == "toys":
            found = upper_limit_with_toys(likelihood, data, toys=spec.inference.toys, **common)
        else:
            common |= {"scan_points": spec.scan_points, "optimizer": spec.optimizer}
            found = upper_limit(likelihood, data, **common)
        self._write("limit", found.to_json())
        return found

    def _significance(self, likelihood: Likelihood, data: Floats) -> Significance | None:
        spec, only = self.spec, self.expected_only
        if not spec.significance:
            return None
        if spec.inference.calculator == "toys":
            toys = spec.inference.toys
            found = significance_with_toys(likelihood, data, toys=toys, expected_only=only)
        else:
            found = significance(likelihood, data, expected_only=only, optimizer=spec.optimizer)
        self._write("significance", asdict(found))
        return found

    def _ranking(
        self,
        likelihood: Likelihood,
        data: Floats,
        result: FitResult,
        groups: Mapping[str, Sequence[str]],
    ) -> Ranking | None:
        if not self.spec.inference.ranking:
            return None
        found = ranking(likelihood, data, result, groups=groups)
        self._write("ranking", found.to_json())
        return found

    def _scans(
        self, likelihood: Likelihood, data: Floats, result: FitResult
    ) -> tuple[LikelihoodScan, ...]:
        found = []
        for names in self.spec.inference.scans:
            one = scan(likelihood, data, result, names, expected_only=self.expected_only)
            self._write(scan_name(one), one.to_json())
            found.append(one)
        return tuple(found)

    def _goodness(
        self, likelihood: Likelihood, data: Floats, result: FitResult
    ) -> GoodnessOfFit | None:
        """With toys; the asymptotic one is part of the fit. Asimov data have none."""
        if self.spec.inference.goodness_of_fit != "toys" or self.expected_only:
            return None
        found = goodness_with_toys(likelihood, data, result, self.spec.inference.toys)
        self._write("goodness_of_fit", found.to_json())
        return found
