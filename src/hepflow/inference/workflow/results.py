"""Evaluate all methods that are not evaluated yet, and write what they gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hepflow.execution import Executor
from hepflow.execution.failures import raise_failures
from hepflow.inference.methods.losses import loss_of
from hepflow.inference.workflow.evaluating import EXACT, HISTOGRAM, Evaluation, evaluate
from hepflow.inference.workflow.ground import EvaluationSpec
from hepflow.inference.workflow.learning import Draws, Trainee
from hepflow.inference.workflow.steps import Step
from hepflow.inference.workflow.training import Trained
from hepflow.journal import tell
from hepflow.keys import Key, make_key
from hepflow.storage import read_json, sha256_file, write_json

STAGE: Final = "limits"
_MADE_BY: Final = "`hepflow sbi ml`"
METHODS: Final = "methods"  # folder with one file a method
# File -> what of each method it holds.
FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "limits.json": ("limits", "critical"),
    "information.json": ("information",),
    "calibration.json": ("closure", "reweighting", "reliability", "uncalibrated"),
    "coverage.json": ("coverage",),
    "accuracy.json": ("accuracy",),
    "comparison.json": ("comparison",),
}


@dataclass(frozen=True)
class Results:
    """What the methods gave, as plain containers by method, in their order."""

    methods: Mapping[str, Mapping[str, Any]]
    made: int  # evaluations that ran; the others were there


def evaluations_of(
    trainees: Sequence[Trainee],
    trained: Trained,
    events: Path,
    draws: Draws,
    spec: EvaluationSpec,
    *,
    exact: bool,
) -> list[Evaluation]:
    """All evaluations: methods, and what they are compared with."""
    kinds = {one.name: loss_of(one.method).kind for one in trainees}
    found = [
        Evaluation(
            one.name,
            kinds[one.name],
            one.method,
            str(trained.folders[one.name]),
            str(events),
            draws,
            _heard(spec, kinds[one.name]),
        )
        for one in trainees
    ]
    others = [*([HISTOGRAM] if spec.histogram else []), *([EXACT] if exact else [])]
    return [
        *found,
        *(
            Evaluation(name, name, name, "", str(events), draws, _heard(spec, name))
            for name in others
        ),
    ]


def _heard(spec: EvaluationSpec, kind: str) -> EvaluationSpec:
    """What an evaluation listens to; the rest is left out, so that it is not made anew for that."""
    if kind != HISTOGRAM:
        spec = replace(spec, histogram=False, columns=None, bins=0)
    if kind in {HISTOGRAM, EXACT}:  # nothing is estimated that could be checked
        spec = replace(spec, calibration=False)
    if kind == EXACT:
        spec = replace(spec, information=False)
    if kind in {HISTOGRAM, EXACT, "score"}:  # without a ratio there is nothing to calibrate
        spec = replace(spec, calibrate=False)
    return spec


def evaluate_all(
    tasks: Sequence[Evaluation],
    digest: str,
    trained: Trained,
    folder: Path,
    executor: Executor,
    *,
    reuse: bool,
) -> Results:
    """Evaluate what is not evaluated with the same key, and write the files of all.

    Parameters
    ----------
    tasks
        What is evaluated.
    digest
        Of the events' content.
    trained
        Keys of the networks.
    folder
        ``inference`` of the output folder.
    executor
        Where evaluations run.
    reuse
        Whether what was made with the same key is kept.

    Raises
    ------
    HepflowError
        Evaluations failed; those that finished are kept.
    """
    place = folder / METHODS
    steps = [Step(one.label, place, _key(one, digest, trained)) for one in tasks]
    left = [i for i, step in enumerate(steps) if not step.is_done(reuse=reuse)]
    if left:
        tell(STAGE, "ran", f"{len(left)} of {len(tasks)} methods, {steps[left[0]].why()}")
    else:
        tell(STAGE, "reused", f"{len(tasks)} methods, evaluated with the same key")
    for i in left:
        steps[i].begin()
    failed = []
    for outcome in executor.map(evaluate, [tasks[i] for i in left], label="evaluating"):
        if outcome.ok:
            step = steps[left[outcome.index]]
            path = place / f"{step.name}.json"
            write_json(path, outcome.value, sort_keys=False)
            step.finish([path])
        else:
            failed.append(outcome)
    raise_failures(failed, "evaluating", of=len(left))
    found = {one.label: read_json(place / f"{one.label}.json", _MADE_BY) for one in tasks}
    for name, keys in FILES.items():
        write_json(folder / name, joined(found, keys), sort_keys=False)
    return Results(found, len(left))


def _key(task: Evaluation, digest: str, trained: Trained) -> Key:
    observed = task.spec.observed
    return make_key(
        "inference evaluation",
        events=digest,
        networks=trained.keys.get(task.label, ()),
        method=(task.kind, task.method),
        split=(task.draws.fractions, task.draws.reference, task.draws.seed),
        evaluation=task.spec,
        observed=sha256_file(observed) if observed and Path(observed).is_file() else None,
    )


def joined(found: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    """What methods have of some of their results: name of the method -> result -> content."""
    return {
        name: mine
        for name, one in found.items()
        if (mine := {key: one[key] for key in keys if one.get(key)})
    }


def stored_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Results of all methods of an earlier run, as `joined` files have them.

    Raises
    ------
    MissingArtifact
        Nothing was evaluated in this folder.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in FILES:
        for method, one in read_json(folder / name, _MADE_BY).items():
            found.setdefault(method, {}).update(one)
    return found
