"""Trainings, limits and figures of an inference before they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hepflow.inference.workflow.evaluating import Evaluation

# Keys of evaluations and figures, and what figures show, as the steps themselves have them.
from hepflow.inference.workflow.figures import FOLDER, _step, look_of
from hepflow.inference.workflow.ground import EvaluationSpec, refuse_unusable, truth_of
from hepflow.inference.workflow.learning import Draws, Trainee, draws_of, trainees_of
from hepflow.inference.workflow.physics import EVENTS
from hepflow.inference.workflow.pictures import _FIGURES, _stored
from hepflow.inference.workflow.results import FILES, METHODS, _key, evaluations_of, joined
from hepflow.inference.workflow.running import Bench, refuse_others
from hepflow.inference.workflow.sources import is_exact
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.steps import Step, evaluated_digest
from hepflow.inference.workflow.training import Member, Trained, members_of
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.inference_events import EventsForecast
from hepflow.planning.inference_steps import NOTHING, OFF, Before, piece_of, stage_of, status_of
from hepflow.planning.looking import NothingRuns
from hepflow.planning.records import Piece, Reason, StageForecast
from hepflow.planning.settings import LOOK
from hepflow.plotting.run import FigureTask
from hepflow.schema import Study
from hepflow.stamps import read_stamp
from hepflow.storage import read_json

TRAINING: Final = "training"
LIMITS: Final = "limits"
FIGURES: Final = "inference-plots"  # there may be `plots` of an analysis beside them
_OF_NETWORKS: Final = tuple(
    f"{part} changed" for part in ("sample", "method", "format", "settings", "seed", "libraries")
)
WHAT: Final[Mapping[str, str]] = {
    TRAINING: "train networks",
    LIMITS: "limits, information, checks",
    FIGURES: "draw",
}


def forecast_learning(
    study: Study, events: EventsForecast, folders: OutputDirectoryManager
) -> tuple[StageForecast, ...]:
    """Compare trainings, evaluations and figures with what is stored.

    Parameters
    ----------
    study
        The configuration.
    events
        Of the stage before.
    folders
        Where things are kept.

    Raises
    ------
    HepflowError
        The events cannot be trained with or evaluated.
    """
    parameters = events.table.parameters if events.table is not None else events.spec.parameters
    if not parameters:
        hangs = (Reason("hangs on the events", events.stage.reasons),)
        later = [StageForecast(name, what, "unknown", hangs) for name, what in WHAT.items()]
        return tuple(later)
    spec = EvaluationSpec.of(study)
    if events.table is not None:
        refuse_others(events.table, study, folders.get_custom_dir("inference") / EVENTS)
        refuse_unusable(events.table, spec)
    plan = _Learning(study, events, folders, draws_of(study.inference, parameters), spec)
    training, limits = plan.training(), plan.limits()
    return training, limits, plan.figures(limits)


@dataclass(frozen=True)
class _Learning:
    """What the three stages have in common."""

    study: Study
    events: EventsForecast
    folders: OutputDirectoryManager
    draws: Draws
    spec: EvaluationSpec

    @property
    def _reuse(self) -> bool:
        return self.study.general.read_from_cache

    @property
    def _folder(self) -> Path:
        return self.folders.get_custom_dir("inference")

    def _members(self, trainee: Trainee) -> list[Member]:
        models = self.folders.get_models_dir()
        return members_of(trainee, self.events.digest, self.draws, models)

    def _networks(self, trainee: Trainee) -> list[Piece]:
        return [
            piece_of(_named(one), one.step, [self.events.before], reuse=self._reuse)
            for one in self._members(trainee)
        ]

    def training(self) -> StageForecast:
        """All networks."""
        pieces = [
            one for trainee in trainees_of(self.study.inference) for one in self._networks(trainee)
        ]
        return stage_of(TRAINING, WHAT[TRAINING], pieces, "networks")

    def limits(self) -> StageForecast:
        """All methods, and what they are compared with."""
        pieces = [
            piece_of(one.label, step, self._before(one.label), reuse=self._reuse)
            for one, step in self._evaluations()
        ]
        return stage_of(LIMITS, WHAT[LIMITS], pieces, "methods")

    def _evaluations(self) -> Iterator[tuple[Evaluation, Step]]:
        trainees = trainees_of(self.study.inference)
        models = self.folders.get_models_dir()
        trained = Trained(
            {one.name: models / one.name for one in trainees},
            {one.name: tuple(m.step.key.digest for m in self._members(one)) for one in trainees},
            0,
        )
        table, digest = self.events.table, self.events.digest
        if table is not None:
            digest = evaluated_digest(table, digest)
        path, exact = self._folder / EVENTS, self._is_exact()
        for one in evaluations_of(trainees, trained, path, self.draws, self.spec, exact=exact):
            key = _key(one, digest, trained)
            yield one, Step(one.label, self._folder / METHODS, key)

    def _is_exact(self) -> bool:
        """Whether the likelihood of the events is known."""
        if self.events.table is not None:
            return truth_of(self.events.table) is not None
        return will_be_exact(self.events.spec)

    def _before(self, label: str) -> tuple[Before, ...]:
        """What an evaluation takes from earlier steps."""
        events = self.events.before
        for trainee in trainees_of(self.study.inference):
            if trainee.name == label:
                found = (reason for one in self._networks(trainee) for reason in one.reasons)
                reasons = tuple(dict.fromkeys(found))
                own = any(reason.what in _OF_NETWORKS for reason in reasons)
                return events, Before("networks", reasons, events.known, own and not events.known)
        return (events,)

    def figures(self, limits: StageForecast) -> StageForecast:
        """All figures, of which those of results that are not there cannot be told."""
        if not self.study.plotting.enabled:
            why = (Reason("plotting.enabled is off"),)
            return StageForecast(FIGURES, WHAT[FIGURES], "left out", why)
        folder = self.folders.get_plots_dir(FOLDER)
        tasks = list(self._tasks(folder, done=limits.status == "reused"))
        pieces = [_figure(one, reuse=self._reuse) for one in tasks]
        if limits.status == "reused":
            return stage_of(FIGURES, WHAT[FIGURES], pieces, "figures")
        known = {one.name for one in pieces}
        pieces += [one for one in _others(folder) if one.name not in known]
        return _unsure(pieces, limits, reuse=self._reuse)

    def _tasks(self, folder: Path, *, done: bool) -> Iterator[FigureTask]:
        """Figures whose content is known."""
        table = self.events.table  # as it will be: units and labels may be others than stored
        if table is None:
            return
        bench = Bench(self.study, self.folders, NothingRuns())
        stored = replace(
            _stored(bench, None),
            table=table,
            parameters=table.parameters,
            methods=self._results() if done else {},
        )
        look = look_of(bench)
        for kind in self.study.inference.plots:
            for name, content in _FIGURES[kind](stored):
                yield FigureTask(content, look, folder, name)

    def _results(self) -> Mapping[str, Mapping[str, Any]]:
        """Results of the methods that are configured."""
        place = self._folder / METHODS
        found = {
            one.label: read_json(place / f"{one.label}.json", "`hepflow sbi ml`")
            for one, _ in self._evaluations()
        }
        methods: dict[str, dict[str, Any]] = {}
        for keys in FILES.values():
            for name, mine in joined(found, keys).items():
                methods.setdefault(name, {}).update(mine)
        return methods


def will_be_exact(spec: PhysicsSpec) -> bool:
    """Whether events that are not made yet will have a known likelihood."""
    varied = spec.nuisances or spec.groups or spec.sizes
    return spec.source == "drell_yan" and is_exact(spec) and not varied


def _named(member: Member) -> str:
    return f"models/{member.trainee.name}/{member.folder.name}"


def _figure(task: FigureTask, *, reuse: bool) -> Piece:
    found = piece_of(f"plots/{FOLDER}/{task.name}", _step(task), reuse=reuse)
    look = (Reason(LOOK) if one.what == "spec changed" else one for one in found.reasons)
    return replace(found, reasons=tuple(look))


def _unsure(pieces: Sequence[Piece], limits: StageForecast, *, reuse: bool) -> StageForecast:
    """Figures of which some show results that are not there."""
    if not reuse:
        made = tuple(replace(one, status="runs", reasons=(OFF,)) for one in pieces)
        return StageForecast(FIGURES, WHAT[FIGURES], "runs", (OFF,), made, todo=len(made))
    if not pieces:
        return StageForecast(FIGURES, WHAT[FIGURES], "runs", (NOTHING,))
    hangs = Reason("they show results that are not there yet", limits.reasons)
    named = tuple(
        replace(one, reasons=(hangs,)) if one.status == "unknown" else one for one in pieces
    )
    todo = sum(one.status == "runs" for one in named)
    reasons = dict.fromkeys(reason for one in named for reason in one.reasons)
    return StageForecast(FIGURES, WHAT[FIGURES], status_of(named), tuple(reasons), named, todo=todo)


def _others(folder: Path) -> Iterator[Piece]:
    """Figures of an earlier run, of which cannot be told yet whether they stay."""
    for path in sorted(folder.glob(".*.key.json")):
        name = path.name.removeprefix(".").removesuffix(".key.json")
        stamp = read_stamp(folder, path.name)
        stored = None if stamp is None else stamp.key
        yield Piece(f"plots/{FOLDER}/{name}", "unknown", (), None, stored, stamp=path)
