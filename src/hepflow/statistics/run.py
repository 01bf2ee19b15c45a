"""The statistics stage: from histograms to fit, limit and significance on disk."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hepflow.output_manager import OutputDirectoryManager
from hepflow.records.histograms import HistogramSet
from hepflow.records.inference import Finding
from hepflow.records.results import StatisticsResult
from hepflow.statistics.audit import audit_workspace, errors_of, require_clean, where_of
from hepflow.statistics.cabinetry_config import (
    config_path,
    read_generated,
    uses_own,
    write_cabinetry_config,
)
from hepflow.statistics.own_workspace import build_from_own
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.steps import Steps
from hepflow.statistics.stored import forget_results
from hepflow.statistics.templates import regions_without_data, template_file
from hepflow.statistics.workspace import build_workspace
from hepflow.storage import write_json

_log = logging.getLogger(__name__)


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
    findings: tuple[Finding, ...] | None = None,
) -> StatisticsResult:
    """Audit, fit, limit and all else that is asked for, written to the statistics folder.

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
    findings : tuple of Finding, optional
        What the audit of the templates found; by default the workspace is audited.

    Returns
    -------
    StatisticsResult
        Where the fit is not ``converged``, without anything that follows from it; hand ``fit``
        to `require_good` to stop there.

    Raises
    ------
    AuditError
        The templates have errors, and ``statistics.audit.ignore`` is off.
    WorkspaceError
        No model can be built.
    LimitError
        The fit is good, but no limit exists or it does not verify; ``fit.json`` is there.
    """
    folder = output_manager.get_statistics_dir()
    forget_results(folder)  # nothing of an earlier model stays
    if findings is not None:
        _judge(findings, spec, folder)
    workspace = prepare_workspace(spec, histograms, output_manager, expected_only=expected_only)
    if findings is None:
        findings = audit_workspace(workspace, spec.audit, observed=not expected_only)
        _judge(findings, spec, folder)
    steps = Steps(spec, histograms, folder, dict(provenance or {}), expected_only=expected_only)
    return steps.run(workspace, findings)


def _judge(findings: tuple[Finding, ...], spec: StatisticsSpec, folder: Path) -> None:
    """Write what the audit found, and stop where that is an error."""
    path = folder / "audit.json"
    write_json(path, [one.to_json() for one in findings])
    for one in errors_of(findings):
        _log.warning("audit: %s: %s", where_of(one), one.message)
    require_clean(findings, ignore=spec.audit.ignore, written_to=path)
