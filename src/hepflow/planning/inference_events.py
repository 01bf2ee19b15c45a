"""Events of an inference before they are made: jobs that are done, and the file of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hepflow.errors import HepflowError
from hepflow.inference.event_file import read_events
from hepflow.inference.records import EventTable
from hepflow.inference.workflow.jobs import Job, jobs_of
from hepflow.inference.workflow.physics import EVENTS, events_key, step_of, supplied_key
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.steps import Step, content_digest
from hepflow.keys import changed_parts
from hepflow.pipeline.skim_events import events_key as skims_key
from hepflow.planning.inference_steps import NOTHING, Before, piece_of, stage_of
from hepflow.planning.records import Piece, Reason, StageForecast
from hepflow.planning.skims import SkimsForecast
from hepflow.schema import Config
from hepflow.stamps import read_key

STAGE: Final = "events"
JOBS: Final = "jobs"  # folder of their files
_WHAT: Final = "generate events and join them"
_TAKE: Final = "take events of the skims"
_NUMBER: Final = Reason("number of events changed")
_NOT_CONTENT: Final = frozenset({"labels", "parameters"})  # ranges; other parameters are other jobs


@dataclass(frozen=True)
class EventsForecast:
    """The event file, as far as it is known."""

    stage: StageForecast
    spec: PhysicsSpec
    table: EventTable | None = None  # None where it must be made first
    digest: str = ""  # of its content; "" likewise
    changes: bool = False  # whether what is made will have another content

    @property
    def before(self) -> Before:
        """What later steps take from it."""
        return Before("events", self.stage.reasons, self.table is not None, self.changes)


def forecast_events(
    spec: PhysicsSpec, folder: Path, skims: tuple[Config, SkimsForecast] | None, *, reuse: bool
) -> EventsForecast:
    """Compare jobs and event file with what is stored.

    Parameters
    ----------
    spec
        What events depend on.
    folder
        ``inference`` of the output folder.
    skims
        Where events come from skims: the whole configuration, and what is known of them.
    reuse
        Whether what was made with the same key is kept.

    Raises
    ------
    HepflowError
        The events cannot be made.
    """
    if skims is not None:
        whole, piece = _supplied(spec, folder, *skims, reuse=reuse)
        return _known(spec, whole, stage_of(STAGE, _TAKE, [piece], "event files"), piece)
    jobs = list(jobs_of(spec, folder))
    steps = [step_of(job) for job in jobs]
    whole = Step(EVENTS, folder, events_key(spec, steps))
    if whole.is_done(reuse=reuse):  # then jobs are not looked at
        made = [_reused(job, step) for job, step in zip(jobs, steps, strict=True)]
    else:
        made = [_job(step, reuse=reuse) for step in steps]
    because = _reasons(made)
    piece = piece_of(EVENTS, whole, [Before("jobs", because, known=True)], reuse=reuse)
    grouped = list(_grouped(spec, jobs, made))
    todo = sum(one.status == "runs" for one in made)
    stage = stage_of(STAGE, _WHAT, [*grouped, piece], "jobs")
    count = f"{todo} of {len(jobs)} jobs" if piece.status == "runs" else f"{len(jobs)} jobs"
    reasons = because or piece.reasons
    return _known(spec, whole, replace(stage, count=count, reasons=reasons, todo=todo), piece)


def _supplied(
    spec: PhysicsSpec, folder: Path, config: Config, skims: SkimsForecast, *, reuse: bool
) -> tuple[Step, Piece]:
    """The event file of skims: cross-sections are known when all their parts are there."""
    counted = skims.complete and skims.skims is not None
    supplied = skims_key(config, skims.skims, counted=counted)
    whole = Step(EVENTS, folder, supplied_key(supplied, spec))
    why = skims.stage.reasons
    before = [
        Before("parts", why, known=skims.skims is not None),
        Before("cross_sections", why, known=counted),
    ]
    return whole, piece_of(EVENTS, whole, before, reuse=reuse)


def _job(step: Step, *, reuse: bool) -> Piece:
    found = piece_of(step.name, step, reuse=reuse)
    told = (_NUMBER if one.what == "events changed" else one for one in found.reasons)
    return replace(found, reasons=tuple(told))


def _reused(job: Job, step: Step) -> Piece:
    stamp = step.folder / step.stamp
    return Piece(job.name, "reused", (), step.key, step.key, 1, 1, stamp=stamp)


def _grouped(spec: PhysicsSpec, jobs: Sequence[Job], made: Sequence[Piece]) -> Iterator[Piece]:
    """One piece for all jobs of a benchmark, and one for each file."""
    groups: dict[str, list[Piece]] = {}
    for job, piece in zip(jobs, made, strict=True):
        name = spec.benchmarks[job.origin].name if job.origin >= 0 else job.name
        groups.setdefault(name, []).append(piece)
    for name, mine in groups.items():
        left = [one for one in mine if one.status != "reused"]
        yield replace(
            (left or mine)[0],
            name=f"{JOBS}/{name}",
            status="partly" if 0 < len(left) < len(mine) else mine[0].status,
            reasons=_reasons(left),
            there=len(mine) - len(left),
            total=len(mine),
        )


def _reasons(made: Sequence[Piece]) -> tuple[Reason, ...]:
    """Why jobs run; that some are new goes without saying where others changed."""
    found = tuple(dict.fromkeys(reason for one in made for reason in one.reasons))
    return tuple(one for one in found if one != NOTHING) or found


def _known(spec: PhysicsSpec, whole: Step, stage: StageForecast, piece: Piece) -> EventsForecast:
    """The events with their content where that is stored, or as it is in the stored file."""
    stored = read_key(whole.folder, whole.stamp)  # None where the file is not as it was made
    differs = set() if piece.stored is None else set(changed_parts(piece.stored, whole.key))
    differs -= piece.unknown
    only_names = bool(differs) and differs <= _NOT_CONTENT and not piece.unknown
    if piece.status != "reused" and not (only_names and stored is not None):
        changes = bool(differs - _NOT_CONTENT) and piece.status == "runs"
        return EventsForecast(stage, spec, changes=changes)
    try:
        table = read_events(whole.folder / EVENTS)
    except HepflowError as error:  # such as a package that is missing
        failed = Reason(str(error).split("\n", maxsplit=1)[0])
        return EventsForecast(replace(stage, status="fails", reasons=(failed,)), spec)
    named = replace(table, parameters=spec.parameters or table.parameters)
    return EventsForecast(stage, spec, named, content_digest(named))
