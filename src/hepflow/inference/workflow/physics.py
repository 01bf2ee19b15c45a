"""The physics part: jobs in parallel, joined into one event file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from hepflow.errors import FileListError
from hepflow.execution import Executor
from hepflow.execution.failures import raise_failures
from hepflow.inference.event_file import write_events
from hepflow.inference.nuisances import add_normalisation
from hepflow.inference.records import EventTable
from hepflow.inference.soundness import check_events, effective_size
from hepflow.inference.workflow.jobs import Job, jobs_of, run_job
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.steps import Step
from hepflow.inference.workflow.supplied import Supply
from hepflow.inference.workflow.tables import JobEvents, count_cutflow, join, read_job
from hepflow.journal import tell
from hepflow.keys import Key, make_key
from hepflow.stamps import read_stamp
from hepflow.storage import write_json

EVENTS: Final = "events.h5"
SUMMARY: Final = "events.json"
STAGE: Final = "events"


@dataclass(frozen=True)
class Physics:
    """What the physics part gave."""

    events: Path
    summary: Mapping[str, Any]  # contents of events.json
    jobs: int
    made: int  # jobs that ran; the others were there


def make_events(spec: PhysicsSpec, folder: Path, executor: Executor, *, reuse: bool) -> Physics:
    """Run the jobs that are not done, and join all into one event file.

    Parameters
    ----------
    spec
        What the events depend on.
    folder
        ``inference`` of the output folder.
    executor
        Where jobs run.
    reuse
        Whether what was made with the same key is kept.

    Raises
    ------
    HepflowError
        Jobs failed; those that finished are kept for the next run.
    InputError
        No event is left, or their weights cannot be used.
    """
    jobs = list(jobs_of(spec, folder))
    steps = [step_of(job) for job in jobs]
    whole = Step(EVENTS, folder, events_key(spec, steps))
    if whole.is_done(reuse=reuse):
        tell(STAGE, "reused", f"{len(jobs)} jobs, made with the same key")
        return Physics(folder / EVENTS, _stored(folder), len(jobs), 0)
    why = whole.why()
    made = _run_jobs(jobs, steps, executor, reuse=reuse)
    tell(STAGE, "ran", f"{made} of {len(jobs)} jobs, {why}")
    whole.begin()
    _forget_others(folder / "jobs", steps)
    parts = [read_job(Path(job.output)) for job in jobs]
    table = join(parts, spec.seed)
    table = replace(table, parameters=spec.parameters or table.parameters)
    for name, size in spec.sizes.items():
        table = add_normalisation(table, name, size)
    summary = summary_of(table, jobs, parts)
    write_events(folder / EVENTS, check_events(table, "all jobs together"))
    write_json(folder / SUMMARY, summary)
    whole.finish([folder / EVENTS, folder / SUMMARY])
    return Physics(folder / EVENTS, summary, len(jobs), made)


def take_events(supply: Supply, spec: PhysicsSpec, folder: Path, *, reuse: bool) -> Physics:
    """Write events that were handed in as the event file, in random order.

    Parameters
    ----------
    supply
        The events.
    spec
        With nuisance parameters of the normalisation, and the seed.
    folder
        ``inference`` of the output folder.
    reuse
        Whether what was made with the same key is kept.
    """
    whole = Step(EVENTS, folder, supplied_key(supply.key, spec))
    if whole.is_done(reuse=reuse):
        tell(STAGE, "reused", "the events that are handed in are the same")
        return Physics(folder / EVENTS, _stored(folder), 1, 0)
    tell(STAGE, "ran", f"events of skims, {whole.why()}")
    whole.begin()
    # Skims have one dataset after the other; of test events some stand for all.
    order = np.random.default_rng([spec.seed, len(supply.table)]).permutation(len(supply.table))
    table = supply.table.select(order)
    for name, size in spec.sizes.items():
        table = add_normalisation(table, name, size)
    summary = summary_of(table, [], [JobEvents(table, -1, len(table), 0.0)])
    write_events(folder / EVENTS, check_events(table, "the skims"))
    write_json(folder / SUMMARY, summary)
    whole.finish([folder / EVENTS, folder / SUMMARY])
    return Physics(folder / EVENTS, summary, 1, 1)


def supplied_key(supplied: Key, spec: PhysicsSpec) -> Key:
    """Key of the event file, of the key that events are handed in with."""
    own = make_key(
        "inference events",
        seed=spec.seed,
        parameters=spec.parameters,  # with their ranges, which the file has
        sizes=dict(spec.sizes),
    )
    return Key(own.stage, {**supplied.parts, **own.parts})


def made_otherwise(spec: PhysicsSpec, folder: Path) -> str:
    """What changed since the event file of a folder was made; empty where nothing did."""
    if read_stamp(folder, Step.stamp_of(EVENTS)) is None:
        return ""  # somebody put it there
    try:
        jobs = list(jobs_of(spec, folder))
    except FileListError:
        return ""  # learning does not need what events were made of
    whole = Step(EVENTS, folder, events_key(spec, [step_of(job) for job in jobs]))
    return "" if whole.is_done() else whole.why()


def step_of(job: Job) -> Step:
    """The step that a job is."""
    return Step(job.name, Path(job.output).parent, job.key())


def events_key(spec: PhysicsSpec, steps: Sequence[Step]) -> Key:
    """Key of the event file, of those of its jobs."""
    return make_key(
        "inference events",
        jobs=[one.key.digest for one in steps],
        seed=spec.seed,
        parameters=spec.parameters,
        sizes=dict(spec.sizes),
        labels=[(one.name, one.label) for one in spec.observables],
    )


def _run_jobs(
    jobs: Sequence[Job], steps: Sequence[Step], executor: Executor, *, reuse: bool
) -> int:
    """Run what is not done; each job counts as done as soon as it is."""
    by_name = {one.name: one for one in steps}
    left = [job for job in jobs if not by_name[job.name].is_done(reuse=reuse)]
    for job in left:
        by_name[job.name].begin()
    failed = []
    for outcome in executor.map(run_job, left, label="generating events") if left else ():
        if outcome.ok:
            by_name[outcome.item.name].finish([Path(outcome.item.output)])
        else:
            failed.append(outcome)
    raise_failures(failed, "generating events", of=len(left))
    return len(left)


def _forget_others(folder: Path, steps: Sequence[Step]) -> None:
    """Remove events of jobs that are none any more."""
    names = {one.name for one in steps}
    for path in folder.glob("*.npz"):
        if path.stem not in names:
            path.unlink()
            (folder / f".{path.stem}.key.json").unlink(missing_ok=True)


def summary_of(
    table: EventTable, jobs: Sequence[Job], parts: Sequence[JobEvents]
) -> dict[str, Any]:
    """Contents of ``events.json``: what tables and reports say of the events."""
    benchmarks = [
        {
            "name": one.name,
            "values": list(one.values),
            "events_generated": sum(part.generated for part in parts if part.origin == index),
            "cross_section": float(table.weights[:, index].sum()),
            "effective_events": effective_size(table.weights[:, index]),
        }
        for index, one in enumerate(table.benchmarks)
    ]
    return {
        "parameters": [asdict(one) for one in table.parameters],
        "observables": list(table.observables),
        "events": len(table),
        "events_generated": sum(part.generated for part in parts),
        "jobs": len(jobs),
        "benchmarks": benchmarks,
        "cutflow": _cutflow(parts),
        "provenance": dict(table.provenance),
    }


def _cutflow(parts: Sequence[JobEvents]) -> list[dict[str, Any]]:
    """Events of all jobs after each requirement."""
    return [{"name": name, "events": events} for name, events in count_cutflow(parts).items()]


def _stored(folder: Path) -> Mapping[str, Any]:
    from hepflow.storage import read_json

    found: Mapping[str, Any] = read_json(folder / SUMMARY, "`hepflow sbi physics`")
    return found
