"""A workflow from its files to published values, step by step in local processes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final

from hepflow.errors import ExecutionError, HepflowError, InputError, Problem
from hepflow.logging.progress import Task, progress
from hepflow.reinterpretation.workflows import secrets
from hepflow.reinterpretation.workflows.caching import Store, opened
from hepflow.reinterpretation.workflows.executing import Processes, environment, interpolated
from hepflow.reinterpretation.workflows.inputs import Inputs, read_inputs
from hepflow.reinterpretation.workflows.parsing import parse
from hepflow.reinterpretation.workflows.problems import WorkflowError
from hepflow.reinterpretation.workflows.publishers import publish
from hepflow.reinterpretation.workflows.references import Source
from hepflow.reinterpretation.workflows.selecting import Job, jobs, preview
from hepflow.reinterpretation.workflows.specification import INIT, Stage, Workflow
from hepflow.reinterpretation.workflows.validation import check, default_folder

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow and its inputs, in which nothing is known to be wrong."""

    workflow: Workflow
    inputs: Inputs
    warnings: tuple[str, ...]
    commands: Mapping[str, str]  # by step; what is not known yet as <stage.output>


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of a step."""

    name: str
    stage: str
    reused: bool  # it had finished before, on the same content
    seconds: float  # that it took when it ran
    log: str
    published: Any


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """What a finished workflow has published."""

    outputs: Mapping[str, Any]  # of the last stages; a list with one entry a step where scattered
    steps: tuple[StepOutcome, ...]
    workdir: Path


def load_workflow(
    workflow: str | Path,
    inputs: Sequence[str | Path] = (),
    *,
    settings: Mapping[str, str] | None = None,
    initdir: str | Path | None = None,
    ignore_environment: bool = False,
) -> Plan:
    """Read a workflow and its inputs, and check all of it; nothing is run.

    Parameters
    ----------
    workflow
        YAML file with yadage's stages.
    inputs
        YAML files with values by name; later ones count more.
    settings
        Values by name that count most: JSON, or else a text.
    initdir
        Folder to which names of input files are relative; default that of the first inputs.
    ignore_environment
        Take steps that are to run in a container as steps of this machine.

    Raises
    ------
    WorkflowError
        With all that is wrong.
    """
    source = Source()
    parsed = parse(source.open(workflow))
    folder = initdir or default_folder([Path(one) for one in inputs])
    values = read_inputs(inputs, settings or {}, folder, source.problems)
    found = check(parsed, values, ignore_environment=ignore_environment)
    problems = [*source.problems, *found.problems, *_loose_tickets()]
    commands: dict[str, str] = {}
    if not problems:
        commands, problems = _previewed(parsed, values)
    if problems:
        raise WorkflowError(list(dict.fromkeys(problems)))
    return Plan(parsed, values, found.warnings, commands)


def run_workflow(
    plan: Plan,
    workdir: str | Path,
    *,
    trusted: bool = False,
    workers: int = 1,
    variables: Sequence[str] = (),
) -> WorkflowResult:
    """Run what has not finished before.

    Parameters
    ----------
    plan
        From `load_workflow`.
    workdir
        Folder of the run: one folder a step, ``logs``, and what is known of finished steps.
    trusted
        The commands of the workflow may be run; nothing runs without.
    workers
        Steps that run at the same time.
    variables
        Names of environment variables that steps see besides the usual ones.

    Raises
    ------
    InputError
        The workflow is not trusted, or the folder is in use.
    ExecutionError
        A step failed. What has finished is kept.
    """
    if not trusted:
        raise InputError(
            "nothing was run: a workflow runs commands of the shell with your rights. Read the "
            "commands, and give --trust (from Python trusted=True) if you trust who wrote them."
        )
    if workers < 1:
        raise InputError(f"--workers: {workers} is not a number of steps, which is 1 or more.")
    references = plan.inputs.credentials
    redact = secrets.Redaction(secrets.known_secrets(references))
    asked = [*variables, *(one.removeprefix(secrets.FROM_VARIABLE) for one in references)]
    with opened(Path(workdir)) as store:
        processes = Processes(environment(asked), redact, store.lock)
        return _Run(plan, store, processes).finish(workers)


def _previewed(workflow: Workflow, inputs: Inputs) -> tuple[dict[str, str], list[Problem]]:
    """Commands as far as they are known; what can't be put into them is a problem."""
    results: dict[str, Any] = {INIT: [inputs.values]}
    results.update({stage.name: preview(stage) for stage in workflow.stages})
    commands, problems = {}, []
    for stage in workflow.stages:
        where = stage.process.where if stage.process else stage.where
        try:
            for job in jobs(stage, results, Path()):
                process = stage.process
                text = interpolated(process, job.parameters) if process else "(publishes only)"
                commands[job.name] = text
        except (InputError, ExecutionError) as error:
            problems.append(Problem(where, str(error)))
    return commands, problems


def _loose_tickets() -> list[Problem]:
    """Files with credentials that others may read."""
    problems = []
    for name in secrets.TICKETS:
        path = Path(os.environ.get(name, "").removeprefix("FILE:"))
        try:
            if path.is_absolute() and path.is_file():
                secrets.private_file(path)
        except InputError as error:
            problems.append(Problem(name, str(error)))
    return problems


@dataclass(slots=True)
class _Run:
    """A run under way."""

    plan: Plan
    store: Store
    processes: Processes
    outcomes: dict[str, list[StepOutcome | None]] = field(default_factory=dict)  # by stage
    failures: list[str] = field(default_factory=list)
    halted: Event = field(default_factory=Event)  # after a failure no step begins
    waiting: dict[Future[StepOutcome], tuple[str, int]] = field(default_factory=dict)

    def finish(self, workers: int) -> WorkflowResult:
        """Run all steps, each as soon as what it waits for is done."""
        with ThreadPoolExecutor(workers) as pool, progress("workflow") as task:
            try:
                self._begin(pool, task)
                while self.waiting:
                    done, _ = wait(self.waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._take(future, task)
                    if not self.failures:
                        self._begin(pool, task)
            except BaseException:
                self.halted.set()
                self.processes.stop()
                raise
        if self.failures:
            kept = sum(one is not None for steps in self.outcomes.values() for one in steps)
            told = "\n".join(self.failures)
            raise ExecutionError(f"{told}\n{kept} finished steps are kept for the next run.")
        return self._result()

    def _begin(self, pool: ThreadPoolExecutor, task: Task) -> None:
        """Hand out the steps of all stages that have become ready."""
        began = True
        while began:  # a stage without steps is done at once, and others may wait for it
            began = False
            results = self._results()
            for stage in self.plan.workflow.stages:
                ready = all(name in results for name in stage.dependencies)
                if ready and stage.name not in self.outcomes:
                    began = True
                    self._hand_out(stage, results, pool)
        task.set_total(sum(map(len, self.outcomes.values())))

    def _hand_out(self, stage: Stage, results: Mapping[str, Any], pool: ThreadPoolExecutor) -> None:
        try:
            steps = jobs(stage, results, self.store.workdir)
        except ExecutionError as error:  # what was published is not what it asks for
            self.failures.append(f"stage {stage.name} can't begin: {error}")
            self.outcomes[stage.name] = [None]
            return
        self.outcomes[stage.name] = [None] * len(steps)
        for index, job in enumerate(steps):
            self.waiting[pool.submit(self._guarded, job)] = (stage.name, index)

    def _results(self) -> dict[str, Any]:
        """What the stages that are done have published."""
        found: dict[str, Any] = {INIT: [self.plan.inputs.values]}
        for name, steps in self.outcomes.items():
            done = [one.published for one in steps if one is not None]
            if len(done) == len(steps):
                found[name] = done
        return found

    def _take(self, future: Future[StepOutcome], task: Task) -> None:
        stage, index = self.waiting.pop(future)
        try:
            outcome = future.result()
        except CancelledError:
            return
        except HepflowError as error:
            steps = len(self.outcomes[stage])
            name = f"{stage}_{index}" if self.plan.workflow.by_name[stage].scatter else stage
            of = f" ({index + 1} of {steps})" if steps > 1 else ""
            self.failures.append(f"step {name}{of} failed: {error}")
            return
        self.outcomes[stage][index] = outcome
        task.note(f"{outcome.name} {'reused' if outcome.reused else 'finished'}")
        task.advance()

    def _guarded(self, job: Job) -> StepOutcome:
        if self.halted.is_set():
            raise CancelledError
        try:
            return self._step(job)
        except BaseException:
            self.halted.set()
            raise

    def _step(self, job: Job) -> StepOutcome:
        """Run one step, or take what it left when it ran before."""
        process = job.stage.process
        command = interpolated(process, job.parameters) if process else ""
        key = self.store.key(job, command)
        log = str(self.store.log(job).relative_to(self.store.workdir)) if process else ""
        record, reason = self.store.find(job, key)
        reused = record is not None
        if record is None:
            _log.info("step %s runs: %s", job.name, reason)
            begin = time.monotonic()
            folder = self.store.begin(job)
            if process is not None:
                self.processes.run(process, command, folder, self.store.log(job))
            published = publish(job.stage.publisher, job.parameters, folder)
            seconds = time.monotonic() - begin
            shown = self.processes.redact(command)
            record = self.store.keep(job, key, published, seconds, shown)
        return StepOutcome(job.name, job.stage.name, reused, record.seconds, log, record.published)

    def _result(self) -> WorkflowResult:
        results = self._results()
        stages = self.plan.workflow.by_name
        outputs = {
            name: results[name] if stages[name].scatter else results[name][0]
            for name in self.plan.workflow.last
        }
        steps = [one for found in self.outcomes.values() for one in found if one is not None]
        return WorkflowResult(outputs, tuple(steps), self.store.workdir)
