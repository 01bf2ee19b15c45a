"""The statistics stage: from histograms to fit, limit and significance on disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records.histograms import HistogramSet
from hepflow.records.prediction import Prediction
from hepflow.records.results import FitResult, LimitResult, Significance
from hepflow.statistics.cabinetry_config import (
    config_path,
    read_generated,
    uses_own,
    write_cabinetry_config,
)
from hepflow.statistics.discovery import significance
from hepflow.statistics.fitting import fit
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.limits import upper_limit
from hepflow.statistics.own_workspace import build_from_own
from hepflow.statistics.prediction import predict
from hepflow.statistics.pyhf_import import import_pyhf
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.templates import regions_without_data, template_file
from hepflow.statistics.workspace import build_workspace, load_model
from hepflow.storage import read_json, write_json

_log = logging.getLogger(__name__)

_STEP = "the statistics stage"


@dataclass(frozen=True)
class StatisticsResult:
    """All that the statistics stage found."""

    fit: FitResult
    limit: LimitResult | None  # None where not asked for, or where the fit failed
    significance: Significance | None  # likewise
    prefit: Prediction
    postfit: Prediction
    expected_only: bool  # the data in the fit are the nominal expectation


def prepare_workspace(
    spec: StatisticsSpec,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    *,
    expected_only: bool = False,
    cabinetry_config: str | Path | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the cabinetry configuration and ``workspace.json``, and return the workspace.

    Parameters
    ----------
    spec : StatisticsSpec
    histograms : HistogramSet
    output_manager : OutputDirectoryManager
    expected_only : bool
        Put the nominal expectation in the place of observed data, with a warning.
    cabinetry_config : path or mapping, optional
        A configuration of the user's that precedes that of `spec`.

    Raises
    ------
    WorkspaceError
        No model can be built from the histograms or from the user's own file.
    """
    if expected_only:
        _say_asimov(spec.blind, regions_without_data(histograms, spec))
    folder = output_manager.get_statistics_dir()
    own = cabinetry_config
    if own is None:
        filled = output_manager.get_histograms_dir() / "histograms.root"
        root_file = template_file(spec, folder, filled)
        path = write_cabinetry_config(histograms, spec, config_path(spec, folder), root_file)
        own = path if uses_own(spec, path) else None
    if own is None:
        config = read_generated(path)
        workspace = build_workspace(histograms, spec, config, asimov=expected_only)
    else:
        # a norm factor of the configuration need not be one of the file: only what was asked for
        workspace = build_from_own(own, asimov=expected_only, poi=spec.poi_given)
    write_json(folder / "workspace.json", workspace)
    return workspace


def _say_asimov(blind: tuple[str, ...], without_data: tuple[str, ...]) -> None:
    reason = "observed data may not be used: they are incomplete"
    if blind:
        reason = f"{', '.join(blind)} {'are' if blind[1:] else 'is'} blind (general.blind)"
    elif without_data:
        reason = f"no data were processed for {', '.join(without_data)}"
    _log.warning(
        "%s. The fit is to Asimov data (the nominal expectation), and nothing is observed.", reason
    )


def run_statistics(
    spec: StatisticsSpec,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    *,
    expected_only: bool = False,
    provenance: Mapping[str, Any] | None = None,
) -> StatisticsResult:
    """Fit, limit and significance; everything is written to the statistics folder.

    Parameters
    ----------
    spec : StatisticsSpec
    histograms : HistogramSet
    output_manager : OutputDirectoryManager
    expected_only : bool
        Observed data are incomplete, not there or may not be looked at: fit to Asimov data,
        expected limits a priori.
    provenance : mapping, optional
        What became of the input, under keys of its own: it is written into every file but the
        workspace, whose format does not admit it; ``input.json`` lies beside that.

    Returns
    -------
    StatisticsResult
        Where the fit is not ``converged``, without limit and significance; hand ``fit`` to
        `require_good` to stop there.

    Raises
    ------
    WorkspaceError
        No model can be built.
    LimitError
        The fit is good, but no limit exists or it does not verify; ``fit.json`` is there.
    """
    folder = output_manager.get_statistics_dir()
    for name in ("workspace", "input", "fit", "prediction", "limit", "significance"):
        (folder / f"{name}.json").unlink(missing_ok=True)  # nothing of an earlier model stays
    workspace = prepare_workspace(spec, histograms, output_manager, expected_only=expected_only)
    origin = dict(provenance or {})
    if origin:
        write_json(folder / "input.json", origin)
    import_pyhf()
    model, data = load_model(workspace)
    likelihood = Likelihood(model)
    result = fit(likelihood, data, optimizer=spec.optimizer)
    write_json(folder / "fit.json", {**result.to_json(), **origin})
    for note in result.notes:
        _log.warning("fit: %s", note)
    shown = None if expected_only else data
    prefit = predict(likelihood, shown, channels=spec.channels)
    postfit = predict(likelihood, shown, result, channels=spec.channels)
    predictions: dict[str, Any] = {"prefit": prefit.to_json(), "postfit": postfit.to_json()}
    predictions |= {"expected_only": expected_only, **origin}
    write_json(folder / "prediction.json", predictions)
    limit, discovery = _hypothesis_tests(spec, likelihood, data, result, expected_only)
    if limit is not None:
        write_json(folder / "limit.json", {**limit.to_json(), **origin})
    if discovery is not None:
        write_json(folder / "significance.json", {**asdict(discovery), **origin})
    return StatisticsResult(result, limit, discovery, prefit, postfit, expected_only)


def _hypothesis_tests(
    spec: StatisticsSpec,
    likelihood: Likelihood,
    data: list[float],
    result: FitResult,
    expected_only: bool,
) -> tuple[LimitResult | None, Significance | None]:
    if not result.converged:
        return None, None
    limit, discovery = None, None
    if spec.limit:
        limit = upper_limit(
            likelihood,
            data,
            confidence_level=spec.confidence_level,
            expected_only=expected_only,
            scan_points=spec.scan_points,
            optimizer=spec.optimizer,
        )
    if spec.significance:
        discovery = significance(
            likelihood, data, expected_only=expected_only, optimizer=spec.optimizer
        )
    return limit, discovery


def keep_labels(statistics_dir: str | Path, found: StatisticsResult) -> bool:
    """Write the predictions again where their labels are others by now.

    Parameters
    ----------
    statistics_dir
        Holds the results of `run_statistics`.
    found
        These results, with the labels of today.

    Returns
    -------
    bool
        Whether they were written.
    """
    path = Path(statistics_dir) / "prediction.json"
    stored = read_json(path, made_by=_STEP)
    today = {"prefit": found.prefit.to_json(), "postfit": found.postfit.to_json()}
    plain = json.loads(json.dumps(today))
    if all(stored[name] == one for name, one in plain.items()):
        return False
    write_json(path, {**stored, **today})
    return True


def load_statistics(statistics_dir: str | Path) -> StatisticsResult:
    """Read what `run_statistics` wrote, without importing pyhf or cabinetry.

    Raises
    ------
    MissingArtifact
        The stage has not run.
    StorageError
        What is there is not what it writes.
    """
    folder = Path(statistics_dir)
    try:
        return _stored(folder)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StorageError(
            f"{folder}: the stored results are not whole ({type(error).__name__}: {error}). "
            f"Repeat {_STEP}."
        ) from error


def _stored(folder: Path) -> StatisticsResult:
    result = FitResult.from_json(read_json(folder / "fit.json", made_by=_STEP))
    predictions = read_json(folder / "prediction.json", made_by=_STEP)
    limit, discovery = folder / "limit.json", folder / "significance.json"
    return StatisticsResult(
        fit=result,
        limit=LimitResult.from_json(_own(LimitResult, limit)) if limit.exists() else None,
        significance=Significance(**_own(Significance, discovery)) if discovery.exists() else None,
        prefit=Prediction.from_json(predictions["prefit"]),
        postfit=Prediction.from_json(predictions["postfit"]),
        expected_only=predictions["expected_only"],
    )


def _own(kind: type[LimitResult | Significance], path: Path) -> dict[str, Any]:
    """Fields of a result, without what is said about its input."""
    stored, names = read_json(path, _STEP), {one.name for one in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
