"""The two parts of an inference, and the whole: steps one after the other, with their record."""

from __future__ import annotations

import logging
import resource
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError, UnreadableFile
from hepflow.execution import Executor, configured_executor
from hepflow.failed import Invocation
from hepflow.inference.records import EventTable
from hepflow.inference.workflow.ending import belongs_to_analysis, conclude
from hepflow.inference.workflow.ground import EvaluationSpec, refuse_unusable, truth_of
from hepflow.inference.workflow.installed import require_tools
from hepflow.inference.workflow.learning import draws_of, trainees_of
from hepflow.inference.workflow.physics import (
    EVENTS,
    Physics,
    made_otherwise,
    make_events,
    take_events,
)
from hepflow.inference.workflow.results import Results, evaluate_all, evaluations_of
from hepflow.inference.workflow.specs import PhysicsSpec, parameters_of
from hepflow.inference.workflow.steps import content_digest, evaluated_digest
from hepflow.inference.workflow.supplied import Supply
from hepflow.inference.workflow.training import Events, Trained, train_all
from hepflow.journal import StageRecord, recorded
from hepflow.output_manager import OutputDirectoryManager, require
from hepflow.provenance import resolved
from hepflow.report import keep_previous
from hepflow.schema import Study
from hepflow.storage import write_json

logger = logging.getLogger(__name__)

ACTIONS: Final = ("physics", "ml", "run", "plot")


@dataclass
class Parts:
    """What the parts gave, as far as they ran."""

    physics: Physics | None = None
    trained: Trained | None = None
    results: Results | None = None
    figures: tuple[Path, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)  # wall clock of each part


@dataclass(frozen=True)
class Finished:
    """What a command gave."""

    study: Study
    action: str
    output_dir: Path
    parts: Parts
    problems: tuple[str, ...]  # why the exit status is not 0
    stages: tuple[StageRecord, ...]
    wall_seconds: float
    cpu_seconds: float  # children included
    remarks: tuple[str, ...] = ()  # what a reader must know
    report: Path | None = None

    @property
    def exit_status(self) -> int:
        """0 only if every method has a result that may be shown."""
        return 1 if self.problems else 0


@dataclass(frozen=True)
class Bench:
    """Where the parts work."""

    study: Study
    manager: OutputDirectoryManager
    executor: Executor
    supply: Callable[[], Supply] | None = None  # of events that are not made here

    @property
    def folder(self) -> Path:
        """Folder of the events and results."""
        return self.manager.get_custom_dir("inference")

    @property
    def reuse(self) -> bool:
        """Whether what was made with the same key is kept."""
        return self.study.general.read_from_cache


def run_study(
    study: Study,
    action: str,
    *,
    invocation: Invocation | None = None,
    events: str | None = None,
    supply: Callable[[], Supply] | None = None,
) -> Finished:
    """Run the physics part, the learning part, both, or draw what is stored.

    Parameters
    ----------
    study
        Validated again before anything is done.
    action
        One of `ACTIONS`.
    invocation
        The command that runs it, for the record.
    events
        Event file of the learning part; default the one that the physics part has made.
    supply
        Gives events that are not made here, those of skims.

    Raises
    ------
    HepflowError
        Something cannot be done. What finished is kept; the next run goes on from there.
    """
    valid, began = Study.of(study), time.monotonic()
    require_tools(valid, physics=action in {"physics", "run"}, learning=action in {"ml", "run"})
    require_files(valid, action, events)
    manager = OutputDirectoryManager(valid.general.output_dir, valid.general.cache_dir)
    manager.remove_stale_temporaries()
    record(valid, manager, invocation)
    execution = valid.execution
    arguments = {
        "backend": execution.backend,
        "workers": execution.workers,
        "scheduler": execution.scheduler,
        "retry_wait": execution.retry_wait,
    }
    with (
        recorded() as stages,
        warnings.catch_warnings(),
        configured_executor(arguments) as executor,
    ):
        # Networks keep their memory; that a worker is renewed is nothing to tell.
        warnings.filterwarnings("ignore", "A worker was restarted", UserWarning)
        parts = _run(Bench(valid, manager, executor, supply), action, events)
    finished = Finished(
        valid,
        action,
        manager.get_root_dir(),
        parts,
        problems_of(parts.results),
        tuple(stages),
        time.monotonic() - began,
        _cpu_seconds(),
    )
    return conclude(finished, manager)


def require_files(study: Study, action: str, events: str | None) -> None:
    """Stop before anything is computed where a file that is named is not there.

    Raises
    ------
    UnreadableFile
        There is none.
    """
    own = study.inference.evaluation
    named = {"--events": events if action in {"ml", "plot"} else None}
    if action in {"ml", "run"} and own.data == "observed":
        named["inference.evaluation.observed"] = own.observed
    for where, path in named.items():
        if path is not None and not Path(path).is_file():
            raise UnreadableFile(f"{where}: there is no file {path}.")


def record(study: Study, manager: OutputDirectoryManager, invocation: Invocation | None) -> None:
    """Write the configuration as it is run; in the folder of an analysis that one's stays."""
    if belongs_to_analysis(manager.get_report_dir()):
        return
    folder = manager.get_config_dir()
    keep_previous(folder)
    write_json(folder / "resolved.json", resolved(study.to_dict()))
    if invocation is not None:
        write_json(folder / "invocation.json", asdict(invocation))


def _run(bench: Bench, action: str, events: str | None) -> Parts:
    parts = Parts()
    clock = time.monotonic()

    def note(name: str) -> None:
        nonlocal clock
        parts.seconds[name], clock = time.monotonic() - clock, time.monotonic()

    if action in {"physics", "run"}:
        parts.physics = generate(bench)
        note("physics")
    if action in {"ml", "run"}:
        parts.trained, parts.results = learn(bench, events)
        note("learning")
    if bench.study.plotting.enabled:
        from hepflow.inference.workflow.figures import draw_all

        parts.figures = draw_all(bench, action, events)
        note("plots")
    return parts


def generate(bench: Bench) -> Physics:
    """Make the event file.

    Raises
    ------
    InputError
        The events are to come from skims, and nobody hands them in.
    """
    spec = PhysicsSpec.of(bench.study)
    if spec.source != "skim":
        return make_events(spec, bench.folder, bench.executor, reuse=bench.reuse)
    if bench.supply is None:
        raise InputError(
            "the events are to come from skims (process.source 'skim'), which `hepflow sbi` makes "
            "of a configuration with datasets."
        )
    return take_events(bench.supply(), spec, bench.folder, reuse=bench.reuse)


def learn(bench: Bench, events: str | None) -> tuple[Trained, Results]:
    """Train and evaluate on an event file.

    Raises
    ------
    MissingArtifact
        There is no event file.
    InputError
        Its parameters are not those of the configuration.
    """
    from hepflow.inference.event_file import read_events

    path = event_file(bench, events)
    table = read_events(path)
    refuse_others(table, bench.study, path)
    own, digest = bench.study.inference, content_digest(table)
    trainees, draws = trainees_of(own), draws_of(own, table.parameters)
    spec = EvaluationSpec.of(bench.study)
    refuse_unusable(table, spec)
    _tell_of_others(bench, events)
    models = bench.manager.get_models_dir()
    content = Events(table, digest)
    trained = train_all(content, trainees, draws, models, bench.executor, reuse=bench.reuse)
    exact = truth_of(table) is not None
    tasks = evaluations_of(trainees, trained, path, draws, spec, exact=exact)
    ranged = evaluated_digest(table, digest)
    results = evaluate_all(tasks, ranged, trained, bench.folder, bench.executor, reuse=bench.reuse)
    return trained, results


def _tell_of_others(bench: Bench, events: str | None) -> None:
    """Say it where the events in the folder are not those of the configuration."""
    if events is None and bench.study.inference.process.source != "skim":
        changed = made_otherwise(PhysicsSpec.of(bench.study), bench.folder)
        if changed:
            logger.warning(
                "%s was made with other settings (%s); `hepflow sbi physics` or `hepflow sbi run` "
                "makes it anew.",
                bench.folder / EVENTS,
                changed,
            )


def event_file(bench: Bench, events: str | None) -> Path:
    """Event file of the learning part."""
    path = Path(events) if events else bench.folder / EVENTS
    return require(path, "`hepflow sbi physics`")


def refuse_others(table: EventTable, study: Study, path: Path) -> None:
    """Stop where events are not of the parameters that are configured.

    Raises
    ------
    InputError
        They are of others.
    """
    wanted = [one.name for one in parameters_of(study.inference)]
    found = [one.name for one in table.parameters]
    if study.inference.parameters and wanted != found:
        raise InputError(
            f"{path} has the parameters {', '.join(found)}, but the configuration has "
            f"{', '.join(wanted)}. Make the events again: hepflow sbi physics."
        )


def problems_of(results: Results | None) -> tuple[str, ...]:
    """Methods whose fit has no result that may be shown."""
    methods: Mapping[str, Any] = results.methods if results else {}
    return tuple(
        f"{name}: the fit has no result: {'; '.join(fit['notes']) or 'it did not converge'}"
        for name, one in methods.items()
        if not (fit := one["limits"]["fit"])["converged"]
    )


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended [s]."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
