"""The order of the stages: plan them, and run them."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hepflow.analysis import Analysis, AnalysisResult, AnalysisSpec
from hepflow.analysis.results import all_remarks, incomplete_data
from hepflow.analysis.shares import usable_table
from hepflow.analysis.steps import files_known, ledger_of
from hepflow.datasets import ConfigurableDatasetManager, expand_datasets
from hepflow.errors import InputError
from hepflow.execution import Executor, configured_executor
from hepflow.failed import Invocation, failure_log
from hepflow.journal import StageRecord, recorded
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.output_manager import OutputDirectoryManager
from hepflow.plotting import check_colours, warm_up
from hepflow.provenance import code_state, resolved, software, user_folders
from hepflow.rates import measured, write_rates
from hepflow.records import FitResult, Ledger, LimitResult, Loss
from hepflow.schema import Config
from hepflow.skimming import Skim, process_workitems_with_skimming
from hepflow.storage import write_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """One step of a run."""

    name: str
    what: str  # for people
    runs: bool  # False: what an earlier run stored is read back, or it is left out


@dataclass(frozen=True)
class RunResult:
    """What a run gave."""

    output_dir: Path
    exit_status: int  # 0 only if every enabled step succeeded
    result: AnalysisResult | None  # None where the analysis was skipped
    problems: tuple[str, ...]  # why the status is not 0
    cpu_seconds: float  # children included
    wall_seconds: float
    stages: tuple[StageRecord, ...] = ()  # what each stage did, and why
    remarks: tuple[str, ...] = ()  # what every plot and table says
    losses: tuple[Loss, ...] = ()  # input that could not be processed
    ledger: Ledger = field(default_factory=Ledger)  # all that became of the input

    @property
    def plots_dir(self) -> Path:
        """Folder of the plots."""
        return self.output_dir / "plots"

    @property
    def fit(self) -> FitResult | None:
        """The fit; None without statistics."""
        return self.result.statistics.fit if self.result and self.result.statistics else None

    @property
    def expected_only(self) -> bool:
        """Whether the fit is to Asimov data, because data is incomplete or left out."""
        statistics = self.result.statistics if self.result else None
        return statistics is not None and statistics.expected_only

    @property
    def limit(self) -> LimitResult | None:
        """The limit; None without one."""
        return self.result.statistics.limit if self.result and self.result.statistics else None


def plan(config: Config | Mapping[str, Any]) -> tuple[Stage, ...]:
    """Say what a run of this configuration would do.

    Raises
    ------
    ConfigurationError
        If the configuration is wrong.
    """
    valid = Config.of(config)
    general = valid.general
    analyses = general.analysis != "skip"
    works = not general.run_plots_only  # else everything but the plots is read back
    datasets = expand_datasets(valid)
    channels = len(general.channels or valid.channels)
    reads = works and general.run_metadata_generation
    skims = works and general.run_skimming and not valid.execution.one_pass
    fills = works and analyses and general.run_histogramming
    while_reading = " while reading the input files" if valid.execution.one_pass else ""
    return (
        Stage("prepare", "make or fetch the input files", reads and _prepares(valid)),
        Stage("metadata", f"look into the files of {len(datasets)} datasets", reads),
        Stage("skim", "select events and columns", skims),
        Stage("histograms", f"fill {channels} channels{while_reading}", fills),
        Stage(
            "statistics",
            "fit, limit, significance",
            works and analyses and general.run_statistics,
        ),
        Stage("plots", "draw", analyses and valid.plotting.enabled),
    )


def _prepares(config: Config) -> bool:
    return config.datasets.prepare is not None


def run(
    config: Config | Mapping[str, Any],
    analysis: type[Analysis] | None = None,
    *,
    invocation: Invocation | None = None,
) -> RunResult:
    """Run the whole chain, from files to limit and plots.

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
    HepflowError
        If a stage cannot do its work. What finished is kept; the next run goes on from there.
    """
    started = (_cpu_seconds(), time.monotonic())
    valid = Config.of(config)
    if analysis is not None and not (isinstance(analysis, type) and issubclass(analysis, Analysis)):
        raise InputError(f"expected a subclass of hepflow.analysis.Analysis, but got {analysis!r}.")
    check_colours(valid)
    output_manager = make_output_manager(valid)
    output_manager.remove_stale_temporaries()
    changed = write_resolved(valid, output_manager)
    if invocation is not None:
        write_json(output_manager.get_config_dir() / "invocation.json", asdict(invocation))
    digests: Mapping[str, str] = {}
    result = None
    with (
        recorded() as stages,
        measured() as work,
        failure_log(Path(output_manager.list_structure()["logs"]) / "failed", invocation),
        configured_executor(valid.datasets.execution_args) as executor,
    ):
        analyses = valid.general.analysis != "skip"
        if changed and analyses and valid.plotting.enabled:  # there will be figures to draw
            executor.map(warm_up, range(executor.workers), label="starting", ahead=True)
        manager = ConfigurableDatasetManager(valid.datasets)
        if valid.general.run_metadata_generation and not valid.general.run_plots_only:
            manager.prepare()
        if analyses:
            spec = AnalysisSpec.from_config(valid)  # a missing file is told before the skim
            usable_table(valid, spec.datasets, spec.digests)  # likewise
        needed = _needs_skims(valid)
        skims = make_skims(valid, output_manager, executor, manager) if needed else {}
        seconds = {"metadata and skim": time.monotonic() - started[1]}
        if analyses:
            instance = (analysis or Analysis)(valid, skims, output_manager)
            digests = instance.spec.digests
            result = instance.run_analysis_chain(executor)
            seconds["analysis"] = time.monotonic() - started[1] - seconds["metadata and skim"]
    problems = problems_of(result)
    ledger = _ledger(result, skims)
    cpu, wall = _cpu_seconds() - started[0], time.monotonic() - started[1]
    finished = RunResult(
        output_dir=output_manager.get_root_dir(),
        exit_status=1 if problems else 0,
        result=result,
        problems=problems,
        stages=tuple(stages),
        remarks=_remarks(valid, result),
        losses=ledger.losses,
        ledger=ledger,
        cpu_seconds=cpu,
        wall_seconds=wall,
    )
    write_provenance(valid, finished, digests, seconds, output_manager)
    write_rates(output_manager.get_report_dir(), work)
    return finished


def _remarks(config: Config, result: AnalysisResult | None) -> tuple[str, ...]:
    """What every plot and table says, as well as which sources the fit is without."""
    return () if result is None else all_remarks(config, result.histograms)


def _ledger(result: AnalysisResult | None, skims: Mapping[str, Skim]) -> Ledger:
    """What became of the input of the histograms, or of the skims where none are filled."""
    if result is not None:
        return result.histograms.ledger
    read = [one for skim in skims.values() for one in skim.metadata if "part_sum_weights" in one]
    losses = [loss for skim in skims.values() for loss in skim.lost]
    return ledger_of(read).with_losses(losses) + files_known(skims.values())


def _needs_skims(config: Config) -> bool:
    """Whether the run looks at events, or is asked to make or check what is before them."""
    general = config.general
    if general.run_plots_only:
        return False
    fills = general.analysis != "skip" and general.run_histogramming
    return fills or general.run_metadata_generation or general.run_skimming


def make_output_manager(config: Config) -> OutputDirectoryManager:
    """Folders as the section ``general`` says."""
    general = config.general
    skimmed = config.preprocess.skimming.output.output_dir or general.skimmed_dir
    return OutputDirectoryManager(
        root_output_dir=general.output_dir,
        cache_dir=general.cache_dir,
        metadata_dir=general.metadata_dir,
        skimmed_dir=skimmed,
    )


def make_skims(
    config: Config,
    output_manager: OutputDirectoryManager,
    executor: Executor,
    manager: ConfigurableDatasetManager | None = None,
) -> dict[str, Skim]:
    """Metadata and skim, or what an earlier run stored of them."""
    generator = NanoAODMetadataGenerator(
        dataset_manager=manager or ConfigurableDatasetManager(config.datasets),
        output_manager=output_manager,
        executor=executor,
        read_from_cache=config.general.read_from_cache,
    )
    generator.run(config.general.processes, config.general.run_metadata_generation)
    return process_workitems_with_skimming(
        generator.workitems,
        config,
        output_manager,
        fileset=generator.fileset,
        nanoaods_summary=generator.nanoaods_summary,
        executor=executor,
    )


def problems_of(result: AnalysisResult | None) -> tuple[str, ...]:
    """Reasons why a run that came to its end is not a success."""
    if result is None:
        return ()
    found = []
    statistics = result.statistics
    if statistics is not None and not statistics.fit.converged:
        found.append("the fit has no result: " + "; ".join(statistics.fit.notes))
    missing = incomplete_data(result.histograms)
    if statistics is not None and missing:
        found.append(_refusal(missing, frozenset(result.histograms.ledger.dropped())))
    return tuple(found)


def _refusal(missing: Mapping[str, float], dropped: frozenset[str]) -> str:
    """Why there is no observed limit, and what helps: no table scales to data that is left out."""
    gone = ", ".join(key for key in missing if key in dropped)
    if gone:
        return (
            f"data was left out ({gone}): the observed limit is refused, expected limits are "
            "given. Repair its input for an observed limit."
        )
    shown = ", ".join(f"{key} {100 * part:.3g} %" for key, part in missing.items())
    return (
        f"data is incomplete ({shown}): the observed limit is refused, expected limits are "
        "given. Process all files for an observed limit, or scale the luminosity to what was "
        "processed (general.lumi_table, execution.on_missing: rescale)."
    )


def write_resolved(config: Config, output_manager: OutputDirectoryManager) -> bool:
    """Write the configuration as it is run, functions as module:name and fingerprint.

    Returns
    -------
    bool
        Whether it differs from that of the last run.
    """
    path = output_manager.get_config_dir() / "resolved.json"
    before = path.read_bytes() if path.exists() else None
    write_json(path, resolved(config.to_dict()))
    return before != path.read_bytes()


def write_provenance(
    config: Config,
    finished: RunResult,
    digests: Mapping[str, str],
    seconds: Mapping[str, float],
    output_manager: OutputDirectoryManager,
) -> None:
    """Write ``report/run.json``: software, the user's code, inputs, ledger, timings, problems."""
    content = {
        **software(),
        "user_code": [code_state(folder) for folder in user_folders(config.to_dict())],
        "input_digests": dict(digests),
        "cpu_seconds": round(finished.cpu_seconds, 3),
        "wall_seconds": round(finished.wall_seconds, 3),
        "stages": [asdict(one) for one in finished.stages],
        "stage_seconds": {name: round(value, 3) for name, value in seconds.items()},
        "exit_status": finished.exit_status,
        "problems": list(finished.problems),
        "remarks": list(finished.remarks),
        "losses": [asdict(one) for one in finished.losses],
        "input": [one.to_json() for one in finished.ledger.accounts()],
        "ledger": finished.ledger.to_json(),
    }
    write_json(output_manager.get_report_dir() / "run.json", resolved(content))


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended [s]."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
