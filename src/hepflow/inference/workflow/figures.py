"""Figures of an inference; one whose content and look did not change is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hepflow.errors import MissingArtifact
from hepflow.execution.failures import raise_failures
from hepflow.inference.workflow.pictures import tasks_of
from hepflow.inference.workflow.steps import Step
from hepflow.journal import tell
from hepflow.keys import make_key
from hepflow.plotting import PlottingSpec, write_figure
from hepflow.plotting.run import FigureTask

if TYPE_CHECKING:
    from hepflow.inference.workflow.running import Bench

STAGE: Final = "plots"
FOLDER: Final = "inference"  # below the folder of the plots


def draw_all(bench: Bench, action: str, events: str | None) -> tuple[Path, ...]:
    """Draw what is there of events, trainings and results.

    Raises
    ------
    MissingArtifact
        The action is ``plot``, and there is nothing to draw.
    HepflowError
        A figure could not be drawn; the others are there.
    """
    look, folder = look_of(bench), bench.manager.get_plots_dir(FOLDER)
    tasks = list(tasks_of(bench, look, folder, events))
    if not tasks and action == "plot":
        raise MissingArtifact(
            f"{bench.folder}: there are no events and no results to draw. They are made by "
            "`hepflow sbi run`; general.output_dir says where."
        )
    steps = [_step(one) for one in tasks]
    left = [i for i, step in enumerate(steps) if not step.is_done(reuse=bench.reuse)]
    told = f"{len(left)} of {len(tasks)} figures" if left else f"{len(tasks)} figures"
    tell(STAGE, "ran" if left else "reused", told)
    failed = []
    todo = [tasks[i] for i in left]
    for outcome in bench.executor.map(write_figure, todo, label="drawing"):
        if outcome.ok:
            steps[left[outcome.index]].finish(outcome.value)
        else:
            failed.append(outcome)
    _forget_others(folder, tasks)
    raise_failures(failed, "drawing", of=len(left))
    return tuple(one.folder / f"{one.name}.{kind}" for one in tasks for kind in look.formats)


def look_of(bench: Bench) -> PlottingSpec:
    """How figures look, from the section ``plotting``."""
    own, parameters = bench.study.plotting, bench.study.inference.parameters
    labels = {one.name: one.label for one in parameters if one.label}
    return PlottingSpec(
        parameter_labels={**labels, **own.parameter_labels},
        style=own.style,
        experiment=own.experiment,
        status=own.status,
        luminosity=bench.study.luminosity,
        energy=own.center_of_mass_energy,
        formats=tuple(own.formats),
        dpi=own.dpi,
    )


def _step(task: FigureTask) -> Step:
    key = make_key("figure", content=task.content, spec=task.spec, remarks=task.remarks)
    return Step(task.name, task.folder, key)


def _forget_others(folder: Path, tasks: Sequence[FigureTask]) -> None:
    """Take away figures of an earlier run that this one does not have."""
    wanted = {one.name for one in tasks}
    for stamp in list(_stamps(folder)):
        name = stamp.name.removeprefix(".").removesuffix(".key.json")
        if name not in wanted:
            for kind in ("pdf", "png", "svg"):
                (folder / f"{name}.{kind}").unlink(missing_ok=True)
            stamp.unlink()


def _stamps(folder: Path) -> Iterator[Path]:
    return folder.glob(".*.key.json")
