"""Train every method and member that is not trained yet, in processes beside each other."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hepflow.execution import Executor
from hepflow.execution.failures import raise_failures
from hepflow.inference.event_file import morphing_of
from hepflow.inference.methods.model_files import FORMAT
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.records import EventTable
from hepflow.inference.workflow.learning import (
    Draws,
    Sample,
    Samples,
    Trainee,
    kind_of,
    partitions_of,
    samples_of,
    structure_of,
)
from hepflow.inference.workflow.steps import Step
from hepflow.journal import tell
from hepflow.keys import library_version, make_key

STAGE: Final = "training"
FILES: Final = ("model.json", "weights.npz", "history.json")
_LIBRARIES: Final = ("jax", "equinox", "optax", "numpy")


@dataclass(frozen=True)
class Member:
    """One network to train."""

    trainee: Trainee
    number: int
    folder: Path
    step: Step

    @property
    def label(self) -> str:
        """For messages."""
        which = f", member {self.number}" if self.trainee.members > 1 else ""
        return f"{self.trainee.name}{which}"


@dataclass(frozen=True)
class Task:
    """What a worker needs to train one network."""

    label: str
    method: str
    settings: TrainingSettings
    seed: int
    train: Sample
    validation: Sample
    structure: Structure
    folder: str


@dataclass(frozen=True)
class Events:
    """Events to train with."""

    table: EventTable
    digest: str  # of their content


@dataclass(frozen=True)
class Trained:
    """Networks that are there, and what they were trained with."""

    folders: Mapping[str, Path]  # by name of the method
    keys: Mapping[str, tuple[str, ...]]  # digests of its members
    made: int  # trainings that ran; the others were there


def train_all(
    events: Events,
    trainees: Sequence[Trainee],
    draws: Draws,
    models: Path,
    executor: Executor,
    *,
    reuse: bool,
) -> Trained:
    """Train what is not trained with the same key; a killed training goes on from its checkpoint.

    Parameters
    ----------
    events
        All of them, with a digest of their content.
    trainees
        Methods with their settings.
    draws
        How samples are drawn.
    models
        Folder with one folder a method.
    executor
        Where trainings run, one a process.
    reuse
        Whether what was trained with the same key is kept.

    Raises
    ------
    HepflowError
        Trainings failed; those that finished are kept.
    """
    members = [
        one for trainee in trainees for one in members_of(trainee, events.digest, draws, models)
    ]
    for trainee in trainees:
        _forget_others(models / trainee.name, trainee.members)
    left = [one for one in members if not one.step.is_done(reuse=reuse)]
    if left:
        tell(STAGE, "ran", f"{len(left)} of {len(members)} networks, {left[0].step.why()}")
        _train(left, events.table, draws, executor)
    else:
        tell(STAGE, "reused", f"{len(members)} networks, trained with the same key")
    return Trained(
        {one.name: models / one.name for one in trainees},
        {
            one.name: tuple(m.step.key.digest for m in members if m.trainee.name == one.name)
            for one in trainees
        },
        len(left),
    )


def _forget_others(folder: Path, members: int) -> None:
    """Remove networks of an earlier, larger ensemble."""
    for path in folder.glob("member_*"):
        if path.name.removeprefix("member_").isdigit() and int(path.name[7:]) >= members:
            shutil.rmtree(path)


def members_of(trainee: Trainee, digest: str, draws: Draws, models: Path) -> list[Member]:
    """Networks of a method, with their steps."""
    found = []
    for number in range(trainee.members):
        folder = models / trainee.name / f"member_{number}"
        key = make_key(
            "inference training",
            events=digest,
            sample=(kind_of(trainee), *_sampled(draws, kind_of(trainee))),
            method=trainee.method,
            format=FORMAT,
            settings=trainee.settings,
            seed=(draws.seed, number),
            libraries={name: library_version(name) for name in _LIBRARIES},
        )
        found.append(Member(trainee, number, folder, Step("model", folder, key)))
    return found


def _sampled(draws: Draws, kind: str) -> tuple[Any, ...]:
    """What of the draws a kind of sample depends on."""
    common = (draws.fractions, draws.events, draws.reference, draws.seed)
    if kind == "score":
        return common
    own: Mapping[str, tuple[Any, ...]] = {
        "prior": (draws.points, draws.priors),
        "grid": (draws.points, draws.ranges),
    }
    return (*common, draws.numerators, *own.get(draws.numerators, ()))


def _train(left: Sequence[Member], table: EventTable, draws: Draws, executor: Executor) -> None:
    morphing = morphing_of(table)
    parts = partitions_of(table, draws)
    kinds = dict.fromkeys(kind_of(one.trainee) for one in left)
    samples = {kind: samples_of(kind, parts, morphing, draws) for kind in kinds}
    structure = structure_of(table, morphing)
    for one in left:
        one.step.begin()
    tasks = [_task(one, samples[kind_of(one.trainee)], structure, draws) for one in left]
    failed = []
    for outcome in executor.map(train_one, tasks, label="training"):
        if outcome.ok:
            member = left[outcome.index]
            member.step.finish([member.folder / name for name in FILES])
        else:
            failed.append(outcome)
    raise_failures(failed, "training", of=len(left))


def _task(member: Member, samples: Samples, structure: Structure, draws: Draws) -> Task:
    trainee = member.trainee
    return Task(
        member.label,
        trainee.method,
        trainee.settings,
        draws.seed * 1000 + member.number,
        samples.train,
        samples.validation,
        structure,
        str(member.folder),
    )


def train_one(task: Task) -> int:
    """Train one network; the number of its epochs. Runs on workers.

    Raises
    ------
    InputError
        The sample cannot be used.
    FitError
        A loss that is not finite.
    """
    from hepflow.inference.methods.training import train

    estimator = train(
        task.method,
        task.train,
        task.settings,
        task.seed,
        task.validation,
        folder=task.folder,
        structure=task.structure,
    )
    return len(estimator.history.training)
