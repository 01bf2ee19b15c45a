"""A simulation-based inference as yadage workflows: its two parts, and the whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from hepflow.errors import InputError
from hepflow.provenance import functions_of
from hepflow.reinterpretation.workflows.export.steps import Slot, Step
from hepflow.reinterpretation.workflows.export.yadage import steps_file, workflow_file
from hepflow.schema import Study
from hepflow.storage import atomic_write, write_json

CONFIGURATION: Final = "study.json"
PHYSICS, LEARNING = "physics", "learning"
_EVENTS: Final = "inference/events.h5"
_RESULTS: Final = {
    "limits": "inference/limits.json",
    "information": "inference/information.json",
    "report": "report/index.html",
}
_README: Final = """\
# A simulation-based inference as yadage workflows

`workflow.yml` is the whole, `physics.yml` makes the events, `ml.yml` trains and evaluates on
events that are there. `study.json` is the configuration. The steps run on the machine itself, with
the hepflow that is on the search path:

    yadage-run -d initdir=$PWD work workflow.yml inputs.yml
    yadage-run -d initdir=$PWD work-physics physics.yml inputs_physics.yml
    yadage-run -d initdir=$PWD work-ml ml.yml inputs_ml.yml   # after copying events.h5 here

A single step, without a workflow:

    packtivity-run steps.yml#/physics -p study=$PWD/study.json -p events_per_benchmark=40000 \\
        -p seed=1 -p events=$PWD/out/inference/events.h5 -p outputs=$PWD/out -w out

or without either, `hepflow sbi run --config study.json`.
"""


@dataclass(frozen=True)
class StudyExport:
    """What was written."""

    folder: Path
    files: tuple[str, ...]  # relative names, sorted


def export_study(study: Study, output: str | Path) -> StudyExport:
    """Write the two parts of an inference, and the whole, as yadage workflows.

    Parameters
    ----------
    study
        The configuration; it goes with them as JSON.
    output
        Folder to be made.

    Raises
    ------
    InputError
        `output` is not empty, or the configuration holds functions, which JSON cannot.
    """
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already and not empty. Choose another --output.")
    names = ("inference", "plotting", "execution")
    sections = {name: study[name].to_dict() for name in names}
    functions = [getattr(one, "__qualname__", repr(one)) for one in functions_of(sections)]
    if functions:
        raise InputError(
            f"the configuration holds functions ({', '.join(functions)}), which cannot go into "
            f"{CONFIGURATION}. Write these observables and cuts as expressions."
        )
    physics, learning = _physics(), _learning(linked=True)
    alone = _learning(linked=False)
    first, second = _inputs(study)
    files: Mapping[str, Any] = {
        "steps.yml": steps_file((physics, learning), None),
        "workflow.yml": workflow_file((physics, learning)),
        "physics.yml": workflow_file((physics,)),
        "ml.yml": workflow_file((alone,)),
        "inputs.yml": {**first, **second},
        "inputs_physics.yml": first,
        "inputs_ml.yml": {**second, "events": "events.h5"},
    }
    for name, content in files.items():
        atomic_write(folder / name, yaml.safe_dump(content, sort_keys=False, width=100))
    write_json(folder / CONFIGURATION, {**sections, "general": {"lumi": study.luminosity}})
    atomic_write(folder / "README.md", _README)
    return StudyExport(folder, tuple(sorted([*files, CONFIGURATION, "README.md"])))


def _inputs(study: Study) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values with which the workflows start, of the two parts."""
    own = study.inference
    common = {"study": CONFIGURATION}
    events = own.events if isinstance(own.events, int) else json.dumps(own.events)
    return (
        {**common, "events_per_benchmark": events, "seed": own.seed},
        {**common, "epochs": own.training.epochs, "luminosity": study.luminosity},
    )


def _physics() -> Step:
    words = (
        *("hepflow", "sbi", "physics", "--config", Slot("study", "file")),
        Slot("events_per_benchmark", "value", prefix="--inference.events="),
        Slot("seed", "value", prefix="--inference.seed="),
        Slot("outputs", "made", prefix="--general.output_dir="),
    )
    return Step(PHYSICS, words, {"events": _EVENTS})


def _learning(*, linked: bool) -> Step:
    events = Slot("events", "link", source=PHYSICS) if linked else Slot("events", "file")
    words = (
        *("hepflow", "sbi", "ml", "--config", Slot("study", "file")),
        *("--events", events),
        Slot("epochs", "value", prefix="--inference.training.epochs="),
        Slot("luminosity", "value", prefix="--inference.evaluation.luminosity="),
        Slot("outputs", "made", prefix="--general.output_dir="),
    )
    return Step(LEARNING, words, _RESULTS)
