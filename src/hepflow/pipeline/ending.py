"""What a run leaves at its end: what it was, what went wrong, and the report."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from hepflow.analysis import AnalysisResult
from hepflow.analysis.results import all_remarks, incomplete_data
from hepflow.analysis.steps import files_known, ledger_of
from hepflow.errors import FitError
from hepflow.journal import StageRecord
from hepflow.output_manager import OutputDirectoryManager
from hepflow.provenance import code_state, resolved, software, user_folders
from hepflow.records import FitResult, Ledger, LimitResult, Loss
from hepflow.report import REPORT_FILE, collect, keep_previous, write_report
from hepflow.schema import Config
from hepflow.skimming import Skim
from hepflow.storage import write_json


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
    report: Path | None = None  # the page about the run; None where it is switched off

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


def write_resolved(config: Config, output_manager: OutputDirectoryManager) -> bool:
    """Write the configuration as it is run, functions as module:name and fingerprint.

    Returns
    -------
    bool
        Whether it differs from that of the last run.
    """
    path = output_manager.get_config_dir() / "resolved.json"
    before = path.read_bytes() if path.exists() else None
    keep_previous(path.parent)
    write_json(path, resolved(config.to_dict()))
    return before != path.read_bytes()


@dataclass
class Outcome:
    """What the stages of a run gave, as far as they came."""

    result: AnalysisResult | None = None  # None where the analysis was skipped
    skims: Mapping[str, Skim] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)  # of correction files and others
    seconds: dict[str, float] = field(default_factory=dict)  # wall clock
    failure: FitError | None = None  # why there is no fit or no limit; the rest is there


@dataclass(frozen=True)
class Clock:
    """When a run began."""

    cpu: float  # [s]
    wall: float  # [s]

    @classmethod
    def start(cls) -> Clock:
        """Now."""
        return cls(_cpu_seconds(), time.monotonic())

    @property
    def cpu_seconds(self) -> float:
        """CPU time since then, of this process and of its children that have ended [s]."""
        return _cpu_seconds() - self.cpu

    @property
    def wall_seconds(self) -> float:
        """Wall clock since then [s]."""
        return time.monotonic() - self.wall


def conclude(
    config: Config,
    outcome: Outcome,
    stages: Sequence[StageRecord],
    clock: Clock,
    output_manager: OutputDirectoryManager,
) -> RunResult:
    """Write ``report/run.json`` and the report, also where the fit has failed."""
    problems = problems_of(outcome.result)
    if outcome.failure is not None:
        problems = (str(outcome.failure), *problems)
    ledger = _ledger(outcome.result, outcome.skims)
    finished = RunResult(
        output_dir=output_manager.get_root_dir(),
        exit_status=1 if problems else 0,
        result=outcome.result,
        problems=problems,
        stages=tuple(stages),
        remarks=_remarks(config, outcome.result),
        losses=ledger.losses,
        ledger=ledger,
        cpu_seconds=clock.cpu_seconds,
        wall_seconds=clock.wall_seconds,
    )
    write_provenance(config, finished, outcome, output_manager)
    if not config.general.report:
        (output_manager.get_report_dir() / REPORT_FILE).unlink(missing_ok=True)  # of another run
        return finished
    path = output_manager.get_report_dir() / REPORT_FILE
    return replace(finished, report=write_report(collect(finished.output_dir), path))


def write_provenance(
    config: Config,
    finished: RunResult,
    outcome: Outcome,
    output_manager: OutputDirectoryManager,
) -> None:
    """Write ``report/run.json``: software, the user's code, inputs, ledger, timings, problems."""
    content = {
        **software(),
        "user_code": [code_state(folder) for folder in user_folders(config.to_dict())],
        "input_digests": dict(outcome.digests),
        "cpu_seconds": round(finished.cpu_seconds, 3),
        "wall_seconds": round(finished.wall_seconds, 3),
        "stages": [asdict(one) for one in finished.stages],
        "stage_seconds": {name: round(value, 3) for name, value in outcome.seconds.items()},
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
