"""One run: the stages one after the other."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.analysis import Analysis, AnalysisSpec
from hepflow.analysis.shares import usable_table
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import FitError, InputError
from hepflow.execution import Executor, configured_executor
from hepflow.failed import Invocation, failure_log
from hepflow.journal import recorded, tell
from hepflow.output_manager import OutputDirectoryManager
from hepflow.pipeline.ending import Clock, Outcome, RunResult, conclude, write_resolved
from hepflow.pipeline.stages import make_output_manager, make_skims, needs_skims
from hepflow.plotting import check_colours, warm_up
from hepflow.rates import measured, write_rates
from hepflow.schema import Config
from hepflow.sources import missing_in_years
from hepflow.storage import write_json

_log = logging.getLogger(__name__)


def run(
    config: Config | Mapping[str, Any],
    analysis: type[Analysis] | None = None,
    *,
    invocation: Invocation | None = None,
) -> RunResult:
    """Run the whole chain, from files to limit, plots and report.

    Parameters
    ----------
    config
        Configuration; it is validated first.
    analysis
        Class that does it; default `Analysis`.
    invocation
        The command that runs it, for the command that does again what fails.

    Returns
    -------
    RunResult
        Its exit status is 1 where a fit has no result that may be shown, or where the
        observed limit was refused because data is incomplete.

    Raises
    ------
    FitError
        If there is no fit or no limit. Everything else is there, and the report says why.
    HepflowError
        If a stage cannot do its work. What finished is kept; the next run goes on from there.
    """
    clock = Clock.start()
    valid = Config.of(config)
    if analysis is not None and not (isinstance(analysis, type) and issubclass(analysis, Analysis)):
        raise InputError(f"expected a subclass of hepflow.analysis.Analysis, but got {analysis!r}.")
    check_colours(valid)
    output_manager = make_output_manager(valid)
    output_manager.remove_stale_temporaries()
    changed = write_resolved(valid, output_manager)
    if invocation is not None:
        write_json(output_manager.get_config_dir() / "invocation.json", asdict(invocation))
    with (
        recorded() as stages,
        measured() as work,
        failure_log(Path(output_manager.list_structure()["logs"]) / "failed", invocation),
        configured_executor(valid.datasets.execution_args) as executor,
    ):
        if changed and _draws(valid):  # there will be figures
            executor.map(warm_up, range(executor.workers), label="starting", ahead=True)
        outcome = _chain(valid, analysis or Analysis, output_manager, executor, clock)
    write_rates(output_manager.get_report_dir(), work)
    finished = conclude(valid, outcome, stages, clock, output_manager)
    if outcome.failure is not None:
        raise outcome.failure
    return finished


def _draws(config: Config) -> bool:
    return config.general.analysis != "skip" and config.plotting.enabled


def _chain(
    config: Config,
    analysis: type[Analysis],
    output_manager: OutputDirectoryManager,
    executor: Executor,
    clock: Clock,
) -> Outcome:
    """All stages; a fit that is stopped or has no limit leaves what was before it."""
    outcome, analyses = Outcome(), config.general.analysis != "skip"
    manager = ConfigurableDatasetManager(config.datasets)
    if config.general.run_metadata_generation and not config.general.run_plots_only:
        manager.prepare()
    if analyses:
        spec = AnalysisSpec.of_valid(config)  # a missing file is told before the skim
        for note in missing_in_years(config, spec.datasets.values()):
            _log.warning("%s", note)
        usable_table(config, spec.datasets, spec.digests)  # likewise
    if needs_skims(config):
        outcome.skims = make_skims(config, output_manager, executor, manager)
    outcome.seconds["metadata and skim"] = before = clock.wall_seconds
    if analyses:
        instance = analysis(config, outcome.skims, output_manager)
        outcome.digests = instance.spec.digests
        try:
            outcome.result = instance.run_analysis_chain(executor)
        except FitError as error:
            outcome.result, outcome.failure = instance.so_far, error
        outcome.seconds["analysis"] = clock.wall_seconds - before
    if config.inference is not None:
        tell("inference", "left out", "`hepflow sbi run` does it")
    return outcome
